import Testing

@testable import Core

@Suite struct MembershipTests {
    private func serfHealth(_ cluster: ServerCluster, _ node: String) throws -> HealthCheck? {
        let leader = try #require(cluster.leader)
        return cluster.server(leader).store.check(CheckStatus.serfHealth, onNode: node)?.value
    }

    @Test func `servers that wait for each other form one cluster`() throws {
        let cluster = ServerCluster()
        for name in ["s1", "s2"] { try cluster.start(cluster.settings(name, expect: 3)) }
        cluster.run(for: .seconds(20))
        #expect(cluster.leader == nil && cluster.server("s1").raft.configuration.isEmpty)
        try cluster.start(cluster.settings("s3", expect: 3))
        #expect(cluster.run(upTo: .seconds(10)) { cluster.leader != nil })
        for name in cluster.names {
            #expect(cluster.server(name).raft.configuration.voters.map(\.id) == ["s1", "s2", "s3"].map(ServerCluster.id))
        }
        #expect(cluster.put("k", at: "s1") && cluster.put("k", at: "s2") && cluster.put("k", at: "s3"))
        guard case .health? = try cluster.operate(.serverHealth, at: "s1")?.get() else {
            Issue.record("no answer")
            return
        }
    }

    @Test func `a server that expects others joins a cluster that exists`() throws {
        let cluster = try ServerCluster.formed()
        try cluster.start(cluster.settings("s4", expect: 3))
        cluster.run(for: .seconds(5))
        let leader = try #require(cluster.leader)
        #expect(cluster.server(leader).raft.configuration[ServerCluster.id("s4")]?.suffrage == .nonvoter)
        // It votes once it has been healthy for ten seconds.
        #expect(cluster.run(upTo: .seconds(20)) { cluster.server("s4").raft.configuration.voterCount == 4 })
    }

    @Test func `servers that expect different numbers form nothing`() throws {
        let cluster = ServerCluster()
        try cluster.start(cluster.settings("s1", expect: 3))
        try cluster.start(cluster.settings("s2", expect: 2))
        try cluster.start(cluster.settings("s3", expect: 3))
        cluster.run(for: .seconds(30))
        #expect(cluster.leader == nil)
    }

    @Test func `members of the pool are nodes of the catalog`() throws {
        let cluster = try ServerCluster.formed()
        cluster.change(.joined, ServerCluster.client("c7"))
        cluster.run(for: .seconds(1))
        let leader = try #require(cluster.leader)
        let store = cluster.server(leader).store
        #expect(store.nodes.map(\.value.value.node) == ["c7", "s1", "s2", "s3"])
        #expect(store.node("c7")?.value.address == "10.0.0.7" && store.node("c7")?.value.id == ServerCluster.id("c7"))
        #expect(try serfHealth(cluster, "c7")?.status == "passing")
        let service = try #require(store.service("consul", onNode: "s2")?.value.service)
        #expect(service.port == 8300 && service.meta?["version"] == "1.8.6" && service.meta?["serf_protocol_current"] == "2")
        let index = store.lastIndex
        // A row that the catalog has already is not written again.
        cluster.run(for: .seconds(130))
        #expect(cluster.server(leader).store.lastIndex == index)
    }

    @Test func `a failed member is critical, one that is back is not, one that left is gone`() throws {
        let cluster = try ServerCluster.formed()
        cluster.change(.joined, ServerCluster.client("c7"))
        cluster.run(for: .seconds(1))
        cluster.setStatus("c7", .failed)
        cluster.run(for: .seconds(1))
        #expect(try serfHealth(cluster, "c7")?.status == "critical")
        #expect(try serfHealth(cluster, "c7")?.output == "Agent not live or unreachable")
        cluster.setStatus("c7", .alive)
        // The first write is not applied yet.
        cluster.setStatus("c7", .failed)
        cluster.setStatus("c7", .alive)
        cluster.setStatus("c7", .failed)
        cluster.run(for: .seconds(1))
        #expect(try serfHealth(cluster, "c7")?.status == "critical")
        cluster.setStatus("c7", .left)
        cluster.run(for: .seconds(1))
        #expect(try serfHealth(cluster, "c7") == nil)
    }

    @Test func `a member that was reaped behind the leader's back goes with the next look at the pool`() throws {
        let cluster = try ServerCluster.formed()
        cluster.change(.joined, ServerCluster.client("c7"))
        var request = RegisterRequest()
        request.node = "external"
        request.address = "10.1.1.1"
        let leader = try #require(cluster.leader)
        _ = cluster.ask(.write(.register(request)), at: leader)
        for name in cluster.names { cluster.server(name).lanMembers.removeAll { $0.name == "c7" } }
        cluster.pool.removeAll { $0.name == "c7" }
        cluster.run(for: .seconds(30))
        #expect(cluster.server(leader).store.node("c7") != nil)
        cluster.run(for: .seconds(40))
        #expect(cluster.server(leader).store.node("c7") == nil && cluster.server(leader).store.node("external") != nil)
    }

    @Test func `a server with another id under a known address takes the place of the old one`() throws {
        let cluster = try ServerCluster.formed()
        let leader = try #require(cluster.leader)
        let victim = cluster.names.first { $0 != leader }!
        var settings = cluster.machines[victim]!.settings
        settings.identity.nodeID = ServerCluster.id("z9")
        var member = cluster.member(settings)
        cluster.kill(victim)
        member.tags["id"] = settings.identity.nodeID
        cluster.change(.joined, member)
        cluster.run(for: .seconds(2))
        let configuration = cluster.server(leader).raft.configuration
        #expect(configuration[ServerCluster.id(victim)] == nil)
        #expect(configuration[settings.identity.nodeID]?.suffrage == .nonvoter)
    }

    @Test func `a server that moved keeps its vote`() throws {
        let cluster = try ServerCluster.formed()
        let leader = try #require(cluster.leader)
        let other = cluster.names.first { $0 != leader }!
        var settings = cluster.machines[other]!.settings
        settings.addresses.advertise = "10.0.0.99"
        cluster.change(.updated, cluster.member(settings))
        cluster.run(for: .seconds(2))
        let moved = cluster.server(leader).raft.configuration[ServerCluster.id(other)]
        #expect(moved?.address == "10.0.0.99:8300" && moved?.suffrage == .voter)
    }

    @Test func `a leader that leaves hands over, and is removed by its successor`() throws {
        let cluster = try ServerCluster.formed()
        let leader = try #require(cluster.leader)
        cluster.server(leader).beginLeaving(at: cluster.now)
        #expect(cluster.run(upTo: .milliseconds(300)) { cluster.leader.map { $0 != leader } ?? false })
        #expect(!cluster.server(leader).isRemoved)
        cluster.setStatus(leader, .left)
        #expect(
            cluster.run(upTo: .seconds(2)) {
                cluster.server(leader).isRemoved || cluster.server(cluster.leader!).raft.configuration.voterCount == 2
            })
        cluster.server(leader).stopServing()
        #expect(!cluster.put("k", at: leader))
        #expect(cluster.put("k", at: cluster.leader!))
    }
}
