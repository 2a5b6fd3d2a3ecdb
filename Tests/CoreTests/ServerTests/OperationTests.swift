import Testing

@testable import Core

@Suite struct OperationTests {
    @Test func `every server answers of itself, the leader of the cluster`() throws {
        let cluster = try ServerCluster.formed()
        cluster.run(for: .seconds(1))
        let leader = try #require(cluster.leader)
        for name in cluster.names {
            #expect(try cluster.operate(.leader, at: name)?.get() == .text(ServerCluster.address(leader) + ":8300"))
            #expect(try cluster.operate(.peers, at: name)?.get() == .texts((1...3).map { "10.0.0.\($0):8300" }))
            guard case .raftStatistics(let statistics)? = try cluster.operate(.raftStatistics, at: name)?.get(),
                case .raftConfiguration(let servers)? = try cluster.operate(.raftConfiguration, at: name)?.get()
            else {
                Issue.record("another answer")
                continue
            }
            #expect((statistics.lastContact == "0") == (name == leader))
            #expect(servers.map(\.node) == ["s1", "s2", "s3"] && servers.filter(\.isLeader).map(\.node) == [leader])
        }
    }

    @Test func `readers at a follower know how long ago the leader was heard, though nothing changes`() throws {
        let cluster = try ServerCluster.formed()
        cluster.run(for: .seconds(20))
        let leader = try #require(cluster.leader)
        for name in cluster.names where name != leader {
            let known = try #require(cluster.published[name]?.lastLeaderContact),
                heard = try #require(cluster.server(name).raft.lastContact)
            #expect(heard - known < .milliseconds(50) && cluster.now - known < .milliseconds(500))
        }
    }

