/// Answers of the endpoints below `/v1/agent/` that concern services and checks. Pure. Spec: http-1 §3.5, §4.1-4.3, §4.11.
enum AgentJSON {
    static func response(_ answer: LocalAnswer, pretty: Bool) -> HTTPResponse {
        switch answer {
        case .done: HTTPResponse(status: 200)
        case .services(let found): services(found, pretty: pretty)
        case .checks(let found): checks(found, pretty: pretty)
        case .service(let found): service(found, pretty: pretty)
        case .healthByID(let found, let id, let text): health(found, id: id, text: text, pretty: pretty)
        case .healthByName(let found, let name, let text): health(found, name: name, text: text, pretty: pretty)
        case .refused(.notFound(let text)): Answer.plain(404, text)
        case .refused(.failed(let text)): Answer.plain(500, text)
        case .refused(.denied(let text)): Answer.failure(text)
        }
    }

    static func response(_ json: consuming JSONWriter, status: Int = 200) -> HTTPResponse {
        HTTPResponse(status: status, headers: [("Content-Type", Answer.json)], body: json.finish())
    }

    /// §4.3, with the hash of the content in body and header.
    static func service(_ service: NodeService, pretty: Bool) -> HTTPResponse {
        let hash = contentHash(service)
        var json = JSONWriter(pretty: pretty, reservingCapacity: 512)
        json.agentService(service, contentHash: hash)
        var answer = response(json)
        answer.headers.append(("X-Consul-Contenthash", hash))
        return answer
    }

    /// Of what the answer shows: FNV-1a over its bytes, as lower-case hexadecimal digits without leading zeros.
    static func contentHash(_ service: NodeService) -> String {
        var json = JSONWriter(pretty: false, reservingCapacity: 512)
        json.agentService(service)
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in json.bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return String(hash, radix: 16)
    }

    /// §4.1
    static func services(_ found: [NodeService], pretty: Bool) -> HTTPResponse {
        var answer = HTTPResponse(status: 200, headers: [("Content-Type", Answer.json)])
        answer.setMembers(found, pretty: pretty, size: { _ in 320 }) { json, service in
            json.key(service.id)
            json.agentService(service)
        }
        return answer
    }

    /// §4.2
    static func checks(_ found: [HealthCheck], pretty: Bool) -> HTTPResponse {
        var answer = HTTPResponse(status: 200, headers: [("Content-Type", Answer.json)])
        answer.setMembers(found, pretty: pretty, size: { _ in 320 }) { json, check in
            json.key(check.checkID)
            json.healthCheck(check)
        }
        return answer
    }

    // MARK: Health (§4.11)

    static func health(_ health: ServiceHealth?, id: String, text: Bool, pretty: Bool) -> HTTPResponse {
        guard let health else {
            let reason = "ServiceId \(id) not found"
            var json = JSONWriter(pretty: pretty)
            // The text form is a JSON string here, and in no other case.
            if text { json.string(reason) } else { json.serviceHealth(status: .critical, service: nil, checks: nil) }
            return healthAnswer(response(json, status: 404), reason: reason)
        }
        if text { return healthText(health.status) }
        var json = JSONWriter(pretty: pretty, reservingCapacity: 1024)
        json.serviceHealth(status: health.status, service: health.service, checks: health.checks)
        return healthAnswer(response(json, status: health.status.httpStatus), reason: health.status.rawValue)
    }

    static func health(_ all: [ServiceHealth], name: String, text: Bool, pretty: Bool) -> HTTPResponse {
        guard var worst = all.first?.status else {
            let reason = "ServiceName \(name) Not Found"
            if text {
                let answer = HTTPResponse(status: 404, headers: [("Content-Type", "text/plain")], body: Array(reason.utf8))
                return healthAnswer(answer, reason: reason)
            }
            var json = JSONWriter(pretty: pretty)
            json.beginArray()
            json.endArray()
            return healthAnswer(response(json, status: 404), reason: reason)
        }
        for health in all where health.status.httpStatus > worst.httpStatus { worst = health.status }
        if text { return healthText(worst) }
        var json = JSONWriter(pretty: pretty, reservingCapacity: 1024)
        json.beginArray()
        for health in all { json.serviceHealth(status: health.status, service: health.service, checks: health.checks) }
        json.endArray()
        return healthAnswer(response(json, status: worst.httpStatus), reason: worst.rawValue)
    }

    private static func healthText(_ status: AggregatedStatus) -> HTTPResponse {
        let answer = HTTPResponse(
            status: status.httpStatus, headers: [("Content-Type", "text/plain")], body: Array(status.rawValue.utf8))
        return healthAnswer(answer, reason: status.rawValue)
    }

    private static func healthAnswer(_ answer: HTTPResponse, reason: String) -> HTTPResponse {
        var answer = answer
        // An id may hold line ends, a header may not.
        let safe = String(String.UnicodeScalarView(reason.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : $0 }))
        answer.headers.append(("X-Consul-Reason", safe))
        return answer
    }
}

extension AggregatedStatus {
    var httpStatus: Int {
        switch self {
        case .passing: 200
        case .warning: 429
        case .critical, .maintenance: 503
        }
    }
}

extension JSONWriter {
    /// §3.5
    mutating func agentService(_ service: NodeService, contentHash: String = "") {
        beginObject()
        optionalMember("Kind", service.kind)
        member("ID", service.id)
        member("Service", service.service)
        key("Tags")
        strings(service.tags ?? [])
        key("Meta")
        stringMap(service.meta ?? [:])
        member("Port", service.port)
        member("Address", service.address)
        taggedAddresses("TaggedAddresses", service.taggedAddresses)
        var weights = service.weights ?? Weights()
        weights.passing = max(1, weights.passing)
        self.weights("Weights", weights)
        member("EnableTagOverride", service.enableTagOverride)
        optionalMember("ContentHash", contentHash)
        if ServiceKind.isProxy(service.kind) {
            key("Proxy")
            proxy(service.proxy, form: .agent)
        }
        if service.connect.native {
            key("Connect")
            beginObject()
            member("Native", true)
            endObject()
        }
        endObject()
    }

    fileprivate mutating func serviceHealth(status: AggregatedStatus, service: NodeService?, checks: [HealthCheck]?) {
        beginObject()
        member("AggregatedStatus", status.rawValue)
        key("Service")
        if let service { agentService(service) } else { null() }
        key("Checks")
        if let checks {
            beginArray()
            for check in checks { checkOfHealth(check) }
            endArray()
        } else {
            null()
        }
        endObject()
    }

    /// A check as `agent/health` shows it: no type, no definition, and `null` for no tags.
    private mutating func checkOfHealth(_ check: HealthCheck) {
        beginObject()
        checkMembers(check)
        strings((check.serviceTags ?? []).isEmpty ? nil : check.serviceTags)
        member("Type", "")
        key("Definition")
        beginObject()
        for name in ["Interval", "Timeout", "DeregisterCriticalServiceAfter"] as [StaticString] { member(name, "0s") }
        member("HTTP", "")
        key("Header")
        null()
        for name in ["Method", "Body"] as [StaticString] { member(name, "") }
        member("TLSSkipVerify", false)
        member("TCP", "")
        endObject()
        indexes(RaftIndex())
        endObject()
    }
}
