import Testing

@testable import Core

/// What servers measure, and where: at the server that does the work, whoever asked.
@Suite struct MeasureTests {
    private func measures(_ cluster: ServerCluster, _ name: String) -> [ServerMeasure] {
        var found: [ServerMeasure] = []
        cluster.server(name).drainMeasures { found.append($0) }
        return found
    }

    private func writes(_ measures: [ServerMeasure]) -> [MeasuredWrite] {
        measures.compactMap { if case .write(let write, _) = $0 { write } else { nil } }
    }

    private var options: QueryOptions {
        var options = QueryOptions()
        options.datacenter = "dc1"
        return options
    }

    @Test func `a write is measured by the leader that carries it out, not by the server that was asked`() throws {
        let cluster = try ServerCluster.formed()
        cluster.run(for: .seconds(2))
        let leader = try #require(cluster.leader), follower = try #require(cluster.names.first { $0 != leader })
        _ = (measures(cluster, leader), measures(cluster, follower))
        var request = KVSRequest()
        (request.datacenter, request.op, request.dirEnt) = ("dc1", .set, DirEntry(key: "a"))
        #expect(try cluster.call("KVS.Apply", WriteRequest.kv(request).encodeRequest(), at: follower)?.error == "")
        let atLeader = measures(cluster, leader), atFollower = measures(cluster, follower)
        #expect(writes(atLeader) == [.kv] && writes(atFollower).isEmpty)
        guard case .write(_, let time)? = atLeader.first(where: { if case .write = $0 { true } else { false } }) else { return }
        #expect(time > .zero)
        #expect(atFollower.contains(.call) && atLeader.contains(.call))
        #expect(atLeader.contains { if case .logWritten(let time) = $0 { time > .zero } else { false } })
        #expect(!atFollower.contains { if case .logWritten = $0 { true } else { false } })
    }

    @Test func `replication is measured for each follower, heartbeats apart from entries`() throws {
        let cluster = try ServerCluster.formed()
        let leader = try #require(cluster.leader)
        cluster.put("a", at: leader)
        cluster.run(for: .seconds(2))
        var entries: [String: Int] = [:], heartbeats = LookupSet<String>()
        cluster.server(leader).drainReplications { measure in
            #expect(measure.time >= cluster.latency * 2)
            if measure.kind == .entries { entries[measure.peer, default: 0] += measure.entries } else { heartbeats.insert(measure.peer) }
        }
        for name in cluster.names where name != leader {
            #expect(entries[ServerCluster.id(name), default: 0] > 0 && heartbeats.contains(ServerCluster.id(name)))
        }
        let contacts = cluster.server(leader).followerContacts(at: cluster.now)
        #expect(contacts.count == 2 && contacts.allSatisfy { $0 < .seconds(1) })
        let follower = try #require(cluster.names.first { $0 != leader })
        #expect(cluster.server(follower).followerContacts(at: cluster.now).isEmpty)
    }

    @Test func `reads are counted where they are evaluated, consistent ones with the time that the question took`() throws {
        let cluster = try ServerCluster.formed()
        cluster.run(for: .seconds(2))
        let leader = try #require(cluster.leader), follower = try #require(cluster.names.first { $0 != leader })
        _ = (measures(cluster, leader), measures(cluster, follower))
        var consistent = options
        consistent.requireConsistent = true
        _ = try cluster.call("KVS.Get", ReadQuery.kv(.get(key: "a")).encodeRequest(consistent), at: follower)
        let atLeader = measures(cluster, leader), atFollower = measures(cluster, follower)
        #expect(atLeader.contains(.reads(1)) && atLeader.contains(.verification) && !atFollower.contains(.reads(1)))
        #expect(atLeader.contains { if case .consistentRead(let time) = $0 { time > .zero } else { false } })
        var stale = options
        stale.allowStale = true
        _ = try cluster.call("KVS.Get", ReadQuery.kv(.get(key: "a")).encodeRequest(stale), at: follower)
        #expect(measures(cluster, follower).contains(.reads(1)) && !measures(cluster, leader).contains(.reads(1)))
    }

    @Test func `look-ups of services are counted by name and tags, and how many wait is known`() throws {
        let cluster = try ServerCluster.formed()
        let leader = try #require(cluster.leader), server = cluster.server(leader)
        let web = ReadQuery.health(.serviceNodes(service: "web", tags: ["b", "a"], connect: false, ingress: false))
        let consul = ReadQuery.catalog(.serviceNodes(service: "consul", tags: [], connect: false))
        cluster.run(for: .seconds(2))
        _ = (cluster.read(web, at: leader), cluster.read(web, at: leader), cluster.read(consul, at: leader))
        var found: [(MeasuredLookup, Int)] = []
        server.drainLookups { found.append(($0, $1)) }
        let health = MeasuredLookup(isHealth: true, kind: .service, service: "web", tags: ["b", "a"], isFound: false)
        let catalog = MeasuredLookup(isHealth: false, kind: .service, service: "consul", tags: [], isFound: true)
        #expect(found.map(\.0) == [health, catalog] && found.map(\.1) == [2, 1])
        var options = options
        options.minQueryIndex = 1_000_000
        server.execute(.read(.kv(.get(key: "a")), options), for: .client(RequestID(9)), at: cluster.now)
        #expect(server.blockedCount == 1)
        server.cancel(.client(RequestID(9)))
        #expect(server.blockedCount == 0)
    }

    @Test func `the leader measures its duties`() throws {
        let cluster = ServerCluster()
        try cluster.start(cluster.settings("s1", bootstrap: true))
        cluster.change(.joined, ServerCluster.client("c1"))
        cluster.run(for: .seconds(5))
        let found = measures(cluster, "s1")
        #expect(found.count { if case .memberReconciliation = $0 { true } else { false } } == 2)
        #expect(found.count { if case .reconciliation = $0 { true } else { false } } == 1)
        cluster.run(for: .seconds(61))
        let later = measures(cluster, "s1")
        #expect(later.count { if case .reconciliation(.zero) = $0 { true } else { false } } == 1)
        #expect(later.count { if case .memberReconciliation(.zero) = $0 { true } else { false } } == 2)
    }

    @Test func `what nobody drains is bounded`() {
        var measures = ServerMeasures()
        for _ in 0..<20_000 { measures.add(.call) }
        #expect(measures.collected.count == ServerMeasures.countMax)
        for number in 0..<2_000 {
            measures.count(MeasuredLookup(isHealth: false, kind: .connect, service: "s\(number)", tags: [], isFound: true))
        }
        #expect(measures.takeLookups().count == ServerMeasures.lookupsMax && measures.takeLookups().isEmpty)
    }
}