    @Test func `an operator removes a server from the configuration`() throws {
        let cluster = try ServerCluster.formed()
        let leader = try #require(cluster.leader)
        let other = cluster.names.first { $0 != leader }!
        let unknown = cluster.operate(.removeRaftPeer(.id("x")), at: leader)
        #expect(unknown == .failure(ServerError("id \"x\" was not found in the Raft configuration")))
        #expect(
            cluster.operate(.removeRaftPeer(.address("1.2.3.4:1")), at: other)
                == .failure(ServerError("address \"1.2.3.4:1\" was not found in the Raft configuration").called))
        #expect(cluster.operate(.removeRaftPeer(.id(ServerCluster.id(other))), at: leader) == .success(.done))
        #expect(cluster.server(leader).raft.configuration.voterCount == 2)
    }

    @Test func `the last voter stays, in the reference's words`() throws {
        let cluster = ServerCluster()
        try cluster.start(cluster.settings("s1", bootstrap: true))
        cluster.run(for: .seconds(5))
        let refused = cluster.operate(.removeRaftPeer(.id(ServerCluster.id("s1"))), at: "s1")
        #expect(refused == .failure(ServerError("Need at least one voter in configuration: {[]}")))
        let servers = [
            RaftServer(suffrage: .nonvoter, id: "a", address: "10.0.0.1:8300"), RaftServer(suffrage: .nonvoter, id: "b", address: "x:1"),
        ]
        #expect("\(RaftConfiguration(servers: servers))" == "{[{Nonvoter a 10.0.0.1:8300} {Nonvoter b x:1}]}")
    }

    @Test func `leadership goes where an operator wants it`() throws {
        let cluster = try ServerCluster.formed()
        let leader = try #require(cluster.leader)
        let other = cluster.names.first { $0 != leader }!
        #expect(cluster.operate(.transferLeadership(to: ServerCluster.id(other)), at: leader) == .success(.done))
        cluster.run(for: .milliseconds(100))
        #expect(cluster.leader == other)
    }

    @Test func `coordinates are collected and written together`() throws {
        let cluster = try ServerCluster.formed()
        cluster.run(for: .seconds(1))
        let leader = try #require(cluster.leader)
        let other = cluster.names.first { $0 != leader }!
        func update(_ node: String, _ vec: [Double]) -> ServerOperation {
            .updateCoordinate(NodeCoordinate(node: node, coordinate: Coordinate(vec: vec, error: 1, adjustment: 0, height: 0)))
        }
        let flat = [Double](repeating: 0, count: 8)
        #expect(cluster.operate(update("s1", [1, 2]), at: leader) == .failure(ServerError("incompatible coordinate")))
        #expect(cluster.operate(update("s1", flat.dropLast() + [.nan]), at: leader) == .failure(ServerError("invalid coordinate")))
        #expect(cluster.operate(.updateCoordinate(NodeCoordinate(node: "s1")), at: leader) == .failure(ServerError("invalid coordinate")))
        for node in ["s1", "s2", "s1"] { #expect(cluster.operate(update(node, flat), at: other) == .success(.done)) }
        guard case .coordinates(let none)? = cluster.read(.coordinate(.nodes), at: leader) else {
            Issue.record("another answer")
            return
        }
        #expect(none.isEmpty)
        cluster.run(for: .seconds(6))
        guard case .coordinates(let rows)? = cluster.read(.coordinate(.nodes), at: other) else {
            Issue.record("another answer")
            return
        }
        #expect(rows.map(\.value.node) == ["s1", "s2"])
    }

    @Test func `operations that concern gossip are carried out in the pools of the server that answers them`() throws {
        let cluster = try ServerCluster.formed()
        let leader = try #require(cluster.leader)
        let follower = try #require(cluster.names.first { $0 != leader })
        let (leaders, followers) = (cluster.machines[leader]!.gossip, cluster.machines[follower]!.gossip)
        #expect(leaders.announcements > 0)
        #expect(cluster.operate(.datacenters, at: follower) == .success(.texts(["dc1", "dc2"])))
        #expect(cluster.operate(.datacenterCoordinates, at: follower) == .success(.datacenterCoordinates([])))
        let event = ServerOperation.fireEvent(name: "deploy", payload: [0x80])
        #expect(cluster.operate(event, at: follower) == .success(.done))
        #expect(leaders.events == ["deploy"] && followers.events.isEmpty)
        var stale = QueryOptions()
        stale.allowStale = true
        #expect(cluster.operate(event, stale, at: follower) == .success(.done))
        #expect(followers.events == ["deploy"])
        followers.problem = ServerError("too large")
        #expect(cluster.operate(event, stale, at: follower) == .failure(ServerError("too large")))
        #expect(cluster.operate(.keyring(KeyringRequest()), at: follower) == .failure(ServerError("too large")))
    }

    @Test func `an operation on keys is answered when the pools have answered, also to a caller`() throws {
        let cluster = try ServerCluster.formed()
        let leader = try #require(cluster.leader)
        let (server, gossip) = (cluster.server(leader), cluster.machines[leader]!.gossip)
        let work = ServerOperation.keyring(KeyringRequest())
        let body = work.encodeRequest(QueryOptions())
        server.called(
            CallID(incoming: 1 << 40), from: "10.0.9.9:1", .rpc,
            RPCRequest.encode(sequence: 7, method: "Internal.KeyringOperation", body: body), at: cluster.now)
        var effects: [ServerEffect] = []
        _ = server.takeOutput(into: &effects)
        let isSilent = !effects.contains { if case .reply = $0 { true } else { false } }
        #expect(isSilent && gossip.keyWork == [.peer(CallID(incoming: 1 << 40))])
        var answer = KeyringResponse()
        answer.nodeCount = 3
        server.finishOperation(gossip.keyWork[0], .success(.keyring([answer])), at: cluster.now)
        effects = []
        _ = server.takeOutput(into: &effects)
        guard case .reply(_, let bytes)? = effects.first else {
            Issue.record("no answer")
            return
        }
        #expect(try work.decodeReply(RPCReply(decoding: bytes).body) == .keyring([answer]))
    }

    @Test func `an operator's file gives a cluster without a quorum a new configuration`() throws {
        let cluster = try ServerCluster.formed()
        let leader = try #require(cluster.leader)
        #expect(cluster.put("kept", at: leader))
        cluster.run(for: .seconds(1))
        for name in cluster.names { cluster.kill(name) }
        let machine = cluster.machines["s2"]!
        let json = "[{\"id\": \"\(ServerCluster.id("s2"))\", \"address\": \"10.0.0.2:8300\"}]"
        try machine.disk.perform([.write(file: "raft/peers.json", offset: 0, bytes: Array(json.utf8))])
        cluster.pool = []
        try cluster.start(machine.settings)
        #expect(cluster.run(upTo: .seconds(10)) { cluster.leader == "s2" })
        #expect(cluster.server("s2").raft.configuration.servers.map(\.id) == [ServerCluster.id("s2")])
        guard case .entries(let entries)? = cluster.read(.kv(.get(key: "kept")), at: "s2") else {
            Issue.record("no answer")
            return
        }
        #expect(entries.count == 1)
        #expect(try machine.disk.list("raft").contains("raft/peers.info"))
        #expect(try !machine.disk.list("raft").contains("raft/peers.json"))
    }

    @Test func `a file that cannot be read stops the start`() throws {
        let cluster = try ServerCluster.formed()
        cluster.kill("s1")
        let machine = cluster.machines["s1"]!
        try machine.disk.perform([.write(file: "raft/peers.json", offset: 0, bytes: Array("[".utf8))])
        #expect(throws: ServerError.self) { try cluster.start(machine.settings) }
    }
}

