import Core
import Foundation
import Testing

@testable import Runtime

/// A directory that goes with the test.
final class TemporaryFolder {
    let path: String
    init() {
        path = NSTemporaryDirectory() + "runtime-" + UUID().uuidString
        try! FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
}

@Suite(.timeLimit(.minutes(5))) struct FileDiskTests {
    let folder = TemporaryFolder()

    @Test func `what was written is read again, also in a new process`() throws {
        do {
            let disk = try FileDisk(root: folder.path + "/data/dir")
            try disk.perform([
                .write(file: "raft/meta", offset: 0, bytes: [1, 2, 3]), .write(file: "raft/meta", offset: 2, bytes: [9, 9]),
            ])
            try disk.perform([.write(file: "node-id", offset: 0, bytes: Array("x".utf8)), .rename(from: "node-id", to: "id/node-id")])
        }
        let disk = try FileDisk(root: folder.path + "/data/dir")
        #expect(try disk.read("raft/meta", offset: 0, count: 100) == [1, 2, 9, 9])
        #expect(try disk.read("raft/meta", offset: 3, count: 100) == [9])
        #expect(try disk.read("raft/meta", offset: 30, count: 100) == [])
        #expect(try disk.list("") == ["id/node-id", "raft/meta"])
        #expect(try disk.list("raft") == ["raft/meta"])
        #expect(try disk.list("nothing") == [])
        #expect(try disk.size("raft/meta") == 4)
    }

    @Test func `files and folders are for their owner only, but for what the reference shows`() throws {
        let mask = umask(0o022)
        defer { umask(mask) }
        let disk = try FileDisk(root: folder.path + "/data")
        for file in ["a/b/c", "serf/local.snapshot", "serf/local.keyring", "raft/peers.info"] {
            try disk.perform([.write(file: file, offset: 0, bytes: [1])])
        }
        func mode(_ path: String) throws -> Int {
            try #require(FileManager.default.attributesOfItem(atPath: folder.path + "/data" + path)[.posixPermissions] as? Int)
        }
        #expect(try mode("") == 0o700)
        #expect(try mode("/a") == 0o700)
        #expect(try mode("/a/b") == 0o700)
        #expect(try mode("/a/b/c") == 0o600)
        #expect(try mode("/serf") == 0o755)
        #expect(try mode("/serf/local.snapshot") == 0o600)
        #expect(try mode("/serf/local.keyring") == 0o600)
        #expect(try mode("/raft") == 0o700)
        #expect(try mode("/raft/peers.info") == 0o644)
    }

    @Test func `a second agent cannot use the directory`() throws {
        let first = try FileDisk(root: folder.path)
        let error = #expect(throws: DiskError.self) { _ = try FileDisk(root: folder.path) }
        #expect(error == .failed("data directory \(folder.path) is in use by another agent (process \(getpid()))"))
        #expect(try first.list("") == [])
    }

    @Test func `the log gets space ahead, which a truncation takes away`() throws {
        let disk = try FileDisk(root: folder.path)
        try disk.write("raft/log/1", offset: 0, [7, 7])
        #expect(try disk.size("raft/log/1") == FileDisk.stepSize)
        #expect(try disk.read("raft/log/1", offset: 0, count: 4) == [7, 7, 0, 0])
        try disk.write("raft/log/1", offset: FileDisk.stepSize - 1, [5, 6])
        #expect(try disk.size("raft/log/1") == 2 * FileDisk.stepSize)
        #expect(try disk.read("raft/log/1", offset: FileDisk.stepSize - 1, count: 3) == [5, 6, 0])
        try disk.truncate("raft/log/1", size: 1)
        #expect(try disk.read("raft/log/1", offset: 0, count: 4) == [7])
        try disk.write("raft/log/1", offset: 1, [8])
        #expect(try disk.read("raft/log/1", offset: 0, count: 4) == [7, 8, 0, 0])
    }

    @Test func `missing files and names outside the directory are errors`() throws {
        let disk = try FileDisk(root: folder.path)
        #expect(throws: DiskError.notFound("x")) { try disk.read("x", offset: 0, count: 1) }
        #expect(throws: DiskError.notFound("x")) { try disk.perform([.remove(file: "x")]) }
        #expect(throws: DiskError.notFound("x")) { try disk.perform([.rename(from: "x", to: "y")]) }
        #expect(throws: DiskError.notFound("x")) { try disk.perform([.sync(file: "x")]) }
        for name in ["../x", "/x", "a//b", "", "a/../b", "."] {
            #expect(throws: DiskError.failed("not a name of a file in the data directory: \"\(name)\"")) {
                try disk.perform([.write(file: name, offset: 0, bytes: [1])])
            }
        }
    }

