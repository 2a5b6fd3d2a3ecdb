/// What is to be done with tombstones.
public enum TombstoneOperation: Hashable, Sendable {
    case reap
    /// Refused where it is applied, in every server alike.
    case unknown(String)

    public init(_ text: String) { self = text == "reap" ? .reap : .unknown(text) }

    public var text: String {
        switch self {
        case .reap: "reap"
        case .unknown(let text): text
        }
    }
}

public struct TombstoneRequest: Hashable, Sendable {
    public var datacenter = ""
    public var op = TombstoneOperation.unknown("")
    public var reapIndex: UInt64 = 0
    public var token = ""
    public init() {}
}

extension TombstoneRequest: WireStruct {
    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Datacenter": datacenter = try reader.string()
        case "Op": op = TombstoneOperation(try reader.string())
        case "ReapIndex": reapIndex = try reader.uint64()
        case "Token": token = try reader.string()
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(4)
        writer.field("Datacenter", datacenter)
        writer.field("Op", op.text)
        writer.field("ReapIndex", reapIndex)
        writer.field("Token", token)
    }
}

/// The leader's alone.
extension TombstoneRequest: WriteFamily {
    static let commandType: UInt8 = 5
    static let mayBeIgnored = false
    static let method: String? = nil

    func validate(_ rules: WriteRules) -> String? { nil }
    func authorize(_ authorizer: Authorizer, in store: Store) throws(Denied) { try authorizer.require(.operatorWrite) }

    func apply(to store: inout Store, _ index: UInt64, _ changes: inout ChangeSet) throws(TextError) -> ApplyResult {
        try store.reapTombstones(self)
    }

    func encodeReply(_ result: ApplyResult, into writer: inout MessagePackWriter) { writer.mapHeader(0) }

    func decodeReply(_ reader: inout MessagePackReader) throws(MessagePackError) -> ApplyResult {
        try reader.skip()
        return .none
    }
}