@Suite struct RestoreTests {
    @Test func `a restored state is not shown before a quorum has it`() throws {
        let cluster = try ServerCluster.formed()
        let leader = try #require(cluster.leader)
        cluster.put("old", at: leader)
        let (archive, _) = try #require(try cluster.save(at: leader))
        cluster.put("new", at: leader)
        cluster.run(for: .seconds(1))
        cluster.isolated = [leader]
        #expect(cluster.ask(.operation(.restoreSnapshot(archive), QueryOptions()), at: leader, within: .milliseconds(100)) == nil)
        #expect(cluster.server(leader).raft.isProvisional)
        func isKept(at name: String) -> Bool {
            guard case .entries(let found)? = cluster.read(.kv(.get(key: "new")), at: name) else { return false }
            return !found.isEmpty
        }
        // The lease goes on for a while.
        #expect(isKept(at: leader) && cluster.published[leader]?.store.digest == cluster.server(leader).store.digest)
        cluster.run(for: .seconds(20))
        cluster.isolated = []
        cluster.run(for: .seconds(20))
        let successor = try #require(cluster.leader)
        #expect(cluster.names.allSatisfy { isKept(at: $0) && !cluster.server($0).state.isProvisional })
        // The same with a quorum.
        #expect(cluster.operate(.restoreSnapshot(archive), at: successor) == .success(.done))
        #expect(!isKept(at: successor) && !cluster.server(successor).raft.isProvisional)
        cluster.run(for: .seconds(1))
        #expect(cluster.names.allSatisfy { !isKept(at: $0) && !cluster.server($0).state.isProvisional })
        // A server that starts with it shows it as soon as it hears that it is committed.
        let follower = try #require(cluster.names.first { $0 != successor })
        cluster.kill(follower)
        try cluster.start(cluster.machines[follower]!.settings)
        #expect(!cluster.server(follower).state.isReadable)
        cluster.run(for: .seconds(2))
        #expect(
            cluster.server(follower).state.isReadable && cluster.server(follower).store.digest == cluster.server(successor).store.digest)
    }

    @Test func `an operator's snapshot replaces the state everywhere, and the leader takes up its duties again`() throws {
        let cluster = try ServerCluster.formed()
        #expect(cluster.put("old", at: "s1"))
        cluster.run(for: .seconds(1))
        var encoder = SnapshotEncoder(cluster.server("s1").store)
        var state: [UInt8] = []
        while let piece = encoder.next(maxBytes: 1 << 16) { state += piece }
        #expect(cluster.put("new", at: "s1"))
        let leader = try #require(cluster.leader)
        #expect(cluster.operate(.restore(state: Array(state.dropLast(3)), index: 9), at: leader) != .success(.done))
        #expect(cluster.operate(.restore(state: state, index: 5_000), at: leader) == .success(.done))
        cluster.run(for: .seconds(3))
        for name in cluster.names {
            let server = cluster.server(name)
            #expect(server.appliedIndex > 5_000 && server.store.kvs["old"] != nil && server.store.kvs["new"] == nil)
            #expect(!server.state.isBringing)
        }
        #expect(cluster.put("after", at: leader))
    }
}

@Suite struct FailoverTests {
    /// From the death of the leader to the first write that is acknowledged, in the time of the simulation.
    private func failover(_ phase: Duration) throws -> Duration {
        let cluster = try ServerCluster.formed()
        cluster.run(for: .seconds(3) + phase)
        let leader = try #require(cluster.leader)
        let start = cluster.now
        cluster.kill(leader)
        let other = try #require(cluster.names.first)
        while !cluster.put("k", at: other) {}
        return cluster.now - start
    }

    @Test func `a leader whose port is closed is replaced long before its followers' timeout`() throws {
        let times = try (0..<15).map { try failover(.milliseconds(13) * $0) }.sorted()
        #expect(times[7] < .milliseconds(750) && times.last! < .milliseconds(1000), "\(times)")
    }

    @Test func `a leader that is cut off is replaced after the timeout only`() throws {
        let cluster = try ServerCluster.formed()
        cluster.run(for: .seconds(3))
        let leader = try #require(cluster.leader)
        let start = cluster.now
        cluster.isolated = [leader]
        #expect(cluster.run(upTo: .seconds(5)) { cluster.leader != nil && cluster.leader != leader })
        #expect(cluster.now - start > .milliseconds(850))
    }
}
