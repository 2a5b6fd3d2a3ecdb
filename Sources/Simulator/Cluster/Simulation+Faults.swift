import Core

// Faults by chance: each kind that the run has comes again and again, picks a victim, and ends after a while.
extension Simulation {
    func faultComes(_ kind: FaultKind) {
        guard stage == .faults, let rate = options.faults.first(where: { $0.kind == kind }) else { return }
        world.schedule(.fault(kind), after: faultRandom.interval(mean: rate.interval))
        let lasting = faultRandom.duration(in: rate.lasting)
        faultCounts[Int(kind.rawValue)] += 1
        world.count(kind: 30 + kind.rawValue, place: 0)
        switch kind {
        case .membership: changeMembershipByChance()
        case .partition: partitionByChance(lasting)
        case .oneWayPartition: oneWayPartitionByChance(lasting)
        case .garbage: letStrangersIn(for: lasting)
        case .blackout: blackoutByChance(rate.lasting)
        case .clog:
            guard let (from, to) = pickLink() else { return }
            network.clog(from: from, to: to, until: world.now + lasting)
            world.trace { "fault: link \(options.name(of: from)) -> \(options.name(of: to)) is clogged for \(lasting.brief)" }
        default:
            guard let victim = pickVictim() else { return }
            strike(victim, kind, lasting)
        }
    }

    /// A running server, the leader more often than others.
    private func pickVictim() -> Server<Machine>? {
        var running = servers.indices.filter { server($0).isRunning }
        guard !running.isEmpty else { return nil }
        if faultRandom.chance(options.leaderBias), let leader { return leader }
        // There may be many more client agents than servers.
        if options.agents > options.servers, faultRandom.chance(0.5) { running.removeAll { $0 >= options.serverPlaces } }
        guard !running.isEmpty else { return nil }
        return server(faultRandom.pick(running))
    }

    private func strike(_ victim: Server<Machine>, _ kind: FaultKind, _ lasting: Duration) {
        world.trace { "fault: \(kind.name) of \(victim.name) for \(lasting.brief)" }
        switch kind {
        case .kill, .powerLoss:
            end(victim, losesPower: kind == .powerLoss)
            world.schedule(.start(server: victim.index), after: lasting)
        case .pause:
            pause(victim)
            endLater(kind, victim, after: lasting)
        case .slowDisk:
            victim.diskQueue.slowness = faultRandom.pick([10, 50, 200])
            endLater(kind, victim, after: lasting)
        case .fullDisk:
            victim.disk.isFull = true
            endLater(kind, victim, after: lasting)
        case .drift:
            // Beyond what the clock has anyway, within the bound of the run.
            setDrift(victim, ppm: faultRandom.int(in: -options.driftPPM...options.driftPPM))
        case .clockLeap:
            victim.clock.advance(by: lasting)
            rearm(victim)
        case .leave:
            leave(victim)
        case .wallClock:
            setWallClock(victim, by: faultRandom.chance(0.5) ? lasting : .zero - lasting)
        case .diskError:
            victim.disk.plannedFailure =
                faultRandom.chance(0.5) ? .write(part: faultRandom.int(in: 0...100)) : .sync(forgets: faultRandom.chance(0.5))
        case .packetLoss:
            network.setLoss(at: victim.index, 0.05 + 0.35 * faultRandom.fraction())
            endLater(kind, victim, after: lasting)
        case .slow:
            slow(victim, for: lasting)
        case .crashAtOperation:
            let crash: PlannedCrash =
                faultRandom.chance(0.4) ? .message(passes: faultRandom.int(in: 0...3)) : .disk(.random(&faultRandom))
            plan(crash, for: victim, restartAfter: lasting)
        case .partition, .oneWayPartition, .clog, .membership, .garbage, .blackout:
            break
        }
    }

    /// Several servers lose power at once, each for a time of its own; every other time it is all of them.
    private func blackoutByChance(_ lasting: ClosedRange<Duration>) {
        var victims = Array(0..<options.serverPlaces)
        if faultRandom.chance(0.5) {
            faultRandom.shuffle(&victims)
            victims.removeLast(faultRandom.int(in: 0...victims.count - 1))
        }
        world.trace { "fault: \(names(victims)) lose power" }
        for index in victims where server(index).isRunning {
            end(server(index), losesPower: true)
            world.schedule(.start(server: index), after: faultRandom.duration(in: lasting))
        }
    }

    private func endLater(_ kind: FaultKind, _ victim: Server<Machine>, after lasting: Duration) {
        let ticket = newTicket()
        faultTickets[victim.index][kind.rawValue] = ticket
        world.schedule(.faultEnds(kind, server: victim.index, ticket: ticket), after: lasting)
    }

