public struct RegisterRequest: Hashable, Sendable {
    public var datacenter = ""
    public var id = ""
    public var node = ""
    public var address = ""
    public var taggedAddresses: StringMap?
    public var nodeMeta: StringMap?
    public var service: NodeService?
    public var check: HealthCheck?
    public var checks: [HealthCheck]?
    public var skipNodeUpdate = false
    public var token = ""
    public var index = RaftIndex()
    public init() {}
}

extension RegisterRequest: WireStruct {
    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Address": address = try reader.string()
        case "Check": check = try HealthCheck.optional(from: &reader)
        case "Checks": checks = try HealthCheck.array(from: &reader)
        case "CreateIndex": index.create = try reader.uint64()
        case "Datacenter": datacenter = try reader.string()
        case "ID": id = try reader.string()
        case "ModifyIndex": index.modify = try reader.uint64()
        case "Node": node = try reader.string()
        case "NodeMeta": nodeMeta = try reader.stringMap()
        case "Service": service = try NodeService.optional(from: &reader)
        case "SkipNodeUpdate": skipNodeUpdate = try reader.bool()
        case "TaggedAddresses": taggedAddresses = try reader.stringMap()
        case "Token": token = try reader.string()
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(13)
        writer.field("Address", address)
        writer.field("Check", check)
        writer.field("Checks", checks)
        writer.field("CreateIndex", index.create)
        writer.field("Datacenter", datacenter)
        writer.field("ID", id)
        writer.field("ModifyIndex", index.modify)
        writer.field("Node", node)
        writer.field("NodeMeta", nodeMeta)
        writer.field("Service", service)
        writer.field("SkipNodeUpdate", skipNodeUpdate)
        writer.field("TaggedAddresses", taggedAddresses)
        writer.field("Token", token)
    }
}

extension RegisterRequest: WriteFamily {
    static let commandType: UInt8 = 0
    static let mayBeIgnored = false
    static let method: String? = "Catalog.Register"

    mutating func validate(_ rules: WriteRules) -> String? { WriteValidation.validate(&self) }

    /// Whoever may write a service may repeat what the catalog already says of its node.
    func authorize(_ authorizer: Authorizer, in store: Store) throws(Denied) {
        if changesNode(of: store) { try authorizer.require(.nodeWrite(node)) }
        if let service {
            try authorizer.require(.serviceWrite(service.service))
            if service.kind == "connect-proxy" { try authorizer.require(.serviceWrite(service.proxy.destinationServiceName)) }
            if let existing = store.service(service.id, onNode: node) {
                try authorizer.require(.serviceWrite(existing.value.service.service))
            }
        }
        for check in (checks ?? []) + (check.map { [$0] } ?? []) {
            if check.serviceID.isEmpty {
                try authorizer.require(.nodeWrite(node))
            } else if check.serviceID != service?.id {
                guard let other = store.service(check.serviceID, onNode: node)?.value.service else {
                    throw Denied(text: "Unknown service '\(check.serviceID)' for check '\(check.checkID)'")
                }
                try authorizer.require(.serviceWrite(other.service))
            }
        }
    }

    private func changesNode(of store: Store) -> Bool {
        guard let known = store.node(node)?.value else { return true }
        if skipNodeUpdate { return false }
        return known.id != id || known.address != address || known.datacenter != datacenter || known.meta ?? [:] != nodeMeta ?? [:]
            || known.taggedAddresses ?? [:] != taggedAddresses ?? [:]
    }

    func apply(to store: inout Store, _ index: UInt64, _ changes: inout ChangeSet) throws(TextError) -> ApplyResult {
        try store.register(self, index, &changes)
        return .none
    }

    func encodeReply(_ result: ApplyResult, into writer: inout MessagePackWriter) { writer.mapHeader(0) }

    func decodeReply(_ reader: inout MessagePackReader) throws(MessagePackError) -> ApplyResult {
        try reader.skip()
        return .none
    }
}
