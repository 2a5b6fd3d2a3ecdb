@testable import Core

// Whether a cluster serves, as its clients see it.

extension AgentCluster {
    /// Whether a write and a consistent read of it succeed at that member within the time, however often they have to be tried.
    ///
    /// Three minutes: a client agent whose only server a stranger has declared dead hears of it again with the next push/pull.
    func serves(_ member: Int, within limit: Duration = .seconds(180)) -> Bool {
        let end = now + limit
        let value = "value \(takeID())"
        while now < end {
            if ask(member, "PUT /v1/kv/fuzz", body: value, within: end - now)?.status == 200,
                let read = ask(member, "GET /v1/kv/fuzz?consistent&raw", within: end - now), read.status == 200
            {
                guard read.body == Array(value.utf8) else { fatalError("a consistent read misses a write that was acknowledged") }
                return true
            }
            run(for: .milliseconds(200))
        }
        return false
    }

    /// Whether some server's Raft configuration has other voters than the servers of this cluster.
    var hasForeignConfiguration: Bool {
        let addresses = members.filter(\.settings.identity.isServer).map(\.settings.raftAddress).sorted()
        return members.contains { member in
            guard let configuration = member.agent.server?.raft.configuration else { return false }
            return configuration.voters.map(\.address).sorted() != addresses
        }
    }
}
