/// The gossip pools that an agent is in, and what it does in them for others: owns both pools, the members that a server knows, flood
/// joins, the agent's user events, operations on keys, and when a coordinate is uploaded. Spec: gossip §15, http-2 §8, §10.3.
///
/// What has happened in the pools the agent takes from them (`Pool.takeNews`), since it concerns all its parts; what is to be sent and written
/// it collects (`takeEffects`). A class, since the server of the node turns to it as well.
final class GossipMembership {
    /// Everybody in the datacenter, and the servers of all datacenters; nil where the agent is in no such pool.
    private(set) var lan: Pool?
    private(set) var wan: Pool?
    var events = EventLog()
    /// nil for an agent without gossip.
    var coordinateUpload: CoordinateUpload?
    private let nodeName: String
    private let datacenter: String
    /// By name; kept on servers.
    private var lanMembers = SortedMap<String, Member>()
    /// When to look for servers that are not in the WAN pool yet.
    private(set) var floodAt: Instant?
    private var keyWork = LookupTable<UInt64, KeyWork>()
    private var nextKeyWork: UInt64 = 1
    private var effects: [AgentEffect] = []

    /// An operation on keys under way: who asked for it, and what the pools have answered so far.
    private struct KeyWork {
        let requester: Requester
        var answers: [KeyringResponse] = []
        var outstanding: Int
    }

    static var floodInterval: Duration { .seconds(60) }

    init(_ settings: AgentSettings) {
        nodeName = settings.identity.nodeName
        datacenter = settings.identity.datacenter
    }

    subscript(kind: GossipPool) -> Pool? { kind == .lan ? lan : wan }

    /// The agent has become a member of that pool.
    func add(_ pool: Pool, at now: Instant) {
        switch pool.kind {
        case .lan: lan = pool
        case .wan:
            wan = pool
            floodAt = now + Self.floodInterval
        }
    }

    /// Gives out what has been collected since the last call.
    func takeEffects(into effects: inout [AgentEffect]) {
        if self.effects.isEmpty { return }
        effects.append(contentsOf: self.effects)
        self.effects.removeAll(keepingCapacity: true)
    }

    var deadline: Instant? {
        var earliest = lan?.deadline
        earliest.bringForward(to: wan?.deadline)
        earliest.bringForward(to: floodAt)
        earliest.bringForward(to: coordinateUpload?.deadline)
        earliest.bringForward(to: events.deadline)
        return earliest
    }

    // MARK: Members

    /// Members of the LAN pool have changed; returns all of them, in the order of names.
    func changed(_ kind: MemberEventKind, _ members: [Member]) -> [Member] {
        for member in members { lanMembers[member.name] = kind == .reaped ? nil : member }
        return lanMembers.map(\.value)
    }

    /// Brings the servers of the datacenter into the WAN pool, each by what its tags say (gossip §15.8). An agent that leaves brings nobody.
    func flood(isLeaving: Bool, at now: Instant) {
        floodAt = now + Self.floodInterval
        guard let wan, !isLeaving else { return }
        var strangers: [NodeAddress] = []
        for (name, member) in lanMembers where member.status == .alive && name != nodeName {
            guard let tags = ServerTags(member), tags.wanJoinPort > 0 else { continue }
            let name = PoolNames.memberName(tags.name, datacenter: tags.datacenter, pool: .wan)
            if wan.serf.member(named: name) != nil { continue }
            if let address = NodeAddress(member.address, port: UInt16(truncatingIfNeeded: tags.wanJoinPort)) { strangers.append(address) }
        }
        if !strangers.isEmpty { wan.flood(strangers, at: now, into: &effects) }
    }

    /// Whether such a member may be forced out: it is in the LAN pool, or this node.
    func knows(_ name: String) -> Bool { lan?.serf.member(named: name) != nil || name == nodeName }
}

extension GossipMembership: PoolOperations {
    func announceLeader(at now: Instant) {
        _ = lan?.broadcast(event: ConsulEvent.newLeaderName, Array(nodeName.utf8), at: now, into: &effects)
    }

    func forceLeave(_ name: String, prune: Bool, at now: Instant) {
        effects.append(.log(.info, "agent", "Force leaving node: node=\(LogText.value(name))"))
        lan?.forceLeave(name, prune: prune, at: now, into: &effects)
        wan?.forceLeave(PoolNames.wanName(name, datacenter: datacenter), prune: prune, at: now, into: &effects)
    }

    func fireEvent(_ name: String, _ payload: [UInt8], at now: Instant) -> ServerError? {
        let problem = lan?.broadcast(event: ConsulEvent.serfName(name), payload, at: now, into: &effects)
        return problem.map { ServerError("1 error occurred:\n\t* error broadcasting event to segment \"\": \($0.text)\n\n") }
    }

    // MARK: Datacenters

    /// By the median of the distances to their servers (behaviour §9.6).
    var datacenters: [String] {
        var distances = SortedMap<String, [Duration]>()
        for member in wan?.serf.members ?? [] {
            guard let wan, let tags = ServerTags(member), tags.datacenter != datacenter else { continue }
            let distance =
                wan.serf.coordinate(of: member.name).map { wan.serf.coordinate.distance(to: $0) } ?? .seconds(Int64.max / 1_000_000_000)
            distances[tags.datacenter] = (distances[tags.datacenter] ?? []) + [distance]
        }
        // Of equally near ones the order of names stays.
        let medians = distances.map { (name: $0.key, distance: $0.value.sorted()[$0.value.count / 2]) }
        return [datacenter] + medians.enumerated().sorted { ($0.1.distance, $0.0) < ($1.1.distance, $1.0) }.map(\.element.name)
    }

    var datacenterCoordinates: [DatacenterCoordinates] {
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

    func manageKeys(_ request: KeyringRequest, for requester: Requester, at now: Instant) -> ServerError? {
        let operation: KeyOperation =
            switch request.operation {
            case .list: .list
            case .install: .install(request.key)
            case .use: .use(request.key)
            case .remove: .remove(request.key)
            }
        if request.localOnly, request.operation != .list {
            return ServerError("argument error: LocalOnly can only be used for List operations")
        }
        // The server that was asked first has seen to the WAN pool.
        let pools = [lan, request.localOnly || request.forwarded ? nil : wan].compactMap { $0 }
        if pools.isEmpty { return ServerError("Keyring is empty (encryption not enabled)") }
        let number = nextKeyWork
        nextKeyWork += 1
        keyWork[number] = KeyWork(requester: requester, outstanding: pools.count)
        for pool in pools { pool.manageKeys(operation, relayFactor: request.relayFactor, for: number, at: now, into: &effects) }
        return nil
    }

    /// A pool has answered; once the last one has, returns who asked, and all answers, the WAN pool's first.
    func keysAnswered(_ number: UInt64, _ response: KeyResponse, _ kind: GossipPool) -> (Requester, [KeyringResponse])? {
        guard var work = keyWork[number] else { return nil }
        var answer = KeyringResponse()
        answer.isWAN = kind == .wan
        answer.datacenter = datacenter
        answer.messages = response.messages.isEmpty ? nil : response.messages
        answer.keys = response.keys.isEmpty ? nil : response.keys
        answer.primaryKeys = response.primaryKeys.isEmpty ? nil : response.primaryKeys
        answer.nodeCount = response.nodes
        answer.error = response.error ?? ""
        kind == .wan ? work.answers.insert(answer, at: 0) : work.answers.append(answer)
        work.outstanding -= 1
        keyWork[number] = work
        guard work.outstanding == 0 else { return nil }
        keyWork.removeValue(forKey: number)
        return (work.requester, work.answers)
    }
}
