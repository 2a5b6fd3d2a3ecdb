// Which method of the server port carries which work (rpc-raft-wire §3).

extension ServerWork {
    /// The endpoints that exist, for telling an unknown method from an unknown endpoint.
    static let services = ["Catalog", "Coordinate", "Health", "Internal", "KVS", "Operator", "Session", "Status", "Txn"]

    /// The method and its encoded request; nil for what a server proposes only itself.
    var encodedCall: (method: String, body: [UInt8])? {
        switch self {
        case .read(let query, let options): return (query.rpcMethod, query.encodeRequest(options))
        case .write(let request): return request.rpcMethod.map { ($0, request.encodeRequest()) }
        case .renew(let session, let options): return ("Session.Renew", ReadQuery.encodeSession(session, options))
        case .operation(let operation, let options): return operation.rpcMethod.map { ($0, operation.encodeRequest(options)) }
        }
    }

    /// nil for a method that does not exist.
    init?(method: String, body: ArraySlice<UInt8>) throws(MessagePackError) {
        if let request = try WriteRequest.decodeRequest(method: method, body: body) {
            self = .write(request)
        } else if method == "Session.Renew" {
            let (id, options) = try ReadQuery.decodeSession(body)
            self = .renew(session: id, options)
        } else if let (query, options) = try ReadQuery.decodeRequest(method: method, body: body) {
            self = .read(query, options)
        } else if let (operation, options) = try ServerOperation.decodeRequest(method: method, body: body) {
            self = .operation(operation, options)
        } else {
            return nil
        }
    }
}
