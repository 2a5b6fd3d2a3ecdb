/// Finds where MessagePack values end in bytes that come in pieces; every byte is looked at once.
///
///     var scanner = MessagePackScanner(values: 2)
///     // per piece:
///     if try scanner.scan(piece, &at, sizeMax: left) { … both values end right before `at` … }
public struct MessagePackScanner: Sendable {
    /// Values still to come.
    private var values: Int
    /// Bytes of the value under way that need not be looked at.
    private var raw = 0
    /// Bytes of a length still to come, what there is of it, and what it counts.
    private var width = 0
    private var length = 0
    private var unit = Unit.bytes

    private enum Unit {
        case bytes
        /// One byte more than the length says: the type of an extension.
        case typedBytes
        case values
        case pairs
    }

    public init(values: Int = 1) { self.values = values }

    /// Passes over what there is from `at` on; true when the last value has ended, right before `at`.
    ///
    /// `sizeMax` bounds what may still be to come, including these bytes: a count or length beyond it is refused as soon as it is seen.
    public mutating func scan(_ bytes: Span<UInt8>, _ at: inout Int, sizeMax: Int) throws(MessagePackError) -> Bool {
        while true {
            if raw > 0 {
                let count = min(raw, bytes.count - at)
                at += count
                raw -= count
                if raw > 0 { return false }
            }
            while width > 0 {
                if at == bytes.count { return false }
                length = length << 8 | Int(bytes[at])
                at += 1
                width -= 1
                if width == 0 { finishLength() }
            }
            if raw + values > sizeMax { throw .invalid("message is too large") }
            if raw > 0 { continue }
            if values == 0 { return true }
            if at == bytes.count { return false }
            values -= 1
            try begin(bytes[at])
            at += 1
        }
    }

    /// The length is complete.
    private mutating func finishLength() {
        switch unit {
        case .bytes: raw = length
        case .typedBytes: raw = length + 1
        case .values: values += length
        case .pairs: values += 2 * length
        }
    }

    @inline(__always)
    private mutating func begin(_ head: UInt8) throws(MessagePackError) {
        switch head {
        case 0x00...0x7F, 0xE0...0xFF, 0xC0, 0xC2, 0xC3: break
        case 0xA0...0xBF: raw = Int(head & 0x1F)
        case 0x90...0x9F: values += Int(head & 0x0F)
        case 0x80...0x8F: values += 2 * Int(head & 0x0F)
        case 0xCC, 0xD0: raw = 1
        case 0xCD, 0xD1: raw = 2
        case 0xCA, 0xCE, 0xD2: raw = 4
        case 0xCB, 0xCF, 0xD3: raw = 8
        case 0xD4...0xD8: raw = 1 + 1 << Int(head - 0xD4)
        case 0xC4, 0xD9: expectLength(1, .bytes)
        case 0xC5, 0xDA: expectLength(2, .bytes)
        case 0xC6, 0xDB: expectLength(4, .bytes)
        case 0xC7: expectLength(1, .typedBytes)
        case 0xC8: expectLength(2, .typedBytes)
        case 0xC9: expectLength(4, .typedBytes)
        case 0xDC: expectLength(2, .values)
        case 0xDD: expectLength(4, .values)
        case 0xDE: expectLength(2, .pairs)
        case 0xDF: expectLength(4, .pairs)
        default: throw .mismatch(expected: "value", found: head)
        }
    }

    private mutating func expectLength(_ bytes: Int, _ unit: Unit) {
        width = bytes
        length = 0
        self.unit = unit
    }
}
