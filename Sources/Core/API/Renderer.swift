/// Turns results into answers. Pure. Spec: http-1 §1.4, §1.5, §1.13 and §3. Over 500 lines: an extension for each
/// family of answers.
public enum Renderer {
    /// The answer to a read. `options` are those of the request that was answered in the end (a stale read may have been repeated); `body` is
    /// what the result comes to, if that is known.
    public static func render(
        _ result: QueryResult, meta: QueryMeta, options: QueryOptions, shape: ReadShape, context: APIContext, cache: CacheState? = nil,
        body: [UInt8]? = nil
    ) -> HTTPResponse {
        var response = HTTPResponse(status: 200)
        var type: String? = Answer.json
        if shape.isMissing(from: result) {
            response = HTTPResponse(status: 404)
            context.finish(&response)
            return response
        }
        switch shape.form {
        case .kvEntries, .kvRaw, .kvKeys: type = keyValue(result, shape, &response)
        case .sessions: sessions(result, shape, &response)
        case .coordinates(let segment, _): coordinates(result, segment: segment, pretty: shape.pretty, &response)
        case .autopilotConfiguration: return autopilot(result, pretty: shape.pretty, context: context)
        case .nodeDump:
            guard case .nodeDump(let rows) = result else { break }
            nodeDump(rows, shape, &response)
        case .healthNodes(.invalid):
            response = Answer.plain(400, "Invalid value for ?passing")
            context.finish(&response)
            return response
        default: if let body { response.body = body } else { catalog(result, shape, &response) }
        }
        response.headers = headers(type: type, meta: meta, options: options, shape: shape, cache: cache)
        if case .kvRaw = shape.form { response.headers.append(("X-Content-Type-Options", "nosniff")) }
        context.finish(&response)
        return response
    }

    /// The answer to a write that went through the log.
    public static func render(_ result: ApplyResult, shape: WriteShape, context: APIContext) -> HTTPResponse {
        var json = JSONWriter(pretty: shape.pretty, reservingCapacity: 64)
        switch (shape.form, result) {
        case (.outcome, .error(let text)), (.sessionID, .error(let text)): return error(text, context: context)
        case (.outcome, .bool(let done)): json.bool(done)
        case (.sessionID, .string(let id)):
            json.beginObject()
            json.key("ID")
            json.string(id)
            json.endObject()
        default: json.bool(true)
        }
        return answer(json, context)
    }

    /// An error of the servers; the status follows from the text. Some reads carry metadata even then (http-2 §1.3).
    public static func error(_ text: String, shape: ReadShape? = nil, context: APIContext) -> HTTPResponse {
        var response = Answer.failure(text)
        if let shape, shape.carriesMetadataOnError {
            response.headers.append(("X-Consul-Index", "1"))
            response.headers.append(("X-Consul-Knownleader", "false"))
            response.headers.append(("X-Consul-Lastcontact", "0"))
        }
        context.finish(&response)
        return response
    }

    /// 200 with a JSON body and no metadata.
    static func answer(_ json: consuming JSONWriter, _ context: APIContext) -> HTTPResponse {
        var response = HTTPResponse(status: 200, headers: [("Content-Type", Answer.json)], body: json.finish())
        context.finish(&response)
        return response
    }

    private static func headers(
        type: String?, meta: QueryMeta, options: QueryOptions, shape: ReadShape, cache: CacheState?
    ) -> [(name: String, value: String)] {
        var headers: [(name: String, value: String)] = []
        headers.reserveCapacity(8)
        if case .hit(let age)? = cache { headers.append(("Age", String((age.nanoseconds + 500_000_000) / 1_000_000_000))) }
        if let type { headers.append(("Content-Type", type)) }
        if let cache { headers.append(("X-Cache", cache == .miss ? "MISS" : "HIT")) }
        if shape.tellsConsistency {
            let mode = options.requireConsistent ? "consistent" : options.allowStale ? "stale" : "leader"
            headers.append(("X-Consul-Effective-Consistency", mode))
        }
        appendMeta(meta, to: &headers)
        return headers
    }

    static func appendMeta(_ meta: QueryMeta, to headers: inout [(name: String, value: String)]) {
        headers.append(("X-Consul-Index", String(max(1, meta.index))))
        headers.append(("X-Consul-Knownleader", meta.knownLeader ? "true" : "false"))
        headers.append(("X-Consul-Lastcontact", String(max(0, meta.lastContact.nanoseconds / 1_000_000))))
    }
}

extension ReadShape {
    /// Only catalog and health reads are asked again when a stale answer is older than `max_stale` (http-2 §1.3).
    var isRepeatedWhenOld: Bool { tellsConsistency }

    /// Catalog and health reads name the consistency they were answered with.
    var tellsConsistency: Bool {
        switch form {
        case .kvEntries, .kvRaw, .kvKeys, .sessions, .nodeDump, .serviceSummaries, .coordinates, .autopilotConfiguration: false
        default: true
        }
    }

    /// Whether what was found is answered with 404, and without metadata.
    func isMissing(from result: QueryResult) -> Bool {
        switch (form, result) {
        case (.nodeDump(single: true), .nodeDump(let rows)): rows.isEmpty
        case (.coordinates(let segment, ofNode: true), .coordinates(let rows)):
            !rows.contains { segment == nil || $0.value.segment == segment }
        default: false
        }
    }

    /// Where the leader is unknown, the web page is content with what any server knows.
    var isRepeatedStale: Bool {
        switch form {
        case .nodeDump, .serviceSummaries: true
        default: false
        }
    }

    var carriesMetadataOnError: Bool {
        switch form {
        case .kvEntries, .kvRaw, .kvKeys, .autopilotConfiguration: false
        default: true
        }
    }
}
