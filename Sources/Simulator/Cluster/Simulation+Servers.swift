import Core

// Lives of a server: how it starts, how events reach it, what becomes of its effects, and how it ends.
extension Simulation {
    /// How long a supervisor waits before it starts a process again that could not start or gave up.
    private var restartDelay: Duration { .seconds(1) }

    /// More wake-ups than this without any progress of time are a machine that spins.
    private var idleWakeLimit: Int { 10_000 }

    func start(_ server: Server<Machine>) {
        guard !server.isRunning, !server.isGone, server.refusal == nil, server.standing != .spare else { return }
        world.count(kind: 1, place: server.index)
        server.life += 1
        server.hasPower = true
        let now = server.clock.local(at: world.now)
        if server.life > 1 { restarts += 1 } else { server.firstStarted = world.now }
        if server.life > 1, crashRandom.chance(options.crashDuringStart) {
            server.disk.plannedCrash = CrashPoint(kind: .any, passes: crashRandom.int(in: 0...6), side: .before)
        }
        server.settings.wallClockOffset = server.clock.wallOffset
        let seed = world.seed &* 31 &+ UInt64(server.index) << 32 &+ UInt64(server.life)
        do {
            server.machine = try Machine(server.settings, disk: server.disk, seed: seed, now: now)
            // A loss of power that recovery did not get far enough to meet does not happen.
            server.disk.plannedCrash = nil
            server.disk.hasFailed = false
            server.frontEnd = Machine.frontEnd(server.settings)
            world.trace { "\(server.name) starts, life \(server.life)" }
            hub.started(server.lifeID)
            process(nil, server)
            // It may have been down when the leader was to take it in.
            if server.life > 1, server.standing == .member { watchMembership() }
        } catch {
            startFailed(server, error)
        }
    }

    private func startFailed(_ server: Server<Machine>, _ error: any Error) {
        world.trace { "\(server.name) cannot start: \(error)" }
        server.disk.plannedCrash = nil
        if server.disk.hasCrashed {
            server.disk.losePower(&crashRandom)
            world.schedule(.start(server: server.index), after: restartDelay)
        } else if server.disk.isFull || server.disk.hasFailed {
            server.disk.hasFailed = false
            world.schedule(.start(server: server.index), after: restartDelay)
        } else if server.isDamaged {
            server.refusal = "\(error)"
        } else {
            world.report(Violation(rule: "a server starts from what it synced", text: "\(server.name) refuses to start: \(error)"))
        }
    }

    // MARK: - Events

    private static var heldLimit: Int { 2700 }

    /// Hands an event to a running server: at once, or with others when its core loop has time.
    func deliver(_ happening: Happening, to server: Server<Machine>) {
        if server.isSlow, happening.comesFromNetwork {
            // What does not fit is lost, as it is in the buffers of sockets.
            if server.held.count < Self.heldLimit { server.held.append(happening) }
            return
        }
        if server.isPaused || world.now < server.busyUntil || server.isBatchScheduled {
            server.inbox.append(happening)
            scheduleBatch(server)
        } else {
            process(happening, server)
        }
    }

    func scheduleBatch(_ server: Server<Machine>) {
        guard !server.isPaused, !server.isBatchScheduled, !server.inbox.isEmpty else { return }
        server.isBatchScheduled = true
        world.schedule(.batch(server.lifeID), at: server.busyUntil)
    }

    func processInbox(_ server: Server<Machine>) {
        server.isBatchScheduled = false
        guard !server.isPaused, !server.inbox.isEmpty else { return }
        let batch = server.inbox
        server.inbox = []
        process(nil, and: batch, server)
    }

