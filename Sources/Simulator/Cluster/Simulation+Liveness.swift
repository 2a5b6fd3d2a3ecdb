import Core

/// The parts of a run, in their order.
enum Stage: UInt8 {
    /// Faults come and go; clients work; what must never happen must not happen.
    case faults
    /// The faults are over: a leader must be found.
    case electing
    /// Clients go on for a while and must be served.
    case serving
    /// Clients have stopped; what they began ends.
    case draining
    /// What must be there is read.
    case finalReads
    /// All healed servers must come to the same state.
    case converging
    case done
}

// After the faults: a quorum is healed, and must elect a leader, serve, and converge.
extension Simulation {
    private var pollInterval: Duration { .milliseconds(250) }
    /// How long clients go on after there is a leader again.
    private var servingTime: Duration { .seconds(8) }

    func reached(_ milestone: Milestone) {
        switch milestone {
        case .heal: heal()
        case .poll: poll()
        case .membership: followMembership()
        case .peace: watchPeace()
        }
    }

    private func enter(_ stage: Stage) {
        self.stage = stage
        stageBegan = world.now
        world.trace { "stage: \(stage)" }
    }

    private func heal() {
        world.count(kind: 22, place: 0)
        healedAt = world.now
        endFaults()
        // Links that lose and hold back messages at their whim would let nobody lead for long.
        network.profile.drop = 0
        network.profile.tailChance = 0
        network.clientProfile.drop = 0
        network.clientProfile.tailChance = 0
        if options.isStorm { disks = DiskProfile() }
        var members = (0..<options.serverPlaces).filter {
            server($0).standing != .spare && !server($0).isGone && !server($0).isLeaving && server($0).refusal == nil
                && !server($0).isDamaged
        }
        if options.healsOnlyMajority {
            let majority = options.servers / 2 + 1
            faultRandom.shuffle(&members)
            for index in members.dropFirst(majority) {
                end(server(index), losesPower: false)
                server(index).isGone = true
            }
            members = Array(members.prefix(majority)).sorted()
        }
        core = members + (options.serverPlaces..<options.places).filter { !server($0).isGone && !server($0).isLeaving }
        let used = hub.usable
        hub.usable = core.filter { server($0).standing == .member && ($0 < options.serverPlaces || used.contains($0)) }
        hub.core = core
        for index in core where !server(index).isRunning { start(server(index)) }
        enter(.electing)
        world.schedule(.milestone(.poll), after: pollInterval)
    }

    private func poll() {
        advance()
        if stage != .done { world.schedule(.milestone(.poll), after: pollInterval) }
    }

    private func advance() {
        switch stage {
        case .faults, .done:
            break
        case .electing:
            // With gossip the membership follows the pool, in its own time.
            if hasLeader && (options.gossip || membershipIsSettled) {
                enter(.serving)
            } else {
                expire(options.expect.leaderWithin, hasLeader ? "the leader did not change the membership" : "no leader was elected")
            }
        case .serving:
            guard world.now >= stageBegan + servingTime else { return }
            for workload in workloads { workload.stop() }
            disks.spikeChance = 0
            enter(.draining)
        case .draining:
            if workloads.allSatisfy(\.isIdle) {
                enter(.finalReads)
                for workload in workloads { workload.readFinalState(hub) }
            } else {
                expire(options.expect.convergedWithin, "\(unfinished { $0.isIdle }) did not come to an end")
            }
        case .finalReads:
            if workloads.allSatisfy(\.hasFinalState) {
                enter(.converging)
            } else {
                expire(options.expect.convergedWithin, "the final reads of \(unfinished { $0.hasFinalState }) were not answered")
            }
        case .converging:
            if !haveConverged {
                expire(options.expect.convergedWithin, "the servers' states differ: \(states)")
            } else if let mistake = poolMistake {
                expire(options.expect.convergedWithin, mistake)
            } else if !membershipIsSettled {
                expire(options.expect.convergedWithin, "the voters are not those that they should be: \(votersText)")
            } else {
                compareStates()
                enter(.done)
            }
        }
    }

    private func expire(_ limit: Duration, _ text: String) {
        guard world.now > healedAt + limit else { return }
        world.report(Violation(rule: "liveness", text: "\(limit.brief) after the faults ended, \(text)"))
    }

    private func unfinished(_ isDone: (any Workload) -> Bool) -> String {
        workloads.filter { !isDone($0) }.map(\.name).joined(separator: ", ")
    }

    /// Servers without consensus (of a toy) need no leader.
    private var hasLeader: Bool {
        let core = core.filter { $0 < options.serverPlaces }
        let views = core.compactMap { server($0).machine?.raft }
        guard views.count == core.count else { return server(core[0]).machine?.raft == nil && core.allSatisfy { server($0).isRunning } }
        return views.contains { view in view.isLeader && views.allSatisfy { $0.term <= view.term } }
    }

    private func compareStates() {
        for index in core {
            guard let view = server(index).machine?.raft else { continue }
            do throws(Violation) { try raft.compare(index, view) } catch { world.report(error) }
        }
    }

    private var haveConverged: Bool {
        let core = core.filter { $0 < options.serverPlaces }
        let views = core.compactMap { server($0).machine?.raft }
        guard let first = views.first else { return true }
        return views.count == core.count
            && views.allSatisfy {
                $0.appliedIndex == first.appliedIndex && $0.commitIndex == first.commitIndex && $0.lastLogIndex == first.lastLogIndex
                    && $0.appliedDigest == first.appliedDigest
            }
    }

    private var votersText: String {
        guard let voters = leader?.machine?.settledVoters else { return "unknown" }
        return servers.filter { voters.contains($0.identity.id) }.map(\.name).joined(separator: ", ")
    }

    private var states: String {
        core.filter { $0 < options.serverPlaces }.map { index in
            guard let view = server(index).machine?.raft else { return "s\(index + 1) is down" }
            return "s\(index + 1) applied \(view.appliedIndex) of \(view.lastLogIndex) in term \(view.term)"
        }.joined(separator: ", ")
    }
}
