import Foundation
import Testing

@testable import Core

@Suite struct MemberlistSealTests {
    private let cipher = MemberlistToyCipher()
    private let first = [UInt8](repeating: 1, count: 16), second = [UInt8](repeating: 2, count: 32)
    private let nonce = [UInt8](0..<12)

    /// Gives what it was told to, as AES would.
    private struct Oracle: GossipCipher {
        var plaintext: [UInt8]
        var sealed: [UInt8]

        func seal(_ plaintext: [UInt8], key: [UInt8], nonce: [UInt8], additionalData: [UInt8]) -> [UInt8] {
            plaintext == self.plaintext ? sealed : []
        }
        func open(_ sealed: ArraySlice<UInt8>, key: [UInt8], nonce: ArraySlice<UInt8>, additionalData: [UInt8]) -> [UInt8]? {
            Array(sealed) == self.sealed ? plaintext : nil
        }
    }

    private func ring(_ keys: [UInt8]...) throws -> GossipKeyring { try GossipKeyring(Array(keys.dropFirst()), primary: keys[0]) }

    @Test func `the framing is that of the reference`() throws {
        let vectors = try MemberlistVectors()
        let packets: [(String, UInt8)] = [("encrypted_v1_packet", 1), ("encrypted_v1_packet_aes256", 1), ("encrypted_v0_packet", 0)]
        for (name, version) in packets {
            let packet = vectors[name]
            let message = vectors.bytes(vectors.decoded(name)["plaintext"] as? String ?? "")
            let padding = version == 0 ? 16 - message.count % 16 : 0
            let oracle = Oracle(
                plaintext: message + [UInt8](repeating: UInt8(padding), count: padding), sealed: Array(packet.dropFirst(13)))
            let sealed = GossipSeal.seal(
                message, version: version, key: first, nonce: Array(packet[1..<13]), additionalData: [], cipher: oracle)
            #expect(sealed == packet, "\(name)")
            #expect(GossipSeal.sealedLength(message.count, version: version) == packet.count)
            #expect(try GossipSeal.open(packet[...], keyring: ring(first), additionalData: [], cipher: oracle) == message)
        }
    }

    @Test func `any key of the ring opens`() throws {
        for version in [0, 1] as [UInt8] {
            for length in [1, 15, 16, 17, 100] {
                let message = (0..<length).map { UInt8($0) }
                let sealed = GossipSeal.seal(
                    message, version: version, key: second, nonce: nonce, additionalData: [9], cipher: cipher)
                #expect(sealed.count == GossipSeal.sealedLength(length, version: version))
                let opened = try GossipSeal.open(sealed[...], keyring: ring(first, second), additionalData: [9], cipher: cipher)
                #expect(opened == message)
                #expect(throws: GossipSeal.Failure.noKey) {
                    try GossipSeal.open(sealed[...], keyring: ring(first), additionalData: [9], cipher: cipher)
                }
                #expect(throws: GossipSeal.Failure.noKey) {
                    try GossipSeal.open(sealed[...], keyring: ring(second), additionalData: [], cipher: cipher)
                }
            }
        }
    }

    @Test func `a bad seal is refused with its reason`() throws {
        let keyring = try ring(first)
        func failure(_ bytes: [UInt8], _ cipher: any GossipCipher) -> String? {
            do throws(GossipSeal.Failure) {
                _ = try GossipSeal.open(bytes[...], keyring: keyring, additionalData: [], cipher: cipher)
                return nil
            } catch {
                return error.text
            }
        }
        #expect(failure([2, 0, 0], cipher) == "Unsupported encryption version 2")
        #expect(failure([1] + nonce + [UInt8](repeating: 0, count: 15), cipher) == "Payload is too small to decrypt: 28")
        #expect(failure([0] + nonce + [UInt8](repeating: 0, count: 31), cipher) == "Payload is too small to decrypt: 44")
        #expect(failure([1] + nonce + [UInt8](repeating: 0, count: 16), cipher) == "No installed keys could decrypt the message")
        #expect(failure([], cipher) == "Cannot decrypt empty payload")
        for padding in [0, 17, 255] as [UInt8] {
            let body = [UInt8](repeating: 7, count: 15) + [padding]
            let sealed = [0] + nonce + cipher.seal(body, key: first, nonce: nonce, additionalData: [])
            #expect(failure(sealed, cipher) == "Payload has a bad padding")
        }
    }

    @Test func `the first key of the ring is primary, and is not removed`() throws {
        var keyring = try ring(first)
        #expect(throws: GossipKeyring.Failure.badLength) { try keyring.add([1, 2, 3]) }
        try keyring.add(second)
        try keyring.add(first)
        let third = [UInt8](repeating: 3, count: 24)
        try keyring.add(third)
        #expect(keyring.keys == [first, second, third])
        try keyring.use(third)
        #expect(keyring.keys == [third, first, second])
        #expect(throws: GossipKeyring.Failure.unknownKey) { try keyring.use([1]) }
        #expect(throws: GossipKeyring.Failure.removesPrimary) { try keyring.remove(third) }
        try keyring.remove([1])
        try keyring.remove(first)
        #expect(keyring.keys == [third, second])
        #expect(GossipKeyring.Failure.removesPrimary.text == "Removing the primary key is not allowed")
    }
}

@Suite struct GossipStreamTests {
    @Test func `every stream of the reference ends where it ends`() throws {
        let vectors = try MemberlistVectors()
        let names = [
            "pushpull_stream_plain", "pushpull_stream_compressed", "pushpull_stream_encrypted", "captured_pushpull_stream",
            "captured_pushpull_stream_encrypted", "captured_tcp_ping", "captured_tcp_ack", "captured_tcp_error", "user_msg_stream", "ping",
            "err", "ack_with_coordinate",
        ]
        for name in names {
            let bytes = vectors[name]
            #expect(StreamPrefix(bytes) == .complete(bytes.count), "\(name)")
            #expect(StreamPrefix(bytes + [1, 2]) == .complete(bytes.count), "\(name)")
            for end in 0..<bytes.count {
                #expect(StreamPrefix(Array(bytes[..<end])) == .needsMore, "\(name) cut to \(end)")
            }
        }
    }

    @Test func `what is no stream is told at once`() {
        #expect(StreamPrefix([]) == .needsMore)
        for type in [1, 3, 4, 5, 7, 11, 12, 14, 244] as [UInt8] { #expect(StreamPrefix([type]) == .malformed) }
        #expect(StreamPrefix([10, 0x01, 0x40, 0, 1]) == .malformed)
        #expect(StreamPrefix([10, 0x01, 0x40, 0, 0]) == .needsMore)
        #expect(StreamPrefix([10, 0, 0, 0, 0]) == .complete(5))
        // A header that is no map.
        #expect(StreamPrefix([6, 0xA1, 0x41]) == .malformed)
        // Negative lengths.
        #expect(StreamPrefix([8, 0x81, 0xAA] + "UserMsgLen".utf8 + [0xFF]) == .malformed)
        #expect(StreamPrefix([6, 0x81, 0xA5] + "Nodes".utf8 + [0xD3, 0x80, 0, 0, 0, 0, 0, 0, 0]) == .malformed)
    }
}
