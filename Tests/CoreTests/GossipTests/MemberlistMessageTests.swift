import Foundation
import Testing

@testable import Core

@Suite struct MemberlistMessageTests {
    let vectors = try? MemberlistVectors()

    private func vector(_ name: String) throws -> [UInt8] { try #require(vectors)[name] }

    private func expectSame<T: MemberlistMessage & Hashable>(_ name: String, _ expected: T) throws {
        let bytes = try vector(name)
        #expect(bytes.first == T.type.rawValue)
        #expect(try T(bytes[1...]) == expected, "\(name)")
        #expect(expected.encoded == bytes, "\(name)")
    }

    private func expectSame<T: MemberlistMessage>(_ type: T.Type, _ bytes: [UInt8], _ name: String) throws {
        #expect(bytes.first == T.type.rawValue)
        #expect(try T(bytes[1...]).encoded == bytes, "\(name)")
    }

    @Test func `pings are those of the reference`() throws {
        let source = PingSource(address: [10, 0, 0, 1], port: 8301, node: "srv1")
        try expectSame("ping", PingMessage(sequence: 42, node: "srv2", source: source))
        try expectSame("ping_minimal", PingMessage(sequence: 1, node: "srv2"))
        try expectSame("ping_large_seq", PingMessage(sequence: 70_000))
        try expectSame(
            "indirect_ping",
            IndirectPingMessage(sequence: 300, target: [10, 0, 0, 3], port: 8301, node: "srv3", nack: true, source: source))
        try expectSame(PingMessage.self, vector("captured_ping"), "captured_ping")
        try expectSame(IndirectPingMessage.self, vector("captured_indirect_ping"), "captured_indirect_ping")
    }

    @Test func `acks and nacks are those of the reference`() throws {
        try expectSame("ack_no_payload", AckMessage(sequence: try AckMessage(vector("ack_no_payload")[1...]).sequence))
        for name in ["ack_with_coordinate", "captured_ack_coordinate", "captured_ack_relayed"] {
            try expectSame(AckMessage.self, vector(name), name)
        }
        try expectSame("captured_ack_relayed", AckMessage(sequence: 5_001))
        try expectSame("captured_nack", NackMessage(sequence: 5_002))
        try expectSame(NackMessage.self, vector("nack"), "nack")
    }

    @Test func `claims about nodes are those of the reference`() throws {
        try expectSame("suspect", SuspectMessage(accusation: Accusation(incarnation: 5, node: "srv3", from: "srv1")))
        try expectSame("dead", DeadMessage(accusation: Accusation(incarnation: 5, node: "srv3", from: "srv1")))
        try expectSame("dead_leave", DeadMessage(accusation: Accusation(incarnation: 6, node: "srv3", from: "srv3")))
        let alive = try AliveMessage(try vector("alive_server")[1...])
        #expect(alive.node == "srv1")
        #expect(alive.incarnation == 7)
        #expect(NodeAddress(alive.address, port: alive.port)?.text == "10.0.0.1:8301")
        #expect(MemberVersions(alive.versions)?.bytes == [1, 5, 2, 2, 5, 4])
        #expect(alive.encoded == (try vector("alive_server")))
        try expectSame("err", ErrorMessage(text: "Remote state is encrypted and encryption is not configured"))
    }

    @Test func `compounds come apart and together`() throws {
        for name in ["compound_ping_suspect", "packet_compound_alive_join"] {
            let bytes = try vector(name)
            let (parts, truncated) = try #require(MessageWrappers.parts(of: bytes[1...]))
            #expect(truncated == 0)
            let expected = try #require(vectors).decoded(name)["parts"] as? [String]
            #expect(parts.map { Array($0) } == expected?.compactMap { vectors?.bytes($0) })
            #expect(MessageWrappers.compound(parts.map { Array($0) }[...]) == bytes)
        }
    }

    @Test func `a compound that is cut off gives what is whole`() throws {
        let bytes = try vector("compound_ping_suspect")
        let cut = try #require(MessageWrappers.parts(of: bytes[1..<bytes.count - 1]))
        #expect(cut.parts.count == 1)
        #expect(cut.truncated == 1)
        #expect(MessageWrappers.parts(of: bytes[1..<5]) == nil)
        #expect(MessageWrappers.parts(of: []) == nil)
        #expect(MessageWrappers.parts(of: [200, 0, 1]) == nil)
    }

    @Test func `checksums are those of the reference`() throws {
        let bytes = try vector("crc_suspect")
        #expect(MessageWrappers.checksummed(Array(bytes[5...])) == bytes)
        for name in ["captured_ping_suspect", "captured_suspect", "captured_dead", "captured_gossip", "captured_user_event"] {
            let bytes = try vector(name)
            #expect(MessageWrappers.checksummed(Array(bytes[5...])) == bytes, "\(name)")
        }
    }

    @Test func `compressed messages are those of the reference`() throws {
        let wrapped = [
            "compressed_alive": 0, "captured_ping_piggyback": 0, "captured_tcp_ping": 0, "captured_tcp_ack": 0, "captured_tcp_error": 0,
            "captured_query_response_conflict": 0, "captured_pushpull_stream": 0, "pushpull_stream_compressed": 0, "captured_gossip": 5,
        ]
        for (name, skipped) in wrapped {
            let bytes = Array(try vector(name).dropFirst(skipped))
            let plain = try MessageWrappers.decompressed(bytes[1...], limit: 1 << 20)
            #expect(MessageWrappers.compressed(plain) == bytes, "\(name)")
        }
        let alive = try vector("alive_server")
        #expect(try MessageWrappers.decompressed(vector("compressed_alive")[1...], limit: 1 << 20) == alive)
        // Compression makes this message longer.
        #expect(MessageWrappers.compressedIfShorter(alive) == nil)
        let conflict = try vector("captured_query_response_conflict")
        #expect(MessageWrappers.compressedIfShorter(try MessageWrappers.decompressed(conflict[1...], limit: 1 << 20)) == conflict)
    }

    @Test func `an unknown compression is told by its number`() {
        let bytes = CompressedMessage(algorithm: 7, buffer: [1]).encoded
        #expect(throws: MessageWrappers.DecompressionError.unknownAlgorithm(7)) {
            try MessageWrappers.decompressed(bytes[1...], limit: 10)
        }
        #expect(MessageWrappers.DecompressionError.unknownAlgorithm(7).text == "Cannot decompress unknown algorithm 7")
    }

