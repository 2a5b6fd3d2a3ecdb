@testable import Core

/// Every integer, length and count of a MessagePack message, and the values at which arithmetic on it tends to go wrong.
///
/// A message is taken as bytes, so the same walk serves the messages of Raft, of the gossip pools and of the RPC port; what is handed to
/// a machine is what a peer could send.
struct BoundaryValues {
    /// Where an integer stands in the message, or the header of a text, an array or a map.
    enum Site: Equatable {
        case integer(Range<Int>)
        case text(Range<Int>, length: Int)
        case array(Range<Int>, count: Int)
        case map(Range<Int>, count: Int)
    }

    let bytes: [UInt8]
    private(set) var sites: [Site] = []
    /// Where the first value ends.
    private(set) var end = 0

    /// 0, 1, the neighbours of `own`, and those of the powers of two at which types end.
    static func values(own: UInt64) -> [UInt64] {
        let powers: [UInt64] = [1 << 31, 1 << 32, 1 << 63].flatMap { [$0 - 1, $0, $0 + 1] }
        return [0, 1, own, own &+ 1, own == 0 ? 0 : own - 1, 1 << 53, 1 << 61, 1 << 62, .max - 20, .max - 1, .max] + powers
    }

    /// Walks the values of a message from `start` on, behind what is no MessagePack.
    init(_ bytes: [UInt8], from start: Int, count: Int = 1) {
        self.bytes = bytes
        end = start
        for _ in 0..<count { walk() }
    }

    private mutating func number(_ at: Int, _ size: Int) -> Int { (0..<size).reduce(0) { $0 << 8 | Int(bytes[at + $1]) } }

    private mutating func walk() {
        guard end < bytes.count else { return }
        let start = end
        let head = bytes[start]
        end += 1
        func header(_ size: Int) -> Range<Int> { start..<start + 1 + size }
        switch head {
        case 0x00...0x7F, 0xE0...0xFF: sites.append(.integer(header(0)))
        case 0xCC...0xCF, 0xD0...0xD3:
            let size = 1 << Int(head & 3)
            end += size
            sites.append(.integer(header(size)))
        case 0xCA: end += 4
        case 0xCB: end += 8
        case 0xA0...0xBF: text(header(0), Int(head & 0x1F))
        case 0xD9, 0xC4: text(header(1), number(start + 1, 1))
        case 0xDA, 0xC5: text(header(2), number(start + 1, 2))
        case 0xDB, 0xC6: text(header(4), number(start + 1, 4))
        case 0x90...0x9F: values(header(0), Int(head & 0xF), isMap: false)
        case 0xDC: values(header(2), number(start + 1, 2), isMap: false)
        case 0x80...0x8F: values(header(0), Int(head & 0xF), isMap: true)
        case 0xDE: values(header(2), number(start + 1, 2), isMap: true)
        default: break
        }
    }

    private mutating func text(_ header: Range<Int>, _ length: Int) {
        end = header.upperBound + length
        sites.append(.text(header, length: length))
    }

    private mutating func values(_ header: Range<Int>, _ count: Int, isMap: Bool) {
        end = header.upperBound
        sites.append(isMap ? .map(header, count: count) : .array(header, count: count))
        for _ in 0..<(isMap ? 2 * count : count) { walk() }
    }

    /// The message with every boundary value at that site.
    func variants(of site: Site, own: UInt64) -> [[UInt8]] {
        func replaced(_ range: Range<Int>, _ head: [UInt8]) -> [UInt8] { bytes[..<range.lowerBound] + head + bytes[range.upperBound...] }
        func lengths(_ range: Range<Int>, _ own: Int, _ kind: UInt8) -> [[UInt8]] {
            let values = Self.values(own: UInt64(own)).filter { $0 <= UInt64(UInt32.max) }
            return values.map { value in replaced(range, [kind] + (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt64(24 - 8 * $0)) }) }
        }
        switch site {
        case .integer(let range):
            let unsigned = Self.values(own: own).map { value in
                replaced(range, [0xCF] + (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(56 - 8 * $0)) })
            }
            let negative: [[UInt8]] = [[0xFF], [0xD3, 0x80, 0, 0, 0, 0, 0, 0, 0], [0xD3, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF]]
            return unsigned + negative.map { replaced(range, $0) }
        case .text(let range, let length): return lengths(range, length, 0xDB)
        case .array(let range, let count): return lengths(range, count, 0xDD)
        case .map(let range, let count): return lengths(range, count, 0xDF)
        }
    }

    /// All variants of all sites.
    func variants(own: UInt64) -> [[UInt8]] { sites.flatMap { variants(of: $0, own: own) } }
}
