import Testing

@testable import Core

/// Calls as agents and servers of the reference make them.
@Suite struct ForeignCallTests {
    private let cluster: ServerCluster

    init() throws {
        cluster = ServerCluster()
        try cluster.start(cluster.settings("s1", bootstrap: true))
        cluster.run(for: .seconds(5))
    }

    /// The answer, if there is one at once.
    private func call(_ method: String, _ body: [UInt8] = [0x80]) throws -> RPCReply {
        let server = cluster.server("s1")
        server.called(
            CallID(incoming: 1 << 50), from: "10.0.0.7:4711", .rpc, RPCRequest.encode(sequence: 7, method: method, body: body),
            at: cluster.now)
        var effects: [ServerEffect] = []
        _ = server.takeOutput(into: &effects)
        let replies = effects.compactMap { effect -> [UInt8]? in if case .reply(_, let bytes) = effect { bytes } else { nil } }
        return try RPCReply(decoding: #require(replies.first))
    }

    private func options(_ datacenter: String) -> QueryOptions {
        var options = QueryOptions()
        options.datacenter = datacenter
        return options
    }

    @Test func `a call for no datacenter or another one has no path`() throws {
        for datacenter in ["", "dc9"] {
            #expect(try call("KVS.Get", ReadQuery.kv(.get(key: "a")).encodeRequest(options(datacenter))).error == "No path to datacenter")
            var request = KVSRequest()
            request.datacenter = datacenter
            request.op = .set
            request.dirEnt = DirEntry(key: "a")
            #expect(try call("KVS.Apply", WriteRequest.kv(request).encodeRequest()).error == "No path to datacenter")
        }
        #expect(try call("KVS.Get", ReadQuery.kv(.get(key: "a")).encodeRequest(options("dc1"))).error == "")
        // What is asked of the server itself may leave it out.
        for method in ["Status.Ping", "Status.Leader", "Status.Peers", "Status.RaftStats"] { #expect(try call(method).error == "") }
        #expect(try call("Status.Leader", options("dc9").encodeDatacenter()).error == "No path to datacenter")
        #expect(try call("Operator.RaftGetConfiguration").error == "No path to datacenter")
    }

    @Test func `a bad filter is refused by whoever answers`() throws {
        let cluster = try ServerCluster.formed()
        cluster.run(for: .seconds(2))
        let leader = try #require(cluster.leader), follower = try #require(cluster.names.first { $0 != leader })
        let refusal = "Failed to create boolean expression evaluator: Selector \"Foo\" is not valid"
        var options = options("dc1")
        options.filter = "Foo == 1"
        options.minQueryIndex = 1_000
        func error(at name: String) throws -> String? {
            try cluster.call("Catalog.ListNodes", ReadQuery.catalog(.nodes).encodeRequest(options), at: name)?.error
        }
        #expect(try error(at: leader) == refusal)
        #expect(try error(at: follower) == "rpc error making call: \(refusal)")
        options.allowStale = true
        #expect(try error(at: follower) == refusal)
    }

    @Test func `questions without their subject are refused`() throws {
        let options = options("dc1")
        #expect(
            try call("Catalog.NodeServices", ReadQuery.catalog(.nodeServices(node: "")).encodeRequest(options)).error == "Must provide node"
        )
        #expect(
            try call("Catalog.NodeServiceList", ReadQuery.catalog(.nodeServiceList(node: "")).encodeRequest(options)).error
                == "Must provide node")
        let service = ReadQuery.health(.serviceNodes(service: "", tags: [], connect: false, ingress: false))
        #expect(try call("Health.ServiceNodes", service.encodeRequest(options)).error == "Must provide service name")
        let byAddress = ReadQuery.catalog(.serviceByAddress("10.0.0.1")).encodeRequest(options)
        #expect(try call("Catalog.ServiceNodes", byAddress).error == "")
    }

