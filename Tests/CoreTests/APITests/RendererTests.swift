import Foundation
import Testing

@testable import Core

@Suite struct RendererTests {
    private let context = APIContext()

    private var meta: QueryMeta {
        var meta = QueryMeta()
        meta.index = 12
        meta.knownLeader = true
        return meta
    }

    private func render(_ result: QueryResult, _ form: ReadShape.Form, pretty: Bool = false, filter: Filter? = nil) -> HTTPResponse {
        Renderer.render(
            result, meta: meta, options: QueryOptions(), shape: ReadShape(form, pretty: pretty, filter: filter), context: context)
    }

    private func entry(_ key: String, _ value: String = "", session: String = "") -> DirEntry {
        var entry = KVEntry()
        entry.value = Array(value.utf8)
        entry.session = session
        entry.flags = 42
        entry.index = RaftIndex(create: 14, modify: 15)
        return DirEntry(key: ByteString(key), entry: entry)
    }

    @Test func `entries of keys look as in the reference`() {
        let answer = render(.entries([entry("a<b", "bar"), entry("e", session: "71202cee")]), .kvEntries)
        #expect(
            answer.text
                == #"[{"LockIndex":0,"Key":"a\u003cb","Flags":42,"Value":"YmFy","CreateIndex":14,"ModifyIndex":15},"#
                + #"{"LockIndex":0,"Key":"e","Flags":42,"Value":null,"Session":"71202cee","CreateIndex":14,"ModifyIndex":15}]"#)
        #expect(answer.headers.map(\.name) == ["Content-Type", "Vary", "X-Consul-Index", "X-Consul-Knownleader", "X-Consul-Lastcontact"])
        #expect(answer["X-Consul-Index"] == "12" && answer["X-Consul-Knownleader"] == "true" && answer["X-Consul-Lastcontact"] == "0")
    }

