/// Reads of coordinates. Spec: http-2 §9, rpc-raft-wire §4.4.
public enum CoordinateQuery: Hashable, Sendable {
    /// Of all nodes.
    case nodes
    case node(String)
}

extension CoordinateQuery: QueryFamily {
    enum Method: String, CallMethod {
        case nodes = "Coordinate.ListNodes"
        case node = "Coordinate.Node"
    }

    var method: Method { if case .node = self { .node } else { .nodes } }

    static func decode(_ method: Method, _ reader: inout MessagePackReader) throws(MessagePackError) -> (CoordinateQuery, QueryOptions) {
        let fields = try NodeFields(from: &reader)
        return switch method {
        case .nodes: (.nodes, fields.options)
        case .node: (.node(fields.node), fields.options)
        }
    }

    func encode(_ options: QueryOptions) -> [UInt8] {
        switch self {
        case .nodes: options.encodeDatacenter()
        case .node(let node): options.encodeNode(node)
        }
    }

    var problem: String? { nil }
    var canWait: Bool { true }

    func evaluate(_ store: Store, _ options: QueryOptions) throws(TextError) -> (result: QueryResult, index: UInt64) {
        let index = store.index(IndexName.coordinates)
        return switch self {
        case .nodes: (.coordinates(store.coordinates.map(\.value)), index)
        case .node(let node): (.coordinates(store.coordinates(ofNode: node)), index)
        }
    }

    func topics(in store: Store, _ options: QueryOptions) -> [WatchTopic] { [.table(.coordinates)] }

    func authorize(_ authorizer: Authorizer, _ result: inout QueryResult) throws(Denied) {
        if case .node(let node) = self { try authorizer.require(.nodeRead(node)) }
        guard case .coordinates(var rows) = result else { throw Denied() }
        authorizer.filter(&rows) { authorizer.allows(.nodeRead($0.value.node)) }
        result = .coordinates(rows)
    }

    func encodeReply(_ result: QueryResult, _ meta: QueryMeta) -> [UInt8] {
        guard case .coordinates(let rows) = result else { preconditionFailure("reads of coordinates find coordinates") }
        var reply = ReplyWriter(meta)
        reply.key("Coordinates")
        reply.rows(rows)
        return reply.finish()
    }

    var emptyResult: QueryResult { .coordinates([]) }

    func readReply(
        _ name: MessagePackKey, _ reader: inout MessagePackReader, _ result: inout QueryResult
    ) throws(MessagePackError) -> Bool {
        guard name == "Coordinates" else { return false }
        result = .coordinates(try NodeCoordinate.array(from: &reader)?.map { Row($0) } ?? [])
        return true
    }
}