    /// One batch: every event is handled, then what was collected is given out and performed. A server that starts has no event yet.
    private func process(_ first: Happening?, and more: [Happening] = [], _ server: Server<Machine>) {
        guard let machine = server.machine else { return }
        let now = server.clock.local(at: world.now)
        var effects = self.effects
        self.effects = []
        if let first { feed(first, to: server, machine, now, &effects) }
        for happening in more { feed(happening, to: server, machine, now, &effects) }
        machine.flush(at: now, into: &effects)
        if options.coreTime > .zero { server.busyUntil = world.now + options.coreTime }
        let life = server.life
        var messages = 0
        for effect in effects {
            perform(effect, of: server)
            if effect.isMessage { messages += 1 }
            // An effect may have ended the process.
            if server.life != life || !server.isRunning { break }
        }
        effects.removeAll(keepingCapacity: true)
        self.effects = effects
        guard server.life == life, server.isRunning else { return }
        arm(server, machine, now)
        if let view = machine.raft {
            do throws(Violation) {
                let committed = raft.highestCommit
                try raft.observe(server.index, view)
                if raft.highestCommit > committed, view.isLeader { try watchLeases(server, view) }
                hub.blockedReads.applied(server.index, view.appliedIndex, at: world.now)
                if options.gossip { try watchQuorum(server) }
            } catch {
                world.report(error)
            }
        }
        crashIfPlanned(server, after: messages)
    }

    private func feed(
        _ happening: Happening, to server: Server<Machine>, _ machine: Machine, _ now: Instant, _ effects: inout [AgentEffect]
    ) {
        switch happening {
        case .wake(_, let generation):
            guard server.wakeGeneration == generation else { return }
            server.wakeAt = nil
            guard let deadline = machine.deadline, deadline <= now else { return }
            world.count(kind: 2, place: server.index)
            machine.handle(.wake, at: now, into: &effects)
        case .call(let handle, _, let duplicate, let bytes):
            guard let call = calls[handle] else { return }
            world.count(kind: duplicate ? 4 : 3, place: server.index)
            world.mix(bytes)
            let id = CallID(incoming: handle.raw | (duplicate ? 1 << 63 : 0))
            machine.handle(.call(id, from: servers[call.caller.server].identity.address, call.channel, bytes), at: now, into: &effects)
        case .answer(let handle, _, let bytes):
            guard let call = calls.remove(handle) else { return }
            world.count(kind: 5, place: server.index)
            world.mix(bytes)
            machine.handle(.answered(call.id, bytes), at: now, into: &effects)
        case .callFailed(let handle, _, let text):
            guard let call = calls.remove(handle) else { return }
            world.count(kind: 6, place: server.index)
            machine.handle(.callFailed(call.id, text), at: now, into: &effects)
        case .completion(_, let completion):
            world.count(kind: 7, place: server.index)
            world.mix(UInt64(completion.owner.rawValue))
            world.mix(completion.token)
            if case .failure = completion.result {
                world.mix(1)
                server.troubleEnds = world.now + .seconds(5)
            }
            machine.handle(.disk(completion), at: now, into: &effects)
        case .probed(_, let id, let outcome):
            guard !server.cancelledProbes.remove(id) else { return }
            world.count(kind: 8, place: server.index)
            hub.probes.end(id, of: server.lifeID, outcome, at: world.now)
            machine.handle(.probed(id, outcome), at: now, into: &effects)
        case .callerGone(let handle, _):
            world.count(kind: 62, place: server.index)
            machine.handle(.callersGone([CallID(incoming: handle.raw)]), at: now, into: &effects)
        case .cancel(let handle, _):
            world.count(kind: 9, place: server.index)
            machine.handle(.cancelled(RequestID(handle.raw)), at: now, into: &effects)
        case .reload:
            world.count(kind: 18, place: server.index)
            machine.handle(.reload(server.settings.reloadable), at: now, into: &effects)
        case .leave:
            world.count(kind: 19, place: server.index)
            machine.handle(.leave, at: now, into: &effects)
        case .wallClock:
            world.count(kind: 23, place: server.index)
            machine.handle(.wallClock(server.clock.wallOffset), at: now, into: &effects)
        case .change(_, let member, let adds):
            world.count(kind: 24, place: server.index)
            let identity = servers[member].identity
            machine.change(adds ? .addVoter(id: identity.id, address: identity.address) : .removeServer(id: identity.id), at: now)
        case .request(let handle, _):
            // What arrived while the process was stopped, the front end has not seen.
            guard !answeredByFrontEnd(handle, server), let event = hub.event(handle) else { return }
            world.count(kind: 10, place: server.index)
            machine.handle(event, at: now, into: &effects)
        case .packet(_, let from, let pool, let bytes):
            world.count(kind: 29, place: server.index)
            world.mix(bytes)
            machine.handle(.packet(pool, from: packetAddress(of: from, pool), bytes), at: now, into: &effects)
        case .strangerMessage(_, let message):
            feed(message, to: server, machine, now, &effects)
        case .resolved(_, let id, let result):
            machine.handle(.resolved(id, result), at: now, into: &effects)
        case .question(let handle, _):
            answerQuestion(handle, server)
        case .handedOver(let handle, _):
            guard let question = hub.questions[handle] else { return }
            world.count(kind: 28, place: server.index)
            // Apart from the numbers of requests.
            let id = RequestID(handle.raw | 1 << 63)
            let remote = "10.0.1.\(question.from.client % 250 + 1)"
            machine.handle(.question(id, question.bytes, tcp: question.tcp, from: remote), at: now, into: &effects)
        default:
            preconditionFailure("not meant for a server")
        }
    }

