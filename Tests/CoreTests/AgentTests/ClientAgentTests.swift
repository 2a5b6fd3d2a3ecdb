import Testing

@testable import Core

/// A client agent answers as its server does.
@Suite struct ClientAgentTests {
    private func question(_ name: String, _ type: UInt16) throws -> [UInt8] {
        DNSMessage(id: 3, flags: DNSFlag.recursionDesired, question: DNSQuestion(name: try #require(DNSName(name)), type: type)).encoded()
    }

    @Test func `reads through a client are those of the server`() throws {
        let cluster = try AgentCluster(clients: 1)
        #expect(cluster.ask(1, "PUT /v1/kv/a/b?flags=7", body: "one")?.text == "true")
        #expect(cluster.ask(1, "PUT /v1/kv/a/c?cas=0", body: "two")?.text == "true")
        #expect(cluster.ask(1, "PUT /v1/kv/a/c?cas=1", body: "two")?.text == "false")
        let service = #"{"Name":"web","Port":80,"Tags":["v1"],"Check":{"TTL":"1h","Status":"passing"}}"#
        #expect(cluster.ask(1, "PUT /v1/agent/service/register", body: service)?.status == 200)
        cluster.run(for: .seconds(3))
        let session = try #require(cluster.ask(1, "PUT /v1/session/create", body: #"{"Node":"c1","TTL":"30s","NodeChecks":[]}"#))
        let id = String(try #require(session.text.split(separator: "\"").dropFirst(3).first, "\(session.text)"))
        let targets = [
            "kv/a/b", "kv/a?recurse", "kv/a?keys&separator=/", "kv/a/b?raw", "kv/none", "session/info/\(id)", "session/list",
            "session/node/c1", "catalog/nodes", "catalog/nodes?filter=Node==c1", "catalog/nodes?pretty", "catalog/services",
            "catalog/service/web", "catalog/service/web?tag=v2", "catalog/node/c1", "catalog/node/none", "catalog/node-services/c1",
            "health/node/c1", "health/checks/web", "health/state/any", "health/service/web?passing",
            "health/service/web?filter=Service.Port==80", "health/service/web?consistent", "health/service/web?stale",
            "catalog/nodes?filter=Foo==1", "catalog/nodes?filter=Foo==1&stale&index=1000", "internal/ui/services?filter=Foo==1",
            "internal/ui/gateway-services-nodes/web", "internal/ui/nodes", "internal/ui/node/c1", "catalog/datacenters", "status/leader",
            "status/peers", "kv/a/b?dc=other&stale",
        ]
        for target in targets {
            let here = try #require(cluster.ask(1, "GET /v1/\(target)")), there = try #require(cluster.ask(0, "GET /v1/\(target)"))
            #expect(
                here.status == there.status && here.headers.map(\.name) == there.headers.map(\.name),
                "\(target): \(here.status) \(here.text)")
            if there.status == 500 {
                #expect(here.text == "rpc error making call: \(there.text)", "\(target): \(here.status) \(here.text)")
            } else {
                #expect(here.text == there.text, "\(target): \(here.status) \(here.text)")
                #expect(here.headers.map(\.value) == there.headers.map(\.value), "\(target)")
            }
        }
        #expect(cluster.ask(1, "PUT /v1/session/renew/\(id)")?.text == cluster.ask(0, "PUT /v1/session/renew/\(id)")?.text)
        let txn = #"[{"KV":{"Verb":"get","Key":"a/b"}},{"KV":{"Verb":"set","Key":"a/d","Value":"eA=="}}]"#
        #expect(cluster.ask(1, "PUT /v1/txn", body: txn)?.status == 200)
        #expect(cluster.ask(1, "GET /v1/kv/a/d?raw")?.text == "x")
    }

    @Test func `rows that came from a server count as memory of the answer, and a server's own do not`() throws {
        let cluster = try AgentCluster(clients: 1)
        for number in 0..<8 {
            let value = String(repeating: "x", count: 60_000)
            #expect(cluster.ask(0, "PUT /v1/kv/large/\(number)", body: value)?.status == 200)
        }
        let there = try #require(cluster.ask(0, "GET /v1/kv/large?recurse&consistent"))
        #expect(there.rest != nil && (there.retained ?? 0) == 0)
        let here = try #require(cluster.ask(1, "GET /v1/kv/large?recurse"))
        #expect(here.rest != nil && (here.retained ?? 0) > 8 * 60_000)
        #expect(cluster.ask(0, "GET /v1/kv/large/1?raw&consistent")?.retained == 0)
        #expect((cluster.ask(1, "GET /v1/kv/large/1?raw")?.retained ?? 0) > 60_000)
    }

    @Test func `questions to a client are answered as the server answers them`() throws {
        let cluster = try AgentCluster(clients: 1)
        let service = #"{"Name":"web","Port":80,"Tags":["v1"],"Address":"10.9.0.1"}"#
        #expect(cluster.ask(1, "PUT /v1/agent/service/register", body: service)?.status == 200)
        cluster.run(for: .seconds(3))
        for (name, type) in [
            ("web.service.consul", DNSType.a), ("web.service.consul", DNSType.srv), ("v1.web.service.consul", DNSType.any),
            ("c1.node.consul", DNSType.a), ("none.node.consul", DNSType.a), ("consul", DNSType.soa), ("consul", DNSType.ns),
            ("1.1.0.10.in-addr.arpa", DNSType.ptr), ("1.0.9.10.in-addr.arpa", DNSType.ptr), ("example.com", DNSType.a),
        ] {
            let packet = try question(name, type)
            let here = try #require(cluster.ask(1, question: packet)), there = try #require(cluster.ask(0, question: packet))
            #expect(here == there, "\(name)")
        }
        #expect(cluster.members[1].agent.questions.isEmpty)
        let answer = try DNSMessage(decoding: try #require(cluster.ask(1, question: try question("web.service.consul", DNSType.a))))
        #expect(answer.answers.count == 1)
        cluster.members[0].isDown = true
        let failed = try DNSMessage(decoding: try #require(cluster.ask(1, question: try question("web.service.consul", DNSType.a))))
        #expect(failed.flags & DNSFlag.codeMask == DNSCode.serverFailure)
    }

    @Test func `a blocking query through a client ends with the change`() throws {
        let cluster = try AgentCluster(clients: 1)
        #expect(cluster.ask(0, "PUT /v1/kv/k", body: "1")?.status == 200)
        let index = try #require(cluster.ask(1, "GET /v1/kv/k")?["X-Consul-Index"])
        let waiting = cluster.start(1, "GET /v1/kv/k?raw&index=\(index)")
        cluster.run(for: .seconds(20))
        #expect(cluster.response(1, waiting) == nil)
        #expect(cluster.ask(0, "PUT /v1/kv/k", body: "2")?.status == 200)
        cluster.run(for: .zero)
        #expect(cluster.response(1, waiting)?.text == "2")
        let gone = cluster.start(1, "GET /v1/kv/k?raw&index=1000")
        cluster.cancel(1, gone)
        #expect(cluster.members[1].agent.backend.client?.isIdle == true)
    }

    @Test func `without its server a client says so, and its registrations reach it later`() throws {
        let cluster = try AgentCluster(clients: 1)
        cluster.members[0].isDown = true
        let expected = "rpc error getting client: failed to get conn: dial tcp 127.0.0.1:0->10.0.0.1:8300: connect: connection refused"
        let answer = cluster.ask(1, "GET /v1/catalog/nodes")
        #expect(answer?.status == 500 && answer?.text == expected && answer?["X-Consul-Index"] == "1")
        #expect(cluster.ask(1, "GET /v1/kv/a")?.text == expected)
        #expect(cluster.ask(1, "PUT /v1/agent/service/register", body: #"{"Name":"late"}"#)?.status == 200)
        cluster.members[0].isDown = false
        cluster.run(for: .minutes(2))
        #expect(cluster.ask(0, "GET /v1/catalog/service/late")?.text.contains(#""Node":"c1""#) == true)
    }

    @Test func `an agent that knows no server cannot answer`() throws {
        let cluster = try AgentCluster(clients: 1)
        cluster.members[1].agent.backend.client?.servers.remove("s1")
        #expect(cluster.ask(1, "GET /v1/kv/a")?.text == "No known Consul servers")
        #expect(
            cluster.ask(1, "GET /v1/agent/self")?.text.contains(#""consul":{"acl":"disabled","known_servers":"0","server":"false"}"#)
                == true)
    }

    @Test func `limited agents answer 429`() throws {
        let cluster = try AgentCluster(clients: 1) {
            $0.reloadable.rpcRate = 0
            $0.reloadable.rpcMaxBurst = 0
        }
        let answer = cluster.ask(1, "GET /v1/kv/a")
        #expect(answer?.status == 429 && answer?.body.isEmpty == true)
    }

    @Test func `a reload is answered when the files have been read, with what is wrong with them`() throws {
        let cluster = try AgentCluster(clients: 0)
        let first = cluster.start(0, "PUT /v1/agent/reload"), second = cluster.start(0, "PUT /v1/agent/reload")
        let gone = cluster.start(0, "PUT /v1/agent/reload")
        cluster.cancel(0, gone)
        #expect(cluster.response(0, first) == nil)
        cluster.tell(0, .reloadFailed("no such file"))
        #expect(cluster.response(0, first)?.status == 500 && cluster.response(0, first)?.text == "no such file")
        #expect(cluster.response(0, second)?.text == "no such file" && cluster.response(0, gone) == nil)
        let third = cluster.start(0, "PUT /v1/agent/reload")
        var new = cluster.members[0].settings.reloadable
        cluster.tell(0, .reload(new))
        #expect(cluster.response(0, third)?.status == 200 && cluster.response(0, third)?.body.isEmpty == true)
        let fourth = cluster.start(0, "PUT /v1/agent/reload")
        var service = ServiceDefinition()
        service.name = "bad"
        var check = CheckDefinition()
        check.scriptArgs = ["true"]
        check.interval = .seconds(10)
        service.checks = [check]
        new.services = [service]
        cluster.tell(0, .reload(new))
        #expect(cluster.response(0, fourth)?.status == 500)
    }

    @Test func `a client agent answers DNS as its last configuration says`() throws {
        let cluster = try AgentCluster(clients: 1)
        cluster.run(for: .seconds(10))
        let packet = try question("c1.node.consul", DNSType.a)
        func ttl() throws -> UInt32? {
            try DNSMessage(decoding: try #require(cluster.ask(1, question: packet))).answers.first?.ttl
        }
        #expect(try ttl() == 0)
        var new = cluster.members[1].agent.settings.reloadable
        new.dns.nodeTTL = .seconds(9)
        cluster.tell(1, .reload(new))
        #expect(try ttl() == 9)
        #expect(cluster.members[1].agent.settings.reloadable.dns == new.dns)
    }

    @Test func `a clock that was set shows in the serial numbers of answers`() throws {
        let cluster = try AgentCluster(clients: 1)
        cluster.tell(1, .wallClock(5_000_000_000 - cluster.now.nanoseconds))
        let answer = try DNSMessage(decoding: try #require(cluster.ask(1, question: try question("none.node.consul", DNSType.a))))
        guard case .soa(let soa)? = answer.authority.first?.data else {
            Issue.record("no authority")
            return
        }
        #expect(soa.serial == 5)
    }

    @Test func `errors of the disk are told in words`() {
        #expect("\(DiskError.noSpace)" == "no space left on device")
        #expect("\(DiskError.notFound("a/b"))" == "a/b: no such file or directory")
        #expect("\(DiskError.failed("sync x: input/output error"))" == "sync x: input/output error")
    }

    @Test func `what a blocking request had to wait for was not in the cache`() throws {
        let cluster = try AgentCluster(clients: 0)
        #expect(cluster.ask(0, "GET /v1/catalog/services?cached")?["X-Cache"] == "MISS")
        let hit = cluster.ask(0, "GET /v1/catalog/services?cached&index=1")
        #expect(hit?["X-Cache"] == "HIT" && hit?["Age"] == "0")
        let index = try #require(hit?["X-Consul-Index"])
        let waiting = cluster.ask(0, "GET /v1/catalog/services?cached&index=\(index)&wait=1s")
        #expect(waiting?.status == 200 && waiting?["X-Cache"] == "MISS" && waiting?["Age"] == nil && waiting?["X-Consul-Index"] == index)
    }

    @Test func `cached names of datacenters are as old as they are`() throws {
        let cluster = try AgentCluster(clients: 1)
        for member in 0...1 {
            #expect(cluster.ask(member, "GET /v1/catalog/services?cached")?["X-Cache"] == "MISS")
            #expect(cluster.ask(member, "GET /v1/catalog/datacenters")?["X-Cache"] == nil)
            let miss = cluster.ask(member, "GET /v1/catalog/datacenters?cached")
            #expect(miss?["X-Cache"] == "MISS" && miss?["Age"] == nil && miss?.text == #"["dc1"]"#)
            cluster.run(for: .seconds(7))
            let hit = cluster.ask(member, "GET /v1/catalog/datacenters?cached")
            #expect(hit?["X-Cache"] == "HIT" && hit?["Age"] == "7" && hit?.text == #"["dc1"]"#)
        }
    }

    @Test func `servers filter for agents that leave it to them`() throws {
        let cluster = try AgentCluster(clients: 2)
        let server = try #require(cluster.members[0].agent.server)
        cluster.run(for: .minutes(1))
        func names(_ filter: String) throws -> Result<[String], ServerError> {
            var options = QueryOptions()
            options.datacenter = "dc1"
            options.filter = filter
            let bytes = RPCRequest.encode(sequence: 1, method: "Catalog.ListNodes", body: ReadQuery.catalog(.nodes).encodeRequest(options))
            var effects: [ServerEffect] = []
            server.called(CallID(incoming: 1 << 40), from: "10.0.0.9:1", .rpc, bytes, at: cluster.now)
            _ = server.takeOutput(into: &effects)
            let answers = effects.compactMap { if case .reply(_, let bytes) = $0 { bytes } else { nil } }
            let reply = try RPCReply(decoding: try #require(answers.first))
            guard reply.error.isEmpty else { return .failure(ServerError(reply.error)) }
            guard case .nodes(let rows) = try ReadQuery.catalog(.nodes).decodeReply(reply.body).result else { return .success([]) }
            return .success(rows.map(\.value.node))
        }
        let all = try names("").get()
        #expect(all.starts(with: ["c1", "c2"]))
        #expect(try names("Node != c2") == .success(all.filter { $0 != "c2" }))
        #expect(
            try names("Foo == 1") == .failure(ServerError("Failed to create boolean expression evaluator: Selector \"Foo\" is not valid")))
    }
}
