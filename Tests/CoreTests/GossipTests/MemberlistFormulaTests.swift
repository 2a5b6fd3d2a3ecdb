import Foundation
import Testing

@testable import Core

@Suite struct MemberlistFormulaTests {
    private func table(_ name: String) throws -> [[String: Int]] {
        try #require(try MemberlistVectors().decoded("formulas")[name] as? [[String: Int]])
    }

    @Test func `timers are those of the reference`() throws {
        for row in try table("retransmit_limit") {
            #expect(GossipMath.retransmitLimit(mult: 4, nodes: row["n"]!) == row["mult4"]!, "n = \(row["n"]!)")
        }
        for row in try table("push_pull_interval") {
            let interval = GossipMath.pushPullInterval(.seconds(30), nodes: row["n"]!)
            #expect(interval == .nanoseconds(row["base_30s_ns"]!), "n = \(row["n"]!)")
        }
        let profiles: [(String, Int, Duration)] = [
            ("dev_mult3_100ms_ns", 3, .milliseconds(100)), ("lan_mult4_1s_ns", 4, .seconds(1)), ("wan_mult6_5s_ns", 6, .seconds(5)),
        ]
        for row in try table("suspicion_min") {
            for (name, mult, interval) in profiles {
                let timeout = GossipMath.suspicionTimeout(mult: mult, nodes: row["n"]!, interval: interval)
                #expect(timeout == .nanoseconds(row[name]!), "\(name), n = \(row["n"]!)")
            }
        }
        for row in try table("suspicion_with_confirmations") {
            let timeout = GossipMath.suspicionTimeout(
                confirmations: row["confirmations"]!, of: row["k"]!, least: .nanoseconds(row["min_ns"]!),
                longest: .nanoseconds(row["max_ns"]!))
            #expect(timeout == .nanoseconds(row["total_timeout_ns"]!), "\(row)")
        }
    }

    @Test func `timers of very large settings do not overflow`() {
        let bench = MemberlistBench { config in
            config.probeInterval = .hours(1_000_000)
            config.suspicionMult = 1_000_000
            config.suspicionMaxTimeoutMult = 1_000_000
            config.awarenessMaxMultiplier = 1_000_000
        }
        bench.alive("a")
        for incarnation in 1...9 { bench.dead("me", UInt32(incarnation)) }
        bench.suspect("a")
        #expect(bench.state("a") == .suspect)
        bench.pass(.hours(3_000_000))
        #expect(bench.state("a") == .suspect)
    }

    @Test func `logarithms agree with the system's`() {
        for n in 1...20_000 {
            let x = Double(n) * 0.37
            #expect(abs(GossipMath.log(x) - Foundation.log(x)) <= 2 * Foundation.log(x).ulp)
            #expect(abs(GossipMath.log10(Double(n)) - Foundation.log10(Double(n))) <= 4 * Foundation.log10(Double(n)).ulp)
        }
        for power in 0...18 {
            let n = Int(pow(10, Double(power)))
            #expect(GossipMath.log10Ceiling(n) == power)
            #expect(GossipMath.log10Ceiling(n + 1) == power + 1)
        }
        #expect(GossipMath.log10Ceiling(0) == 0)
        #expect(GossipMath.log10Ceiling(.max) == 19)
    }

    @Test func `addresses keep the form in which they came`() throws {
        let short = try #require(NodeAddress([10, 0, 0, 1], port: 8301))
        let long = try #require(NodeAddress([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1], port: 8301))
        #expect(short != long)
        #expect(short.text == "10.0.0.1:8301")
        #expect(long.text == "10.0.0.1:8301")
        #expect(short.bytes == [10, 0, 0, 1])
        #expect(long.bytes.count == 16)
        let six = try #require(NodeAddress("[fd00::1]:80"))
        #expect(six.text == "[fd00::1]:80")
        #expect(NodeAddress(six.bytes, port: 80) == six)
        #expect(NodeAddress("10.0.0.1:8301") == short)
        #expect(NodeAddress([1, 2, 3], port: 1) == nil)
        #expect(NodeAddress([], port: 1) == nil)
        #expect(NodeAddress("nowhere:1") == nil)
        #expect(NodeAddress("10.0.0.1") == nil)
    }
}

