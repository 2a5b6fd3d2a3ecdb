/// Writes MessagePack as the reference's library does: the format from before 2013, without str8 and bin. Spec: rpc-raft-wire §2.2.
///
/// Structs are maps of all their fields in the byte order of the names:
///
///     writer.mapHeader(2)
///     writer.field("Address", node.address)
///     writer.field("Node", node.node)
public struct MessagePackWriter: Sendable {
    public var bytes: [UInt8]

    public init(reservingCapacity capacity: Int = 0) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    @inline(__always) public mutating func null() { bytes.append(0xC0) }
    @inline(__always) public mutating func bool(_ value: Bool) { bytes.append(value ? 0xC3 : 0xC2) }

    /// In the smallest form.
    public mutating func uint(_ value: UInt64) {
        if value < 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: value))
        } else if value <= 0xFF {
            bytes.append(0xCC)
            bytes.append(UInt8(truncatingIfNeeded: value))
        } else if value <= 0xFFFF {
            bytes.append(0xCD)
            bytes.append(bigEndian: UInt16(truncatingIfNeeded: value))
        } else if value <= 0xFFFF_FFFF {
            bytes.append(0xCE)
            bytes.append(bigEndian: UInt32(truncatingIfNeeded: value))
        } else {
            bytes.append(0xCF)
            bytes.append(bigEndian: value)
        }
    }

    /// In the smallest form; values that are not negative are written unsigned.
    public mutating func int(_ value: Int64) {
        if value >= 0 {
            uint(UInt64(value))
        } else if value >= -32 {
            bytes.append(UInt8(truncatingIfNeeded: value))
        } else if value >= -0x80 {
            bytes.append(0xD0)
            bytes.append(UInt8(truncatingIfNeeded: value))
        } else if value >= -0x8000 {
            bytes.append(0xD1)
            bytes.append(bigEndian: UInt16(truncatingIfNeeded: value))
        } else if value >= -0x8000_0000 {
            bytes.append(0xD2)
            bytes.append(bigEndian: UInt32(truncatingIfNeeded: value))
        } else {
            bytes.append(0xD3)
            bytes.append(bigEndian: UInt64(bitPattern: value))
        }
    }

    @inline(__always) public mutating func int(_ value: Int) { int(Int64(value)) }

    public mutating func double(_ value: Double) {
        bytes.append(0xCB)
        bytes.append(bigEndian: value.bitPattern)
    }

    /// Whole nanoseconds.
    @inline(__always) public mutating func duration(_ value: Duration) { int(value.nanoseconds) }

    public mutating func time(_ value: GoTime) {
        rawHeader(15)
        value.appendBinary(to: &bytes)
    }

    @inline(__always) public mutating func string(_ value: String) {
        rawHeader(value.utf8.count)
        bytes.append(text: value)
    }

    @inline(__always) public mutating func raw(_ value: [UInt8]) {
        rawHeader(value.count)
        bytes.append(contentsOf: value)
    }

    @inline(__always) public mutating func raw(_ value: ArraySlice<UInt8>) {
        rawHeader(value.count)
        bytes.append(contentsOf: value)
    }

    @inline(__always) public mutating func raw(_ value: ByteString) { raw(value.bytes) }

    /// The name of a field: an ASCII literal.
    @inline(__always) public mutating func key(_ name: StaticString) {
        name.withUTF8Buffer { name in
            rawHeader(name.count)
            bytes.append(raw: name)
        }
    }

    /// The header of a text or of bytes, which follow.
    public mutating func rawHeader(_ count: Int) {
        if count < 32 {
            bytes.append(0xA0 | UInt8(truncatingIfNeeded: count))
        } else if count <= 0xFFFF {
            bytes.append(0xDA)
            bytes.append(bigEndian: UInt16(truncatingIfNeeded: count))
        } else {
            bytes.append(0xDB)
            bytes.append(bigEndian: UInt32(count))
        }
    }

    public mutating func arrayHeader(_ count: Int) { header(count, short: 0x90, 0xDC) }

    /// The header of a map of that many pairs, which follow as key and value in turn.
    public mutating func mapHeader(_ count: Int) { header(count, short: 0x80, 0xDE) }

    private mutating func header(_ count: Int, short: UInt8, _ long: UInt8) {
        if count < 16 {
            bytes.append(short | UInt8(truncatingIfNeeded: count))
        } else if count <= 0xFFFF {
            bytes.append(long)
            bytes.append(bigEndian: UInt16(truncatingIfNeeded: count))
        } else {
            bytes.append(long + 1)
            bytes.append(bigEndian: UInt32(count))
        }
    }

    /// Appends a value that is encoded already.
    public mutating func encoded(_ value: some Sequence<UInt8>) { bytes.append(contentsOf: value) }
}

// Fields of structs. nil is `c0`, which differs from an empty list, map or raw.
extension MessagePackWriter {
    public mutating func strings(_ value: [String]?) {
        guard let value else { return null() }
        arrayHeader(value.count)
        for text in value { string(text) }
    }

    public mutating func stringMap(_ value: StringMap?) {
        guard let value else { return null() }
        mapHeader(value.count)
        for (name, text) in value {
            string(name)
            string(text)
        }
    }

    public mutating func field(_ name: StaticString, _ value: String) {
        key(name)
        string(value)
    }

    public mutating func field(_ name: StaticString, _ value: Bool) {
        key(name)
        bool(value)
    }

    public mutating func field(_ name: StaticString, _ value: Int) {
        key(name)
        int(Int64(value))
    }

    public mutating func field(_ name: StaticString, _ value: Int64) {
        key(name)
        int(value)
    }

    public mutating func field(_ name: StaticString, _ value: UInt64) {
        key(name)
        uint(value)
    }

    public mutating func field(_ name: StaticString, _ value: Double) {
        key(name)
        double(value)
    }

    public mutating func field(_ name: StaticString, _ value: Duration) {
        key(name)
        duration(value)
    }

    public mutating func field(_ name: StaticString, _ value: GoTime?) {
        key(name)
        if let value { time(value) } else { null() }
    }

    public mutating func field(_ name: StaticString, _ value: ByteString) {
        key(name)
        raw(value.bytes)
    }

    /// Bytes; pass nil for empty ones where the reference has lost the difference (rpc-raft-wire §2.3).
    public mutating func field(_ name: StaticString, _ value: [UInt8]?) {
        key(name)
        if let value { raw(value) } else { null() }
    }

    public mutating func field(_ name: StaticString, _ value: [String]?) {
        key(name)
        strings(value)
    }

    public mutating func field(_ name: StaticString, _ value: StringMap?) {
        key(name)
        stringMap(value)
    }

    public mutating func field(_ name: StaticString, _ value: DynamicValue?) {
        key(name)
        if let value { dynamic(value) } else { null() }
    }

    public mutating func nullField(_ name: StaticString) {
        key(name)
        null()
    }

    /// A value of any shape; maps keep their order.
    public mutating func dynamic(_ value: DynamicValue) {
        switch value {
        case .null: null()
        case .bool(let value): bool(value)
        case .int(let value): int(value)
        case .uint(let value): uint(value)
        case .double(let value): double(value)
        case .string(let value): string(value)
        case .bytes(let value): raw(value)
        case .array(let values):
            arrayHeader(values.count)
            for value in values { dynamic(value) }
        case .map(let members):
            mapHeader(members.count)
            for member in members {
                string(member.name)
                dynamic(member.value)
            }
        }
    }
}
