import Foundation
import Testing

@testable import Core

@Suite struct SnapshotStreamTests {
    private func vectors() throws -> [[String: Any]] {
        let object = try JSONSerialization.jsonObject(with: vectorFile("rpc-raft.json")) as? [String: Any]
        return try #require(object?["snapshot_rpc"] as? [[String: Any]])
    }

    @Test func `requests and responses are those of the reference`() throws {
        for vector in try vectors() {
            let bytes = hex(vector["request_hex"] as? String ?? "")
            var reader = MessagePackReader(bytes)
            let request = try SnapshotRequest(from: &reader)
            #expect(request.datacenter == "dc1" && !request.allowStale && request.encoded == bytes)
            let answer = hex(vector["response_hex"] as? String ?? "")
            reader = MessagePackReader(answer)
            let response = try SnapshotResponse(from: &reader)
            #expect(response.encoded == answer && response.error.isEmpty)
            #expect(request.operation == (response.meta.index == 46 ? SnapshotRequest.save : SnapshotRequest.restore))
        }
    }

    private func state(of store: Store) -> [UInt8] {
        var encoder = SnapshotEncoder(store)
        var state: [UInt8] = []
        while let piece = encoder.next(maxBytes: 1 << 16) { state += piece }
        return state
    }

    @Test func `an archive is made by the leader, whoever is asked, or by a server that may be behind`() throws {
        let cluster = try ServerCluster.formed()
        #expect(cluster.put("kept", at: "s1"))
        cluster.run(for: .seconds(1))
        let leader = try #require(cluster.leader)
        let server = cluster.server(leader)
        for name in cluster.names {
            for stale in [false, true] {
                let (archive, meta) = try #require(try cluster.save(stale: stale, at: name))
                #expect(meta.knownLeader && (meta.lastContact == .zero) == (!stale || name == leader))
                var reader = ArchiveReader(archive, tools: PlainArchives())
                var found: [UInt8] = [], description: ArchiveDescription?
                while description == nil {
                    switch try reader.next() {
                    case .state(let piece): found += piece
                    case .working: break
                    case .done(let done): description = done
                    }
                }
                #expect(description?.index == meta.index && description?.size == Int64(found.count) && description?.version == 1)
                #expect(meta.index <= server.appliedIndex && found == state(of: server.store))
            }
        }
        #expect(cluster.names.allSatisfy { cluster.server($0).snapshots.jobs.isEmpty && cluster.server($0).calls.incomingCount == 0 })
    }

    @Test func `an archive is restored everywhere, from whatever server it is brought to`() throws {
        let cluster = try ServerCluster.formed()
        #expect(cluster.put("old", at: "s1"))
        let (archive, _) = try #require(try cluster.save(at: "s1"))
        let leader = try #require(cluster.leader)
        for name in cluster.names {
            #expect(cluster.put("new", at: name))
            let index = cluster.server(leader).raft.lastLogIndex
            #expect(cluster.operate(.restoreSnapshot(archive), at: name) == .success(.done))
            #expect(cluster.server(leader).store.kvs["new"] == nil)
            cluster.run(for: .seconds(3))
            for other in cluster.names {
                let server = cluster.server(other)
                #expect(server.store.kvs["old"] != nil && server.store.kvs["new"] == nil && server.appliedIndex > index)
            }
        }
        #expect(cluster.put("after", at: "s2"))
    }

    @Test func `what cannot be restored changes nothing and is refused in the reference's words`() throws {
        let cluster = try ServerCluster.formed()
        #expect(cluster.put("kept", at: "s1"))
        let (archive, _) = try #require(try cluster.save(at: "s1"))
        let leader = try #require(cluster.leader), follower = cluster.names.first { $0 != leader }!
        let digest = cluster.server(leader).store.digest
        func refusal(_ archive: [UInt8], _ name: String? = nil, stale: Bool = false) -> String? {
            var options = QueryOptions()
            options.allowStale = stale
            guard case .failure(let error)? = cluster.operate(.restoreSnapshot(archive), options, at: name ?? leader) else { return nil }
            return error.text
        }
        // A follower gives the same text: the way to the leader adds no prefix.
        for name in [leader, follower] {
            #expect(refusal([], name) == "failed to decompress snapshot: EOF")
            #expect(refusal([1, 2], name) == "failed to decompress snapshot: unexpected EOF")
            #expect(refusal(Array("this is no archive".utf8), name) == "failed to decompress snapshot: gzip: invalid header")
            #expect(refusal(archive, name, stale: true) == "stale not allowed for restore")
        }
        var meta = SnapshotMeta(id: "2-7-1", index: 7, term: 2, configuration: RaftConfiguration(), configurationIndex: 1)
        func pack(_ state: [UInt8], size: Int? = nil, version: Int = 1) throws -> [UInt8] {
            meta.size = state.count
            var writer = ArchiveWriter(meta, tools: PlainArchives(), unixSeconds: 0)
            writer.add(state)
            var tar = try PlainArchives.unpacked(writer.finish())
            let name = Array("\"Size\":\(state.count)".utf8), other = Array("\"Size\":\(size ?? state.count)".utf8)
            var description = meta.encoded(withChecksum: false)
            let old = description
            if let at = description.firstRange(of: name) { description.replaceSubrange(at, with: other) }
            if let at = description.firstRange(of: Array("\"Version\":1".utf8)) {
                description.replaceSubrange(at, with: Array("\"Version\":\(version)".utf8))
            }
            // Of the same length, so that only the description and its sum change.
            try #require(description.count == old.count)
            tar.replaceSubrange(512..<512 + old.count, with: description)
            func sum(_ bytes: [UInt8]) -> [UInt8] {
                let digest = PlainArchives().makeDigest()
                digest.add(bytes[...])
                return digest.finish().flatMap { [hexDigit($0 >> 4), hexDigit($0 & 15)] }
            }
            if let at = tar.firstRange(of: sum(old)) { tar.replaceSubrange(at, with: sum(description)) }
            return PlainArchives.packed(tar)
        }
        let good = state(of: cluster.server(leader).store)
        let raft = "Raft error when restoring snapshot: "
        #expect(refusal(try pack(good, version: 9)) == raft + "unsupported snapshot version 9")
        let wrong = String(good.count).map { $0 == "9" ? "8" : "9" }.joined()
        #expect(
            refusal(try pack(good, size: Int(wrong)!)) == raft + "failed to write snapshot, size didn't match (\(good.count) != \(wrong))")
        #expect(refusal(try pack(Array(good.dropLast(2))))?.hasPrefix(raft + "failed to restore snapshot: ") == true)
        let beyond: [(UInt64, UInt64)] = [(.max, 2), (.max - 1, 2), (.max - 20, 2), (RaftLimits.archiveIndexMax + 1, 2), (7, .max)]
        for (index, term) in beyond {
            (meta.index, meta.term) = (index, term)
            let what = index == 7 ? "Term \(term)" : "Index \(index)"
            let text = "failed to read snapshot file: failed to decode snapshot metadata: \(what) is beyond any that a cluster reaches"
            for name in [leader, follower] { #expect(refusal(try pack(good), name) == text) }
            #expect(Answer.failure(text).status == 400)
        }
        #expect(cluster.server(leader).store.digest == digest && !cluster.server(leader).state.isBringing)
        (meta.index, meta.term) = (7, 2)
        #expect(refusal(try pack(good)) == nil)
    }

