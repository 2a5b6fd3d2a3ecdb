// The catalog follows the LAN pool (behaviour §4.3).

/// Members whose registration is on its way through the log. Until it is there, what else happens to them waits, so that the last word
/// is what the catalog ends with.
struct Reconciliation {
    private var underWay = LookupSet<String>()
    private var waiting = LookupTable<String, (member: Member, isReaped: Bool)>()

    /// Whether this member is to be waited for. The latest news of it is kept.
    mutating func defers(_ member: Member, isReaped: Bool) -> Bool {
        guard underWay.contains(member.name) else { return false }
        if !planted(.changesDuringWriteLost) { waiting[member.name] = (member, isReaped) }
        return true
    }

    var isIdle: Bool { underWay.isEmpty }
    func isUnderWay(_ name: String) -> Bool { underWay.contains(name) }

    mutating func begin(_ name: String) { underWay.insert(name) }

    /// What happened meanwhile.
    mutating func end(_ name: String) -> (member: Member, isReaped: Bool)? {
        underWay.remove(name)
        return waiting.removeValue(forKey: name)
    }

    mutating func removeAll() {
        underWay.removeAll()
        waiting.removeAll()
    }
}

/// Keeps the catalog and the Raft configuration in line with the LAN pool. Owns what is being written for which member.
final class PoolReconciliation: LeaderDuty {
    private var reconciliation = Reconciliation()
    /// When the pass over the whole pool began whose writes are not all applied.
    private var passSince: Instant?
    /// When the whole pool is compared next; nil: this server does not lead.
    private(set) var deadline: Instant?

    static let aliveOutput = "Agent alive and reachable"
    static let failedOutput = "Agent not live or unreachable"

    /// A new leader does not reap at once: the pool that it sees may still be incomplete when it has been started lately.
    func began(_ leader: any LeadingServer, at now: Instant) {
        if !planted(.noReconciliation) { reconcileAll(leader, reaps: false, at: now) }
    }

    func ended() {
        reconciliation.removeAll()
        deadline = nil
        passSince = nil
    }

    func wake(_ leader: any LeadingServer, at now: Instant) {
        if let due = deadline, due <= now { reconcileAll(leader, reaps: true, at: now) }
    }

    func changed(_ member: Member, isReaped: Bool, _ leader: any LeadingServer, at now: Instant) {
        reconcile(member, leader, isReaped: isReaped, at: now)
    }

    /// Compares the whole pool with the catalog. With `reaps`, nodes whose check says that they were in the pool, and which are not, go.
    private func reconcileAll(_ leader: any LeadingServer, reaps: Bool, at now: Instant) {
        deadline = now + leader.settings.servers.reconcileInterval
        passSince = now
        defer { endPass(leader, at: now) }
        let members = leader.pool.members
        for member in members { reconcile(member, leader, isReaped: false, at: now) }
        guard reaps else { return }
        var known = LookupSet<ByteString>()
        for member in members { known.insert(TableKey.of(member.name)) }
        for name in leader.store.nodesInPool where !known.contains(TableKey.of(name)) {
            reconcile(lostMember(name, leader), leader, isReaped: true, at: now)
        }
    }

    /// The pass over the whole pool is over once nothing is being written any more.
    private func endPass(_ leader: any LeadingServer, at now: Instant) {
        guard let since = passSince, reconciliation.isIdle else { return }
        passSince = nil
        leader.measure(.reconciliation(now - since))
    }

    /// Brings what the catalog says of a member in line with gossip.
    private func reconcile(_ member: Member, _ leader: any LeadingServer, isReaped: Bool, at now: Instant) {
        guard isHandled(member, leader.settings) else {
            return leader.log(.warn, "skipping reconcile of node: member=\(LogText.value(member.name))")
        }
        if reconciliation.defers(member, isReaped: isReaped) { return }
        // What has to be written is measured when it is.
        defer { if !reconciliation.isUnderWay(member.name) { leader.measure(.memberReconciliation(.zero)) } }
        if isReaped { return memberLeft(member, "reaped", leader, at: now) }
        switch member.status {
        case .alive: memberIsAlive(member, leader, at: now)
        case .failed:
            planted(.failedRemoved)
                ? memberLeft(member, "failed", leader, at: now) : planted(.failedNotMarked) ? () : memberFailed(member, leader, at: now)
        case .left: memberLeft(member, "left", leader, at: now)
        case .none, .leaving: break
        }
    }

    private func isHandled(_ member: Member, _ settings: AgentSettings) -> Bool {
        if member.tags["role"] == "node" { return member.tags["dc"] == settings.identity.datacenter }
        guard let server = ServerTags(member) else { return false }
        return server.datacenter == settings.identity.datacenter && server.segment.isEmpty
    }

    /// What was decided for a member has gone through the log, or come to nothing: what happened meanwhile is looked at now.
    func written(_ request: WriteRequest, since: Instant, problem: String?, _ leader: any LeadingServer, at now: Instant) {
        let name: String
        switch request {
        case .register(let request): name = request.node
        case .deregister(let request): name = request.node
        default: return
        }
        leader.measure(.memberReconciliation(now - since))
        if let problem { leader.log(.error, "failed to reconcile member: member=\(LogText.value(name)) error=\(LogText.value(problem))") }
        let waiting = reconciliation.end(name)
        guard deadline != nil else { return }
        if let (member, isReaped) = waiting { reconcile(member, leader, isReaped: isReaped, at: now) }
        endPass(leader, at: now)
    }

