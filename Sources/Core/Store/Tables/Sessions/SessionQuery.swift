/// Reads of sessions. Spec: http-2 §3, rpc-raft-wire §4.
public enum SessionQuery: Hashable, Sendable {
    case get(id: String)
    case list
    case ofNode(String)
}

extension SessionQuery: QueryFamily {
    enum Method: String, CallMethod {
        case get = "Session.Get"
        case list = "Session.List"
        case ofNode = "Session.NodeSessions"
    }

    var method: Method {
        switch self {
        case .get: .get
        case .list: .list
        case .ofNode: .ofNode
        }
    }

    private struct Fields: WireFields {
        var options = QueryOptions()
        var node = ""
        private var present = "", old = ""

        /// By the name from before 1.7 if the present one is empty.
        var id: String { present.isEmpty ? old : present }

        mutating func read(_ name: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
            switch name {
            case "SessionID": present = try reader.string()
            case "Session": old = try reader.string()
            case "Node": node = try reader.string()
            default: return try options.read(name, from: &reader)
            }
            return true
        }
    }

    static func decode(_ method: Method, _ reader: inout MessagePackReader) throws(MessagePackError) -> (SessionQuery, QueryOptions) {
        let fields = try Fields(from: &reader)
        return switch method {
        case .get: (.get(id: fields.id), fields.options)
        case .list: (.list, fields.options)
        case .ofNode: (.ofNode(fields.node), fields.options)
        }
    }

    func encode(_ options: QueryOptions) -> [UInt8] {
        switch self {
        case .get(let id): Self.encode(id: id, options)
        case .list: Self.encode(id: "", options)
        case .ofNode(let node): options.encodeNode(node)
        }
    }

    /// Under its present name and that from before 1.7.
    private static func encode(id: String, _ options: QueryOptions) -> [UInt8] {
        var writer = QueryWriter(options, fields: 3)
        writer.datacenter()
        writer.field("Session", id)
        writer.field("SessionID", id)
        return writer.finish()
    }

    var problem: String? { nil }
    var canWait: Bool { true }

    func evaluate(_ store: Store, _ options: QueryOptions) throws(TextError) -> (result: QueryResult, index: UInt64) {
        let index = store.index(IndexName.sessions)
        return switch self {
        case .get(let id): (.sessions(try store.session(id).map { [$0] } ?? []), index)
        case .list: (.sessions(store.sessions.map(\.value)), index)
        case .ofNode(let node): (.sessions(store.sessionsByNode.values(withPrefix: TableKey.of(node))), index)
        }
    }

    func topics(in store: Store, _ options: QueryOptions) -> [WatchTopic] {
        switch self {
        case .get(let id): Store.sessionKey(id).map { [.session($0)] } ?? []
        case .list: [.table(.sessions)]
        case .ofNode(let node): [.nodeSessions(TableKey.of(node))]
        }
    }

    func authorize(_ authorizer: Authorizer, _ result: inout QueryResult) throws(Denied) {
        guard case .sessions(var sessions) = result else { throw Denied() }
        authorizer.filter(&sessions) { authorizer.allows(.sessionRead($0.value.node)) }
        result = .sessions(sessions)
    }

    func encodeReply(_ result: QueryResult, _ meta: QueryMeta) -> [UInt8] {
        guard case .sessions(let sessions) = result else { preconditionFailure("reads of sessions find sessions") }
        var reply = ReplyWriter(meta)
        reply.key("Sessions")
        reply.rows(sessions)
        return reply.finish()
    }

    var emptyResult: QueryResult { .sessions([]) }

    func readReply(
        _ name: MessagePackKey, _ reader: inout MessagePackReader, _ result: inout QueryResult
    ) throws(MessagePackError) -> Bool {
        guard name == "Sessions" else { return false }
        result = .sessions(try Session.array(from: &reader)?.map { Row($0) } ?? [])
        return true
    }
}

/// `Session.Renew`: restarts the timer of a session and writes nothing. Asked and answered like a read of the session.
enum SessionRenewal {
    static let method = "Session.Renew"

    static func decode(_ reader: inout MessagePackReader) throws(MessagePackError) -> (id: String, options: QueryOptions) {
        guard case (.get(let id), let options) = try SessionQuery.decode(.get, &reader) else { preconditionFailure("decoded as asked") }
        return (id, options)
    }

    static func encode(id: String, _ options: QueryOptions) -> [UInt8] { SessionQuery.get(id: id).encode(options) }

    /// The body of the answer: the session, or none.
    static func encodeReply(_ session: Row<Session>?, _ meta: QueryMeta) -> [UInt8] {
        SessionQuery.list.encodeReply(.sessions(session.map { [$0] } ?? []), meta)
    }

    /// What is needed to renew `session`.
    static func permission(_ session: Session) -> Permission { .sessionWrite(session.node) }
}
