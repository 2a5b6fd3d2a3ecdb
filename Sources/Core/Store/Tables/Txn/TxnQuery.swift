/// Transactions that only read. Spec: http-2 §6, behaviour §1.11.
public struct TxnQuery: Hashable, Sendable {
    public var ops: [TxnOp]
    public init(_ ops: [TxnOp]) { self.ops = ops }
}

extension TxnQuery: QueryFamily {
    enum Method: String, CallMethod {
        case read = "Txn.Read"
    }

    var method: Method { .read }

    private struct Fields: WireFields {
        var options = QueryOptions()
        var ops: [TxnOp] = []

        mutating func read(_ name: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
            switch name {
            case "Ops": ops = try TxnOp.array(from: &reader) ?? []
            default: return try options.read(name, from: &reader)
            }
            return true
        }
    }

    static func decode(_ method: Method, _ reader: inout MessagePackReader) throws(MessagePackError) -> (TxnQuery, QueryOptions) {
        let fields = try Fields(from: &reader)
        return (TxnQuery(fields.ops), fields.options)
    }

    func encode(_ options: QueryOptions) -> [UInt8] {
        var writer = QueryWriter(options, fields: 2)
        writer.datacenter()
        writer.key("Ops")
        writer.encode(ops)
        return writer.finish()
    }

    var problem: String? { nil }
    /// It reads many tables: it has no index to wait for.
    var canWait: Bool { false }

    func evaluate(_ store: Store, _ options: QueryOptions) throws(TextError) -> (result: QueryResult, index: UInt64) {
        (.txn(store.readTxn(ops)), 0)
    }

    func topics(in store: Store, _ options: QueryOptions) -> [WatchTopic] { [] }

    /// What is refused fails the transaction; what it finds is filtered.
    func authorize(_ authorizer: Authorizer, _ result: inout QueryResult) throws(Denied) {
        guard case .txn(var response) = result else { throw Denied() }
        var errors: [TxnError] = []
        for (at, op) in ops.enumerated() where !authorizer.allows(op) { errors.append(TxnError(opIndex: at, what: Denied().text)) }
        if errors.isEmpty {
            authorizer.filter(&response.results) { authorizer.sees($0) }
        } else {
            response = TxnResponse(errors: errors)
        }
        result = .txn(response)
    }

    func encodeReply(_ result: QueryResult, _ meta: QueryMeta) -> [UInt8] {
        guard case .txn(let response) = result else { preconditionFailure("a transaction is answered as one") }
        var reply = ReplyWriter(meta, members: 2)
        reply.key("Errors")
        reply.list(response.errors) { $0.encode(into: &$1) }
        reply.key("Results")
        if response.errors.isEmpty {
            reply.writer.arrayHeader(response.results.count)
            for result in response.results { result.encode(into: &reply.writer) }
        } else {
            reply.writer.null()
        }
        return reply.finish()
    }

    var emptyResult: QueryResult { .txn(TxnResponse()) }

    func readReply(
        _ name: MessagePackKey, _ reader: inout MessagePackReader, _ result: inout QueryResult
    ) throws(MessagePackError) -> Bool {
        guard case .txn(var response) = result, try response.read(name, from: &reader) else { return false }
        result = .txn(response)
        return true
    }
}

extension Authorizer {
    /// Whether the caller may have this done within a transaction. Of what only reads, the result is filtered instead.
    func allows(_ op: TxnOp) -> Bool {
        switch op {
        case .kv(.get, _), .kv(.getTree, _): true
        case .kv(.checkIndex, let row), .kv(.checkSession, let row): allows(.keyRead(row.key))
        case .kv(.write(.deleteTree), let row): allows(.keyWritePrefix(row.key))
        case .kv(_, let row): allows(.keyWrite(row.key))
        case .node(.get, _), .service(.get, _, _), .check(.get, _): true
        case .node(_, let node): allows(.nodeWrite(node.node))
        case .service(_, _, let service): allows(.serviceWrite(service.service))
        case .check(_, let check): allows(check.serviceName.isEmpty ? .nodeWrite(check.node) : .serviceWrite(check.serviceName))
        case .session(_, let session): allows(.sessionWrite(session.node))
        case .intention: allows(.operatorWrite)
        case .none: true
        }
    }

    func sees(_ result: TxnResult) -> Bool {
        switch result {
        case .kv(let row): allows(.keyRead(row.key))
        case .node(let node): sees(node)
        case .service(let service): sees(service: service.service)
        case .check(let check): check.serviceName.isEmpty ? allows(.nodeRead(check.node)) : sees(service: check.serviceName)
        }
    }
}