    /// After a leader has committed something: nobody else may answer reads by a lease.
    private func watchLeases(_ server: Server<Machine>, _ view: Machine.View) throws(Violation) {
        guard options.defaultReadTolerance == .zero else { return }
        let claims = servers.lazy.compactMap { other -> LeaseChecker.Claim? in
            guard other !== server, let state = other.published, state.isLeader, let term = other.machine?.raft?.term else { return nil }
            let now = other.clock.local(at: self.world.now)
            return LeaseChecker.Claim(
                server: other.name, term: term, until: state.isSoleVoter ? .distantFuture : state.leaseExpiry, now: now)
        }
        try leases.committed(server.name, in: view.term, others: claims)
    }

    /// Puts the wake-up that the machine asks for on the agenda, unless an earlier one is there.
    private func arm(_ server: Server<Machine>, _ machine: Machine, _ now: Instant) {
        guard let deadline = machine.deadline else { return }
        let at: Instant
        if deadline <= now {
            at = world.now
            server.idleWakes += 1
            if server.idleWakes > idleWakeLimit {
                world.report(Violation(rule: "liveness", text: "\(server.name) asks to be woken at once, again and again"))
                return
            }
        } else {
            at = server.clock.time(of: deadline)
            server.idleWakes = 0
        }
        guard at != .distantFuture else { return }
        if let planned = server.wakeAt, planned <= at, planned >= world.now { return }
        server.wakeAt = at
        server.wakeGeneration += 1
        world.schedule(.wake(server: server.index, generation: server.wakeGeneration), at: at)
    }

    /// After the clock was changed: the wake-up is planned anew.
    func rearm(_ server: Server<Machine>) {
        server.wakeAt = nil
        if let machine = server.machine { arm(server, machine, server.clock.local(at: world.now)) }
    }

    // MARK: - Effects

    private func perform(_ effect: AgentEffect, of server: Server<Machine>) {
        switch effect {
        case .respond(let id, let response):
            respond(Handle(raw: id.raw), response, from: server)
        case .answer(let id, let bytes):
            sendAnswer(bytes, to: Handle(raw: id.raw), from: server)
        case .packet(let pool, let address, let bytes):
            send(pool, bytes, from: server, to: address)
        case .resolve(let id, let host):
            resolve(id, host, for: server)
        case .call(let id, let address, let channel, let bytes, let timeout):
            call(id, from: server, to: address, channel, bytes, timeout)
        case .giveUp(let id):
            giveUp(id, of: server)
        case .reply(let id, let bytes):
            reply(id, from: server, bytes)
        case .refuse(let id):
            refuse(id, from: server)
        case .disk(let batch):
            if let time = server.diskQueue.append(batch, disks, &diskRandom) { world.schedule(.disk(server.lifeID), after: time) }
        case .probe(let id, let probe, _, _):
            world.schedule(.probed(server.lifeID, id, hub.probes.begin(probe, id, of: server.lifeID)), after: .milliseconds(2))
        case .cancelProbe(let id):
            server.cancelledProbes.insert(id)
        case .publish(let state):
            server.published = state
        case .log(let level, let subsystem, let text):
            world.trace { "\(server.name) [\(level)] \(subsystem): \(text)" }
            if text.hasPrefix("failed to leave serf"), options.judgesLeaves {
                world.report(Violation(rule: "leaving takes its time and no longer", text: "\(server.name): \(text)"))
            }
        case .respondInPieces, .piece, .followLog, .show, .report, .examineHost, .configure:
            break  // No client follows the log, or asks about the machine.
        case .readConfiguration:
            world.schedule(.reload(server.lifeID), after: .milliseconds(1))
        case .exit(let reason):
            exited(server, reason)
        }
    }

