// `/v1/event/`. Spec: http-2 §8.

extension RouteTable {
    static let events: [Route] = [
        Route("/v1/event/fire/", .put, .needs(.event)) { (call) throws(Refusal) in try call.eventFire() },
        Route("/v1/event/list", .get, .filters(.event)) { (call) throws(Refusal) in try call.eventList() },
    ]
}

extension APIRequest {
    func eventFire() throws(Refusal) -> APICall {
        var options = QueryOptions()
        options.datacenter = datacenter
        options.token = token
        // Whichever server is asked broadcasts it.
        options.allowStale = true
        if argument.isEmpty { throw Refusal(400, "Missing name") }
        var event = EventMessage(name: argumentText)
        event.nodeFilter = parameters.value("node") ?? ""
        event.serviceFilter = parameters.value("service") ?? ""
        event.tagFilter = parameters.value("tag") ?? ""
        if request.contentLength ?? 0 > 0 { event.payload = request.body }
        if let problem = event.problem() { throw .failure(problem) }
        return .agent(.fireEvent(event, options), pretty: pretty)
    }

    func eventList() throws(Refusal) -> APICall {
        var options = QueryOptions()
        try parseWait(&options)
        let name = parameters.value("name") ?? ""
        return .agent(.events(name: name, index: options.minQueryIndex, wait: options.maxQueryTime), pretty: pretty)
    }
}

extension Renderer {
    /// The event that was fired, with its ID.
    public static func event(_ event: EventMessage, pretty: Bool, context: APIContext) -> HTTPResponse {
        var json = JSONWriter(pretty: pretty)
        json.event(event)
        return answer(json, context)
    }

    /// `index` as `EventLog` computes it.
    public static func events(_ events: [EventMessage], index: UInt64, pretty: Bool, context: APIContext) -> HTTPResponse {
        var json = JSONWriter(pretty: pretty, reservingCapacity: 64 + events.count * 256)
        json.beginArray()
        for event in events { json.event(event) }
        json.endArray()
        var response = HTTPResponse(
            status: 200, headers: [("Content-Type", Answer.json), ("X-Consul-Index", String(index))], body: json.finish())
        context.finish(&response)
        return response
    }
}

extension JSONWriter {
    fileprivate mutating func event(_ event: EventMessage) {
        beginObject()
        member("ID", event.id)
        member("Name", event.name)
        key("Payload")
        if event.payload.isEmpty { null() } else { base64(event.payload) }
        member("NodeFilter", event.nodeFilter)
        member("ServiceFilter", event.serviceFilter)
        member("TagFilter", event.tagFilter)
        member("Version", event.version)
        key("LTime")
        uint(event.lamportTime)
        endObject()
    }
}
