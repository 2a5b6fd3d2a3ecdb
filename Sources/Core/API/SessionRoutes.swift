// `/v1/session/`. Spec: http-2 §3.

extension RouteTable {
    static let sessions: [Route] = [
        Route("/v1/session/create", .put, .needs(.session)) { (call) throws(Refusal) in try call.sessionCreate() },
        Route("/v1/session/destroy/", .put, .needs(.session)) { (call) throws(Refusal) in try call.sessionDestroy() },
        Route("/v1/session/renew/", .put, .needs(.session)) { (call) throws(Refusal) in try call.sessionRenew() },
        Route("/v1/session/info/", .get, .filters(.session)) { (call) throws(Refusal) in try call.sessionInfo() },
        Route("/v1/session/node/", .get, .filters(.session)) { (call) throws(Refusal) in try call.sessionNode() },
        Route("/v1/session/list", .get, .filters(.session)) { (call) throws(Refusal) in try call.sessionList() },
    ]
}

extension APIRequest {
    func sessionCreate() throws(Refusal) -> APICall {
        try refuseNamespaces()
        var write = SessionRequest()
        write.datacenter = datacenter
        write.token = token
        write.op = .create
        write.session.node = context.nodeName
        write.session.nodeChecks = [CheckStatus.serfHealth]
        write.session.checks = [CheckStatus.serfHealth]
        write.session.lockDelay = .seconds(15)
        write.session.behavior = "release"
        if let length = request.contentLength, length > 0 { try decode(into: &write.session) }
        write.session.mergeChecks()
        return .write(.session(write), WriteShape(.sessionID, pretty: pretty))
    }

    private func decode(into session: inout Session) throws(Refusal) {
        let document = JSONField(document: try decodeBody(), type: "struct { LockDelay interface {}; *structs.Alias }")
        do {
            try session.decode(document)
        } catch {
            throw Refusal(400, "Request decode failed: " + error.text)
        }
    }

    func sessionDestroy() throws(Refusal) -> APICall {
        try refuseNamespaces()
        var write = SessionRequest()
        write.datacenter = datacenter
        write.token = token
        write.op = .destroy
        write.session.id = try sessionID()
        return .write(.session(write), WriteShape(.outcome, pretty: pretty))
    }

    func sessionRenew() throws(Refusal) -> APICall {
        try refuseNamespaces()
        let options = try readOptions()
        return .sessionRenew(id: try sessionID(), options, pretty: pretty)
    }

    func sessionInfo() throws(Refusal) -> APICall {
        try refuseNamespaces()
        let options = try readOptions()
        return .read(.session(.get(id: try sessionID())), options, ReadShape(.sessions, pretty: pretty))
    }

    func sessionList() throws(Refusal) -> APICall {
        try refuseNamespaces()
        return .read(.session(.list), try readOptions(), ReadShape(.sessions, pretty: pretty))
    }

    func sessionNode() throws(Refusal) -> APICall {
        try refuseNamespaces()
        let options = try readOptions()
        let node = try requiredArgument("Missing node name")
        return .read(.session(.ofNode(node)), options, ReadShape(.sessions, pretty: pretty))
    }

    private func sessionID() throws(Refusal) -> String { try requiredArgument("Missing session") }

    func requiredArgument(_ complaint: String) throws(Refusal) -> String {
        if argument.isEmpty { throw Refusal(400, complaint) }
        return argumentText
    }
}

extension Session {
    /// Unknown fields are ignored, unlike elsewhere.
    fileprivate mutating func decode(_ document: JSONField) throws(TextError) {
        var delay: JSONField?
        for field in try document.members(of: "") {
            switch field.key {
            case "id": try field.read(&id)
            case "name": try field.read(&name)
            case "node": try field.read(&node)
            case "lockdelay": delay = field
            case "ttl": try field.read(&ttl)
            case "behavior": try field.read(&behavior)
            case "nodechecks": try field.read(&nodeChecks)
            case "servicechecks": serviceChecks = try field.list("[]structs.ServiceCheck", SessionServiceCheck.init(json:))
            case "checks": try field.read(&checks)
            case "createindex": try field.read(&index.create)
            case "modifyindex": try field.read(&index.modify)
            default: break
            }
        }
        guard let delay, !delay.isNull else { return }
        var length = lockDelay
        try delay.read(&length)
        switch delay.value {
        // Anything below a microsecond is meant in seconds.
        case .string, .int, .double: lockDelay = length < .microseconds(1) ? .nanoseconds(length.nanoseconds &* 1_000_000_000) : length
        case .uint: lockDelay = length
        default: break
        }
    }

    /// How the list of before 1.7 and the present one become one (http-2 §3.2).
    fileprivate mutating func mergeChecks() {
        let old = checks ?? []
        if old.isEmpty {
            nodeChecks = []
            checks = nil
        } else if old == [CheckStatus.serfHealth] || (nodeChecks ?? []).isEmpty {
            checks = nil
        }
    }
}

extension SessionServiceCheck {
    fileprivate init(json field: JSONField) throws(TextError) {
        self.init()
        for member in try field.members(of: "ServiceCheck") {
            switch member.key {
            case "id": try member.read(&id)
            case "namespace": try member.read(&namespace)
            default: break
            }
        }
    }
}
