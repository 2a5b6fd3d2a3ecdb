import Testing

@testable import Core

@Suite struct ConsistentReadTests {
    private func reads(_ keys: [String]) -> [ServerWork] {
        var options = QueryOptions()
        options.requireConsistent = true
        return keys.map { .read(.kv(.get(key: ByteString($0))), options) }
    }

    private func found(_ answer: ServerAnswer?) -> ReadAnswer? {
        guard case .read(_, .success(let answer)) = answer else { return nil }
        return answer
    }

    @Test func `consistent reads of one batch ask each follower once, and the same question is evaluated once`() throws {
        let cluster = try ServerCluster.formed()
        let leader = try #require(cluster.leader)
        for key in ["a", "b"] { cluster.put(key, at: leader) }
        // In a pause between two appends that keep followers quiet.
        cluster.run(for: .milliseconds(1))
        let before = cluster.callsMade[leader] ?? 0
        let answers = cluster.ask(reads(["a", "a", "b", "none", "a"]), at: leader).map(found)
        #expect((cluster.callsMade[leader] ?? 0) - before == 2)
        let keys = answers.map { answer -> [ByteString]? in
            guard case .entries(let entries)? = answer?.result else { return nil }
            return entries.map(\.key)
        }
        #expect(keys == [["a"], ["a"], ["b"], [], ["a"]].map { $0.map { ByteString($0) } })
        let evaluations = answers.compactMap(\.?.evaluation)
        #expect(evaluations[0] == evaluations[1] && Set(evaluations).count == 4)
        #expect(answers.allSatisfy { $0?.meta.knownLeader == true && $0?.meta.lastContact == .zero })
    }

    @Test func `a server that led once answers stale reads without a leader`() throws {
        let cluster = try ServerCluster.formed()
        let leader = try #require(cluster.leader)
        cluster.put("a", at: leader)
        cluster.isolated = [leader]
        cluster.run(for: .seconds(10))
        var options = QueryOptions()
        options.allowStale = true
        let answer = try #require(found(cluster.ask(.read(.kv(.get(key: "a")), options), at: leader, within: .milliseconds(1))))
        #expect(!answer.meta.knownLeader && answer.meta.lastContact > .seconds(8) && answer.meta.lastContact < .seconds(10))
        let shown = try #require(cluster.published[leader])
        #expect(shown.answers(options, at: cluster.now) && !shown.knowsLeader)
    }

    @Test func `a leader that nobody hears answers no consistent read`() throws {
        let cluster = try ServerCluster.formed()
        let leader = try #require(cluster.leader)
        cluster.put("a", at: leader)
        cluster.isolated = [leader]
        for answer in cluster.ask(reads(["a", "a", "b"]), at: leader, within: .seconds(30)) {
            guard case .read(_, .failure) = answer else {
                Issue.record("\(String(describing: answer))")
                continue
            }
        }
    }
}
