import Core
import Testing

@testable import Simulator

@Suite struct DNSHistoryTests {
    private func second(_ second: Int) -> Instant { .zero + .seconds(second) }

    /// Version 1 is written by second 2, version 2 by second 6, version 3 never known to be.
    private func history() -> DNSHistory {
        var history = DNSHistory(name: "d")
        history.begin(version: 1, removes: false, at: second(1))
        history.acknowledge(version: 1, at: second(2))
        history.begin(version: 2, removes: false, at: second(5))
        history.acknowledge(version: 2, at: second(6))
        history.begin(version: 3, removes: false, at: second(7))
        return history
    }

    /// Asks after each other, each for a second.
    private func rules(_ shown: [(version: Int, at: Int, life: UInt32)], stale: Bool = true) -> [String] {
        var history = history()
        for answer in shown {
            let floor = history.floor(of: 0)
            history.append(
                .init(
                    life: LifeID(server: 0, life: answer.life), invoked: second(answer.at), returned: second(answer.at + 1),
                    shown: answer.version), floor: floor)
        }
        return history.violations(isStale: stale, tolerance: .zero).map(\.rule)
    }

    @Test func `answers that follow are fine`() {
        #expect(rules([(0, 0, 1), (1, 3, 1), (2, 7, 1), (3, 9, 1)], stale: false).isEmpty)
    }

    @Test func `stale answers may be old, but one life does not go back`() {
        #expect(rules([(1, 8, 1)]).isEmpty)
        #expect(rules([(2, 8, 1), (1, 10, 2)]).isEmpty)
        #expect(rules([(2, 8, 1), (1, 10, 1)]) == ["DNS of one server does not go back"])
    }

    @Test func `default answers show what was acknowledged`() {
        #expect(rules([(1, 8, 1)], stale: false) == ["a watch begins with the present"])
    }

    @Test func `what nobody registered is noticed`() {
        #expect(rules([(4, 8, 1)]) == ["a watch shows what was written"])
    }

    @Test func `address and port of an answer belong together`() throws {
        let subject = DNSSubject(name: "web", instances: 2)
        let question = try DNSMessage(decoding: subject.bytes(.service, id: 7))
        let target = try #require(DNSName("web-node1.node.dc1.consul."))
        let owner = try #require(DNSName("web.service.consul."))
        func answer(port: UInt16, address: UInt32) -> DNSMessage {
            var message = DNSMessage(id: 7, flags: DNSFlag.response, question: question.question)
            message.answers = [DNSRecord(owner: owner, ttl: 0, data: .srv(priority: 1, weight: 7, port: port, target: target))]
            message.additional = [DNSRecord(owner: target, ttl: 0, data: .a(address))]
            return message
        }
        let address: UInt32 = 10 << 24 | 101 << 16 | 258
        #expect(try subject.versions(answer(port: 258, address: address), to: .service) == [0, 258])
        #expect(throws: Violation.self) { try subject.versions(answer(port: 257, address: address), to: .service) }
    }
}
