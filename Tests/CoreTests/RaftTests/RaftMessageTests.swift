import Foundation
import Testing

@testable import Core

@Suite struct RaftMessageTests {
    @Test func `records, descriptions and sizes that no cluster reaches are refused where they are decoded`() throws {
        for (index, term) in [(UInt64.max, 1), (RaftLimits.indexMax + 1, 1), (1, UInt64.max), (1, RaftLimits.termMax + 1)] {
            var record: [UInt8] = []
            SegmentFormat.append(LogEntry(index: index, term: term, kind: .command, data: [1]), salt: 1, synced: 0, to: &record)
            #expect(SegmentFormat.record(record.span.bytes, at: 0) == nil, "index \(index), term \(term)")
            let meta = SnapshotMeta(
                id: "1-1-1", index: index, term: term, configuration: RaftConfiguration(), configurationIndex: 1, size: 1, checksum: 1)
            #expect(throws: RaftError.self, "index \(index), term \(term)") { try SnapshotMeta(encoded: meta.encoded()) }
        }
        for (size, offset) in [(-1, 0), (1, -1), (1, 2), (RaftLimits.snapshotSizeMax + 1, 0), (Int.max, Int.max), (Int.min, Int.min)] {
            var install = InstallSnapshotRequest()
            (install.term, install.leader, install.lastIndex, install.lastTerm, install.configurationIndex) = (1, [1], 2, 1, 1)
            (install.size, install.offset, install.snapshotID, install.data) = (size, offset, [1], [1])
            let bytes = install.encodedChunk
            #expect(throws: MessagePackError.self, "\(offset) of \(size)") {
                var reader = MessagePackReader(bytes[1...])
                _ = try InstallSnapshotRequest(&reader)
            }
        }
    }

    private struct Exchange {
        var name: String
        var request: [UInt8]
        var response: [UInt8]
    }

    private func bytes(_ text: String) -> [UInt8] {
        let digits = text.utf8.compactMap { hexValue($0) }
        return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    private func vectors(_ key: String) throws -> [[String: Any]] {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let data = try Data(contentsOf: folder.appendingPathComponent("Vectors/rpc-raft.json"))
        let document = try JSONSerialization.jsonObject(with: data) as? [String: Any]
        return document?[key] as? [[String: Any]] ?? []
    }

    private func exchanges() throws -> [Exchange] {
        try vectors("raft_rpc").compactMap { element in
            guard let request = element["request_hex_including_type_byte"] as? String, let name = element["name"] as? String else {
                return nil
            }
            let response = (element["response_error_hex"] as? String ?? "") + (element["response_hex"] as? String ?? "")
            return Exchange(name: name, request: bytes(request), response: bytes(response))
        }
    }

    @Test func `every captured request is encoded again to the same bytes`() throws {
        let exchanges = try exchanges()
        #expect(exchanges.count >= 11)
        for exchange in exchanges {
            let request = try #require(try RaftRequest(exchange.request), "\(exchange.name)")
            let encoded: [UInt8]
            switch request {
            case .appendEntries(let request): encoded = request.encoded
            case .requestVote(let request): encoded = request.encoded(.requestVote)
            case .installSnapshot(let request, let state):
                encoded = request.encoded
                #expect(state.isEmpty)
                #expect(request.configuration.servers.count == 3)
                #expect(request.peers == request.configuration.encodedPeers)
            case .timeoutNow(let version, let term):
                #expect(version == 3)
                encoded = TimeoutNow.encoded(term: term)
            case .requestPreVote(let request): encoded = request.encoded(.requestPreVote)
            case .installChunk(let request): encoded = request.encodedChunk
            }
            #expect(encoded == exchange.request, "\(exchange.name)")
        }
    }

    @Test func `every captured answer is encoded again to the same bytes`() throws {
        for exchange in try exchanges() where !exchange.response.isEmpty {
            var reader = MessagePackReader(exchange.response)
            let failure = try RaftFailure.read(&reader)
            if !failure.isEmpty {
                #expect(RaftFailure.encoded(failure) == exchange.response)
                #expect(failure == RaftProtocol.versionError)
                continue
            }
            let encoded: [UInt8]
            switch exchange.request[0] {
            case 0: encoded = try AppendEntriesResponse(from: &reader).encoded
            case 1: encoded = try VoteResponse(from: &reader).encoded(.requestVote)
            case 2: encoded = try InstallSnapshotResponse(from: &reader).encoded
            default: encoded = TimeoutNow.encodedResponse
            }
            #expect(encoded == exchange.response, "\(exchange.name)")
        }
    }

    @Test func `captured configuration entries are encoded again to the same bytes`() throws {
        var count = 0
        for element in try vectors("log_commands") where element["log_type"] as? Int == 5 {
            let data = bytes(element["data_hex"] as? String ?? "")
            let configuration = try RaftConfiguration(encoded: data)
            #expect(configuration.encoded == data)
            #expect(!configuration.servers.isEmpty)
            count += 1
        }
        #expect(count > 0)
    }

    @Test func `captured chunk descriptions are encoded again to the same bytes`() {
        for (text, sequence) in [("08b2e6b0d6d790aace261802", UInt32(0)), ("08b2e6b0d6d790aace2610011802", 1)] {
            let info = ChunkInfo(encoded: bytes(text))
            #expect(info?.sequence == sequence)
            #expect(info?.count == 2)
            #expect(info?.encoded == bytes(text))
        }
        #expect(ChunkInfo(encoded: [0x08]) == nil)
        #expect(ChunkInfo(encoded: [0x22, 0x05, 1]) == nil)
        let whole = [UInt8](repeating: 7, count: ChunkInfo.chunkSize * 2 + 5)
        let proposals = ChunkInfo.proposals(token: 9, command: whole, operation: 77)
        #expect(proposals.map(\.data.count) == [ChunkInfo.chunkSize, ChunkInfo.chunkSize, 5])
        #expect(proposals.map(\.token) == [0, 0, 9])
        #expect(proposals.flatMap(\.data) == whole)
        #expect(ChunkInfo(encoded: proposals[2].extensions) == ChunkInfo(operation: 77, sequence: 2, count: 3))
    }

    @Test func `messages of our own are read back as they were written`() throws {
        var request = InstallSnapshotRequest(term: 3, leader: [1], lastIndex: 5, lastTerm: 2, configuration: StorageHistory.configuration)
        request.configurationIndex = 1
        request.size = 10
        request.snapshotID = [2]
        request.checksum = 99
        request.offset = 4
        request.data = [1, 2, 3]
        guard case .installChunk(let read)? = try RaftRequest(request.encodedChunk) else { throw RaftError.notLeader }
        #expect(read == request)
        let vote = VoteRequest(term: 4, candidate: [9], lastIndex: 3, lastTerm: 2)
        guard case .requestPreVote(let readVote)? = try RaftRequest(vote.encoded(.requestPreVote)) else { throw RaftError.notLeader }
        #expect(readVote == vote)
        #expect(try RaftRequest([200, 0x80]) == nil)
        #expect(try RaftRequest([]) == nil)
    }

    @Test func `no bytes make a decoder trap`() throws {
        var random = Random(seed: 5)
        for exchange in try exchanges() {
            for _ in 0..<300 {
                var bytes = exchange.request
                for _ in 0..<Int(random.next() % 4 + 1) where !bytes.isEmpty {
                    let at = Int(random.next() % UInt64(bytes.count))
                    if random.chance(0.5) {
                        bytes[at] = UInt8(truncatingIfNeeded: random.next())
                    } else {
                        bytes.removeLast(min(bytes.count, at % 7 + 1))
                    }
                }
                _ = try? RaftRequest(bytes)
                var reader = MessagePackReader(bytes)
                _ = try? AppendEntriesResponse(from: &reader)
                _ = VoteRecord(encoded: bytes[...])
                _ = ChunkInfo(encoded: bytes)
                _ = try? SnapshotMeta(encoded: bytes)
                _ = SegmentFormat.header(bytes.span.bytes)
                for at in 0..<bytes.count { _ = SegmentFormat.record(bytes.span.bytes, at: at) }
            }
        }
    }

    @Test func `checksums are those of the standards`() {
        #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xE306_9283)
        var checksum = CRC64()
        checksum.update(Array("1234".utf8))
        checksum.update(Array("56789".utf8))
        #expect(checksum.value == 0x995D_C9BB_DF19_39FA)
    }

    @Test func `meta.json is the reference's`() throws {
        let servers = #"{"Servers":[{"Suffrage":0,"ID":"fe50","Address":"127.0.0.1:20611"}]}"#
        let head = #"{"Version":1,"ID":"2-47-1795237618499","Index":47,"Term":2,"Peers":"ka8xMjcuMC4wLjE6MjA2MTE=","Configuration":"#
        let text = head + servers + #","ConfigurationIndex":21,"Size":11315,"CRC":"KKMEfZBi+TY="}"# + "\n"
        let meta = try SnapshotMeta(encoded: Array(text.utf8))
        #expect(meta.index == 47)
        #expect(meta.configuration.servers == [RaftServer(id: "fe50", address: "127.0.0.1:20611")])
        // The file's own checksum is an addition.
        let own = String(decoding: meta.encoded(), as: UTF8.self)
        #expect(own.hasPrefix(text.dropLast(2) + #","MetaCRC":""#) && own.utf8.count == text.utf8.count + 21)
        #expect(try SnapshotMeta(encoded: Array(own.utf8)) == meta)
        #expect(throws: RaftError.snapshot("unsupported snapshot version 9")) { try SnapshotMeta(encoded: Array(#"{"Version":9}"#.utf8)) }
    }

    @Test func `configurations change as the reference changes them`() throws {
        var configuration = StorageHistory.configuration
        configuration = try configuration.applying(.addNonvoter(id: "s2", address: "b"))
        #expect(configuration["s2"]?.suffrage == .nonvoter)
        configuration = try configuration.applying(.addVoter(id: "s2", address: "b"))
        #expect(configuration.voterCount == 2)
        configuration = try configuration.applying(.addNonvoter(id: "s2", address: "c"))
        #expect(configuration["s2"] == RaftServer(suffrage: .voter, id: "s2", address: "c"))
        configuration = try configuration.applying(.demoteVoter(id: "s2"))
        #expect(configuration.voterCount == 1)
        #expect(throws: RaftError.self) { try configuration.applying(.removeServer(id: "s1")) }
        #expect(throws: RaftError.configuration("Found duplicate address in configuration: c")) {
            try configuration.applying(.addVoter(id: "s3", address: "c"))
        }
        configuration = try configuration.applying(.removeAddress("c"))
        #expect(configuration == StorageHistory.configuration)
        let old = try RaftConfiguration(encodedPeers: configuration.encodedPeers)
        #expect(old.servers == [RaftServer(id: "10.0.0.1:8300", address: "10.0.0.1:8300")])
    }
}
