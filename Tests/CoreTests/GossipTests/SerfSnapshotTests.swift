import Testing

@testable import Core

/// What members remember of their pool when they are started again.
@Suite struct SerfSnapshotTests {
    private func parse(_ text: String, rejoinAfterLeave: Bool = false) -> SerfSnapshot {
        SerfSnapshot(parsing: Array(text.utf8), rejoinAfterLeave: rejoinAfterLeave)
    }

    @Test func `the reference's file is understood`() {
        let snapshot = parse(
            """
            alive: s1 127.0.0.1:20503
            event-clock: 1
            alive: fake1 127.0.0.1:20590
            clock: 1
            not-alive: fake1
            alive: fa 127.0.0.1:20591
            alive: fb 127.0.0.1:20592
            query-clock: 1
            query-clock: 2
            event-clock: 2
            not-alive: fb
            not-alive: fa
            alive: with space [fd00::1]:8301
            coordinate: old
            # a comment

            """)
        #expect(snapshot.alive == ["s1": "127.0.0.1:20503", "with space": "[fd00::1]:8301"])
        #expect(snapshot.clock == 1 && snapshot.eventClock == 2 && snapshot.queryClock == 2)
        #expect(snapshot.warnings.isEmpty && !snapshot.isTorn)
    }

    @Test func `a line without an end and what nobody understands are passed over`() {
        let snapshot = parse("alive: a 10.0.0.1:1\nclock: x\nwhat\nclock: 7\nalive: b 10.0.0.2")
        #expect(snapshot.alive == ["a": "10.0.0.1:1"] && snapshot.clock == 7)
        #expect(snapshot.warnings.count == 2 && snapshot.isTorn && snapshot.size == 43)
    }

    @Test func `after a leave nobody is known, unless that is wanted`() {
        let text = "alive: a 10.0.0.1:1\nclock: 4\nevent-clock: 5\nleave\n"
        #expect(parse(text).alive.isEmpty && parse(text).clock == 0 && parse(text).eventClock == 0)
        let kept = parse(text, rejoinAfterLeave: true)
        #expect(kept.alive.count == 1 && kept.clock == 4 && kept.eventClock == 5)
    }

    private func write(_ operations: [DiskOperation], _ files: inout SortedMap<String, [UInt8]>) {
        for operation in operations {
            switch operation {
            case .write(let file, let offset, let bytes): files[file] = (files[file] ?? []).prefix(offset) + bytes
            case .truncate(let file, let size): files[file] = Array((files[file] ?? []).prefix(size))
            case .rename(let from, let to): files[to] = files.removeValue(forKey: from)
            default: break
            }
        }
    }

    private func member(_ index: Int) -> Member { Member(name: "node-\(index)", address: [10, 0, 0, UInt8(index)], port: 8301) }

    @Test func `a file that has grown long is written anew`() {
        var files: SortedMap<String, [UInt8]> = [:]
        var writer = SnapshotWriter(file: "serf/x", continuing: SerfSnapshot(), keepsMembersOnLeave: false)
        var longest = 0
        for round in 0..<4_000 {
            let event: MemberEventKind = round / 8 % 2 == 0 ? .joined : .failed
            writer.record(event, member(round % 8), clock: UInt64(round + 1))
            writer.recordEvent(UInt64(round))
            write(writer.flush(clock: UInt64(round + 1), at: .zero), &files)
            longest = max(longest, files["serf/x"]?.count ?? 0)
        }
        writer.record(.joined, member(3), clock: 5_000)
        writer.recordQuery(77)
        write(writer.flush(clock: 5_000, isLast: true, at: .zero), &files)
        #expect(longest <= SnapshotWriter.compactionSizeMin)
        #expect(files.keys == ["serf/x"])
        let found = SerfSnapshot(parsing: files["serf/x"] ?? [], rejoinAfterLeave: false)
        #expect(found.alive == ["node-3": "10.0.0.3:8301"])
        #expect(found.clock == 4_999 && found.eventClock == 3_999 && found.queryClock == 77 && found.warnings.isEmpty)
    }