    func newTicket() -> UInt64 {
        nextTicket += 1
        return nextTicket
    }

    /// A fault ends unless another of its kind has struck the same server since.
    func faultEnds(_ kind: FaultKind, server index: Int, ticket: UInt64) {
        if kind == .partition {
            network.mend(ticket: ticket)
            world.trace { "fault: a partition ends" }
            return
        }
        guard faultTickets[index][kind.rawValue] == ticket else { return }
        let victim = server(index)
        world.trace { "fault: \(kind.name) of \(victim.name) ends" }
        switch kind {
        case .pause: resume(victim)
        case .slowDisk: victim.diskQueue.slowness = 1
        case .fullDisk: victim.disk.isFull = false
        case .packetLoss: network.setLoss(at: index, 0)
        default: break
        }
    }

    // MARK: - Network

    private func pickLink() -> (Int, Int)? {
        guard servers.count > 1 else { return nil }
        let from = faultRandom.int(in: 0...servers.count - 1)
        let to = (from + faultRandom.int(in: 1...servers.count - 1)) % servers.count
        return (from, to)
    }

    private func partitionByChance(_ lasting: Duration) {
        guard servers.count > 1 else { return }
        var members = Array(servers.indices)
        faultRandom.shuffle(&members)
        var size = faultRandom.int(in: 1...servers.count - 1)
        if faultRandom.chance(options.leaderBias), let leader {
            members = [leader.index] + members.filter { $0 != leader.index }
            size = faultRandom.chance(0.5) ? 1 : size
        }
        let group = Array(members.prefix(size))
        cut(network.directions(between: [group]), for: lasting)
        world.trace { "fault: \(names(group)) are cut off for \(lasting.brief)" }
    }

    private func oneWayPartitionByChance(_ lasting: Duration) {
        guard servers.count > 1 else { return }
        let victim = faultRandom.chance(options.leaderBias) ? leader?.index : nil
        let one = victim ?? faultRandom.int(in: 0...servers.count - 1)
        let outgoing = faultRandom.chance(0.5)
        let others = servers.indices.filter { $0 != one && faultRandom.chance(0.7) }
        cut(others.map { outgoing ? (from: one, to: $0) : (from: $0, to: one) }, for: lasting)
        world.trace { "fault: \(outgoing ? "from" : "to") s\(one + 1), \(names(others)), nothing arrives for \(lasting.brief)" }
    }

    private func cut(_ directions: [(from: Int, to: Int)], for lasting: Duration) {
        let ticket = newTicket()
        network.cut(directions, ticket: ticket)
        world.schedule(.faultEnds(.partition, server: 0, ticket: ticket), after: lasting)
    }

    private func names(_ servers: [Int]) -> String { servers.map { options.name(of: $0) }.joined(separator: ",") }

    // MARK: - What faults and steps have in common

    func pause(_ server: Server<Machine>) {
        if server.isRunning { server.isPaused = true }
    }

    func resume(_ server: Server<Machine>) {
        guard server.isPaused else { return }
        server.isPaused = false
        scheduleBatch(server)
    }

    func setDrift(_ server: Server<Machine>, ppm: Int) {
        server.clock.setDrift(ppm: Int64(ppm), at: world.now)
        rearm(server)
    }

    func setWallClock(_ server: Server<Machine>, by jump: Duration) {
        server.clock.setWall(by: jump)
        world.trace { "the wall clock of \(server.name) is set by \(jump.brief)" }
        if server.isRunning { deliver(.wallClock(server.lifeID), to: server) }
    }

    /// Asks a server to leave for good, if the others can do without it: one that does not lead keeps its place among the voters.
    func leave(_ server: Server<Machine>) {
        let left = servers.prefix(options.serverPlaces).count { $0.standing == .member && ($0.isGone || $0.isLeaving) }
        let all = servers.prefix(options.serverPlaces).count { $0.standing == .member }
        // Without gossip nobody takes a follower that leaves out of the configuration.
        let isBearable = options.gossip ? all - left > 1 : left + 1 <= (all - 1) / 2
        guard server.index >= options.serverPlaces || isBearable, !options.healsOnlyMajority, server.isRunning, !server.isLeaving else {
            return
        }
        server.isLeaving = true
        deliver(.leave(server.lifeID), to: server)
    }

    /// Ends all that can end by itself.
    func endFaults() {
        network.mendAll()
        strangersUntil = .zero
        for server in servers {
            server.diskQueue.slowness = 1
            server.disk.isFull = false
            server.disk.plannedFailure = nil
            server.disk.plannedCrash = nil
            server.messagesUntilCrash = nil
            if server.isSlow { endSlowness(server) }
            resume(server)
        }
    }