    @Test func `push-pulls are those of the reference`() throws {
        let plain = try vector("pushpull_stream_plain")
        let message = try PushPull(plain[1...])
        #expect(message.join)
        #expect(message.nodes.map(\.name).first == "srv1")
        #expect(message.nodes.count == 2)
        #expect(message.userState.count == 134)
        #expect(message.encoded == plain)
        let captured = try MessageWrappers.decompressed(try vector("captured_pushpull_stream")[1...], limit: 1 << 20)
        let state = try PushPull(captured[1...])
        #expect(state.userState.count == 636)
        #expect(state.encoded == captured)
        #expect(MessageWrappers.compressed(plain) == (try vector("pushpull_stream_compressed")))
    }

    @Test func `user messages on streams have a length`() throws {
        let bytes = try vector("user_msg_stream")
        var reader = MessagePackReader(bytes[1...])
        #expect(try UserHeader(from: &reader) == UserHeader(length: 5))
        #expect(Array(reader.rest) == [1, 0x80, 1, 2, 3])
        var writer = MessagePackWriter()
        UserHeader(length: 5).write(to: &writer)
        #expect([MessageType.user.rawValue] + writer.bytes + [1, 0x80, 1, 2, 3] == bytes)
    }

    @Test func `structs may come as arrays, in any order, with more or fewer fields`() throws {
        // [5, "srv3", "srv1", "more"]
        let array: [UInt8] = [0x94, 5, 0xA4] + "srv3".utf8 + [0xA4] + "srv1".utf8 + [0xA4] + "more".utf8
        #expect(try SuspectMessage(array[...]).accusation == Accusation(incarnation: 5, node: "srv3", from: "srv1"))
        #expect(try SuspectMessage(array[0..<2].map { $0 == 0x94 ? 0x91 : $0 }[...]).accusation.incarnation == 5)
        // {"X": [1, 2], "Node": "a" as str8, "Incarnation": u64 5}
        let map: [UInt8] =
            [0x83, 0xA1, 0x58, 0x92, 1, 2, 0xA4] + "Node".utf8 + [0xD9, 1, 0x61, 0xAB] + "Incarnation".utf8 + [
                0xCF, 0, 0, 0, 0, 0, 0, 0, 5,
            ]
        #expect(try DeadMessage(map[...]).accusation == Accusation(incarnation: 5, node: "a", from: ""))
        #expect(try NackMessage([0x80]) == NackMessage())
        #expect(try NackMessage([0xC0]) == NackMessage())
    }

