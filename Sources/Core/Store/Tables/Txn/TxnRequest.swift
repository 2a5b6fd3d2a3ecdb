/// One operation of a transaction; exactly one member is set.
public enum TxnOp: Hashable, Sendable {
    case kv(verb: KVVerb, DirEntry)
    case node(verb: CatalogVerb, Node)
    case service(verb: CatalogVerb, node: String, NodeService)
    case check(verb: CatalogVerb, HealthCheck)
    case session(verb: SessionVerb, Session)
    /// Only between servers (intention replication): kept as it stood on the wire.
    case intention(DynamicValue)
    /// No member set.
    case none
}

public struct TxnRequest: Hashable, Sendable {
    public var datacenter = ""
    public var ops: [TxnOp] = []
    public var token = ""
    public init() {}
}

public enum TxnResult: Hashable, Sendable {
    case kv(DirEntry)
    case node(Node)
    case service(NodeService)
    case check(HealthCheck)
}

public struct TxnError: Hashable, Sendable {
    public var opIndex: Int
    public var what: String
    public init(opIndex: Int, what: String) {
        self.opIndex = opIndex
        self.what = what
    }
}

public struct TxnResponse: Hashable, Sendable {
    public var results: [TxnResult]
    public var errors: [TxnError]
    public init(results: [TxnResult] = [], errors: [TxnError] = []) {
        self.results = results
        self.errors = errors
    }
}

extension TxnRequest: WireStruct {
    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Datacenter": datacenter = try reader.string()
        case "Ops": ops = try TxnOp.array(from: &reader) ?? []
        case "Token": token = try reader.string()
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(3)
        writer.field("Datacenter", datacenter)
        writer.field("Ops", ops.isEmpty ? nil : ops)
        writer.field("Token", token)
    }
}

extension TxnRequest: WriteFamily {
    static let commandType: UInt8 = 8
    static let mayBeIgnored = false
    static let method: String? = "Txn.Apply"

    /// Each operation is examined by itself (`WriteValidation.precheck`), also for who may do it.
    func validate(_ rules: WriteRules) -> String? { nil }
    /// As above: what is denied is reported together with the other problems.
    func authorize(_ authorizer: Authorizer, in store: Store) throws(Denied) {}

    func apply(to store: inout Store, _ index: UInt64, _ changes: inout ChangeSet) throws(TextError) -> ApplyResult {
        .txn(store.applyTxn(ops, index, &changes))
    }

    func encodeReply(_ result: ApplyResult, into writer: inout MessagePackWriter) {
        if case .txn(let response) = result { response.encode(into: &writer) } else { writer.mapHeader(0) }
    }

    func decodeReply(_ reader: inout MessagePackReader) throws(MessagePackError) -> ApplyResult { .txn(try TxnResponse(from: &reader)) }
}
