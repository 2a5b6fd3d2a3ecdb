/// How far a server has come with access control lists, as its tag `acls` tells.
public enum ACLMode: String, Hashable, Sendable {
    case disabled = "0"
    case enabled = "1"
    case legacy = "2"
    /// Also what a server is in that says nothing.
    case unknown = "3"
}

/// A server as the tags of a member of either pool describe it (gossip §15.2, §15.4). Over 15 stored variables: each is a tag.
public struct ServerTags: Hashable, Sendable {
    /// The member's name: in the WAN pool with the datacenter behind it.
    public var memberName: String
    /// The node's name.
    public var name: String
    /// The node's id, a UUID; empty for servers before 0.7.3.
    public var id: String
    public var datacenter: String
    public var segment: String
    /// 4 or 16 bytes.
    public var address: [UInt8]
    /// Of RPC and Raft.
    public var port: Int
    /// `host:port` of the listeners of segments, by their names.
    public var segmentAddresses: StringMap
    /// 0: the server is not in the WAN pool.
    public var wanJoinPort: Int
    public var bootstrap: Bool
    /// How many servers it waits for before the first election; 0: not told.
    public var expect: Int
    public var build: BuildVersion
    /// The protocol that it speaks.
    public var version: Int
    public var raftVersion: Int
    public var acls: ACLMode
    public var usesTLS: Bool
    public var isNonVoter: Bool
    /// The features that it has, without `ft_`.
    public var features: SortedMap<String, Int>
    public var status: MemberStatus

    /// nil for members that are no servers, or whose tags cannot be understood.
    public init?(_ member: Member) {
        let tags = member.tags
        guard tags["role"] == "consul", let port = Self.number(tags["port"]), let version = Self.number(tags["vsn"]),
            let build = BuildVersion(tags["build"] ?? "")
        else { return nil }
        guard let expect = Self.number(tags["expect"] ?? "0"), let wanJoinPort = Self.number(tags["wan_join_port"] ?? "0"),
            let raftVersion = Self.number(tags["raft_vsn"] ?? "0")
        else { return nil }
        var features = SortedMap<String, Int>()
        var segments = StringMap()
        for (name, value) in tags {
            if let feature = Self.suffix(of: name, behind: "ft_") {
                guard let number = Self.number(value) else { return nil }
                features[feature] = number
            } else if let segment = Self.suffix(of: name, behind: "sl_") {
                guard Self.isHostAndPort(value) else { return nil }
                segments[segment] = value
            }
        }
        datacenter = tags["dc"] ?? ""
        memberName = member.name
        name = PoolNames.nodeName(member.name, datacenter: datacenter)
        id = tags["id"] ?? ""
        segment = tags["segment"] ?? ""
        address = member.address
        self.port = port
        segmentAddresses = segments
        self.wanJoinPort = wanJoinPort
        bootstrap = tags["bootstrap"] != nil
        self.expect = expect
        self.build = build
        self.version = version
        self.raftVersion = raftVersion
        acls = tags["acls"].flatMap { ACLMode(rawValue: $0) } ?? .unknown
        usesTLS = tags["use_tls"] != nil
        isNonVoter = tags["nonvoter"] != nil
        self.features = features
        status = member.status
    }

    /// `ip:port` of RPC and Raft.
    public var serverAddress: Address { NodeAddress(address, port: UInt16(truncatingIfNeeded: port))?.text ?? "" }

    private static func number(_ text: String?) -> Int? { text.flatMap { try? GoNumber.parseAtoi($0) } }

    private static func suffix(of text: String, behind prefix: String) -> String? {
        text.utf8.starts(with: prefix.utf8) ? String(decoding: text.utf8.dropFirst(prefix.utf8.count), as: UTF8.self) : nil
    }

    /// `host:port` or `[host]:port` with an integer for a port.
    private static func isHostAndPort(_ text: String) -> Bool {
        (try? HostPort.split(text)).map { number($0.port) != nil } ?? false
    }
}

/// What an agent says of itself in its tags (gossip §15.2, §15.3).
public struct AgentTags: Hashable, Sendable {
    /// What a server adds.
    public struct Server: Hashable, Sendable {
        /// Of RPC and Raft.
        public var port: Int
        /// nil: it is not in the WAN pool.
        public var wanJoinPort: Int?
        public var raftVersion = 3
        public var bootstrap = false
        public var expect = 0
        public var usesTLS = false
        public var isNonVoter = false

        public init(port: Int, wanJoinPort: Int?) {
            self.port = port
            self.wanJoinPort = wanJoinPort
        }
    }

    public var datacenter: String
    public var nodeID: String
    /// `1.8.6:2fa535b5`.
    public var build: String
    public var version = 2
    public var acls = ACLMode.disabled
    /// nil for a client.
    public var server: Server?

    public init(datacenter: String, nodeID: String, build: String, server: Server? = nil) {
        self.datacenter = datacenter
        self.nodeID = nodeID
        self.build = build
        self.server = server
    }

    /// The tags in one of the pools.
    public func tags(in pool: GossipPool) -> StringMap {
        var tags: StringMap = [
            "role": server == nil ? "node" : "consul", "dc": datacenter, "segment": "", "id": nodeID, "vsn": String(version),
            "vsn_min": "2", "vsn_max": "3", "build": build, "acls": acls.rawValue,
        ]
        guard let server else { return tags }
        tags["port"] = String(server.port)
        tags["raft_vsn"] = String(server.raftVersion)
        tags["ft_fs"] = "1"
        if pool == .lan, let port = server.wanJoinPort { tags["wan_join_port"] = String(port) }
        // A cluster of one needs nobody to wait for.
        if server.bootstrap || server.expect == 1 {
            tags["bootstrap"] = "1"
        } else if server.expect != 0 {
            tags["expect"] = String(server.expect)
        }
        if server.usesTLS { tags["use_tls"] = "1" }
        if server.isNonVoter { tags["nonvoter"] = "1" }
        return tags
    }
}
