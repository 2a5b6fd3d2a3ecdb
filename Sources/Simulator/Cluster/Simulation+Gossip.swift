import Core

extension Happening {
    /// Whether it waits in a socket for the process to look.
    var comesFromNetwork: Bool {
        switch self {
        case .packet, .call, .answer, .callFailed, .callerGone, .request, .question, .cancel, .strangerMessage: true
        default: false
        }
    }
}

extension AgentEffect {
    /// Whether others hear of it.
    var isMessage: Bool {
        switch self {
        case .call, .reply, .respond, .packet: true
        default: false
        }
    }
}

// Datagrams between agents, slow agents, and what must be true of the gossip pool.
extension Simulation {
    func packetAddress(of place: Int, _ pool: GossipPool) -> Address {
        let settings = servers[place].settings
        return "\(settings.addresses.bind):\(pool == .lan ? settings.gossip.lan.port : settings.gossip.wan.port)"
    }

    func send(_ pool: GossipPool, _ bytes: [UInt8], from server: Server<Machine>, to address: Address) {
        if strangersUntil > .zero { stranger.overheard(nil, bytes) }
        guard let to = place(of: address), to != server.index else { return }
        let (first, copy) = network.datagram(from: server.index, to: to, now: world.now)
        guard let first else { return }
        world.schedule(.packet(to: to, from: server.index, pool, bytes), after: first)
        if let copy { world.schedule(.packet(to: to, from: server.index, pool, bytes), after: copy) }
    }

    /// A host name is an agent's, or an address already.
    func resolve(_ id: ResolutionID, _ host: String, for server: Server<Machine>) {
        let found = servers.first { $0.name == host || $0.settings.addresses.bind == host }
        let result: Result<[String], TextError> =
            found.map { .success([$0.settings.addresses.bind]) } ?? .failure(TextError("lookup \(host): no such host"))
        world.schedule(.resolved(server.lifeID, id, result), after: .milliseconds(1))
    }

    // MARK: - Slow agents

    /// From now on the process gets nothing from the network, though its timers and its disk go on.
    func slow(_ server: Server<Machine>, for length: Duration) {
        guard server.isRunning else { return }
        server.isSlow = true
        let ticket = newTicket()
        faultTickets[server.index][FaultKind.slow.rawValue] = ticket
        world.schedule(.slownessEnds(server: server.index, ticket: ticket), after: length)
    }

    func slownessEnds(_ server: Server<Machine>, _ ticket: UInt64) {
        guard server.isSlow, faultTickets[server.index][FaultKind.slow.rawValue] == ticket else { return }
        world.trace { "fault: slow of \(server.name) ends" }
        endSlowness(server)
    }

    func endSlowness(_ server: Server<Machine>) {
        server.isSlow = false
        let held = server.held
        server.held = []
        for happening in held where server.isRunning { deliver(happening, to: server) }
    }

    // MARK: - Rules

    /// After a leader has done something: whether it took a quorum away.
    func watchQuorum(_ server: Server<Machine>) throws(Violation) {
        guard let machine = server.machine, let index = machine.raft?.configurationIndex, index > quorum.index,
            let voters = machine.settledVoters
        else { return }
        func isRunning(_ id: String) -> Bool { servers.contains { $0.identity.id == id && $0.isRunning } }
        func isSettled(_ id: String) -> Bool {
            // Clocks that leap make time pass for the leader alone.
            guard hub.clockLeaps == .zero, let found = servers.first(where: { $0.identity.id == id }) else { return true }
            return world.now - found.firstStarted >= .seconds(9)
        }
        try quorum.observe(server.name, voters, index: index, isRunning: isRunning, isSettled: isSettled)
    }

    /// Looks at the whole pool now and then while nothing disturbs it.
    func watchPeace() {
        guard options.gossip, options.isPeaceful, stage != .done else { return }
        let agents = servers.filter { $0.standing != .spare }
        let checker = PoolChecker(running: agents.filter { $0.isRunning && !$0.isLeaving }.map(\.name), stopped: [])
        for agent in agents where agent.isRunning && !agent.isLeaving {
            guard let members = agent.machine?.poolMembers, let mistake = checker.mistakeInPeace(of: agent.name, members) else { continue }
            return world.report(Violation(rule: "nobody who lives is declared dead in peace", text: mistake))
        }
        world.schedule(.milestone(.peace), after: .seconds(1))
    }

    /// Something that a member of the pool has wrong about another one, nil if all agree with what is so.
    var poolMistake: String? {
        guard options.gossip else { return nil }
        let agents = servers.filter { $0.standing != .spare }
        let checker = PoolChecker(
            running: agents.filter { $0.isRunning && !$0.isLeaving }.map(\.name), stopped: agents.filter { !$0.isRunning }.map(\.name),
            left: agents.filter { !$0.isRunning && $0.hasLeft && options.leavesAreHeard }.map(\.name),
            // Servers that are lost are told to be gone by autopilot.
            crashed: agents.filter { !$0.isRunning && !$0.hasLeft && !$0.wasLeaving && $0.index >= options.serverPlaces }.map(\.name))
        for agent in agents where agent.isRunning && !agent.isLeaving {
            guard let members = agent.machine?.poolMembers else { continue }
            if let mistake = checker.mistake(of: agent.name, members) { return mistake }
        }
        return nil
    }
}
