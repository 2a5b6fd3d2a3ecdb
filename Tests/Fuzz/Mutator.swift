@testable import Core

/// Integers at which arithmetic goes wrong.
let boundaries: [UInt64] = {
    var found: [UInt64] = [0, 1, 2, 127, 128, 255, 256, 65_535, 65_536, 1 << 53, .max, .max - 1, .max - 20]
    for bit: UInt64 in [31, 32, 62, 63] { found += [(1 << bit) - 1, 1 << bit, (1 << bit) + 1] }
    return found
}()

/// Puts boundary integers where an input has integers: in MessagePack, as big-endian words, or as digits.
struct Mutator {
    var random: Random

    private mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<max(1, bound), using: &random) }

    /// The lengths are those of the formats, so that what follows keeps its meaning.
    mutating func mutate(_ bytes: inout [UInt8], most: Int) {
        let value = boundaries[below(boundaries.count)]
        guard !bytes.isEmpty else { return bytes = [0xCF] + bigEndian(value, 8) }
        let start = below(bytes.count)
        switch below(6) {
        case 0, 1, 2:
            // The next MessagePack integer from there on.
            for at in start..<bytes.count {
                guard let width = width(of: bytes[at]), at + width <= bytes.count else { continue }
                bytes.replaceSubrange(at..<(at + width), with: encoded(value))
                break
            }
        case 3:
            let width = 1 << below(4)
            for (offset, byte) in bigEndian(value, width).enumerated() where start + offset < bytes.count { bytes[start + offset] = byte }
        case 4:
            // The next number in digits.
            guard let first = bytes[start...].firstIndex(where: { $0 >= 0x30 && $0 <= 0x39 }) else { break }
            let end = bytes[first...].firstIndex { $0 < 0x30 || $0 > 0x39 } ?? bytes.count
            bytes.replaceSubrange(first..<end, with: Array((below(4) == 0 ? "-" : "").utf8) + Array(String(value).utf8))
        default:
            // A message once more, after the others.
            let parts = messages(bytes)
            bytes += messageSeparator + parts[below(parts.count)]
        }
        if bytes.count > most { bytes.removeLast(bytes.count - most) }
    }

    /// One of `corpus` with one to four changes: integers at bounds, bytes changed, removed, doubled or taken from another input.
    mutating func variant(of corpus: [[UInt8]], most: Int) -> [UInt8] {
        var bytes = corpus[below(corpus.count)]
        for _ in 0...below(4) {
            switch below(8) {
            case 0, 1, 2: mutate(&bytes, most: most)
            case 3 where !bytes.isEmpty: bytes[below(bytes.count)] ^= 1 << UInt8(below(8))
            case 4 where !bytes.isEmpty: bytes[below(bytes.count)] = UInt8(below(256))
            case 5:
                let start = below(bytes.count)
                bytes.removeSubrange(start..<min(bytes.count, start + 1 + below(8)))
            case 6:
                let other = corpus[below(corpus.count)]
                let from = below(other.count)
                let piece = other[from..<min(other.count, from + 1 + below(64))]
                bytes.insert(contentsOf: piece, at: below(bytes.count))
            default:
                let start = below(bytes.count)
                bytes.insert(contentsOf: bytes[start..<min(bytes.count, start + 1 + below(32))], at: start)
            }
        }
        if bytes.count > most { bytes.removeLast(bytes.count - most) }
        return bytes
    }

    private func width(of head: UInt8) -> Int? {
        switch head {
        case 0...0x7F, 0xE0...: 1
        case 0xCC, 0xD0: 2
        case 0xCD, 0xD1: 3
        case 0xCE, 0xD2, 0xCA: 5
        case 0xCF, 0xD3, 0xCB: 9
        default: nil
        }
    }

    private mutating func encoded(_ value: UInt64) -> [UInt8] {
        if value < 128, below(2) == 0 { return [UInt8(value)] }
        if value < 1 << 32, below(2) == 0 { return [0xCE] + bigEndian(value, 4) }
        return [below(4) == 0 ? 0xD3 : 0xCF] + bigEndian(value, 8)
    }

    private func bigEndian(_ value: UInt64, _ width: Int) -> [UInt8] {
        (0..<width).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * (width - 1 - $0))) }
    }
}
