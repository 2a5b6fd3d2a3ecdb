/// A member of the gossip pool as answers show it. Spec: http-1 §4.12, behaviour §4.8.
public struct AgentMember: Hashable, Sendable {
    public var name: String
    /// Without a port.
    public var address: String
    public var port: Int
    public var tags: StringMap
    public var status: MemberStatus

    public init(_ member: Member) {
        name = member.name
        address = IPAddress(bytes: member.address)?.text ?? ""
        port = Int(member.port)
        tags = member.tags
        status = member.status
    }

    /// The agent itself, as it advertises itself. In the WAN pool only servers have a place.
    public init(of settings: AgentSettings, wan: Bool = false) {
        let pool: GossipPool = wan ? .wan : .lan
        name = PoolNames.memberName(settings.identity.nodeName, datacenter: settings.identity.datacenter, pool: pool)
        address = wan ? settings.addresses.advertiseWAN : settings.addresses.advertise
        port = wan ? settings.gossip.wan.port : settings.gossip.lan.port
        tags = settings.tags(in: pool)
        status = .alive
    }
}

/// A section of `Stats` in `/v1/agent/self`: a name, and texts by name.
public struct AgentStatistics: Sendable {
    public var name: String
    public var values: StringMap
    public init(_ name: String, _ values: StringMap) {
        self.name = name
        self.values = values
    }
}

/// Answers that describe the whole agent. Pure; without the headers that all answers of the API have.
public enum AgentRenderer {
    /// `GET members`; nil is the WAN pool of a client, which has none.
    public static func members(_ members: [AgentMember]?, pretty: Bool) -> HTTPResponse {
        var json = JSONWriter(pretty: pretty, reservingCapacity: 1024)
        if let members {
            json.beginArray()
            for member in members { json.agentMember(member) }
            json.endArray()
        } else {
            json.null()
        }
        return AgentJSON.response(json)
    }

    /// `GET self`. `coordinate` is nil while coordinates are disabled; sections come out sorted by name.
    public static func selfDescription(
        _ settings: AgentSettings, member: AgentMember, statistics: [AgentStatistics], coordinate: Coordinate?, pretty: Bool
    ) -> HTTPResponse {
        var json = JSONWriter(pretty: pretty, reservingCapacity: 4096)
        json.beginObject()
        json.key("Config")
        json.beginObject()
        json.member("Datacenter", settings.identity.datacenter)
        json.member("NodeName", settings.identity.nodeName)
        json.member("NodeID", settings.identity.nodeID)
        json.member("Revision", AgentSettings.revision)
        json.member("Server", settings.identity.isServer)
        json.member("Version", AgentSettings.compatibilityVersion)
        json.endObject()
        json.key("DebugConfig")
        json.dynamic(settings.debugConfig)
        json.key("Coord")
        if let coordinate { json.coordinate(coordinate) } else { json.null() }
        json.key("Member")
        json.agentMember(member)
        json.key("Stats")
        json.beginObject()
        for section in statistics.sorted(by: { ByteString($0.name) < ByteString($1.name) }) {
            json.key(section.name)
            json.stringMap(section.values)
        }
        json.endObject()
        json.key("Meta")
        json.stringMap(settings.registeredNodeMeta)
        json.endObject()
        return AgentJSON.response(json)
    }

    /// An action that has nothing to say: `leave`, `reload`, `force-leave`, `join`.
    public static func done() -> HTTPResponse { HTTPResponse(status: 200) }

    /// An action that failed: 500, or what the text asks for (http-1 §1.13).
    public static func failure(_ text: String) -> HTTPResponse { Answer.failure(text) }

    /// `PUT force-leave/:node` for a name that is not in the pool.
    public static func unknownMember(_ name: String) -> HTTPResponse { Answer.failure("agent: No node found with name '\(name)'") }
}

extension JSONWriter {
    fileprivate mutating func agentMember(_ member: AgentMember) {
        beginObject()
        self.member("Name", member.name)
        self.member("Addr", member.address)
        self.member("Port", member.port)
        key("Tags")
        stringMap(member.tags)
        self.member("Status", Int(member.status.rawValue))
        self.member("ProtocolMin", 1)
        self.member("ProtocolMax", 5)
        self.member("ProtocolCur", 2)
        self.member("DelegateMin", 2)
        self.member("DelegateMax", 5)
        self.member("DelegateCur", 4)
        endObject()
    }
}
