import Core

// Servers that are added to the cluster, and servers that are taken out of it for good, one at a time.
extension Simulation {
    private var membershipInterval: Duration { .milliseconds(500) }

    /// How long a server that was taken out still runs, without knowing it.
    private var retirement: Duration { .seconds(3) }

    /// The fault: a spare server joins or a member goes, whichever is possible.
    func changeMembershipByChance() {
        let spares = servers.filter { $0.standing == .spare }
        var members = servers.prefix(options.serverPlaces).filter { $0.standing == .member && !$0.isGone && !$0.isLeaving }
        if let spare = spares.first, members.count == 1 || faultRandom.chance(0.5) {
            join(spare)
        } else if members.count > 1, canSpareOne {
            // Without gossip nobody takes back that a server is to be added: it is taken out once it is in.
            if !options.gossip { members = members.filter { leader?.machine?.settledVoters?.contains($0.identity.id) ?? false } }
            if members.isEmpty { return }
            retire(faultRandom.chance(options.leaderBias) ? leader ?? members[0] : faultRandom.pick(members))
        }
    }

    /// By gossip servers leave on their own, whether or not a leader can take them out: people let one go only where all vote and run, and
    /// where the others can decide without it.
    private var canSpareOne: Bool {
        guard options.gossip else { return true }
        guard membershipIsSettled, let voters = leader?.machine?.settledVoters, voters.count > 2 else { return false }
        return servers.allSatisfy { $0.isRunning || !voters.contains($0.identity.id) }
    }

    /// Starts a spare server; the leader takes it in as soon as there is one. With gossip, it finds out by itself.
    func join(_ server: Server<Machine>) {
        guard server.standing == .spare else { return }
        world.trace { "\(server.name) is to join" }
        server.standing = .member
        start(server)
        hub.usable.append(server.index)
        watchMembership()
    }

    /// Lets the leader take a member out; then it is stopped and never comes back. With gossip, it leaves by itself.
    func retire(_ server: Server<Machine>) {
        if options.gossip { return leave(server) }
        let others = servers.prefix(options.serverPlaces).count { $0.standing == .member && !$0.isGone && $0 !== server }
        guard server.standing == .member, others > 0 else { return }
        world.trace { "\(server.name) is to be taken out" }
        server.standing = .retiring
        hub.usable.removeAll { $0 == server.index }
        watchMembership()
    }

    /// Sees to it that the leader is asked for what is left to change.
    func watchMembership() {
        guard !options.gossip, !isWatchingMembership else { return }
        isWatchingMembership = true
        world.schedule(.milestone(.membership), after: membershipInterval)
    }

    /// Asks the leader, whoever that is by now, for the next change, until all are made.
    func followMembership() {
        isWatchingMembership = false
        guard !membershipIsSettled else { return }
        watchMembership()
        guard let leader, let voters = leader.machine?.settledVoters else { return }
        let new = servers.prefix(options.serverPlaces).first {
            $0.standing == .member && !$0.isGone && $0.isRunning && !voters.contains($0.identity.id)
        }
        let old = servers.first { $0.standing == .retiring && voters.contains($0.identity.id) }
        if let new {
            deliver(.change(leader.lifeID, server: new.index, adds: true), to: leader)
        } else if let old {
            deliver(.change(leader.lifeID, server: old.index, adds: false), to: leader)
        }
        for server in servers where server.standing == .retiring && !server.isGone && !voters.contains(server.identity.id) {
            endRetirement(of: server)
        }
    }

    /// Whoever was taken out knows nothing of it and runs on for a while.
    private func endRetirement(of server: Server<Machine>) {
        let since = retiredAt[server.index] ?? world.now
        retiredAt[server.index] = since
        guard world.now >= since + retirement else { return }
        world.trace { "\(server.name) was taken out and is stopped" }
        end(server, losesPower: false)
        server.isGone = true
        core.removeAll { $0 == server.index }
    }

    /// Whether everybody who should vote does, and everybody else is stopped.
    var membershipIsSettled: Bool {
        if !options.gossip && options.spares == 0 && !servers.contains(where: { $0.standing == .retiring && !$0.isGone }) { return true }
        guard let voters = leader?.machine?.settledVoters else { return false }
        return servers.prefix(options.serverPlaces).allSatisfy { server in
            switch server.standing {
            case .spare: true
            case .member where server.isGone || server.isLeaving: !options.gossip || !voters.contains(server.identity.id)
            case .member: server.isDamaged || !server.isRunning || voters.contains(server.identity.id)
            case .retiring: server.isGone
            }
        }
    }
}
