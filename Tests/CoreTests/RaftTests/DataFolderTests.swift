import Testing

@testable import Core

/// What a server makes of a data directory that is damaged, or not its own.
@Suite struct DataFolderTests {
    @Test(arguments: [
        "raft/raft.db", "raft/wal/00000000000000000001-0000000000000001.wal", "raft/raft-wal/x", "raft/mdb/data.mdb", "raft/x",
    ])
    func `a server does not start beside state that is not its own and changes nothing`(name: String) throws {
        let disk = TestDisk()
        disk.set(name, [1])
        disk.set("raft/peers.info", [1])
        disk.set("raft/peers.json", [1])
        disk.set("raft/snapshots/1-20-1000/state.bin", [2])
        do {
            _ = try RaftRecovery.recover(disk)
            Issue.record("started")
        } catch {
            #expect(error.description.contains(name) && error.description.contains("consul snapshot restore"))
        }
        #expect(disk.files.count == 4 && disk.files.values.allSatisfy { $0.contents.count == 1 })
    }

    @Test func `a folder that is new, empty or has only the operator's files starts`() throws {
        let disk = TestDisk()
        #expect(try RaftRecovery.recover(disk).isPristine)
        for name in ["raft/peers.info", "raft/peers.json", "raft/peers.json.bak", "raft/.peers.json.swp", "raft/snapshots/permTest"] {
            disk.set(name, [1])
        }
        #expect(try RaftRecovery.recover(disk).isPristine)
    }

    private func history() throws -> TestDisk {
        var history = StorageHistory(segmentSize: 64 << 10)
        history.vote(1, "a")
        history.append(30, term: 1)
        history.sync()
        history.snapshot(index: 10, term: 1)
        history.snapshot(index: 20, term: 1)
        let disk = TestDisk()
        for batch in history.batches { for operation in batch.operations { _ = try disk.apply(operation) } }
        return disk
    }

    @Test func `a flipped bit in a snapshot's description is found, and loses nothing`() throws {
        let disk = try history()
        let file = "raft/snapshots/1-20-1000/meta.json"
        let bytes = try #require(disk.files[file]).contents
        var found = 0
        for at in 0..<bytes.count * 8 {
            var damaged = bytes
            damaged[at / 8] ^= 1 << UInt8(at % 8)
            disk.set(file, damaged)
            let state = try RaftRecovery.recover(disk)
            #expect(state.lastIndex == 30 && state.configuration == StorageHistory.configuration, "bit \(at)")
            if state.snapshot?.index == 10 {
                found += 1
                #expect(state.notes.contains { $0.contains(file) }, "bit \(at)")
            } else {
                // The only bits that change nothing are those of the checksum's own name.
                #expect(state.snapshot?.index == 20 && state.snapshot?.size == 300, "bit \(at)")
            }
        }
        #expect(found > bytes.count * 8 * 9 / 10)
    }

    @Test func `a damaged snapshot whose entries are nowhere else is refused`() throws {
        let disk = try history()
        // The log is gone, as after a leader's snapshot was installed; an older snapshot alone would lose entries 11 to 20.
        for name in disk.files.keys where name.hasPrefix("raft/log/") { _ = try disk.apply(.remove(file: name)) }
        #expect(try RaftRecovery.recover(disk).snapshot?.index == 20)
        for file in ["raft/snapshots/1-20-1000/meta.json", "raft/snapshots/1-20-1000/state.bin"] {
            let damaged = disk.copy()
            var bytes = try #require(disk.files[file]).contents
            bytes[bytes.count / 2] ^= 4
            damaged.set(file, bytes)
            do {
                _ = try RaftRecovery.recover(damaged)
                Issue.record("started without entries 11 to 20")
            } catch {
                #expect(error.file == file && error.what.contains("entries up to 20 are lost"))
            }
        }
    }

    @Test func `a description without a checksum loads, unless it is not its folder's`() throws {
        let disk = try history()
        let file = "raft/snapshots/1-20-1000/meta.json"
        let text = String(decoding: try #require(disk.files[file]).contents, as: UTF8.self)
        let old = text.prefix(upTo: text.firstRange(of: ",\"MetaCRC\"")!.lowerBound) + "}\n"
        disk.set(file, Array(old.utf8))
        #expect(try RaftRecovery.recover(disk).snapshot?.index == 20)
        disk.set(file, Array(old.replacing("\"Index\":20", with: "\"Index\":28").utf8))
        #expect(try RaftRecovery.recover(disk).snapshot?.index == 10)
    }

    @Test func `compaction keeps at least as many entries as it is asked to`() throws {
        for trailing in [0, 5, 17, 100] as [UInt64] {
            var config = RaftSimulation.quick
            config.trailingLogs = trailing
            let simulation = RaftSimulation(seed: 3, servers: 1, config: config)
            simulation.startAll()
            simulation.run(for: .seconds(1))
            for number in 0..<300 {
                simulation.propose(simulation.leader!, [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 100))
                if number % 50 == 0 { simulation.run(for: .milliseconds(300)) }
            }
            simulation.run(for: .seconds(1))
            let node = try #require(simulation.leader?.node)
            let snapshot = try #require(node.lastSnapshot).index
            #expect(node.firstIndex > 1 && node.firstIndex <= snapshot + 1 - trailing)
        }
    }
}