    @Test func `appends to one file share a sync, and fail together`() throws {
        let disk = try FileDisk(root: folder.path)
        func append(_ token: UInt64, _ file: String, _ byte: UInt8) -> DiskBatch {
            DiskBatch(of: .raft, token: token, operations: [.write(file: file, offset: Int(token), bytes: [byte]), .sync(file: file)])
        }
        let batches = [
            append(1, "raft/log/1", 1), append(2, "raft/log/1", 2), append(3, "raft/meta", 3),
            DiskBatch(
                of: .raft, token: 4,
                operations: [.read(file: "raft/log/1", offset: 1, count: 2), .read(file: "raft/meta", offset: 3, count: 9)]),
            DiskBatch(of: .raft, token: 5, operations: [.remove(file: "nothing"), .remove(file: "raft/meta")]),
        ]
        var done: [DiskCompletion] = []
        var runs: [Int] = []
        var at = 0
        while at < batches.count {
            at = disk.performRun(batches, from: at, into: &done)
            runs.append(at)
        }
        #expect(runs == [2, 3, 4, 5])
        #expect(done.map(\.token) == [1, 2, 3, 4, 5])
        #expect(try done[3].result.get() == [[1, 2], [3]])
        #expect(throws: DiskError.notFound("nothing")) { try done[4].result.get() }
        #expect(try disk.read("raft/meta", offset: 3, count: 1) == [3], "the first failure ends the batch")
    }

    @Test func `deferrable batches are performed when no other waits`() throws {
        let queue = DiskQueue(try FileDisk(root: folder.path))
        for (token, owner) in [(1, .registrations), (2, .raft), (3, .registrations), (4, .raft)] as [(UInt64, DiskBatch.Owner)] {
            queue.submit(
                DiskBatch(of: owner, token: token, operations: [.write(file: "f", offset: 0, bytes: [1]), .sync(file: "f")]))
        }
        var events: [AgentEvent] = []
        #expect(queue.begin())
        while queue.performNext(into: &events) {}
        #expect(!queue.begin() && !queue.isIdleWithWork)
        let done = events.compactMap { if case .disk(let completion) = $0 { completion.token } else { nil } }
        #expect(done == [2, 4, 1, 3])
    }

    @Test func `a deferrable batch has its turn while others keep coming`() throws {
        let queue = DiskQueue(try FileDisk(root: folder.path))
        func submit(_ owner: DiskBatch.Owner, _ token: UInt64) {
            queue.submit(DiskBatch(of: owner, token: token, operations: [.write(file: "f", offset: 0, bytes: [1]), .sync(file: "f")]))
        }
        submit(.registrations, 1000)
        submit(.raft, 0)
        var events: [AgentEvent] = []
        #expect(queue.begin())
        // The log's next batch is always there before the one under way is done.
        for number in 1...2 * UInt64(DiskQueue.passedOverMax) {
            submit(.raft, number)
            #expect(queue.performNext(into: &events))
        }
        #expect(events.contains { if case .disk(let completion) = $0 { completion.token == 1000 } else { false } })
        while queue.performNext(into: &events) {}
    }

    @Test func `a full disk is no space`() throws {
        guard getuid() == 0 else { return }
        let mount = folder.path + "/small"
        try FileManager.default.createDirectory(atPath: mount, withIntermediateDirectories: true)
        guard Glibc.mount("none", mount, "tmpfs", 0, "size=256k") == 0 else { return }
        defer { umount2(mount, Int32(MNT_DETACH)) }
        let disk = try FileDisk(root: mount)
        // The space ahead does not fit: the write itself does.
        try disk.write("raft/log/1", offset: 0, [1])
        try disk.remove("raft/log/1")
        #expect(throws: DiskError.noSpace) {
            try disk.perform([.write(file: "x", offset: 0, bytes: [UInt8](repeating: 1, count: 300_000))])
        }
        let failed = DiskBatch(
            of: .raft, token: 7, operations: [.write(file: "x", offset: 0, bytes: [UInt8](repeating: 1, count: 300_000)), .sync(file: "x")])
        var done: [DiskCompletion] = []
        _ = disk.performRun([failed], from: 0, into: &done)
        #expect(throws: DiskError.noSpace) { try done[0].result.get() }
    }
}
