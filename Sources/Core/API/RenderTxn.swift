/// `/v1/txn` answers. Spec: http-2 §6.3.
extension Renderer {
    /// 200, or 409 if any operation failed. `meta` is given for a transaction that was a read.
    public static func txn(_ txn: TxnResponse, meta: QueryMeta?, pretty: Bool, context: APIContext) -> HTTPResponse {
        var json = JSONWriter(pretty: pretty, reservingCapacity: 256 + txn.results.count * 192)
        json.beginObject()
        json.key("Results")
        if txn.errors.isEmpty {
            json.beginArray()
            for result in txn.results { json.txnResult(result) }
            json.endArray()
        } else {
            json.null()
        }
        json.key("Errors")
        if txn.errors.isEmpty {
            json.null()
        } else {
            json.beginArray()
            for error in txn.errors {
                json.beginObject()
                json.member("OpIndex", error.opIndex)
                json.member("What", error.what)
                json.endObject()
            }
            json.endArray()
        }
        if let meta {
            json.member("Index", 0)
            json.key("LastContact")
            json.int64(meta.lastContact.nanoseconds)
            json.member("KnownLeader", meta.knownLeader)
            json.member("ConsistencyLevel", "")
        }
        json.endObject()
        var response = answer(json, context)
        response.status = txn.errors.isEmpty ? 200 : 409
        if let meta {
            response.headers.append(("X-Consul-Knownleader", meta.knownLeader ? "true" : "false"))
            response.headers.append(("X-Consul-Lastcontact", String(max(0, meta.lastContact.nanoseconds / 1_000_000))))
            response.headers.sort { $0.name < $1.name }
        }
        return response
    }
}

extension JSONWriter {
    fileprivate mutating func txnResult(_ result: TxnResult) {
        beginObject()
        switch result {
        case .kv(let row):
            key("KV")
            entry(row)
        case .node(let row):
            key("Node")
            node(row)
        case .service(let row):
            key("Service")
            nodeService(row)
        case .check(let row):
            key("Check")
            healthCheck(row)
        }
        endObject()
    }
}
