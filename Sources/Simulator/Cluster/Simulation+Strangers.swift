import Core

// Somebody who is no part of the cluster sends bytes to every port of every agent. No answer reaches anybody.
extension Simulation {
    private var strangerAddress: Address { "10.255.255.1:4000" }

    /// Until then, or until the faults end; a stranger that is at it already stays longer.
    func letStrangersIn(for length: Duration) {
        let isThere = world.now < strangersUntil
        hasHadStrangers = true
        strangersUntil = max(strangersUntil, world.now + length)
        world.trace { "a stranger sends garbage for \(length.brief)" }
        if !isThere { world.schedule(.stranger, after: stranger.pause()) }
    }

    func strangerSends() {
        guard world.now < strangersUntil else { return }
        world.schedule(.stranger, after: stranger.pause())
        let server = servers[stranger.place(among: servers.count)]
        let message = stranger.message(gossip: options.gossip)
        if server.isRunning { deliver(.strangerMessage(server.lifeID, message), to: server) }
    }

    /// A number that no call and no request of the run has: what is answered under it goes nowhere.
    private func nextStrangerID() -> UInt64 {
        strangerCount += 1
        return Handle(slot: .max, generation: strangerCount & 0x7FFF_FFFF).raw
    }

    func feed(_ message: StrangerMessage, to server: Server<Machine>, _ machine: Machine, _ now: Instant, _ effects: inout [AgentEffect]) {
        world.count(kind: 60, place: server.index)
        switch message {
        case .call(let channel, let bytes):
            world.mix(bytes)
            machine.handle(.call(CallID(incoming: nextStrangerID()), from: strangerAddress, channel, bytes), at: now, into: &effects)
        case .packet(let pool, let bytes):
            world.mix(bytes)
            machine.handle(.packet(pool, from: strangerAddress, bytes), at: now, into: &effects)
        case .request(let bytes):
            world.mix(bytes)
            feed(requests: bytes, to: server, machine, now, &effects)
        case .question(let bytes, let tcp):
            world.mix(bytes)
            if let state = server.published {
                let answer = server.frontEnd.answer(question: bytes, tcp: tcp, remote: "10.255.255.1", state: state, now: now)
                guard case .handOver = answer else { return }
            }
            machine.handle(.question(RequestID(nextStrangerID()), bytes, tcp: tcp, from: "10.255.255.1"), at: now, into: &effects)
        }
    }

    /// What the parser takes for requests; their client does not wait for the answers.
    private func feed(
        requests bytes: [UInt8], to server: Server<Machine>, _ machine: Machine, _ now: Instant, _ effects: inout [AgentEffect]
    ) {
        var parser = HTTPParser(remoteAddress: "10.255.255.1", bodyLimit: server.settings.http.kvMaxValueSize + 4_096)
        var at = 0
        while case .request(let request, let framing) = parser.parse(bytes, at: &at) {
            if let state = server.published {
                responseBytes.removeAll(keepingCapacity: true)
                let answer = server.frontEnd.answer(request, framing: framing, state: state, now: now, date: [], into: &responseBytes)
                switch answer {
                case .written, .begun: continue
                case .handOver, .routed: break
                }
            }
            let id = RequestID(nextStrangerID())
            machine.handle(.request(id, request), at: now, into: &effects)
            machine.handle(.cancelled(id), at: now, into: &effects)
        }
    }
}
