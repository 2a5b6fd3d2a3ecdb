/// Every read of replicated state: one case for each family. What a read is, does and needs is in the family's own file; this is the
/// envelope that passes it on. Nothing here may have a default.
public enum ReadQuery: Hashable, Sendable {
    case kv(KVQuery)
    case session(SessionQuery)
    case catalog(CatalogQuery)
    case health(HealthQuery)
    case `internal`(InternalQuery)
    case coordinate(CoordinateQuery)
    case `operator`(OperatorQuery)
    case txn(TxnQuery)

    /// The names of all methods that are reads.
    static var methods: [String] {
        func names<Family: QueryFamily>(_ family: Family.Type) -> [String] { Family.Method.allCases.map(\.rawValue) }
        return names(KVQuery.self) + names(SessionQuery.self) + names(CatalogQuery.self) + names(HealthQuery.self)
            + names(InternalQuery.self) + names(CoordinateQuery.self) + names(OperatorQuery.self) + names(TxnQuery.self)
    }

    /// The read that a request asks for; nil for a method that is no read of this kind.
    public static func decodeRequest(
        method: String, body: ArraySlice<UInt8>
    ) throws(MessagePackError) -> (query: ReadQuery, options: QueryOptions)? {
        var reader = MessagePackReader(body, elementsMax: MessagePackReader.requestElementsMax)
        func decode<Family: QueryFamily>(
            _ wrap: (Family) -> ReadQuery, _ reader: inout MessagePackReader
        ) throws(MessagePackError) -> (query: ReadQuery, options: QueryOptions)? {
            guard let method = Family.Method(rawValue: method) else { return nil }
            let (query, options) = try Family.decode(method, &reader)
            return (wrap(query), options)
        }
        if let found = try decode(ReadQuery.kv, &reader) { return found }
        if let found = try decode(ReadQuery.session, &reader) { return found }
        if let found = try decode(ReadQuery.catalog, &reader) { return found }
        if let found = try decode(ReadQuery.health, &reader) { return found }
        if let found = try decode(ReadQuery.internal, &reader) { return found }
        if let found = try decode(ReadQuery.coordinate, &reader) { return found }
        if let found = try decode(ReadQuery.operator, &reader) { return found }
        return try decode(ReadQuery.txn, &reader)
    }
}

extension ReadQuery {
    /// The method that answers this read.
    public var rpcMethod: String {
        switch self {
        case .kv(let query): query.method.rawValue
        case .session(let query): query.method.rawValue
        case .catalog(let query): query.method.rawValue
        case .health(let query): query.method.rawValue
        case .internal(let query): query.method.rawValue
        case .coordinate(let query): query.method.rawValue
        case .operator(let query): query.method.rawValue
        case .txn(let query): query.method.rawValue
        }
    }

    /// The body of the request.
    public func encodeRequest(_ options: QueryOptions) -> [UInt8] {
        switch self {
        case .kv(let query): query.encode(options)
        case .session(let query): query.encode(options)
        case .catalog(let query): query.encode(options)
        case .health(let query): query.encode(options)
        case .internal(let query): query.encode(options)
        case .coordinate(let query): query.encode(options)
        case .operator(let query): query.encode(options)
        case .txn(let query): query.encode(options)
        }
    }

    /// What is wrong with it, in the words of the servers; nil if nothing is.
    var problem: String? {
        switch self {
        case .kv(let query): query.problem
        case .session(let query): query.problem
        case .catalog(let query): query.problem
        case .health(let query): query.problem
        case .internal(let query): query.problem
        case .coordinate(let query): query.problem
        case .operator(let query): query.problem
        case .txn(let query): query.problem
        }
    }

    /// Whether this is a blocking query, which may wait for an index.
    var canWait: Bool {
        switch self {
        case .kv(let query): query.canWait
        case .session(let query): query.canWait
        case .catalog(let query): query.canWait
        case .health(let query): query.canWait
        case .internal(let query): query.canWait
        case .coordinate(let query): query.canWait
        case .operator(let query): query.canWait
        case .txn(let query): query.canWait
        }
    }

    fileprivate func find(in store: Store, _ options: QueryOptions) throws(TextError) -> (result: QueryResult, index: UInt64) {
        switch self {
        case .kv(let query): try query.evaluate(store, options)
        case .session(let query): try query.evaluate(store, options)
        case .catalog(let query): try query.evaluate(store, options)
        case .health(let query): try query.evaluate(store, options)
        case .internal(let query): try query.evaluate(store, options)
        case .coordinate(let query): try query.evaluate(store, options)
        case .operator(let query): try query.evaluate(store, options)
        case .txn(let query): try query.evaluate(store, options)
        }
    }

