import Core
import Testing

@testable import Simulator

@Suite struct PoolCheckerTests {
    private let checker = PoolChecker(running: ["s1", "s2"], stopped: ["a1"])

    private func mistake(_ members: [(String, MemberStatus)]) -> String? {
        checker.mistake(of: "s1", members.map { PoolChecker.Sighting(name: $0.0, status: $0.1) })
    }

    @Test func `who sees the living alive and the dead not is right`() {
        #expect(mistake([("s1", .alive), ("s2", .alive), ("a1", .failed)]) == nil)
        #expect(mistake([("s1", .alive), ("s2", .alive), ("a1", .left)]) == nil)
        #expect(mistake([("s1", .alive), ("s2", .alive), ("other", .failed)]) == nil)
        #expect(mistake([("s1", .alive), ("s2", .alive)]) == nil)
    }

    @Test func `a live agent that stays failed or unknown is noticed`() {
        #expect(mistake([("s1", .alive), ("s2", .failed)]) == "s1 holds s2, which runs, for failed")
        #expect(mistake([("s1", .alive)]) == "s1 holds s2, which runs, for unknown")
    }

    @Test func `a dead agent that stays alive is noticed`() {
        #expect(mistake([("s1", .alive), ("s2", .alive), ("a1", .alive)]) == "s1 holds a1, which is gone, for alive")
    }

    @Test func `who left is not failed, and who crashed has not left`() {
        let checker = PoolChecker(running: ["s1"], stopped: ["a1", "a2"], left: ["a1"], crashed: ["a2"])
        func mistake(_ a1: MemberStatus, _ a2: MemberStatus) -> String? {
            checker.mistake(of: "s1", [.init(name: "s1", status: .alive), .init(name: "a1", status: a1), .init(name: "a2", status: a2)])
        }
        #expect(mistake(.left, .failed) == nil)
        #expect(mistake(.failed, .failed) == "s1 holds a1, which left, for failed")
        #expect(mistake(.left, .left) == "s1 holds a2, which crashed, for one that left")
    }

    @Test func `who lives is failed for nobody in peace`() {
        #expect(checker.mistakeInPeace(of: "s1", [.init(name: "s2", status: .failed)]) == "s1 holds s2, which runs, for failed")
        #expect(checker.mistakeInPeace(of: "s1", [.init(name: "a1", status: .failed), .init(name: "s2", status: .alive)]) == nil)
    }
}

@Suite struct QuorumCheckerTests {
    private func change(_ old: [String], _ new: [String], running: [String]) -> Violation? {
        var checker = QuorumChecker()
        do throws(Violation) {
            try checker.observe("s1", old, index: 1) { running.contains($0) }
            try checker.observe("s1", new, index: 2) { running.contains($0) }
            return nil
        } catch {
            return error
        }
    }

    @Test func `dead servers may go`() {
        #expect(change(["s1", "s2", "s3"], ["s1", "s2"], running: ["s1", "s2"]) == nil)
        #expect(change(["s1", "s2", "s3"], ["s1", "s2", "s3", "s4"], running: ["s1", "s2", "s3"]) == nil)
    }

    @Test func `servers that a majority needs may not`() {
        let violation = change(["s1", "s2", "s3", "s4", "s5"], ["s1", "s4", "s5"], running: ["s1", "s2", "s3"])
        #expect(violation?.rule == "a quorum is never removed")
    }

    @Test func `nobody gets a vote before it has run for a while`() {
        var checker = QuorumChecker()
        #expect(throws: Never.self) {
            try checker.observe("s1", ["s1", "s2"], index: 1, isRunning: { _ in true }, isSettled: { _ in false })
        }
        #expect(throws: Violation.self) {
            try checker.observe("s1", ["s1", "s2", "s3"], index: 2, isRunning: { _ in true }, isSettled: { $0 != "s3" })
        }
    }
}

@Suite struct NetworkTests {
    private func network(loss: Double = 0) -> Network {
        let network = Network(
            servers: 2, profile: NetworkProfile(), clientProfile: NetworkProfile(), packetProfile: NetworkProfile(),
            random: Random(seed: 1))
        network.setLoss(at: 1, loss)
        return network
    }

    @Test func `a lossy link loses datagrams, and holds messages up`() {
        let network = network(loss: 0.3)
        var lostDatagrams = 0
        var lateMessages = 0
        for number in 0..<1000 {
            let now = Instant.zero + .seconds(number)
            if network.datagram(from: 0, to: 1, now: now).first == nil { lostDatagrams += 1 }
            if case .arrives(let delay) = network.send(from: 0, to: 1, now: now), delay > .milliseconds(100) { lateMessages += 1 }
        }
        #expect((200...400).contains(lostDatagrams))
        #expect((200...450).contains(lateMessages))
    }

    @Test func `datagrams may come twice, and not through a cut`() {
        let network = network()
        network.packetProfile.duplicate = 1
        #expect(network.datagram(from: 0, to: 1, now: .zero).copy != nil)
        network.cut([(from: 0, to: 1)], ticket: 1)
        #expect(network.datagram(from: 0, to: 1, now: .zero).first == nil)
        #expect(network.datagram(from: 1, to: 0, now: .zero).first != nil)
    }
}
