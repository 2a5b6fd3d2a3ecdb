/// `/v1/kv/` and `/v1/session/` answers. Spec: http-2 §2.1-2.2, §3.1.
extension Renderer {
    /// Fills in status and body; returns the content type, nil for none.
    static func keyValue(_ result: QueryResult, _ shape: ReadShape, _ response: inout HTTPResponse) -> String? {
        switch (shape.form, result) {
        case (.kvRaw, .entries(let entries)) where !entries.isEmpty:
            response.body = entries.first?.entry.value ?? []
            response.hasEmptyBody = response.body.isEmpty
            response.isSized = true
            response.retained = 0
            return response.body.isEmpty ? nil : ContentSniffing.passiveType(of: response.body)
        case (.kvEntries, .entries(let entries)) where !entries.isEmpty:
            response.setRows(
                entries, pretty: shape.pretty, size: { 160 + $0.key.count + $0.entry.value.count * 4 / 3 },
                { json, entry in json.entry(entry) })
            return Answer.json
        case (.kvKeys(let emptyPrefix), .keys(let keys)) where emptyPrefix || !keys.isEmpty:
            response.setRows(keys, pretty: shape.pretty, size: { 8 + $0.count }, { json, key in json.string(key) })
            return Answer.json
        default:
            response.status = 404
            return nil
        }
    }

    static func sessions(_ result: QueryResult, _ shape: ReadShape, _ response: inout HTTPResponse) {
        guard case .sessions(let rows) = result else { return response.setRows([Row<Session>](), pretty: shape.pretty) { _, _ in } }
        response.setRows(rows, pretty: shape.pretty, size: { _ in 320 }, { json, row in json.session(row.value) })
    }

    /// The answer to a renewal; nil for an unknown session.
    public static func renewed(_ session: Session?, id: String, pretty: Bool, context: APIContext) -> HTTPResponse {
        guard let session else {
            var response = Answer.plain(404, "Session id '\(id)' not found")
            context.finish(&response)
            return response
        }
        var json = JSONWriter(pretty: pretty)
        json.beginArray()
        json.session(session)
        json.endArray()
        return answer(json, context)
    }
}

extension JSONWriter {
    mutating func entry(_ row: DirEntry) {
        beginObject()
        key("LockIndex")
        uint(row.entry.lockIndex)
        key("Key")
        string(row.key)
        key("Flags")
        uint(row.entry.flags)
        key("Value")
        if row.entry.value.isEmpty { null() } else { base64(row.entry.value) }
        if !row.entry.session.isEmpty {
            key("Session")
            string(row.entry.session)
        }
        indexes(row.entry.index)
        endObject()
    }

    /// The last two members of every row.
    mutating func indexes(_ index: RaftIndex) {
        key("CreateIndex")
        uint(index.create)
        key("ModifyIndex")
        uint(index.modify)
    }

    mutating func session(_ session: Session) {
        beginObject()
        member("ID", session.id)
        member("Name", session.name)
        member("Node", session.node)
        key("LockDelay")
        int64(session.lockDelay.nanoseconds)
        member("Behavior", session.behavior)
        member("TTL", session.ttl)
        key("NodeChecks")
        strings(session.nodeChecks)
        key("ServiceChecks")
        if let checks = session.serviceChecks {
            beginArray()
            for check in checks {
                beginObject()
                member("ID", check.id)
                member("Namespace", check.namespace)
                endObject()
            }
            endArray()
        } else {
            null()
        }
        if let checks = session.checks, !checks.isEmpty {
            key("Checks")
            strings(checks)
        }
        indexes(session.index)
        endObject()
    }

    mutating func member(_ name: StaticString, _ value: String) {
        key(name)
        string(value)
    }

    /// Left out when empty.
    mutating func optionalMember(_ name: StaticString, _ value: String) { if !value.isEmpty { member(name, value) } }

    mutating func member(_ name: StaticString, _ value: Int) {
        key(name)
        int(value)
    }

    /// Left out when zero.
    mutating func optionalMember(_ name: StaticString, _ value: Int) { if value != 0 { member(name, value) } }

    mutating func member(_ name: StaticString, _ value: Bool) {
        key(name)
        bool(value)
    }

    /// Left out when false.
    mutating func optionalMember(_ name: StaticString, _ value: Bool) { if value { member(name, true) } }
}
