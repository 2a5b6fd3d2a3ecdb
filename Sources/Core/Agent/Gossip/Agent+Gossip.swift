// What gossip and the rest of an agent have to tell each other (gossip §15).

extension Agent {
    /// Everybody in the LAN pool as this agent sees them, sorted by name; nil without gossip. O(members).
    public var poolMembers: [Member]? { lan?.serf.members }

    func pool(_ kind: GossipPool) -> Pool? { membership[kind] }

    /// Passes on what has happened in the pools; false if nothing has.
    func settlePools(at now: Instant, into effects: inout [AgentEffect]) -> Bool {
        var happened = false
        for pool in [lan, wan] {
            guard let pool else { continue }
            let news = pool.takeNews()
            happened = happened || !news.isEmpty
            for item in news { take(item, from: pool, at: now, into: &effects) }
        }
        return happened
    }

    private func take(_ news: PoolNews, from pool: Pool, at now: Instant, into effects: inout [AgentEffect]) {
        switch news {
        case .members(let kind, let members):
            if pool.kind == .lan { lanChanged(kind, members, at: now, into: &effects) }
        case .userEvent(let event):
            if pool.kind == .lan { received(event, at: now, into: &effects) }
        case .joined(let id, let result):
            guard requests.remove(id) != nil else { return }
            let response =
                switch result {
                case .success: AgentRenderer.done()
                case .failure(let error): AgentRenderer.failure(error.text)
                }
            effects.append(.respond(id, finished(response)))
        case .left(let error):
            if let error { effects.append(.log(.error, "agent", "failed to leave serf: error=\(LogText.value(error.text))")) }
            departed(from: pool.kind, at: now, into: &effects)
        case .keys(let number, let response):
            guard let (requester, answers) = membership.keysAnswered(number, response, pool.kind) else { return }
            server?.finishOperation(requester, .success(.keyring(answers)), at: now)
        case .conflictLost: effects.append(.exit("another agent has the name of this one"))
        case .joinedAtStart: joinAtStart(at: now, into: &effects)
        case .gaveUp(let reason): effects.append(.exit(reason))
        }
    }

    // MARK: Members

    private func lanChanged(_ kind: MemberEventKind, _ members: [Member], at now: Instant, into effects: inout [AgentEffect]) {
        telemetry.measure(kind, count: members.count, at: now)
        local.handle(.members(lan?.serf.memberCount(.alive) ?? 1), at: now, into: &localEffects)
        switch backend {
        case .server(let server):
            server.lanMembers = membership.changed(kind, members)
            server.memberEvent(kind, members, at: now)
            if kind == .joined { membership.flood(isLeaving: isLeaving, at: now) }
        case .client(let client):
            client.servers.memberCount = lan?.serf.memberCount ?? 1
            for member in members {
                guard let tags = ServerTags(member), tags.datacenter == settings.identity.datacenter else { continue }
                switch kind {
                case .joined, .updated:
                    effects.append(
                        .log(
                            .info, "agent.client",
                            "adding server: server=\"\(tags.name) (Addr: tcp/\(tags.serverAddress)) (DC: \(tags.datacenter))\""))
                    client.servers.add(ServerEntry(name: tags.name, address: tags.serverAddress, datacenter: tags.datacenter))
                    if kind == .joined { local.handle(.synchronize, at: now, into: &localEffects) }
                case .left, .failed, .reaped: client.servers.remove(tags.name)
                }
            }
        }
    }

    // MARK: User events

    private func received(_ event: UserEvent, at now: Instant, into effects: inout [AgentEffect]) {
        telemetry.metrics.count("serf.events.\(event.name)", at: now)
        switch ConsulEvent(name: event.name, payload: event.payload) {
        case nil: return
        case .newLeader(let node):
            effects.append(
                .log(
                    .info, "agent.\(settings.identity.isServer ? "server" : "client")", "New leader elected: payload=\(LogText.value(node))"
                ))
            local.handle(.synchronize, at: now, into: &localEffects)
        case .unknown(let name): effects.append(.log(.warn, "agent", "Unhandled local event: event=\(LogText.value(name))"))
        case .malformed(let problem):
            effects.append(.log(.error, "agent", "Failed to decode event: error=\(LogText.value(problem))"))
        case .user(let payload):
            var message = EventMessage(name: payload.name)
            message.id = payload.id
            message.payload = payload.payload
            message.nodeFilter = payload.nodeFilter
            message.serviceFilter = payload.serviceFilter
            message.tagFilter = payload.tagFilter
            message.version = Int(payload.version)
            message.lamportTime = event.ltime
            guard local.concerns(message) else { return }
            if message.name == ConsulEvent.remoteExecName {
                return effects.append(
                    .log(.info, "agent", "ignoring remote exec event, disabled.: event_name=_rexec event_id=\(message.id)"))
            }
            effects.append(.log(.debug, "agent", "new event: event_name=\(LogText.value(message.name)) event_id=\(message.id)"))
            for answer in membership.events.add(message) { respond(answer, into: &effects) }
        }
    }

    func respond(_ answer: EventLog.Answer, into effects: inout [AgentEffect]) {
        guard requests.remove(answer.id) != nil else { return }
        effects.append(.respond(answer.id, Renderer.events(answer.events, index: answer.index, pretty: answer.pretty, context: context)))
    }
}
