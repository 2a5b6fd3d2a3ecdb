// `/v1/kv/`. Spec: http-2 §2.

extension RouteTable {
    static let keys: [Route] = [
        Route("/v1/kv/", .getPutDelete, .needs(.key)) { (call) throws(Refusal) in try call.kv() }
    ]
}

extension APIRequest {
    func kv() throws(Refusal) -> APICall {
        try refuseNamespaces()
        let options = try readOptions()
        switch method {
        case "GET": return try kvGet(options)
        case "PUT": return try kvPut(options)
        default: return try kvDelete(options)
        }
    }

    private var key: ByteString { ByteString(Array(argument)) }

    private func requireKey() throws(Refusal) {
        if argument.isEmpty { throw Refusal(400, "Missing key name") }
    }

    private func kvGet(_ options: QueryOptions) throws(Refusal) -> APICall {
        if parameters.contains("keys") {
            let separator = parameters.nonEmpty("separator") ?? parameters.value("seperator") ?? ""
            return .read(
                .kv(.keys(prefix: key, separator: ByteString(separator))), options,
                ReadShape(.kvKeys(emptyPrefix: argument.isEmpty), pretty: pretty))
        }
        if parameters.contains("recurse") { return .read(.kv(.list(prefix: key)), options, ReadShape(.kvEntries, pretty: pretty)) }
        try requireKey()
        return .read(.kv(.get(key: key)), options, ReadShape(parameters.contains("raw") ? .kvRaw : .kvEntries, pretty: pretty))
    }

    private func kvPut(_ options: QueryOptions) throws(Refusal) -> APICall {
        try requireKey()
        try refuseConflict(["cas", "acquire", "release"])
        var write = KVSRequest()
        write.datacenter = options.datacenter
        write.token = options.token
        write.op = .set
        write.dirEnt.key = key
        write.dirEnt.entry.flags = try number("flags") ?? 0
        if let index = try number("cas") {
            write.op = .cas
            write.dirEnt.entry.index.modify = index
        }
        if let session = parameters.value("acquire") {
            write.op = .lock
            write.dirEnt.entry.session = session
        }
        if let session = parameters.value("release") {
            write.op = .unlock
            write.dirEnt.entry.session = session
        }
        // Only what is announced is limited; the HTTP parser bounds chunked bodies.
        if let length = request.contentLength, length > context.kvMaxValueSize {
            throw .tooLarge(
                "Request body(\(length) bytes) too large, max size: \(context.kvMaxValueSize) bytes. See "
                    + "https://www.consul.io/docs/agent/options.html#kv_max_value_size.")
        }
        write.dirEnt.entry.value = request.body
        return .write(.kv(write), WriteShape(.outcome, pretty: pretty))
    }

    private func kvDelete(_ options: QueryOptions) throws(Refusal) -> APICall {
        try refuseConflict(["recurse", "cas"])
        var write = KVSRequest()
        write.datacenter = options.datacenter
        write.token = options.token
        write.op = .delete
        write.dirEnt.key = key
        if parameters.contains("recurse") {
            write.op = .deleteTree
        } else {
            try requireKey()
        }
        if let index = try number("cas") {
            write.op = .deleteCAS
            write.dirEnt.entry.index.modify = index
        }
        return .write(.kv(write), WriteShape(.outcome, pretty: pretty))
    }

    private func refuseConflict(_ names: [String]) throws(Refusal) {
        if names.count(where: { parameters.contains($0) }) > 1 { throw Refusal(400, "Conflicting flags: " + parameters.encoded) }
    }

    /// A parameter that, where it is given, must be an unsigned number; nil when it is absent.
    private func number(_ name: String) throws(Refusal) -> UInt64? {
        guard let text = parameters.value(name) else { return nil }
        do {
            return try GoNumber.parseUInt(text)
        } catch {
            throw .failure(error.text)
        }
    }
}

extension Refusal {
    /// 413; the connection ends with it, since the body was not read.
    static func tooLarge(_ text: String) -> Refusal {
        var refusal = Refusal(413, text)
        refusal.response.close = true
        return refusal
    }
}
