import Testing

@testable import Core

@Suite struct AutopilotTests {
    private func health(_ cluster: ServerCluster) throws -> ClusterHealth {
        let leader = try #require(cluster.leader)
        return cluster.server(leader).duties.autopilot.health
    }

    private func expelled(_ cluster: ServerCluster) -> [String] {
        cluster.machines.values.flatMap(\.gossip.expelled)
    }

    @Test func `the leader writes the first configuration, and any server tells of it`() throws {
        let cluster = try ServerCluster.formed()
        cluster.run(for: .milliseconds(100))
        guard case .autopilot(let configuration)? = cluster.read(.operator(.autopilotConfiguration), at: "s2") else {
            Issue.record("no configuration")
            return
        }
        #expect(configuration.cleanupDeadServers && configuration.index.create == configuration.index.modify)
        var request = AutopilotRequest()
        request.cas = true
        request.configuration = configuration
        request.configuration.maxTrailingLogs = 7
        guard case .write(_, .success(.bool(true)))? = cluster.ask(.write(.autopilot(request)), at: "s3"),
            case .write(_, .success(.bool(false)))? = cluster.ask(.write(.autopilot(request)), at: "s1")
        else {
            Issue.record("compared with something else")
            return
        }
        #expect(cluster.server(cluster.leader!).store.autopilot?.maxTrailingLogs == 7)
    }

    @Test func `servers are healthy while they follow closely`() throws {
        let cluster = try ServerCluster.formed()
        #expect(try !health(cluster).healthy)
        cluster.run(for: .seconds(3))
        var seen = try health(cluster)
        #expect(seen.healthy && seen.failureTolerance == 1 && seen.servers.map(\.name) == ["s1", "s2", "s3"])
        #expect(seen.servers.filter(\.isLeader).map(\.name) == [cluster.leader!])
        let since = seen.servers.map(\.stableSince)
        let victim = cluster.names.first { $0 != cluster.leader }!
        cluster.kill(victim)
        cluster.run(for: .seconds(4))
        seen = try health(cluster)
        #expect(!seen.healthy && seen.failureTolerance == 0)
        let lost = try #require(seen.servers.first { $0.name == victim })
        #expect(!lost.isHealthy && lost.lastContact == .nanoseconds(-1) && lost.stableSince == .zero)
        #expect(zip(seen.servers, since).allSatisfy { $0.name == victim || $0.stableSince == $1 })
    }

    @Test func `a failed server is expelled once it is silent, and another one not if those who stay were too few`() throws {
        let cluster = try ServerCluster.formed()
        let leader = try #require(cluster.leader)
        let others = cluster.names.filter { $0 != leader }
        cluster.kill(others[0])
        cluster.setStatus(others[0], .failed)
        cluster.run(for: .seconds(3))
        #expect(expelled(cluster).isEmpty)
        cluster.run(for: .seconds(15))
        #expect(expelled(cluster).contains(others[0]))
        cluster.setStatus(others[0], .left)
        cluster.run(for: .seconds(1))
        #expect(cluster.server(leader).raft.configuration.voterCount == 2)
        #expect(cluster.server(leader).store.node(others[0]) == nil)
        for machine in cluster.machines.values { machine.gossip.expelled = [] }
        cluster.setStatus(others[1], .failed)
        cluster.run(for: .seconds(30))
        #expect(expelled(cluster).isEmpty && cluster.server(leader).raft.configuration.voterCount == 2)
    }

    @Test func `a server that gossip takes for dead but that follows is left alone`() throws {
        let cluster = try ServerCluster.formed(5)
        let leader = try #require(cluster.leader)
        let other = cluster.names.first { $0 != leader }!
        cluster.setStatus(other, .failed)
        cluster.run(for: .seconds(40))
        #expect(expelled(cluster).isEmpty && cluster.server(leader).raft.configuration.voterCount == 5)
        cluster.kill(other)
        cluster.run(for: .seconds(20))
        #expect(expelled(cluster).contains(other))
    }

    @Test func `never so many are removed that the rest could not have decided`() {
        #expect(!Autopilot.mayRemove(1, of: 2, minQuorum: 0))
        #expect(Autopilot.mayRemove(1, of: 3, minQuorum: 0))
        #expect(!Autopilot.mayRemove(2, of: 3, minQuorum: 0))
        #expect(Autopilot.mayRemove(2, of: 5, minQuorum: 3))
        #expect(!Autopilot.mayRemove(2, of: 5, minQuorum: 4))
        #expect(!Autopilot.mayRemove(1, of: 1, minQuorum: 0))
    }
}
