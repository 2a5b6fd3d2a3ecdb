import Testing

@testable import Core

@Suite struct EventTests {
    private let router = Router(APIContext())

    private func event(_ name: String, _ number: Int) -> EventMessage {
        var event = EventMessage(name: name)
        let digits = String(number, radix: 16)
        event.id = "00000000-0000-0000-0000-" + String(repeating: "0", count: 12 - digits.count) + digits
        return event
    }

    // MARK: Requests

    @Test func `a fired event takes its filters and its body`() {
        guard
            case .agent(.fireEvent(let event, let options), _) = router.call(
                "PUT /v1/event/fire/a%20b?node=%5Ex&service=web&tag=v1&dc=dc2", body: "hello")
        else {
            Issue.record("no event")
            return
        }
        #expect(event.name == "a b" && event.payload == Array("hello".utf8) && event.id.isEmpty)
        #expect(event.nodeFilter == "^x" && event.serviceFilter == "web" && event.tagFilter == "v1")
        #expect(options.datacenter == "dc2" && options.allowStale)
    }

    @Test(arguments: [
        ("", 400, "Missing name"), ("x?tag=v1", 500, "Cannot provide tag filter without service filter"),
        ("x?node=%5B", 500, "Invalid node filter: error parsing regexp: missing closing ]: `[`"),
        ("x?service=%28", 500, "Invalid service filter: error parsing regexp: missing closing ): `(`"),
        ("x?service=web&tag=%2A", 500, "Invalid tag filter: error parsing regexp: missing argument to repetition operator: `*`"),
    ])
    func `events that nobody could receive are refused`(rest: String, status: Int, text: String) throws {
        let answer = try #require(router.answer("PUT /v1/event/fire/\(rest)"))
        #expect(answer.status == status && answer.text == text)
    }

    @Test func `the list knows a name, an index and a wait`() {
        guard case .agent(.events(let name, let index, let wait), _) = router.call("GET /v1/event/list?name=a&index=7&wait=2s") else {
            Issue.record("no list")
            return
        }
        #expect(name == "a" && index == 7 && wait == .seconds(2))
        #expect(router.answer("GET /v1/event/list?index=bad")?.text == "Invalid index")
    }

    @Test func `events are shown as in the reference`() {
        var event = event("deploy", 1)
        event.payload = Array("hello".utf8)
        event.lamportTime = 2
        let answer = Renderer.events([event, self.event("x", 2)], index: 3, pretty: false, context: APIContext())
        #expect(
            answer.text == #"[{"ID":"00000000-0000-0000-0000-000000000001","Name":"deploy","Payload":"aGVsbG8=","NodeFilter":"","#
                + #""ServiceFilter":"","TagFilter":"","Version":1,"LTime":2},{"ID":"00000000-0000-0000-0000-000000000002","Name":"x","#
                + #""Payload":null,"NodeFilter":"","ServiceFilter":"","TagFilter":"","Version":1,"LTime":0}]"#)
        #expect(answer["X-Consul-Index"] == "3" && answer["X-Consul-Knownleader"] == nil)
    }

    // MARK: Whom an event concerns

    @Test func `filters look at the node, at services and at their tags`() {
        var web = NodeService()
        web.id = "web-1"
        web.service = "web"
        web.tags = ["v1"]
        func concerns(_ node: String, _ service: String, _ tag: String) -> Bool {
            var event = EventMessage(name: "x")
            event.nodeFilter = node
            event.serviceFilter = service
            event.tagFilter = tag
            return event.concerns(node: "node-7", services: [web])
        }
        #expect(concerns("", "", "") && concerns("e-7", "", "") && concerns("", "^web", "") && concerns("", "web-1", "1"))
        #expect(!concerns("^7", "", "") && !concerns("", "api", "") && !concerns("", "web", "v2") && !concerns("", "(", ""))
    }

    // MARK: The ring

    @Test func `the index is made of the last event's ID`() {
        #expect(EventLog.index(of: "5e2f589a-6e29-7dd0-4b21-87992057f5b8") == 1_517_395_329_765_247_080)
        var log = EventLog()
        #expect(log.index() == 1)
        _ = log.add(event("a", 5))
        _ = log.add(event("b", 9))
        #expect(log.index() == 9 && log.index(named: "a") == 5 && log.index(named: "c") == 1)
    }

    @Test func `only the latest 256 are kept`() {
        var log = EventLog()
        for number in 1...300 { _ = log.add(event(number.isMultiple(of: 2) ? "even" : "odd", number)) }
        let events = log.events()
        #expect(events.count == 256 && events.first?.id == event("", 45).id && events.last?.id == event("", 300).id)
        #expect(log.events(named: "even").count == 128)
    }

    @Test func `a reader that knows the last event waits for the next`() throws {
        var log = EventLog()
        _ = log.add(event("a", 5))
        #expect(log.list(RequestID(1), name: "", index: 0, wait: .zero, pretty: false, at: .zero)?.index == 5)
        #expect(log.list(RequestID(2), name: "", index: 4, wait: .zero, pretty: false, at: .zero)?.index == 5)
        #expect(log.list(RequestID(3), name: "", index: 5, wait: .zero, pretty: true, at: .zero) == nil)
        #expect(log.list(RequestID(4), name: "b", index: 1, wait: .seconds(2), pretty: false, at: .zero) == nil)
        #expect(log.deadline == .zero + .seconds(2))
        // An event that the list leaves out does not wake readers that asked for a name.
        let woken = log.add(event("a", 6))
        #expect(woken.map(\.id) == [RequestID(3)] && woken[0].index == 6 && woken[0].pretty)
        let expired = log.expire(at: .zero + .seconds(2))
        #expect(expired.map(\.id) == [RequestID(4)] && expired[0].index == 1 && expired[0].events.isEmpty)
        #expect(log.deadline == nil)
    }

    @Test func `a reader waits ten minutes at most, and one that went away is forgotten`() {
        var log = EventLog()
        for (number, wait) in [(1, Duration.zero), (2, .hours(1))] {
            #expect(log.list(RequestID(UInt64(number)), name: "", index: 1, wait: wait, pretty: false, at: .zero) == nil)
        }
        #expect(log.deadline == .zero + .seconds(600))
        #expect(log.cancel(RequestID(1)) && !log.cancel(RequestID(1)))
        #expect(log.add(event("a", 2)).map(\.id) == [RequestID(2)])
    }
}