    @Test func `numbers that do not fit are errors`() {
        let tooLarge: [UInt8] = [0x81, 0xA5] + "SeqNo".utf8 + [0xCF, 0, 0, 0, 1, 0, 0, 0, 0]
        #expect(throws: MessagePackError.outOfRange) { try NackMessage(tooLarge[...]) }
        let negative: [UInt8] = [0x81, 0xA5] + "SeqNo".utf8 + [0xFF]
        #expect(throws: MessagePackError.outOfRange) { try NackMessage(negative[...]) }
        func state(_ nodes: [UInt8]) -> [UInt8] { [0x82, 0xA5] + "Nodes".utf8 + nodes + [0xA4] + "Join".utf8 + [0xC2] }
        #expect(throws: MessagePackError.outOfRange) { try PushPull(state([0xCE, 0xFF, 0xFF, 0xFF, 0xFF])[...]) }
        #expect(throws: MessagePackError.truncated) { try PushPull(state([0xCD, 0xFF, 0xFF])[...]) }
    }
}

@Suite struct MemberlistCompressionTests {
    @Test func `codes are those of the reference`() throws {
        let vectors = try MemberlistVectors()
        for name in ["lzw_empty", "lzw_a", "lzw_aaaaaaaaaa", "lzw_tobeornot"] {
            let plain = vectors.bytes(vectors.decoded(name)["plain"] as? String ?? "")
            #expect(LZW.compress(plain) == vectors[name], "\(name)")
            #expect(try LZW.decompress(vectors[name][...], limit: 100) == plain, "\(name)")
        }
    }

    @Test func `the table is cleared when it is full`() throws {
        let vectors = try MemberlistVectors()
        var state: UInt32 = 1
        let plain: [UInt8] = (0..<20_000).map { _ in
            state = state &* 1_103_515_245 &+ 12_345
            return UInt8(truncatingIfNeeded: state >> 16)
        }
        #expect(CRC32.checksum(plain[...]) == 0xFCAB_31C2)
        let packed = try #require(LZW.compress(plain))
        #expect(Array(packed.prefix(64)) == vectors["lzw_table_reset"])
        #expect(packed.count == 27_354)
        #expect(CRC32.checksum(packed[...]) == 0x5A4A_CDE0)
        #expect(try LZW.decompress(packed[...], limit: 20_000) == plain)
        #expect(throws: LZW.Failure.tooLong) { try LZW.decompress(packed[...], limit: 19_999) }
    }

    @Test func `whatever is compressed comes back`() throws {
        var random = Random(seed: 7)
        for round in 0..<200 {
            let alphabet = UInt8.random(in: 1...255, using: &random)
            let plain = (0..<Int.random(in: 0..<(round * 40 + 1), using: &random)).map { _ in
                UInt8.random(in: 0...alphabet, using: &random)
            }
            let packed = try #require(LZW.compress(plain))
            #expect(try LZW.decompress(packed[...] + [1, 2, 3], limit: plain.count) == plain)
            #expect(LZW.compress(plain, limit: packed.count) == packed)
            #expect(LZW.compress(plain, limit: packed.count - 1) == nil)
        }
    }

    @Test func `damaged codes are errors`() throws {
        let packed = try #require(LZW.compress(Array("TOBEORNOTTOBEORTOBEORNOT".utf8)))
        for end in 0..<packed.count - 1 {
            #expect(throws: LZW.Failure.truncated) { try LZW.decompress(packed[..<end], limit: 100) }
        }
        // 300 right after the clear code.
        #expect(throws: LZW.Failure.invalidCode) { try LZW.decompress([0x00, 0x59, 0x02, 0x00], limit: 100) }
        var random = Random(seed: 11)
        for _ in 0..<3_000 {
            let noise = (0..<Int.random(in: 0..<60, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            let result = try? LZW.decompress(noise[...], limit: 1_000)
            #expect(result.map { $0.count <= 1_000 } ?? true)
        }
    }
}