    fileprivate func topics(in store: Store, _ options: QueryOptions) -> [WatchTopic] {
        switch self {
        case .kv(let query): query.topics(in: store, options)
        case .session(let query): query.topics(in: store, options)
        case .catalog(let query): query.topics(in: store, options)
        case .health(let query): query.topics(in: store, options)
        case .internal(let query): query.topics(in: store, options)
        case .coordinate(let query): query.topics(in: store, options)
        case .operator(let query): query.topics(in: store, options)
        case .txn(let query): query.topics(in: store, options)
        }
    }

    /// Refuses what the caller may not ask, and takes from the result what the caller may not see. Free for who may do everything.
    func authorize(_ authorizer: Authorizer, _ result: inout QueryResult) throws(Denied) {
        if authorizer.view == .everything { return }
        switch self {
        case .kv(let query): try query.authorize(authorizer, &result)
        case .session(let query): try query.authorize(authorizer, &result)
        case .catalog(let query): try query.authorize(authorizer, &result)
        case .health(let query): try query.authorize(authorizer, &result)
        case .internal(let query): try query.authorize(authorizer, &result)
        case .coordinate(let query): try query.authorize(authorizer, &result)
        case .operator(let query): try query.authorize(authorizer, &result)
        case .txn(let query): try query.authorize(authorizer, &result)
        }
    }

    // MARK: Answers

    /// The body of the answer to this read.
    public func encodeReply(_ result: QueryResult, _ meta: QueryMeta) -> [UInt8] {
        switch self {
        case .kv(let query): query.encodeReply(result, meta)
        case .session(let query): query.encodeReply(result, meta)
        case .catalog(let query): query.encodeReply(result, meta)
        case .health(let query): query.encodeReply(result, meta)
        case .internal(let query): query.encodeReply(result, meta)
        case .coordinate(let query): query.encodeReply(result, meta)
        case .operator(let query): query.encodeReply(result, meta)
        case .txn(let query): query.encodeReply(result, meta)
        }
    }

    /// What an answer to this read says.
    public func decodeReply(_ body: ArraySlice<UInt8>) throws(MessagePackError) -> (result: QueryResult, meta: QueryMeta) {
        switch self {
        case .kv(let query): try query.decodeReply(body)
        case .session(let query): try query.decodeReply(body)
        case .catalog(let query): try query.decodeReply(body)
        case .health(let query): try query.decodeReply(body)
        case .internal(let query): try query.decodeReply(body)
        case .coordinate(let query): try query.decodeReply(body)
        case .operator(let query): try query.decodeReply(body)
        case .txn(let query): try query.decodeReply(body)
        }
    }
}

extension QueryFamily {
    fileprivate func decodeReply(_ body: ArraySlice<UInt8>) throws(MessagePackError) -> (result: QueryResult, meta: QueryMeta) {
        var reader = MessagePackReader(body)
        var meta = QueryMeta(), result = emptyResult
        var left = try reader.structHeader()
        while let name = try reader.nextKey(&left) {
            switch name {
            case "Index": meta.index = try reader.uint64()
            case "KnownLeader": meta.knownLeader = try reader.bool()
            case "LastContact": meta.lastContact = try reader.duration()
            default: if try !readReply(name, &reader, &result) { try reader.skip() }
            }
        }
        return (result, meta)
    }
}

// Reading. Spec: behaviour §1.4 (indexes, watches), http-1 §5-7, http-2 §5.
extension Store {
    /// What a query finds of what `authorizer` lets see, in the order of the answer, and the index that it reports.
    ///
    /// Applies tags, `nodeMetaFilters` and `sourceNode`; filter expressions are the caller's. The index is at least 1, except that of a
    /// transaction, which is 0 and never blocks.
    public func evaluate(
        _ query: ReadQuery, options: QueryOptions, authorizer: Authorizer
    ) -> Result<(result: QueryResult, index: UInt64), TextError> {
        do throws(TextError) {
            var (result, index) = try query.find(in: self, options)
            do throws(Denied) {
                try query.authorize(authorizer, &result)
            } catch {
                return .failure(TextError(error.text))
            }
            if !options.sourceNode.isEmpty { result = sorted(result, byDistanceFrom: options.sourceNode) }
            if case .txn = query { return .success((result, index)) }
            return .success((result, max(index, 1)))
        } catch {
            return .failure(error)
        }
    }

    /// What a blocked query waits for. Every change that can raise the index it reports touches one of these, with the exceptions that the
    /// reference makes: a row that is absent or belongs to one node waits for just that, although what it reports is the table's index.
    public func topics(of query: ReadQuery, options: QueryOptions) -> [WatchTopic] { query.topics(in: self, options) }

    /// By name, or else by the beginning of its ID.
    func findNode(_ name: String) -> Row<Node>? { node(name) ?? node(idPrefix: name) }
}
