public struct DeregisterRequest: Hashable, Sendable {
    public var datacenter = ""
    public var node = ""
    public var serviceID = ""
    public var checkID = ""
    public var token = ""
    public init() {}
}

extension DeregisterRequest: WireStruct {
    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "CheckID": checkID = try reader.string()
        case "Datacenter": datacenter = try reader.string()
        case "Node": node = try reader.string()
        case "ServiceID": serviceID = try reader.string()
        case "Token": token = try reader.string()
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(5)
        writer.field("CheckID", checkID)
        writer.field("Datacenter", datacenter)
        writer.field("Node", node)
        writer.field("ServiceID", serviceID)
        writer.field("Token", token)
    }
}

extension DeregisterRequest: WriteFamily {
    static let commandType: UInt8 = 1
    static let mayBeIgnored = false
    static let method: String? = "Catalog.Deregister"

    func validate(_ rules: WriteRules) -> String? { node.isEmpty ? "Must provide node" : nil }

    /// The right on the node suffices for all that is on it.
    func authorize(_ authorizer: Authorizer, in store: Store) throws(Denied) {
        if authorizer.allows(.nodeWrite(node)) { return }
        if !serviceID.isEmpty {
            guard let service = store.service(serviceID, onNode: node) else { throw Denied(text: "Unknown service '\(serviceID)'") }
            return try authorizer.require(.serviceWrite(service.value.service.service))
        }
        if checkID.isEmpty { throw Denied() }
        guard let check = store.check(checkID, onNode: node)?.value else { throw Denied(text: "Unknown check '\(checkID)'") }
        try authorizer.require(check.serviceID.isEmpty ? .nodeWrite(node) : .serviceWrite(check.serviceName))
    }

    func apply(to store: inout Store, _ index: UInt64, _ changes: inout ChangeSet) throws(TextError) -> ApplyResult {
        store.deregister(self, index, &changes)
        return .none
    }

    func encodeReply(_ result: ApplyResult, into writer: inout MessagePackWriter) { writer.mapHeader(0) }

    func decodeReply(_ reader: inout MessagePackReader) throws(MessagePackError) -> ApplyResult {
        try reader.skip()
        return .none
    }
}
