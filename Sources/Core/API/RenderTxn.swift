/// `/v1/txn` answers. Spec: http-2 §6.3.
extension Renderer {
    /// 200, or 409 if any operation failed. `meta` is given for a transaction that was a read.
    public static func txn(_ txn: TxnResponse, meta: QueryMeta?, pretty: Bool, context: APIContext) -> HTTPResponse {
        var json = JSONWriter(pretty: pretty, reservingCapacity: 512)
        json.beginObject()
        json.key("Results")
        var response = HTTPResponse(status: 200, headers: [("Content-Type", Answer.json)])
        if txn.errors.isEmpty {
            json.beginArray()
            response.setBody(
                RowsBody(json, txn.results, { json, result in json.txnResult(result) }) { json in
                    json.endArray()
                    json.txnEnd([], meta)
                })
        } else {
            json.null()
            json.txnEnd(txn.errors, meta)
            response.body = json.finish()
        }
        context.finish(&response)
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
    /// What follows the results.
    fileprivate mutating func txnEnd(_ errors: [TxnError], _ meta: QueryMeta?) {
        key("Errors")
        if errors.isEmpty {
            null()
        } else {
            beginArray()
            for error in errors {
                beginObject()
                member("OpIndex", error.opIndex)
                member("What", error.what)
                endObject()
            }
            endArray()
        }
        if let meta {
            member("Index", 0)
            key("LastContact")
            int64(meta.lastContact.nanoseconds)
            member("KnownLeader", meta.knownLeader)
            member("ConsistencyLevel", "")
        }
        endObject()
    }

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
