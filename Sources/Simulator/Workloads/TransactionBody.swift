import Core

/// Operations of a model as the body of `PUT /v1/txn` (http-2 §6.1).
struct TransactionBody {
    private let operations: [ReferenceModel.Operation]
    private let prefix: String
    private let sessions: [ReferenceModel.Session?]

    init(_ operations: [ReferenceModel.Operation], prefix: String, sessions: [ReferenceModel.Session?]) {
        (self.operations, self.prefix, self.sessions) = (operations, prefix, sessions)
    }

    var json: [UInt8] {
        var json = JSONWriter()
        json.beginArray()
        for operation in operations {
            json.beginObject()
            json.key("KV")
            json.beginObject()
            write(operation, &json)
            json.endObject()
            json.endObject()
        }
        json.endArray()
        return json.finish()
    }

    private func write(_ operation: ReferenceModel.Operation, _ json: inout JSONWriter) {
        switch operation {
        case .set(let key, let value, let flags): write("set", key, value: value, flags: flags, &json)
        case .cas(let key, let value, let index): write("cas", key, value: value, index: index, &json)
        case .delete(let key): write("delete", key, &json)
        case .deleteCAS(let key, let index): write("delete-cas", key, index: index, &json)
        case .deleteTree(let prefix): write("delete-tree", prefix, &json)
        case .lock(let key, let value, let session): write("lock", key, value: value, session: session, &json)
        case .unlock(let key, let value, let session): write("unlock", key, value: value, session: session, &json)
        case .get(let key): write("get", key, &json)
        case .checkIndex(let key, let index): write("check-index", key, index: index, &json)
        case .checkSession(let key, let session): write("check-session", key, session: session, &json)
        case .checkNotExists(let key): write("check-not-exists", key, &json)
        }
    }

    private func write(
        _ verb: String, _ key: String, value: [UInt8]? = nil, flags: UInt64? = nil, index: UInt64? = nil, session: Int? = nil,
        _ json: inout JSONWriter
    ) {
        json.key("Verb")
        json.string(verb)
        json.key("Key")
        json.string(prefix + key)
        if let value {
            json.key("Value")
            json.base64(value)
        }
        if let flags {
            json.key("Flags")
            json.uint(flags)
        }
        if let index {
            json.key("Index")
            json.uint(index)
        }
        if let session, let id = sessions[session]?.id {
            json.key("Session")
            json.string(id)
        }
    }
}