    private func write(_ request: WriteRequest, for member: Member, _ leader: any LeadingServer, at now: Instant) {
        reconciliation.begin(member.name)
        leader.write(request, for: self, at: now)
    }

    // MARK: Alive

    private func memberIsAlive(_ member: Member, _ leader: any LeadingServer, at now: Instant) {
        let server = ServerTags(member)
        if let server { RaftPeers.add(server, leader, at: now) }
        let request = registration(of: member, server, leader)
        if isRegistered(request, in: leader.store) { return }
        leader.log(.info, "member joined, marking health alive: member=\(LogText.value(member.name))")
        write(.register(request), for: member, leader, at: now)
    }

    private func registration(of member: Member, _ server: ServerTags?, _ leader: any LeadingServer) -> RegisterRequest {
        var request = RegisterRequest()
        request.datacenter = leader.settings.identity.datacenter
        request.id = member.tags["id"] ?? ""
        request.node = member.name
        request.address = IPAddress(bytes: member.address)?.text ?? ""
        if let known = leader.store.node(member.name)?.value {
            request.taggedAddresses = known.taggedAddresses
            request.nodeMeta = known.meta
        }
        request.service = server.map { Self.service(of: member, $0) }
        request.check = Self.check(member, CheckStatus.passing, Self.aliveOutput)
        return request
    }

    private static func service(of member: Member, _ server: ServerTags) -> NodeService {
        var service = NodeService()
        service.id = "consul"
        service.service = "consul"
        service.port = server.port
        service.weights = Weights()
        service.meta = [
            "non_voter": String(member.tags["non_voter"] == "true"), "raft_version": String(server.raftVersion),
            "serf_protocol_current": String(member.protocolCurrent), "serf_protocol_max": String(member.protocolMax),
            "serf_protocol_min": String(member.protocolMin), "version": server.build.text,
        ]
        return service
    }

    private static func check(_ member: Member, _ status: String, _ output: String) -> HealthCheck {
        var check = HealthCheck()
        check.node = member.name
        check.checkID = CheckStatus.serfHealth
        check.name = "Serf Health Status"
        check.status = status
        check.output = output
        return check
    }

    private func isRegistered(_ request: RegisterRequest, in store: Store) -> Bool {
        guard let node = store.node(request.node)?.value, node.address == request.address else { return false }
        if let service = request.service, store.service("consul", onNode: request.node)?.value.service.meta != service.meta { return false }
        return planted(.returnedNotMarked) || store.check(CheckStatus.serfHealth, onNode: request.node)?.value.status == CheckStatus.passing
    }

    // MARK: Failed and gone

    private func memberFailed(_ member: Member, _ leader: any LeadingServer, at now: Instant) {
        guard let node = leader.store.node(member.name)?.value else {
            return leader.log(
                .info, "ignoring failed event for member because it does not exist in the catalog: member=\(LogText.value(member.name))")
        }
        let address = IPAddress(bytes: member.address)?.text ?? ""
        if node.address == address,
            leader.store.check(CheckStatus.serfHealth, onNode: member.name)?.value.status == CheckStatus.critical
        {
            return
        }
        leader.log(.info, "member failed, marking health critical: member=\(LogText.value(member.name))")
        var request = RegisterRequest()
        request.datacenter = leader.settings.identity.datacenter
        request.node = member.name
        request.id = member.tags["id"] ?? ""
        request.address = address
        request.check = Self.check(member, CheckStatus.critical, Self.failedOutput)
        // The node may be back under another address by the time this is applied.
        request.skipNodeUpdate = true
        write(.register(request), for: member, leader, at: now)
    }

    private func memberLeft(_ member: Member, _ reason: String, _ leader: any LeadingServer, at now: Instant) {
        if member.name == leader.settings.identity.nodeName {
            return leader.log(
                .warn, "deregistering self should be done by follower: name=\(LogText.value(leader.settings.identity.nodeName))")
        }
        if let server = ServerTags(member) { RaftPeers.remove(server, leader, at: now) }
        guard leader.store.node(member.name) != nil, !planted(.leftNotRemoved) else { return }
        leader.log(.info, "deregistering member: member=\(LogText.value(member.name)) reason=\(reason)")
        var request = DeregisterRequest()
        request.datacenter = leader.settings.identity.datacenter
        request.node = member.name
        write(.deregister(request), for: member, leader, at: now)
    }

    /// A member that gossip has forgotten, as far as the catalog can tell.
    private func lostMember(_ name: String, _ leader: any LeadingServer) -> Member {
        let (store, settings) = (leader.store, leader.settings)
        let node = store.node(name)?.value
        let address = node.flatMap { IPAddress($0.address) }.map { NodeAddress($0, port: 0).bytes } ?? []
        guard let service = store.service("consul", onNode: name)?.value.service else {
            return Member(name: name, address: address, port: 0, tags: ["role": "node", "dc": settings.identity.datacenter], status: .left)
        }
        var tags = AgentTags(datacenter: settings.identity.datacenter, nodeID: node?.id ?? "", build: service.meta?["version"] ?? "0.0.0")
        tags.server = AgentTags.Server(port: service.port, wanJoinPort: nil)
        return Member(name: name, address: address, port: 0, tags: tags.tags(in: .lan), status: .left)
    }
}

extension Store {
    /// The nodes that have the check which the leader keeps for members of the pool.
    fileprivate var nodesInPool: [String] {
        var names: [String] = []
        for (_, check) in checks where check.value.checkID == CheckStatus.serfHealth { names.append(check.value.node) }
        return names
    }
}
