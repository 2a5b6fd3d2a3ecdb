import Testing

@testable import Core

/// Every method of the server port, called by somebody who may do nothing, beside `RouteWalkTests`.
@Suite struct MethodWalkTests {
    /// The methods that need no right (acl §13.1). One that is added here is a decision.
    private static let open: [String] = [
        "Status.Ping", "Status.Leader", "Status.Peers", "Status.RaftStats", "Catalog.ListDatacenters", "Coordinate.ListDatacenters",
    ]

    @Test func `there is a sample of every method`() throws {
        let sampled = MethodSamples.all(session: MethodSamples.session).compactMap { $0.encodedCall?.method }
        #expect(Set(sampled) == Set(ServerWork.methods))
        #expect(Set(ServerWork.methods).count == ServerWork.methods.count)
    }

    @Test func `who may do nothing gets nothing from any method`() throws {
        let rules = RecordingRules()
        let (cluster, session) = try SecretCluster.make(rules)
        let before = try #require(cluster.members[0].agent.server).store
        for work in MethodSamples.all(session: session) {
            let method = try #require(work.encodedCall?.method)
            rules.denies = true
            rules.forget()
            let reply = try #require(try cluster.call(0, work), "\(method) is not answered")
            rules.denies = false
            if Self.open.contains(method) {
                #expect(reply.error.isEmpty && rules.asked.isEmpty, "\(method): \(reply.error)")
                continue
            }
            #expect(!rules.asked.isEmpty, "\(method) asks for nothing")
            let isDenied = reply.error.contains("Permission denied") || reply.error.contains("denied by ACLs")
            #expect(isDenied || reply.error.isEmpty, "\(method): \(reply.error)")
            #expect(!String(decoding: reply.body, as: UTF8.self).contains("secret"), "\(method) gives something away")
            if case .write(.txn) = work {
                #expect(String(decoding: reply.body, as: UTF8.self).contains("Permission denied"))
            } else if case .read = work {
            } else {
                #expect(isDenied, "\(method) is not denied")
            }
        }
        #expect(cluster.members[0].agent.server?.appliedIndex != 0)
        let after = try #require(cluster.members[0].agent.server).store
        #expect(
            after.kvs.count == before.kvs.count && after.nodes.count == before.nodes.count && after.sessions.count == before.sessions.count)
    }

    @Test func `who may do everything gets what is secret from every read`() throws {
        let rules = RecordingRules()
        let (cluster, session) = try SecretCluster.make(rules)
        for case .read(let query, let options) in MethodSamples.all(session: session) {
            switch query {
            // The configuration has no names in it, a transaction that only checks has no result, and no gateway has services yet.
            case .operator, .txn(TxnQuery([.kv(verb: .checkIndex, DirEntry(key: "secret/key"))])), .catalog(.gatewayServices): continue
            default: break
            }
            let reply = try #require(try cluster.call(0, .read(query, options)))
            #expect(String(decoding: reply.body, as: UTF8.self).contains("secret"), "\(query) shows nothing to anybody")
        }
    }

    @Test(arguments: [false, true])
    func `archives are for who may read and write all there is`(stale: Bool) throws {
        let rules = RecordingRules()
        let (cluster, _) = try SecretCluster.make(rules)
        var options = QueryOptions()
        options.datacenter = "dc1"
        options.allowStale = stale
        rules.denies = true
        for operation in [ServerOperation.saveSnapshot, .restoreSnapshot([1, 2, 3])] {
            rules.forget()
            let reply = try #require(try cluster.call(0, .operation(operation, options)))
            #expect(reply.error == "Permission denied" && rules.wasAsked(.acl, .write), "\(operation): \(reply.error)")
        }
    }
}

extension AgentCluster {
    /// What another agent gets from `member` for that call.
    func call(_ member: Int, _ work: ServerWork) throws -> RPCReply? {
        guard let (channel, bytes) = work.message(sequence: 7), let reply = call(member, channel, bytes) else { return nil }
        return try work.readReply(reply)
    }
}