@Suite struct BroadcastQueueTests {
    private func take(_ queue: inout BroadcastQueue, limit: Int = 1_000, nodes: Int = 10) -> [String] {
        var messages: [[UInt8]] = []
        queue.drain(overhead: 2, limit: limit, nodes: nodes, to: &messages)
        return messages.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func `the least sent goes first, then the longest, then the newest`() {
        var queue = BroadcastQueue(retransmitMult: 2)
        for text in ["bb", "aa", "cccc"] { queue.enqueue(Array(text.utf8)) }
        #expect(take(&queue, limit: 10) == ["cccc", "aa"])
        #expect(take(&queue, limit: 4) == ["bb"])
        queue.enqueue(Array("d".utf8))
        #expect(take(&queue) == ["d", "cccc", "aa", "bb"])
    }

    @Test func `what does not fit makes room for what does`() {
        var queue = BroadcastQueue(retransmitMult: 2)
        for text in ["aaaaaaaa", "bbbb", "c"] { queue.enqueue(Array(text.utf8)) }
        #expect(take(&queue, limit: 9) == ["bbbb", "c"])
        #expect(take(&queue, limit: 2) == [])
        #expect(queue.count == 3)
    }

    @Test func `every message is sent a limited number of times`() {
        var queue = BroadcastQueue(retransmitMult: 2)
        queue.enqueue([1], token: 7)
        // 2 × ceil(log10(11))
        for _ in 0..<3 {
            #expect(take(&queue).count == 1)
            #expect(queue.takeFinished() == [])
        }
        #expect(take(&queue).count == 1)
        #expect(queue.isEmpty)
        #expect(queue.takeFinished() == [7])
        #expect(queue.takeFinished() == [])
        // Once in a pool of one member.
        queue.enqueue([1])
        #expect(take(&queue, nodes: 0).count == 1)
        #expect(queue.isEmpty)
    }

    @Test func `news about a node replaces older news about it`() {
        var queue = BroadcastQueue(retransmitMult: 4)
        queue.enqueue(Array("old".utf8), name: "a", token: 1)
        queue.enqueue(Array("other".utf8), name: "b", token: 2)
        _ = take(&queue)
        queue.enqueue(Array("new".utf8), name: "a", token: 3)
        #expect(queue.takeFinished() == [1])
        #expect(take(&queue) == ["new", "other"])
        queue.enqueue(Array("last".utf8), name: "a", token: 4)
        #expect(queue.takeFinished() == [3])
        #expect(queue.count == 2)
    }

    @Test func `pruning drops what would be sent last`() {
        var queue = BroadcastQueue(retransmitMult: 4)
        for text in ["a", "bb", "ccc"] { queue.enqueue(Array(text.utf8), name: text, token: UInt64(text.utf8.count)) }
        _ = take(&queue, limit: 5)
        queue.enqueue(Array("dddd".utf8))
        queue.prune(to: 2)
        #expect(queue.takeFinished() == [3, 1])
        #expect(take(&queue) == ["dddd", "bb"])
        queue.prune(to: 0)
        #expect(queue.isEmpty)
    }

    @Test func `a queue does what a sorted list does`() {
        struct Model {
            var entries: [(text: String, transmits: Int, id: Int, name: String)] = []
        }
        var random = Random(seed: 3)
        var model = Model(), queue = BroadcastQueue(retransmitMult: 1)
        for id in 0..<2_000 {
            let name = "n\(Int.random(in: 0..<30, using: &random))"
            let text = String(repeating: "x", count: Int.random(in: 1..<40, using: &random)) + "\(id)"
            model.entries.removeAll { $0.name == name }
            model.entries.append((text, 0, id, name))
            queue.enqueue(Array(text.utf8), name: name)
            guard Bool.random(using: &random) else { continue }
            let limit = Int.random(in: 0..<200, using: &random)
            model.entries.sort { a, b in
                if a.transmits != b.transmits { return a.transmits < b.transmits }
                let (x, y) = (a.text.utf8.count, b.text.utf8.count)
                return x != y ? x > y : a.id > b.id
            }
            var used = 0, expected: [String] = []
            for index in model.entries.indices {
                let length = model.entries[index].text.utf8.count
                guard limit - used - 2 > 0, length <= limit - used - 2 else { continue }
                used += 2 + length
                expected.append(model.entries[index].text)
                model.entries[index].transmits += 1
            }
            model.entries.removeAll { $0.transmits >= 3 }
            #expect(take(&queue, limit: limit, nodes: 999) == expected)
            #expect(queue.count == model.entries.count)
        }
    }
}
