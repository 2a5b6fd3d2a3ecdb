@testable import Core

/// A minimal state machine that shows every mistake: a digest of everything applied, in order.
struct ToyMachine: Equatable {
    var index: UInt64 = 0
    var count: UInt64 = 0
    var digest: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func apply(_ entry: LogEntry) {
        if entry.kind == .command || entry.kind == .barrier { index = entry.index }
        guard entry.kind == .command else { return }
        count += 1
        for byte in entry.data { digest = (digest ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        digest = (digest ^ entry.index) &* 0x0000_0100_0000_01B3
    }

    /// Three numbers and a filler that depends on them, so that a state has several pieces.
    var encoded: [UInt8] {
        var bytes: [UInt8] = []
        for value in [index, count, digest] { bytes.append(littleEndian: value) }
        for at in 0..<Int(count % 3000) { bytes.append(UInt8(truncatingIfNeeded: digest &+ UInt64(at))) }
        return bytes
    }

    init() {}

    init?(_ bytes: [UInt8]) {
        guard bytes.count >= 24 else { return nil }
        func value(_ at: Int) -> UInt64 { (0..<8).reversed().reduce(0) { $0 << 8 | UInt64(bytes[at * 8 + $1]) } }
        (index, count, digest) = (value(0), value(1), value(2))
        guard encoded == bytes else { return nil }
    }
}