    @Test func `pretty answers end with a line end`() {
        #expect(
            render(.entries([entry("a", "hello")]), .kvEntries, pretty: true).text
                == "[\n    {\n        \"LockIndex\": 0,\n        \"Key\": \"a\",\n        \"Flags\": 42,\n        \"Value\": \"aGVsbG8=\",\n"
                + "        \"CreateIndex\": 14,\n        \"ModifyIndex\": 15\n    }\n]\n")
        #expect(render(.keys([]), .kvKeys(emptyPrefix: true), pretty: true).text == "[]\n")
        #expect(render(.services(ServiceList()), .services, pretty: true).text == "{}\n")
    }

    @Test func `the list of services is rendered anew when it has changed, and long ones as they are sent`() {
        var bodies = ServiceListBody(), list = ServiceList()
        func body(_ result: QueryResult, _ form: ReadShape.Form, pretty: Bool = false) -> String? {
            bodies.body(of: result, ReadShape(form, pretty: pretty)).map { String(decoding: $0, as: UTF8.self) }
        }
        list.insert("web", ["b", "a"])
        for _ in 0..<2 {
            let first = body(.services(list), .services)
            #expect(first == #"{"web":["a","b"]}"#)
        }
        list.insert("db", [])
        let second = body(.services(list), .services)
        #expect(second == #"{"db":[],"web":["a","b"]}"# && second == render(.services(list), .services).text)
        list.insert("large", [String(repeating: "x", count: ServiceListBody.sizeMax)])
        let others = [body(.services(list), .services, pretty: true), body(.nodes([]), .nodes), body(.services(list), .services)]
        #expect(others == [nil, nil, nil])
    }

    @Test func `missing keys are not found but tell the index`() {
        for (result, form) in [
            (QueryResult.entries([]), ReadShape.Form.kvEntries), (.entries([]), .kvRaw), (.keys([]), .kvKeys(emptyPrefix: false)),
        ] {
            let answer = render(result, form)
            #expect(answer.status == 404 && answer.body.isEmpty && answer["Content-Type"] == nil && answer["X-Consul-Index"] == "12")
        }
        #expect(render(.keys([]), .kvKeys(emptyPrefix: true)).text == "[]")
    }

    @Test(
        arguments: [
            ("", nil), ("hello", "text/plain; charset=utf-8"), (#"{"a":1}"#, "text/plain; charset=utf-8"),
            ("<html><body>", "text/plain; charset=utf-8"),
            (" \n<!doctype html>", "text/plain; charset=utf-8"), ("<htmlx>", "text/plain; charset=utf-8"),
            ("<?xml version", "text/plain; charset=utf-8"),
            ("\u{0}\u{1}\u{2}", "application/octet-stream"), ("%PDF-1.4", "application/pdf"), ("GIF89a", "image/gif"),
            ("PK\u{3}\u{4}", "application/zip"),
            ("RIFF1234WEBPVP8", "image/webp"), ("\u{FEFF}a", "text/plain; charset=utf-8"), ("größe ☃", "text/plain; charset=utf-8"),
        ] as [(String, String?)])
    func `the type of a raw value is sniffed but never one that a browser runs`(value: String, type: String?) {
        let answer = render(.entries([entry("k", value)]), .kvRaw)
        #expect(answer.isSized && !render(.entries([entry("k", value)]), .kvEntries).isSized)
        #expect(answer.text == value && answer["Content-Type"] == type && answer["X-Content-Type-Options"] == "nosniff")
    }

    @Test func `an unknown index is shown as 1`() {
        var meta = QueryMeta()
        meta.lastContact = .milliseconds(14014)
        let answer = Renderer.render(.sessions([]), meta: meta, options: QueryOptions(), shape: ReadShape(.sessions), context: context)
        #expect(answer["X-Consul-Index"] == "1" && answer["X-Consul-Lastcontact"] == "14014" && answer["X-Consul-Knownleader"] == "false")
    }

    @Test func `the answer to a catalog read tells its consistency`() {
        func mode(_ change: (inout QueryOptions) -> Void) -> String? {
            var options = QueryOptions()
            change(&options)
            return Renderer.render(.nodes([]), meta: meta, options: options, shape: ReadShape(.nodes), context: context)[
                "X-Consul-Effective-Consistency"]
        }
        #expect(mode { _ in } == "leader")
        #expect(mode { $0.allowStale = true } == "stale")
        #expect(mode { $0.requireConsistent = true } == "consistent")
    }

    @Test func `an answer from the cache says so`() {
        let shape = ReadShape(.services)
        let hit = Renderer.render(
            .services(ServiceList()), meta: meta, options: QueryOptions(), shape: shape, context: context,
            cache: .hit(age: .milliseconds(1600)))
        #expect(hit["X-Cache"] == "HIT" && hit["Age"] == "2")
        let miss = Renderer.datacenters(["dc1"], cache: .miss, pretty: false, context: context)
        #expect(miss["X-Cache"] == "MISS" && miss["Age"] == nil && miss.text == #"["dc1"]"#)
    }

    private func instance(_ id: String, statuses: [String] = []) -> CheckServiceNode {
        var node = Node()
        node.node = "n1"
        node.address = "127.0.0.1"
        node.datacenter = "dc1"
        node.meta = ["rack": "r1"]
        node.index = RaftIndex(create: 10, modify: 12)
        var service = NodeService()
        service.id = id
        service.service = "web"
        service.port = 8080
        service.index = RaftIndex(create: 28, modify: 28)
        let checks = statuses.map { status in
            var check = HealthCheck()
            check.node = "n1"
            check.checkID = "c"
            check.status = status
            return Row(check)
        }
        return CheckServiceNode(node: Row(node), service: Row(ServiceInstance(node: "n1", service: service)), checks: checks)
    }

    private let nodeText =
        #"{"ID":"","Node":"n1","Address":"127.0.0.1","Datacenter":"dc1","TaggedAddresses":null,"Meta":{"rack":"r1"},"CreateIndex":10,"ModifyIndex":12}"#
    private let serviceText =
        #"{"ID":"web","Service":"web","Tags":[],"Address":"","Meta":null,"Port":8080,"Weights":{"Passing":1,"Warning":1},"EnableTagOverride":false,"#
        + #""Proxy":{"MeshGateway":{},"Expose":{}},"Connect":{},"CreateIndex":28,"ModifyIndex":28}"#

    @Test func `an instance with its health looks as in the reference`() {
        #expect(
            render(.healthNodes([instance("web", statuses: ["passing"])]), .healthNodes(.off)).text
                == #"[{"Node":\#(nodeText),"Service":\#(serviceText),"Checks":[{"Node":"n1","CheckID":"c","Name":"","Status":"passing","#
                + #""Notes":"","Output":"","ServiceID":"","ServiceName":"","ServiceTags":[],"Type":"","Definition":{},"CreateIndex":0,"ModifyIndex":0}]}]"#
        )
    }

    @Test func `an instance in the catalog looks as in the reference`() {
        let row = instance("web")
        #expect(
            render(.serviceNodes([(row.node, row.service)]), .serviceNodes).text
                == #"[{"ID":"","Node":"n1","Address":"127.0.0.1","Datacenter":"dc1","TaggedAddresses":null,"NodeMeta":{"rack":"r1"},"#
                + #""ServiceKind":"","ServiceID":"web","ServiceName":"web","ServiceTags":[],"ServiceAddress":"","ServiceWeights":{"Passing":1,"Warning":1},"#
                + #""ServiceMeta":{},"ServicePort":8080,"ServiceEnableTagOverride":false,"ServiceProxy":{"MeshGateway":{},"Expose":{}},"#
                + #""ServiceConnect":{},"CreateIndex":28,"ModifyIndex":28}]"#)
    }

    @Test func `instances that are not passing are replaced by the last`() {
        let rows = [instance("a", statuses: ["passing", "warning"]), instance("b"), instance("c", statuses: ["passing"])]
        let text = render(.healthNodes(rows), .healthNodes(.on)).text
        let c = text.range(of: #""ID":"c""#)?.lowerBound, b = text.range(of: #""ID":"b""#)?.lowerBound
        #expect(!text.utf8.contains(#""ID":"a""#))
        #expect(c != nil && b != nil && c! < b!)
    }

    @Test func `a bad passing flag is told without metadata`() {
        let answer = render(.healthNodes([]), .healthNodes(.invalid))
        #expect(answer.status == 400 && answer.text == "Invalid value for ?passing" && answer["X-Consul-Index"] == nil)
    }

    @Test func `services of a node look as in the reference`() throws {
        let row = instance("web")
        #expect(
            render(.nodeServices((row.node, [row.service])), .nodeServices).text
                == #"{"Node":\#(nodeText),"Services":{"web":\#(serviceText)}}"#)
        #expect(
            render(.nodeServices((row.node, [row.service])), .nodeServiceList).text
                == #"{"Node":\#(nodeText),"Services":[\#(serviceText)]}"#)
        #expect(render(.nodeServices(nil), .nodeServices).text == "null")
        #expect(render(.nodeServices(nil), .nodeServiceList).text == #"{"Node":null,"Services":null}"#)
        #expect(render(.nodeServices((row.node, [])), .nodeServices).text == #"{"Node":\#(nodeText),"Services":{}}"#)
        #expect(render(.nodeServices((row.node, [])), .nodeServiceList).text == #"{"Node":\#(nodeText),"Services":null}"#)
        let filter = try Filter.compile("Port == 1", NodeService.filterSchema)
        #expect(
            render(.nodeServices((row.node, [row.service])), .nodeServiceList, filter: filter).text
                == #"{"Node":\#(nodeText),"Services":[]}"#)
    }

    @Test func `a check definition leaves out what is not set`() {
        var check = HealthCheck()
        check.definition.http = "http://a/"
        check.definition.interval = .seconds(30)
        check.definition.timeout = .seconds(5)
        check.definition.deregisterCriticalServiceAfter = .seconds(60)
        check.definition.header = ["a": ["b"]]
        check.definition.ttl = .seconds(3)
        #expect(
            render(.checks([Row(check)]), .checks).text.utf8.contains(
                #""Definition":{"Interval":"30s","Timeout":"5s","DeregisterCriticalServiceAfter":"1m0s","HTTP":"http://a/","Header":{"a":["b"]},"TTL":3000000000}"#
            ))
    }

    @Test func `sessions look as in the reference`() {
        var session = Session()
        session.id = "71202cee"
        session.name = "s1"
        session.node = "n1"
        session.lockDelay = .seconds(2)
        session.behavior = "release"
        session.nodeChecks = ["serfHealth"]
        var check = SessionServiceCheck()
        check.id = "sc1"
        session.serviceChecks = [check]
        let text =
            #"[{"ID":"71202cee","Name":"s1","Node":"n1","LockDelay":2000000000,"Behavior":"release","TTL":"","NodeChecks":["serfHealth"],"#
            + #""ServiceChecks":[{"ID":"sc1","Namespace":""}],"CreateIndex":0,"ModifyIndex":0}]"#
        #expect(render(.sessions([Row(session)]), .sessions).text == text)
        let renewed = Renderer.renewed(session, id: "x", pretty: false, context: context)
        #expect(renewed.text == text && renewed["X-Consul-Index"] == nil)
        let unknown = Renderer.renewed(nil, id: "adf4", pretty: false, context: context)
        #expect(unknown.status == 404 && unknown.text == "Session id 'adf4' not found")
    }

    @Test func `errors take their status from the text`() {
        for (text, status) in [
            ("No cluster leader", 500), ("rpc error making call: Permission denied", 403), ("ACL not found", 403),
            ("ACL support disabled", 401), ("Rate limit reached, try again later", 429),
        ] {
            let answer = Renderer.error(text, context: context)
            #expect(answer.status == status && answer.text == text && answer["Content-Type"] == "text/plain; charset=utf-8")
        }
        let limited = Renderer.error("RPC rate limit exceeded", context: context)
        #expect(limited.status == 429 && limited.body.isEmpty)
    }

    @Test func `some reads carry metadata with their errors`() {
        for form in [ReadShape.Form.sessions, .nodes, .healthNodes(.off)] {
            #expect(Renderer.error("x", shape: ReadShape(form), context: context)["X-Consul-Index"] == "1")
        }
        #expect(Renderer.error("x", shape: ReadShape(.kvEntries), context: context)["X-Consul-Index"] == nil)
    }

    @Test func `outcomes of writes look as in the reference`() {
        func text(_ result: ApplyResult, _ form: WriteShape.Form) -> String {
            Renderer.render(result, shape: WriteShape(form), context: context).text
        }
        #expect(text(.none, .outcome) == "true")
        #expect(text(.bool(false), .outcome) == "false")
        #expect(text(.string("id"), .sessionID) == #"{"ID":"id"}"#)
        #expect(text(.error("x"), .done) == "true")
        #expect(Renderer.render(.error("x"), shape: WriteShape(.outcome), context: context).status == 500)
    }

    @Test func `transactions look as in the reference`() {
        let written = Renderer.txn(TxnResponse(results: [.kv(entry("k"))]), meta: nil, pretty: false, context: context)
        #expect(
            written.text
                == #"{"Results":[{"KV":{"LockIndex":0,"Key":"k","Flags":42,"Value":null,"CreateIndex":14,"ModifyIndex":15}}],"Errors":null}"#
        )
        #expect(written["X-Consul-Knownleader"] == nil)
        let failed = Renderer.txn(
            TxnResponse(errors: [TxnError(opIndex: 1, what: #"key "nope" doesn't exist"#)]), meta: meta, pretty: false, context: context)
        #expect(failed.status == 409)
        #expect(
            failed.text == #"{"Results":null,"Errors":[{"OpIndex":1,"What":"key \"nope\" doesn't exist"}],"#
                + #""Index":0,"LastContact":0,"KnownLeader":true,"ConsistencyLevel":""}"#)
        #expect(failed.headers.map(\.name) == ["Content-Type", "Vary", "X-Consul-Knownleader", "X-Consul-Lastcontact"])
    }

    @Test func `servers look as in the reference`() {
        #expect(Renderer.leader("", pretty: false, context: context).text == #""""#)
        #expect(Renderer.peers([], pretty: false, context: context).text == "null")
        let server = RaftServerDescription(id: "fda9", node: "n1", address: "127.0.0.1:8300", isLeader: true)
        #expect(
            Renderer.raftConfiguration([server], pretty: false, context: context).text
                == #"{"Servers":[{"ID":"fda9","Node":"n1","Address":"127.0.0.1:8300","Leader":true,"ProtocolVersion":"3","Voter":true}],"Index":0}"#
        )
    }

    @Test func `proxies of the catalog show all of an upstream`() {
        var proxy = ConnectProxyConfig()
        proxy.destinationServiceName = "web"
        proxy.config = .map([DynamicMember("b", .array([.string("x")])), DynamicMember("a", .int(1))])
        var upstream = Upstream()
        upstream.destinationName = "db"
        upstream.localBindPort = 9191
        proxy.upstreams = [upstream]
        func text(_ form: JSONWriter.ProxyForm) -> String {
            var json = JSONWriter()
            json.proxy(proxy, form: form)
            return String(decoding: json.finish(), as: UTF8.self)
        }
        #expect(
            text(.catalog)
                == #"{"DestinationServiceName":"web","Config":{"a":1,"b":["x"]},"Upstreams":[{"DestinationType":"","DestinationName":"db","#
                + #""Datacenter":"","LocalBindPort":9191,"Config":null,"MeshGateway":{}}],"MeshGateway":{},"Expose":{}}"#)
        #expect(
            text(.agent)
                == #"{"DestinationServiceName":"web","Config":{"a":1,"b":["x"]},"Upstreams":[{"DestinationName":"db","LocalBindPort":9191,"#
                + #""MeshGateway":{}}],"MeshGateway":{},"Expose":{}}"#)
    }
}