    @Test func `without a leader a snapshot request is refused at once, unless it may be stale`() throws {
        let cluster = try ServerCluster.formed()
        #expect(cluster.put("kept", at: "s1"))
        cluster.run(for: .seconds(1))
        cluster.kill("s1")
        cluster.kill("s2")
        cluster.run(for: .seconds(5))
        let start = cluster.now
        #expect(cluster.operate(.saveSnapshot, at: "s3") == .failure(.noLeader))
        #expect(cluster.operate(.restoreSnapshot([]), at: "s3") == .failure(.noLeader))
        #expect(cluster.now - start < .milliseconds(100))
        let (_, meta) = try #require(try cluster.save(stale: true, at: "s3"))
        #expect(!meta.knownLeader && meta.lastContact > .seconds(1))
    }

    /// The answer to bytes that come over a connection of their own.
    private func stream(_ bytes: [UInt8], to server: Server, at now: Instant) -> SnapshotResponse? {
        server.called(CallID(incoming: 1 << 50), from: "10.0.0.7:1", .snapshot, bytes, at: now)
        var effects: [ServerEffect] = []
        _ = server.takeOutput(into: &effects)
        for case .reply(_, let bytes) in effects {
            var reader = MessagePackReader(bytes)
            return try? SnapshotResponse(from: &reader)
        }
        return nil
    }

    @Test func `requests that make no sense are refused`() throws {
        let cluster = ServerCluster()
        try cluster.start(cluster.settings("s1", bootstrap: true))
        cluster.run(for: .seconds(5))
        let server = cluster.server("s1")
        var request = SnapshotRequest()
        #expect(stream(request.encoded, to: server, at: cluster.now)?.error == "No path to datacenter")
        request.datacenter = "dc1"
        for (operation, name) in [(7, #"'\a'"#), (2, #"'\x02'"#), (65, "'A'"), (39, #"'\''"#), (-1, "'\u{FFFD}'")] as [(Int64, String)] {
            request.operation = operation
            #expect(stream(request.encoded, to: server, at: cluster.now)?.error == "unrecognized snapshot op \(name)")
        }
        #expect(stream([0xC3], to: server, at: cluster.now) == nil)
        // The number of archives at a time is bounded.
        request.operation = SnapshotRequest.restore
        for _ in 0..<SnapshotWork.jobsMax { #expect(stream(request.encoded, to: server, at: cluster.now) == nil) }
        #expect(
            stream(request.encoded, to: server, at: cluster.now)?.error
                == "Raft error when restoring snapshot: other snapshots are in progress")
        cluster.run(for: .seconds(1))
        #expect(server.snapshots.jobs.isEmpty)
    }

    @Test(arguments: 0..<24) func `a leader that dies while it restores leaves the old state or the new one`(step: Int) throws {
        let cluster = try ServerCluster.formed()
        #expect(cluster.put("old", at: "s1"))
        let (archive, _) = try #require(try cluster.save(at: "s1"))
        #expect(cluster.put("new", at: "s1"))
        cluster.run(for: .milliseconds(500))
        let leader = try #require(cluster.leader)
        cluster.server(leader).execute(
            .operation(.restoreSnapshot(archive), QueryOptions()), for: .client(RequestID(1 << 40)), at: cluster.now)
        cluster.run(for: .microseconds(100) * step)
        cluster.kill(leader)
        var random = Random(seed: UInt64(step))
        cluster.machines[leader]!.disk.crash(&random)
        try cluster.start(cluster.machines[leader]!.settings)
        #expect(cluster.run(upTo: .seconds(20)) { cluster.leader != nil && cluster.put("after", at: cluster.names[0]) })
        cluster.run(for: .seconds(5))
        let stores = cluster.names.map { cluster.server($0).store }
        #expect(stores.count == 3 && stores.allSatisfy { $0.digest == stores[0].digest })
        #expect(stores[0].kvs["old"] != nil && stores[0].kvs["after"] != nil)
    }
}