    func diskAdvanced(_ server: Server<Machine>) {
        let completion = server.diskQueue.finish(on: server.disk)
        if server.disk.hasCrashed { return crash(server, "at an operation of its disk") }
        if server.isRunning { deliver(.completion(server.lifeID, completion), to: server) }
        if let time = server.diskQueue.next(disks, &diskRandom) { world.schedule(.disk(server.lifeID), after: time) }
    }

    /// The process ended by itself. One that failed is started again by its supervisor; one that left stays away.
    private func exited(_ server: Server<Machine>, _ reason: String?) {
        world.trace { "\(server.name) exits: \(reason ?? "left")" }
        end(server, losesPower: false)
        if let reason {
            // A disk that refuses writes may stop a server; nothing else that is simulated may.
            if !server.disk.isFull && world.now >= server.troubleEnds {
                world.report(Violation(rule: "a server keeps running", text: "\(server.name) exits: \(reason)"))
            }
            world.schedule(.start(server: server.index), after: restartDelay)
        } else {
            server.isGone = true
            server.hasLeft = true
        }
    }

    // MARK: - Ends

    /// Ends the process; with a loss of power, unsynced writes are at risk and nobody answers at its address.
    func end(_ server: Server<Machine>, losesPower: Bool, batchHasNotBegun: Bool = false) {
        server.messagesUntilCrash = nil
        guard server.isRunning else {
            if losesPower { powerLostWhileDown(server) }
            return
        }
        let life = server.lifeID
        server.machine = nil
        server.published = nil
        server.inbox.removeAll()
        server.isPaused = false
        server.isSlow = false
        // Who is started again stays.
        if server.isLeaving { server.wasLeaving = true }
        server.isLeaving = false
        server.held.removeAll()
        server.isBatchScheduled = false
        server.busyUntil = .zero
        server.wakeAt = nil
        server.wakeGeneration += 1
        server.cancelledProbes = LookupSet()
        server.diskQueue.abandon(on: server.disk, hasNotBegun: batchHasNotBegun, &crashRandom)
        if losesPower { powerLostWhileDown(server) }
        raft.forget(server.index)
        hub.blockedReads.forget(server.index)
        hub.ended(server.index)
        // Connections of a dead process are closed by its system; without power nobody says anything.
        if !losesPower {
            breakCalls(to: server)
            for handle in hub.openRequests(servedBy: life) {
                if case .arrives(let delay) = network.send(from: server.index, to: network.clients, now: world.now) {
                    world.schedule(.requestFailed(handle, .broken), after: delay)
                }
            }
        }
    }

    private func powerLostWhileDown(_ server: Server<Machine>) {
        server.disk.losePower(&crashRandom)
        server.hasPower = false
    }

    // MARK: - Crashes by plan

    /// Plans that a running server loses power at a certain point, and comes back after a while. It may never get there.
    func plan(_ crash: PlannedCrash, for server: Server<Machine>, restartAfter delay: Duration) {
        guard server.isRunning else { return }
        server.restartAfterCrash = delay
        switch crash {
        case .disk(let point): server.disk.plannedCrash = point
        case .message(let passes): server.messagesUntilCrash = passes
        }
    }

    /// Power may be lost now that so many messages went out: what they tell may be what the disk has not got yet.
    private func crashIfPlanned(_ server: Server<Machine>, after messages: Int) {
        guard messages > 0, let left = server.messagesUntilCrash, server.diskQueue.isSyncing else { return }
        server.messagesUntilCrash = left - messages
        if left < messages { crash(server, "right after a message", batchHasNotBegun: true) }
    }

    private func crash(_ server: Server<Machine>, _ point: String, batchHasNotBegun: Bool = false) {
        world.trace { "fault: \(server.name) loses power \(point)" }
        plannedCrashes += 1
        end(server, losesPower: true, batchHasNotBegun: batchHasNotBegun)
        world.schedule(.start(server: server.index), after: server.restartAfterCrash)
    }
}
