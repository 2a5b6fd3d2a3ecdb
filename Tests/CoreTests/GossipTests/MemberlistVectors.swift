import Foundation

@testable import Core

/// The bytes that the reference produced (Vectors/gossip.json).
struct MemberlistVectors {
    private let entries: [String: [String: Any]]

    init() throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Vectors/gossip.json")
        let list = try JSONSerialization.jsonObject(with: try Data(contentsOf: file)) as? [[String: Any]] ?? []
        entries = Dictionary(list.compactMap { entry in (entry["name"] as? String).map { ($0, entry) } }) { first, _ in first }
    }

    subscript(name: String) -> [UInt8] { bytes(entries[name]?["hex"] as? String ?? "") }

    func decoded(_ name: String) -> [String: Any] { entries[name]?["decoded"] as? [String: Any] ?? [:] }

    func bytes(_ hex: String) -> [UInt8] {
        let digits = Array(hex.utf8).compactMap { hexValue($0) }
        return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}

/// What the assembler makes of the beginning of a stream.
enum StreamPrefix: Equatable {
    /// A message ends after that many bytes.
    case complete(Int)
    case needsMore
    case malformed

    init(_ bytes: [UInt8]) {
        var assembler = MessageAssembler(.gossip, .server)
        var end = 0
        do {
            let message = try assembler.assemble(bytes.span, &end)
            self = message == nil ? .needsMore : .complete(end)
        } catch {
            self = .malformed
        }
    }
}

/// Stands in for AES-GCM: the plaintext mixed with the key, and a sum as tag.
struct MemberlistToyCipher: GossipCipher {
    func seal(_ plaintext: [UInt8], key: [UInt8], nonce: [UInt8], additionalData: [UInt8]) -> [UInt8] {
        mix(plaintext[...], key, nonce[...]) + tag(plaintext, key, nonce[...], additionalData)
    }

    func open(_ sealed: ArraySlice<UInt8>, key: [UInt8], nonce: ArraySlice<UInt8>, additionalData: [UInt8]) -> [UInt8]? {
        guard sealed.count >= 16 else { return nil }
        let plaintext = mix(sealed.dropLast(16), key, nonce)
        return tag(plaintext, key, nonce, additionalData) == Array(sealed.suffix(16)) ? plaintext : nil
    }

    private func mix(_ bytes: ArraySlice<UInt8>, _ key: [UInt8], _ nonce: ArraySlice<UInt8>) -> [UInt8] {
        bytes.enumerated().map { $1 ^ key[$0 % key.count] ^ nonce[nonce.startIndex + $0 % nonce.count] }
    }

    private func tag(_ plaintext: [UInt8], _ key: [UInt8], _ nonce: ArraySlice<UInt8>, _ additionalData: [UInt8]) -> [UInt8] {
        var sum: UInt64 = 14_695_981_039_346_656_037
        for byte in plaintext + key + nonce + additionalData { sum = (sum ^ UInt64(byte)) &* 1_099_511_628_211 }
        return (0..<16).map { UInt8(truncatingIfNeeded: sum >> UInt64($0 % 8 * 8)) }
    }
}