    @Test func `methods of features that are off are refused in the reference's words`() throws {
        for method in ["ACL.TokenRead", "ACL.PolicyResolve", "ACL.RoleResolve"] {
            #expect(try call(method).error == "ACL support disabled")
        }
        for method in ["ConnectCA.Roots", "DiscoveryChain.Get"] {
            #expect(try call(method).error == "Connect must be enabled in order to use this endpoint")
        }
        #expect(try call("PreparedQuery.Execute").error == "Query not found")
        #expect(try call("ConfigEntry.ResolveServiceConfig").error == "ConfigEntry.ResolveServiceConfig is not supported by this server")
        #expect(try call("ACL.Nope").error == "rpc: can't find method ACL.Nope")
        #expect(try call("AutoEncrypt.Sign").error == "rpc: can't find service AutoEncrypt.Sign")
        #expect(try call("StatusPing").error == "rpc: service/method request ill-formed: StatusPing")
        #expect(
            try call("Catalog.Register", [0xA1, 0x41]).error
                == "codec.decoder: Only encoded map or array can be decoded into a struct. (valueType: 6)")
    }

    /// Calls without waiting for the answer. Returns what the server does at once.
    private func begin(_ number: UInt64, _ work: ServerWork, at server: Server, _ now: Instant) throws -> (
        id: CallID, effects: [ServerEffect]
    ) {
        let id = CallID(incoming: 1 << 40 | number)
        let (method, body) = try #require(work.addressed(to: "dc1").encodedCall)
        server.called(id, from: "10.0.9.9:1", .rpc, RPCRequest.encode(sequence: number, method: method, body: body), at: now)
        var effects: [ServerEffect] = []
        _ = server.takeOutput(into: &effects)
        return (id, effects)
    }

    private func refused(_ server: Server) -> [CallID] {
        var effects: [ServerEffect] = []
        _ = server.takeOutput(into: &effects)
        return effects.compactMap { if case .refuse(let id) = $0 { id } else { nil } }
    }

    @Test func `what callers wait for is dropped when they are gone, and what is being written goes on`() throws {
        let cluster = try ServerCluster.formed()
        cluster.run(for: .seconds(2))
        let leader = try #require(cluster.leader), follower = try #require(cluster.names.first { $0 != leader })
        var waiting = options("dc1")
        waiting.minQueryIndex = 1_000_000
        let (first, second) = (cluster.server(leader), cluster.server(follower))
        let reads = try (1...3).map { try begin($0, .read(.kv(.get(key: "a")), waiting), at: first, cluster.now).id }
        #expect(first.blockedCount == 3 && first.calls.incomingCount == 3)
        first.callersGone([reads[0], reads[2], reads[0]])
        #expect(refused(first) == [reads[0], reads[2]] && first.blockedCount == 1 && first.calls.incomingCount == 1)

        let forwarded = try begin(4, .read(.kv(.get(key: "a")), waiting), at: second, cluster.now)
        #expect(forwarded.effects.contains { if case .call(_, _, .rpc, _, _) = $0 { true } else { false } })
        second.callersGone([forwarded.id])
        var effects: [ServerEffect] = []
        _ = second.takeOutput(into: &effects)
        let made = forwarded.effects.compactMap { if case .call(let id, _, .rpc, _, _) = $0 { id } else { nil } }
        #expect(effects.compactMap { if case .giveUp(let id) = $0 { id } else { nil } } == made)
        #expect(effects.compactMap { if case .refuse(let id) = $0 { id } else { nil } } == [forwarded.id])
        #expect(second.calls.incomingCount == 0)

        var request = KVSRequest()
        request.op = .set
        request.dirEnt = DirEntry(key: "kept")
        let write = try begin(5, .write(.kv(request)), at: first, cluster.now)
        first.callersGone([write.id])
        #expect(refused(first).isEmpty && first.calls.incomingCount == 2)
        cluster.run(for: .seconds(2))
        #expect(first.calls.incomingCount == 1 && first.store.kvs["kept"] != nil)
    }

    @Test func `work that waits for a leader is dropped when its caller is gone`() throws {
        let cluster = ServerCluster()
        try cluster.start(cluster.settings("s1", expect: 3))
        let server = cluster.server("s1")
        let held = try begin(1, .read(.kv(.get(key: "a")), options("dc1")), at: server, cluster.now)
        #expect(server.calls.held.count == 1)
        server.callersGone([held.id])
        #expect(refused(server) == [held.id] && server.calls.held.count == 0 && server.calls.incomingCount == 0)
    }

    @Test func `a transaction that reads has no index and does not wait for one`() throws {
        var options = options("dc1")
        options.minQueryIndex = 1_000_000
        let query = ReadQuery.txn(TxnQuery([.kv(verb: .getTree, DirEntry(key: "a"))]))
        let reply = try call("Txn.Read", query.encodeRequest(options))
        #expect(reply.error == "")
        #expect(try query.decodeReply(reply.body).meta.index == 0)
    }

    @Test func `what an agent asks for itself and its clients is limited, what others ask is not`() throws {
        let cluster = ServerCluster()
        var settings = cluster.settings("s1", bootstrap: true)
        settings.reloadable.rpcRate = 0.001
        settings.reloadable.rpcMaxBurst = 2
        try cluster.start(settings)
        cluster.run(upTo: .seconds(30)) { cluster.leader != nil }
        #expect(cluster.read(.catalog(.nodes), at: "s1") != nil && cluster.read(.catalog(.nodes), at: "s1") != nil)
        guard case .read(_, .failure(let error))? = cluster.ask(.read(.catalog(.nodes), QueryOptions()), at: "s1") else {
            Issue.record("not limited")
            return
        }
        #expect(error == .rateLimited)
        let server = cluster.server("s1")
        let bytes = RPCRequest.encode(
            sequence: 1, method: "Catalog.ListNodes", body: ReadQuery.catalog(.nodes).encodeRequest(options("dc1")))
        server.called(CallID(incoming: 1 << 50), from: "10.0.0.7:1", .rpc, bytes, at: cluster.now)
        var effects: [ServerEffect] = []
        _ = server.takeOutput(into: &effects)
        #expect(effects.contains { if case .reply(_, let bytes) = $0 { (try? RPCReply(decoding: bytes))?.error == "" } else { false } })
        settings.reloadable.rpcRate = nil
        server.reload(settings.reloadable, at: cluster.now)
        #expect(cluster.read(.catalog(.nodes), at: "s1") != nil)
    }
}
