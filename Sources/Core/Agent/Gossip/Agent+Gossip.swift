// What gossip and the rest of an agent have to tell each other (gossip §15).

extension Agent {
    /// Everybody in the LAN pool as this agent sees them, sorted by name; nil without gossip. O(members).
    public var poolMembers: [Member]? { lan?.serf.members }

    func pool(_ kind: GossipPool) -> Pool? { kind == .lan ? lan : wan }

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
            guard pending.removeValue(forKey: id) != nil else { return }
            let response =
                switch result {
                case .success: AgentRenderer.done()
                case .failure(let error): AgentRenderer.failure(error.text)
                }
            effects.append(.respond(id, finished(response)))
        case .left(let error):
            if let error { effects.append(.log(.error, "agent", "failed to leave serf: error=\(LogText.value(error.text))")) }
            departed(from: pool.kind, at: now, into: &effects)
        case .keys(let wish, let response): keysAnswered(wish, response, pool.kind, at: now)
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
            for member in members { lanMembers[member.name] = kind == .reaped ? nil : member }
            server.lanMembers = lanMembers.map(\.value)
            server.memberEvent(kind, members, at: now)
            if kind == .joined { flood(at: now, into: &effects) }
        case .client(let client):
            client.servers.memberCount = lan?.serf.memberCount ?? 1
            for member in members {
                guard let tags = ServerTags(member), tags.datacenter == config.datacenter else { continue }
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

    /// Brings the servers of the datacenter into the WAN pool, each by what its tags say (gossip §15.8).
    func flood(at now: Instant, into effects: inout [AgentEffect]) {
        floodAt = now + Self.floodInterval
        guard let wan, !isLeaving else { return }
        var strangers: [NodeAddress] = []
        for (name, member) in lanMembers where member.status == .alive && name != config.nodeName {
            guard let tags = ServerTags(member), tags.wanJoinPort > 0 else { continue }
            let name = PoolNames.memberName(tags.name, datacenter: tags.datacenter, pool: .wan)
            if wan.serf.member(named: name) != nil { continue }
            if let address = NodeAddress(member.address, port: UInt16(truncatingIfNeeded: tags.wanJoinPort)) { strangers.append(address) }
        }
        if !strangers.isEmpty { wan.flood(strangers, at: now, into: &effects) }
    }

    static var floodInterval: Duration { .seconds(60) }

    // MARK: User events

    private func received(_ event: UserEvent, at now: Instant, into effects: inout [AgentEffect]) {
        telemetry.metrics.count("serf.events.\(event.name)", at: now)
        switch ConsulEvent(name: event.name, payload: event.payload) {
        case nil: return
        case .newLeader(let node):
            effects.append(
                .log(.info, "agent.\(config.server ? "server" : "client")", "New leader elected: payload=\(LogText.value(node))"))
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
            for answer in events.add(message) { respond(answer, into: &effects) }
        }
    }

    func respond(_ answer: EventLog.Answer, into effects: inout [AgentEffect]) {
        guard pending.removeValue(forKey: answer.id) != nil else { return }
        effects.append(.respond(answer.id, Renderer.events(answer.events, index: answer.index, pretty: answer.pretty, context: context)))
    }

    // MARK: What a server wishes

    func fulfil(_ wish: ServerWish, at now: Instant, into effects: inout [AgentEffect]) {
        switch wish {
        case .announceLeader:
            _ = lan?.broadcast(event: ConsulEvent.newLeaderName, Array(config.nodeName.utf8), at: now, into: &effects)
        case .forceLeave(let name): forceLeave(name, prune: false, at: now, into: &effects)
        case .operation(let token, let operation, _): operate(token, operation, at: now, into: &effects)
        }
    }

    func forceLeave(_ name: String, prune: Bool, at now: Instant, into effects: inout [AgentEffect]) {
        effects.append(.log(.info, "agent", "Force leaving node: node=\(LogText.value(name))"))
        lan?.forceLeave(name, prune: prune, at: now, into: &effects)
        wan?.forceLeave(PoolNames.wanName(name, datacenter: config.datacenter), prune: prune, at: now, into: &effects)
    }

    private func operate(_ token: UInt64, _ operation: ServerOperation, at now: Instant, into effects: inout [AgentEffect]) {
        guard let server else { return }
        switch operation {
        case .fireEvent(let name, let payload):
            let problem = lan?.broadcast(event: ConsulEvent.serfName(name), payload, at: now, into: &effects)
            let text = problem.map { "1 error occurred:\n\t* error broadcasting event to segment \"\": \($0.text)\n\n" }
            server.operated(token, text.map { .failure(ServerError($0)) } ?? .success(.done), at: now)
        case .datacenters: server.operated(token, .success(.texts(datacenters)), at: now)
        case .datacenterCoordinates: server.operated(token, .success(.datacenterCoordinates(datacenterCoordinates)), at: now)
        case .keyring(let request): manageKeys(token, request, at: now, into: &effects)
        default: preconditionFailure("a server asks its agent for what concerns gossip only")
        }
    }

    /// All that the WAN pool knows of: the own one, then the nearest first, by the median of the distances to their servers
    /// (behaviour §9.6).
    var datacenters: [String] {
        var distances = SortedMap<String, [Duration]>()
        for member in wan?.serf.members ?? [] {
            guard let wan, let tags = ServerTags(member), tags.datacenter != config.datacenter else { continue }
            let distance =
                wan.serf.coordinate(of: member.name).map { wan.serf.coordinate.distance(to: $0) } ?? .seconds(Int64.max / 1_000_000_000)
            distances[tags.datacenter] = (distances[tags.datacenter] ?? []) + [distance]
        }
        // Of equally near ones the order of names stays.
        let medians = distances.map { (name: $0.key, distance: $0.value.sorted()[$0.value.count / 2]) }
        return [config.datacenter] + medians.enumerated().sorted { ($0.1.distance, $0.0) < ($1.1.distance, $1.0) }.map(\.element.name)
    }

    private var datacenterCoordinates: [DatacenterCoordinates] {
        guard let wan else { return [] }
        var found = SortedMap<String, DatacenterCoordinates>()
        for member in wan.serf.members where member.status != .left {
            guard let tags = ServerTags(member), let coordinate = wan.serf.coordinate(of: member.name) else { continue }
            var entry = found[tags.datacenter] ?? DatacenterCoordinates()
            entry.datacenter = tags.datacenter
            entry.areaID = "wan"
            entry.coordinates.append(NodeCoordinate(node: tags.name, segment: "", coordinate: coordinate))
            found[tags.datacenter] = entry
        }
        return found.map(\.value)
    }

    // MARK: Keys

    /// Operations on keys under way: what the pools have answered so far.
    struct KeyWork {
        var answers: [KeyringResponse] = []
        var outstanding: Int
    }

    private func manageKeys(_ token: UInt64, _ request: KeyringRequest, at now: Instant, into effects: inout [AgentEffect]) {
        let operation: KeyOperation =
            switch request.operation {
            case .list: .list
            case .install: .install(request.key)
            case .use: .use(request.key)
            case .remove: .remove(request.key)
            }
        if request.localOnly, request.operation != .list {
            let text = "argument error: LocalOnly can only be used for List operations"
            server?.operated(token, .failure(ServerError(text)), at: now)
            return
        }
        // The server that was asked first has seen to the WAN pool.
        let pools = [lan, request.localOnly || request.forwarded ? nil : wan].compactMap { $0 }
        if pools.isEmpty {
            server?.operated(token, .failure(ServerError("Keyring is empty (encryption not enabled)")), at: now)
            return
        }
        keyWork[token] = KeyWork(outstanding: pools.count)
        for pool in pools { pool.manageKeys(operation, relayFactor: request.relayFactor, for: token, at: now, into: &effects) }
    }

    private func keysAnswered(_ token: UInt64, _ response: KeyResponse, _ kind: GossipPool, at now: Instant) {
        guard var work = keyWork[token] else { return }
        var answer = KeyringResponse()
        answer.isWAN = kind == .wan
        answer.datacenter = config.datacenter
        answer.messages = response.messages.isEmpty ? nil : response.messages
        answer.keys = response.keys.isEmpty ? nil : response.keys
        answer.primaryKeys = response.primaryKeys.isEmpty ? nil : response.primaryKeys
        answer.nodeCount = response.nodes
        answer.error = response.error ?? ""
        kind == .wan ? work.answers.insert(answer, at: 0) : work.answers.append(answer)
        work.outstanding -= 1
        keyWork[token] = work
        guard work.outstanding == 0 else { return }
        keyWork.removeValue(forKey: token)
        server?.operated(token, .success(.keyring(work.answers)), at: now)
    }
}