    @Test func `a torn line is cut off before anything is appended`() {
        var files: SortedMap<String, [UInt8]> = ["f": Array("alive: a 10.0.0.1:1\nalive: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb".utf8)]
        let found = SerfSnapshot(parsing: files["f"] ?? [], rejoinAfterLeave: false)
        var writer = SnapshotWriter(file: "f", continuing: found, keepsMembersOnLeave: false)
        writer.recordEvent(3)
        write(writer.flush(clock: 1, at: .zero), &files)
        #expect(String(decoding: files["f"] ?? [], as: UTF8.self) == "alive: a 10.0.0.1:1\nevent-clock: 3\n")
    }

    @Test func `a file that could not be written is written anew, in time`() {
        var writer = SnapshotWriter(file: "f", continuing: SerfSnapshot(), keepsMembersOnLeave: false)
        writer.record(.joined, member(1), clock: 3)
        _ = writer.flush(clock: 3, at: .zero)
        writer.failed()
        writer.record(.joined, member(2), clock: 4)
        var files: SortedMap<String, [UInt8]> = [:]
        write(writer.flush(clock: 4, at: .zero), &files)
        #expect(String(decoding: files["f"] ?? [], as: UTF8.self).hasPrefix("alive: node-1 10.0.0.1:8301\nalive: node-2 10.0.0.2:8301\n"))
        writer.failed()
        let tooSoon = writer.flush(clock: 4, at: Instant.zero + .seconds(29))
        let inTime = writer.flush(clock: 4, at: Instant.zero + .seconds(30))
        #expect(tooSoon.isEmpty && !inTime.isEmpty)
    }

    // MARK: In a pool

    @Test func `a member that is started again finds its pool by itself`() {
        let network = SerfNetwork.pool(4)
        network.perform("a") { try! $0.userEvent("deploy", payload: [1], at: $1, into: &$2) }
        network.run(for: .seconds(5))
        network.crash("d")
        network.perform("a") { try! $0.userEvent("deploy", payload: [2], at: $1, into: &$2) }
        network.run(for: .seconds(3))
        network["d"].told = []
        network.start("d")
        #expect(network.wait(for: .seconds(10)) { network.serf("d").memberCount(.alive) == 4 })
        network.run(for: .seconds(5))
        // Events that the member had seen are not delivered again, those that it missed are.
        #expect(network["d"].userEvents.map(\.payload) == [[2]])
    }

    @Test func `a whole pool that lost power comes together again`() {
        let network = SerfNetwork.pool(4)
        let names = ["a", "b", "c", "d"]
        network.run(for: .seconds(2))
        for name in names { network.crash(name) }
        network.run(for: .seconds(100))
        for name in names { network.start(name) }
        #expect(network.wait(for: .seconds(60)) { names.allSatisfy { network.serf($0).memberCount(.alive) == 4 } })
    }

    @Test func `who left does not come back by itself`() {
        let network = SerfNetwork.pool(3)
        network.perform("c") { $0.leave(at: $1, into: &$2) }
        network.run(for: .seconds(10))
        network.crash("c")
        network.start("c")
        network.run(for: .seconds(10))
        #expect(network.serf("c").memberCount == 1)
        #expect(network["a"].status(of: "c") == .left)
    }

    @Test func `who left comes back if it is to`() {
        let network = SerfNetwork.pool(3) { $0.rejoinAfterLeave = true }
        network.perform("c") { $0.leave(at: $1, into: &$2) }
        network.run(for: .seconds(10))
        network.crash("c")
        network.start("c") { $0.rejoinAfterLeave = true }
        #expect(network.wait(for: .seconds(10)) { network.serf("c").memberCount(.alive) == 3 && network["a"].status(of: "c") == .alive })
    }

    @Test func `a full disk does not stop a member, and is made up for`() {
        let network = SerfNetwork.pool(2)
        network["b"].failsWrites = true
        network.start("c")
        network.join("c", "a")
        network.run(for: .seconds(10))
        #expect(!network["b"].snapshotText.contains("alive: c"))
        #expect(network.serf("b").memberCount(.alive) == 3)
        network["b"].failsWrites = false
        network.run(for: .seconds(60))
        #expect(network["b"].snapshotText.contains("alive: c"))
    }
}
