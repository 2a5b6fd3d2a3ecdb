import Core
import Foundation
import Testing

@testable import Runtime

@Suite struct AESGCMTests {
    private struct Vector {
        var name: String
        var key: [UInt8]
        var nonce: [UInt8]
        var additionalData: [UInt8]
        /// Ciphertext and tag.
        var sealed: [UInt8]
        var plaintext: [UInt8]
    }

    private static func bytes(_ hex: String) -> [UInt8] {
        let digits = Array(hex.utf8).map { UInt8(UnicodeScalar($0).properties.numericType == nil ? $0 - 87 : $0 - 48) }
        return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    /// Packets and streams that the reference's library encrypted: version, nonce, ciphertext and tag, behind a header for streams.
    private static func vectors() throws -> [Vector] {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../CoreTests/Vectors/gossip.json")
        let object = try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [[String: Any]] ?? []
        return object.compactMap { entry in
            guard let key = entry["key_base64"] as? String, let data = Data(base64Encoded: key), let hex = entry["hex"] as? String,
                let decoded = entry["decoded"] as? [String: Any], let plaintext = decoded["plaintext"] as? String
            else { return nil }
            var packet = bytes(hex)
            var header: [UInt8] = []
            if packet.first == 10 {
                header = Array(packet.prefix(5))
                packet.removeFirst(5)
            }
            var plain = bytes(plaintext)
            if packet.first == 0 {
                let padding = 16 - plain.count % 16
                plain += [UInt8](repeating: UInt8(padding), count: padding)
            }
            return Vector(
                name: entry["name"] as? String ?? "", key: Array(data), nonce: Array(packet[1..<13]), additionalData: header,
                sealed: Array(packet[13...]), plaintext: plain)
        }
    }

    @Test func `the reference's encrypted messages open, and are sealed to the same bytes`() throws {
        let vectors = try Self.vectors()
        #expect(vectors.count >= 3)
        let cipher = AESGCM()
        for vector in vectors {
            let opened = cipher.open(
                vector.sealed[...], key: vector.key, nonce: vector.nonce[...], additionalData: vector.additionalData)
            #expect(opened == vector.plaintext, "\(vector.name)")
            let sealed = cipher.seal(vector.plaintext, key: vector.key, nonce: vector.nonce, additionalData: vector.additionalData)
            #expect(sealed == vector.sealed, "\(vector.name)")
        }
    }

    @Test(arguments: [16, 24, 32]) func `what is sealed opens with the same key only, and only untouched`(size: Int) {
        let cipher = AESGCM()
        let key = SystemRandom.bytes(size)
        let nonce = SystemRandom.bytes(12)
        for length in [0, 1, 15, 16, 1_400, 70_000] {
            let plaintext = SystemRandom.bytes(length)
            let sealed = cipher.seal(plaintext, key: key, nonce: nonce, additionalData: [10, 0])
            #expect(sealed.count == length + 16)
            #expect(cipher.open(sealed[...], key: key, nonce: nonce[...], additionalData: [10, 0]) == plaintext)
            #expect(cipher.open(([9, 9] + sealed).dropFirst(2), key: key, nonce: nonce[...], additionalData: [10, 0]) == plaintext)
            #expect(cipher.open(sealed[...], key: SystemRandom.bytes(size), nonce: nonce[...], additionalData: [10, 0]) == nil)
            #expect(cipher.open(sealed[...], key: key, nonce: nonce[...], additionalData: []) == nil)
            var touched = sealed
            touched[length / 2] ^= 1
            #expect(cipher.open(touched[...], key: key, nonce: nonce[...], additionalData: [10, 0]) == nil)
        }
        #expect(cipher.open([UInt8](repeating: 0, count: 15)[...], key: key, nonce: nonce[...], additionalData: []) == nil)
        #expect(cipher.open([UInt8](repeating: 0, count: 40)[...], key: [1], nonce: nonce[...], additionalData: []) == nil)
    }
}
