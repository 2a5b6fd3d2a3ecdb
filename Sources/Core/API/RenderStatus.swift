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
