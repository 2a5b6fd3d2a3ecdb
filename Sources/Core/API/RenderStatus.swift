/// Answers about the servers themselves. Spec: http-2 §10.1, §11; http-1 §5.3.
extension Renderer {
    /// The leader's address; empty when there is none.
    public static func leader(_ address: String, pretty: Bool, context: APIContext) -> HTTPResponse {
        var json = JSONWriter(pretty: pretty)
        json.string(address)
        return answer(json, context)
    }

    /// The addresses of the Raft configuration, in its order; an empty one is `null`.
    public static func peers(_ addresses: [String], pretty: Bool, context: APIContext) -> HTTPResponse {
        var json = JSONWriter(pretty: pretty)
        json.strings(addresses.isEmpty ? nil : addresses)
        return answer(json, context)
    }

    /// Own datacenter first, then by distance.
    public static func datacenters(_ names: [String], cache: CacheState? = nil, pretty: Bool, context: APIContext) -> HTTPResponse {
        var json = JSONWriter(pretty: pretty)
        json.strings(names)
        var response = answer(json, context)
        if let cache {
            if case .hit(let age) = cache { response.headers.append(("Age", String((age.nanoseconds + 500_000_000) / 1_000_000_000))) }
            response.headers.append(("X-Cache", cache == .miss ? "MISS" : "HIT"))
            response.headers.sort { $0.name < $1.name }
        }
        return response
    }

    /// Servers in the order of the configuration. The index is always 0, as the reference has it.
    public static func raftConfiguration(_ servers: [RaftServerDescription], pretty: Bool, context: APIContext) -> HTTPResponse {
        var json = JSONWriter(pretty: pretty)
        json.beginObject()
        json.key("Servers")
        json.beginArray()
        for server in servers {
            json.beginObject()
            json.member("ID", server.id)
            json.member("Node", server.node)
            json.member("Address", server.address)
            json.member("Leader", server.isLeader)
            json.member("ProtocolVersion", server.protocolVersion)
            json.member("Voter", server.isVoter)
            json.endObject()
        }
        json.endArray()
        json.member("Index", 0)
        json.endObject()
        return answer(json, context)
    }
}

/// One server as `/v1/operator/raft/configuration` shows it.
public struct RaftServerDescription: Hashable, Sendable {
    public var id: String
    /// `(unknown)` for a server that is not in the gossip pool.
    public var node: String
    public var address: String
    public var isLeader: Bool
    /// `unknown` for a server that is not in the gossip pool.
    public var protocolVersion: String
    public var isVoter: Bool

    public init(id: String, node: String, address: String, isLeader: Bool, protocolVersion: String = "3", isVoter: Bool = true) {
        self.id = id
        self.node = node
        self.address = address
        self.isLeader = isLeader
        self.protocolVersion = protocolVersion
        self.isVoter = isVoter
    }
}
