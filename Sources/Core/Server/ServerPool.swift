/// The LAN pool as a server sees it (behaviour §4.3, §4.5). Owns the members and who of them is a server of this datacenter.
struct ServerPool {
    private let datacenter: String
    /// The Raft protocol of this server, where no other is known to be alive.
    private let ownRaftProtocol: Int

    /// In the order of names. Until gossip tells, these are the servers that the configuration names.
    private(set) var members: [Member]
    /// Those of the members that are servers of this datacenter.
    private(set) var servers: [ServerTags]
    /// Whether gossip has told of the pool.
    private(set) var hasGossip = false

    init(_ settings: AgentSettings) {
        datacenter = settings.identity.datacenter
        ownRaftProtocol = settings.raft.protocolVersion
        members = Self.configuredMembers(settings)
        servers = Self.servers(of: members, datacenter: datacenter)
    }

    mutating func replace(by members: [Member]) {
        hasGossip = true
        self.members = members
        servers = Self.servers(of: members, datacenter: datacenter)
    }

    /// Where the server of that node id is, if gossip knows.
    func address(of id: String) -> Address? {
        servers.first { $0.id == id && ($0.status == .alive || $0.status == .failed) }?.serverAddress
    }

    /// The oldest Raft protocol that a living server speaks.
    var minimumRaftProtocol: Int { servers.filter { $0.status == .alive }.map(\.raftVersion).min() ?? ownRaftProtocol }

    /// The servers of this datacenter, in the order of their names.
    private static func servers(of members: [Member], datacenter: String) -> [ServerTags] {
        members.compactMap { ServerTags($0) }.filter { $0.datacenter == datacenter }
    }

    /// The pool of an agent without gossip: the servers that it was configured with.
    private static func configuredMembers(_ settings: AgentSettings) -> [Member] {
        let servers =
            settings.raft.initialServers.isEmpty
            ? [ServerIdentity(id: settings.identity.nodeID, name: settings.identity.nodeName, address: settings.raftAddress)]
            : settings.raft.initialServers
        let members = servers.compactMap { server -> Member? in
            guard let address = NodeAddress(server.address) else { return nil }
            var tags = AgentTags(
                datacenter: settings.identity.datacenter, nodeID: server.id,
                build: AgentSettings.compatibilityVersion + ":" + AgentSettings.revision)
            tags.server = AgentTags.Server(port: Int(address.port), wanJoinPort: nil)
            return Member(
                name: server.name, address: address.bytes, port: UInt16(clamping: settings.gossip.lan.port), tags: tags.tags(in: .lan))
        }
        return members.sorted { $0.name < $1.name }
    }
}
