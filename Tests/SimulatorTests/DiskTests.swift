import Core
import Testing

@testable import Simulator

@Suite struct DiskTests {
    private func apply(_ disk: VirtualDisk, _ operations: [DiskOperation]) throws {
        for operation in operations { _ = try disk.apply(operation) }
    }

    /// The outcomes of many losses of power after the same operations.
    private func outcomes(_ prepare: (VirtualDisk) throws -> Void, _ look: (VirtualDisk) -> String) throws -> Set<String> {
        var found: Set<String> = []
        for seed in 0..<400 as Range<UInt64> {
            let disk = VirtualDisk()
            try prepare(disk)
            var random = Random(seed: seed)
            disk.losePower(&random)
            found.insert(look(disk))
        }
        return found
    }

    private func text(_ disk: VirtualDisk, _ file: String) -> String {
        guard let size = try? disk.size(file), let bytes = try? disk.read(file, offset: 0, count: size) else { return "none" }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func `one planned write fails, and only one`() throws {
        let disk = VirtualDisk()
        try apply(disk, [.write(file: "log", offset: 0, bytes: Array("abcd".utf8)), .sync(file: "log")])
        disk.plannedFailure = .write(part: 50)
        #expect(throws: DiskError.self) { try disk.apply(.write(file: "log", offset: 4, bytes: Array("efgh".utf8))) }
        #expect(text(disk, "log") == "abcdef")
        #expect(disk.hasFailed)
        try apply(disk, [.write(file: "log", offset: 4, bytes: Array("EFGH".utf8))])
        #expect(text(disk, "log") == "abcdEFGH")
    }

    @Test func `a sync that fails may take what was written with it`() throws {
        for forgets in [false, true] {
            let disk = VirtualDisk()
            try apply(disk, [.write(file: "log", offset: 0, bytes: Array("abcd".utf8)), .sync(file: "log")])
            try apply(disk, [.write(file: "log", offset: 4, bytes: Array("efgh".utf8))])
            disk.plannedFailure = .sync(forgets: forgets)
            #expect(throws: DiskError.self) { try disk.apply(.sync(file: "log")) }
            #expect(text(disk, "log") == (forgets ? "abcd" : "abcdefgh"))
        }
    }

    @Test func `synced contents under a synced name survive`() throws {
        let found = try outcomes {
            try apply(
                $0,
                [
                    .write(file: "a/log", offset: 0, bytes: Array("kept".utf8)), .sync(file: "a/log"), .syncDirectory("a"),
                    .syncDirectory(""),
                ])
        } _: {
            text($0, "a/log")
        }
        #expect(found == ["kept"])
    }

    @Test func `a name that was not synced may be gone`() throws {
        let found = try outcomes {
            try apply($0, [.write(file: "log", offset: 0, bytes: Array("x".utf8)), .sync(file: "log")])
        } _: {
            text($0, "log")
        }
        #expect(found == ["x", "none"])
    }

    @Test func `a folder that was not synced may be gone with what is in it`() throws {
        let found = try outcomes {
            try apply($0, [.write(file: "a/log", offset: 0, bytes: Array("x".utf8)), .sync(file: "a/log"), .syncDirectory("a")])
        } _: {
            text($0, "a/log")
        }
        #expect(found == ["x", "none"])
    }

    @Test func `an unsynced write is kept, lost, or torn`() throws {
        let found = try outcomes {
            try apply($0, [.write(file: "log", offset: 0, bytes: Array("old.".utf8)), .sync(file: "log"), .syncDirectory("")])
            try apply($0, [.write(file: "log", offset: 4, bytes: Array("new".utf8))])
        } _: {
            text($0, "log")
        }
        #expect(found.isSuperset(of: ["old.", "old.n", "old.ne", "old.new"]))
        #expect(found.allSatisfy { $0.hasPrefix("old.") })
    }

    @Test func `sectors of a large write survive on their own`() throws {
        let found = try outcomes {
            try apply($0, [.write(file: "log", offset: 0, bytes: []), .sync(file: "log"), .syncDirectory("")])
            try apply($0, [.write(file: "log", offset: 100, bytes: Array(repeating: 120, count: 1500))])
        } _: {
            text($0, "log")
        }
        // A hole in the middle, and a file whose length grew over sectors that were never written.
        #expect(found.contains { $0.utf8.count > 600 && $0.utf8.dropFirst(100).prefix(412).allSatisfy { $0 == 0 } && $0.utf8.last == 120 })
        #expect(found.contains { $0.utf8.count == 1600 && $0.utf8.last == 0 })
    }

    @Test func `a rename is durable only after its folder is synced`() throws {
        func prepare(_ disk: VirtualDisk) throws {
            try apply(disk, [.write(file: "a", offset: 0, bytes: Array("1".utf8)), .sync(file: "a"), .syncDirectory("")])
            try apply(disk, [.write(file: "b", offset: 0, bytes: Array("2".utf8)), .sync(file: "b"), .rename(from: "b", to: "a")])
        }
        #expect(try outcomes(prepare) { text($0, "a") } == ["1", "2"])
        let synced = try outcomes {
            try prepare($0)
            try apply($0, [.syncDirectory("")])
        } _: {
            text($0, "a") + text($0, "b")
        }
        #expect(synced == ["2none"])
    }

    @Test func `a removal is durable only after its folder is synced`() throws {
        let found = try outcomes {
            try apply($0, [.write(file: "a", offset: 0, bytes: Array("1".utf8)), .sync(file: "a"), .syncDirectory(""), .remove(file: "a")])
        } _: {
            text($0, "a")
        }
        #expect(found == ["1", "none"])
    }

    @Test func `a process that dies leaves its writes to the system`() throws {
        let disk = VirtualDisk()
        var queue = DiskQueue()
        var random = Random(seed: 1)
        let batch = DiskBatch(
            of: .raft, token: 1, operations: [.write(file: "log", offset: 0, bytes: Array("abc".utf8)), .sync(file: "log")])
        #expect(queue.append(batch, DiskProfile(), &random) != nil)
        #expect(try queue.finish(on: disk).result.get().isEmpty)
        #expect(queue.next(DiskProfile(), &random) == nil)
        #expect(queue.append(batch, DiskProfile(), &random) != nil)
        queue.abandon(on: disk, &random)
        #expect(queue.isIdle)
        #expect(text(disk, "log") == "abc")
    }

    @Test func `deferrable batches begin when no other waits, each line in its order`() {
        let disk = VirtualDisk()
        var queue = DiskQueue()
        var random = Random(seed: 1)
        for (token, owner) in [(1, .registrations), (2, .registrations), (3, .raft), (4, .registrations), (5, .raft)]
            as [(UInt64, DiskBatch.Owner)]
        {
            let batch = DiskBatch(of: owner, token: token, operations: [.write(file: "f", offset: 0, bytes: [1])])
            #expect((queue.append(batch, DiskProfile(), &random) == nil) == (token > 1))
        }
        var done: [UInt64] = []
        while queue.next(DiskProfile(), &random) != nil { done.append(queue.finish(on: disk).token) }
        #expect(done == [1, 3, 5, 2, 4], "what has begun goes on")
        #expect(queue.isIdle)
    }

    @Test func `what a completion leads to goes before what can be deferred`() {
        let disk = VirtualDisk()
        var queue = DiskQueue()
        var random = Random(seed: 1)
        func append(_ token: UInt64, _ owner: DiskBatch.Owner) {
            let batch = DiskBatch(of: owner, token: token, operations: [.write(file: "f", offset: 0, bytes: [1])])
            _ = queue.append(batch, DiskProfile(), &random)
        }
        append(1, .raft)
        append(2, .registrations)
        #expect(queue.finish(on: disk).token == 1)
        append(3, .raft)
        var done: [UInt64] = []
        while queue.next(DiskProfile(), &random) != nil { done.append(queue.finish(on: disk).token) }
        #expect(done == [3, 2])
    }

    @Test func `a full disk refuses to grow files and lets them be rewritten`() throws {
        let disk = VirtualDisk()
        try apply(disk, [.write(file: "log", offset: 0, bytes: [1, 2, 3])])
        disk.isFull = true
        #expect(throws: DiskError.noSpace) { try apply(disk, [.write(file: "log", offset: 2, bytes: [4, 5])]) }
        #expect(throws: DiskError.noSpace) { try apply(disk, [.write(file: "new", offset: 0, bytes: [1])]) }
        #expect(throws: Never.self) { try apply(disk, [.write(file: "log", offset: 1, bytes: [4, 5])]) }
    }

    @Test func `recovery is durable when it returns`() throws {
        let found = try outcomes {
            try $0.perform([.write(file: "a/b/log", offset: 0, bytes: Array("abcdef".utf8)), .truncate(file: "a/b/log", size: 3)])
        } _: {
            text($0, "a/b/log")
        }
        #expect(found == ["abc"])
    }

    @Test func `reads are of what was written, and missing files are named`() throws {
        let disk = VirtualDisk()
        try apply(disk, [.write(file: "a/x", offset: 2, bytes: [7]), .write(file: "b", offset: 0, bytes: [1])])
        #expect(try disk.list("") == ["a/x", "b"])
        #expect(try disk.list("a") == ["a/x"])
        #expect(try disk.read("a/x", offset: 0, count: 10) == [0, 0, 7])
        #expect(throws: DiskError.notFound("c")) { try disk.size("c") }
    }
}