    // MARK: - Steps of a scenario

    func perform(_ action: StepAction) {
        world.trace { "step: \(action)" }
        switch action {
        case .kill(let target): resolve(target).forEach { end($0, losesPower: false) }
        case .powerLoss(let target): resolve(target).forEach { end($0, losesPower: true) }
        case .start(let target): resolve(target).forEach { start($0) }
        case .pause(let target): resolve(target).forEach { pause($0) }
        case .resume(let target): resolve(target).forEach { resume($0) }
        case .partition(let groups):
            let places = groups.map { group in group.flatMap { $0 == .clients ? [network.clients] : resolve($0).map(\.index) } }
            network.cut(network.directions(between: places), ticket: newTicket())
        case .isolate(let target, let direction): isolate(resolve(target).map(\.index), direction)
        case .clog(let target, let length): clog(resolve(target).map(\.index), length)
        case .heal: endFaults()
        case .slowDisk(let target, let factor): resolve(target).forEach { $0.diskQueue.slowness = factor }
        case .fullDisk(let target, let isFull): resolve(target).forEach { $0.disk.isFull = isFull }
        case .clockLeap(let target, let leap):
            for server in resolve(target) {
                server.clock.advance(by: leap)
                rearm(server)
            }
        case .wallClock(let target, let jump): resolve(target).forEach { setWallClock($0, by: jump) }
        case .crash(let target, let crash, let delay): resolve(target).forEach { plan(crash, for: $0, restartAfter: delay) }
        case .diskError(let target, let failure): resolve(target).forEach { $0.disk.plannedFailure = failure }
        case .packetLoss(let target, let part): resolve(target).forEach { network.setLoss(at: $0.index, part) }
        case .slow(let target, let length): resolve(target).forEach { slow($0, for: length) }
        case .garbage(let length): letStrangersIn(for: length)
        case .judgePool:
            if let mistake = poolMistake { world.report(Violation(rule: "the pool converges", text: mistake)) }
        case .join(let target): resolve(target).forEach { join($0) }
        case .retire(let target): resolve(target).forEach { retire($0) }
        case .drift(let target, let ppm): resolve(target).forEach { setDrift($0, ppm: ppm) }
        case .damage(let target): resolve(target).forEach { damage($0) }
        case .leave(let target): resolve(target).forEach { leave($0) }
        case .network(let drop, let delay, let duplicate, let reorders):
            if let drop { network.profile.drop = drop }
            if let delay { network.profile.delay = delay }
            if let duplicate { network.profile.duplicate = duplicate }
            if let reorders { network.profile.reorders = reorders }
        }
    }

    private func resolve(_ target: Target) -> [Server<Machine>] {
        let everybody = servers.prefix(options.serverPlaces).filter { $0.standing != .spare && !$0.isGone }
        let found: [Server<Machine>]
        switch target {
        case .server(let index): return [server(index)]
        case .range(let first, let last): return (first...last).map { server($0) }
        case .agents: return (options.serverPlaces..<options.places).map { server($0) }
        case .all: return everybody
        case .same: return lastTargets.map { server($0) }
        case .clients: return []
        case .leader: found = leader.map { [$0] } ?? []
        case .followers: found = everybody.filter { $0.index != leader?.index }
        case .follower: found = Array(everybody.filter { $0.index != leader?.index && $0.isRunning }.prefix(1))
        }
        lastTargets = found.map(\.index)
        return found
    }

    private func isolate(_ members: [Int], _ direction: Direction) {
        let directions = network.directions(between: [members]).filter { from, _ in
            switch direction {
            case .both: true
            case .outgoing: members.contains(from)
            case .incoming: !members.contains(from)
            }
        }
        network.cut(directions, ticket: newTicket())
    }

    private func clog(_ members: [Int], _ length: Duration) {
        for (from, to) in network.directions(between: [members]) { network.clog(from: from, to: to, until: world.now + length) }
    }

    /// Damages a record that others have too, far from the end of the log, in a server that is down.
    private func damage(_ server: Server<Machine>) {
        guard !server.isRunning, let files = try? server.disk.list("") else { return }
        var largest: (name: String, size: Int)?
        for file in files {
            guard let size = try? server.disk.size(file), size > largest?.size ?? 0 else { continue }
            largest = (file, size)
        }
        guard let (name, size) = largest else { return }
        server.isDamaged = server.disk.damage(name, at: size / 3)
        world.trace { "byte \(size / 3) of \(name) on \(server.name) is damaged" }
    }
}
