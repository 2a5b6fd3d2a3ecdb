/// What is to be done with a key. Spec: http-2 §2, rpc-raft-wire §4.3.
public enum KVOperation: Hashable, Sendable {
    case set, delete
    /// If the entry is as the client believes.
    case deleteCAS
    /// Every key that starts so.
    case deleteTree
    /// Sets it if the entry is as the client believes.
    case cas
    case lock, unlock
    /// Refused where it is applied, in every server alike.
    case unknown(String)

    public init(_ text: String) {
        self =
            switch text {
            case "set": .set
            case "delete": .delete
            case "delete-cas": .deleteCAS
            case "delete-tree": .deleteTree
            case "cas": .cas
            case "lock": .lock
            case "unlock": .unlock
            default: .unknown(text)
            }
    }

    public var text: String {
        switch self {
        case .set: "set"
        case .delete: "delete"
        case .deleteCAS: "delete-cas"
        case .deleteTree: "delete-tree"
        case .cas: "cas"
        case .lock: "lock"
        case .unlock: "unlock"
        case .unknown(let text): text
        }
    }

    /// Whether the answer says if it was done.
    var hasOutcome: Bool {
        switch self {
        case .deleteCAS, .cas, .lock, .unlock, .unknown: true
        case .set, .delete, .deleteTree: false
        }
    }
}

public struct KVSRequest: Hashable, Sendable {
    public var datacenter = ""
    public var op = KVOperation.unknown("")
    public var dirEnt = DirEntry()
    public var token = ""
    public init() {}
}

extension KVSRequest: WireStruct {
    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Datacenter": datacenter = try reader.string()
        case "DirEnt": dirEnt = try DirEntry(from: &reader)
        case "Op": op = KVOperation(try reader.string())
        case "Token": token = try reader.string()
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(4)
        writer.field("Datacenter", datacenter)
        writer.field("DirEnt", dirEnt)
        writer.field("Op", op.text)
        writer.field("Token", token)
    }
}

extension KVSRequest: WriteFamily {
    static let commandType: UInt8 = 2
    static let mayBeIgnored = false
    static let method: String? = "KVS.Apply"

    func validate(_ rules: WriteRules) -> String? { dirEnt.key.isEmpty && op != .deleteTree ? "Must provide key" : nil }

    func authorize(_ authorizer: Authorizer, in store: Store) throws(Denied) {
        try authorizer.require(op == .deleteTree ? .keyWritePrefix(dirEnt.key) : .keyWrite(dirEnt.key))
    }

    func apply(to store: inout Store, _ index: UInt64, _ changes: inout ChangeSet) throws(TextError) -> ApplyResult {
        try store.applyKV(self, index, &changes)
    }

    func encodeReply(_ result: ApplyResult, into writer: inout MessagePackWriter) { writer.outcome(result) }

    func decodeReply(_ reader: inout MessagePackReader) throws(MessagePackError) -> ApplyResult {
        let done = try reader.bool()
        return op.hasOutcome ? .bool(done) : .none
    }
}
