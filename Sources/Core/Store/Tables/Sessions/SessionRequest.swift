/// What is to be done with a session.
public enum SessionOperation: Hashable, Sendable {
    case create, destroy
    /// Refused where it is applied, in every server alike.
    case unknown(String)

    public init(_ text: String) {
        self =
            switch text {
            case "create": .create
            case "destroy": .destroy
            default: .unknown(text)
            }
    }

    public var text: String {
        switch self {
        case .create: "create"
        case .destroy: "destroy"
        case .unknown(let text): text
        }
    }
}

public struct SessionRequest: Hashable, Sendable {
    public var datacenter = ""
    public var op = SessionOperation.unknown("")
    public var session = Session()
    public var token = ""
    public init() {}
}

extension SessionRequest: WireStruct {
    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Datacenter": datacenter = try reader.string()
        case "Op": op = SessionOperation(try reader.string())
        case "Session": session = try Session(from: &reader)
        case "Token": token = try reader.string()
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(4)
        writer.field("Datacenter", datacenter)
        writer.field("Op", op.text)
        writer.field("Session", session)
        writer.field("Token", token)
    }
}

extension SessionRequest: WriteFamily {
    static let commandType: UInt8 = 3
    static let mayBeIgnored = false
    static let method: String? = "Session.Apply"

    mutating func validate(_ rules: WriteRules) -> String? { WriteValidation.validate(&self, rules.sessionTTLMin) }

    /// To end one takes the right on its node; one that is not there takes none.
    func authorize(_ authorizer: Authorizer, in store: Store) throws(Denied) {
        switch op {
        case .create, .unknown: try authorizer.require(.sessionWrite(session.node))
        case .destroy: if let existing = try? store.session(session.id) { try authorizer.require(.sessionWrite(existing.value.node)) }
        }
    }

    func apply(to store: inout Store, _ index: UInt64, _ changes: inout ChangeSet) throws(TextError) -> ApplyResult {
        try store.applySession(self, index, &changes)
    }

    func encodeReply(_ result: ApplyResult, into writer: inout MessagePackWriter) {
        if case .string(let id) = result { writer.string(id) } else { writer.string("") }
    }

    func decodeReply(_ reader: inout MessagePackReader) throws(MessagePackError) -> ApplyResult {
        let id = try reader.string()
        return op == .create ? .string(id) : .none
    }
}
