/// What stopped a `MessagePackReader`.
public enum MessagePackError: Error, Hashable, Sendable {
    /// The input ends inside a value.
    case truncated
    /// A value of another type than asked for; `found` is its first byte.
    case mismatch(expected: StaticText, found: UInt8)
    /// An integer that the type asked for cannot hold.
    case outOfRange
    /// Nested deeper than `MessagePackReader.depthLimit`.
    case tooDeep
    /// The value is well-formed, but not what the place calls for.
    case invalid(String)

    /// A `StaticString` that can be compared.
    public struct StaticText: Hashable, Sendable, ExpressibleByStringLiteral {
        let value: StaticString
        public init(stringLiteral value: StaticString) { self.value = value }
        public static func == (a: Self, b: Self) -> Bool { a.value.description == b.value.description }
        public func hash(into hasher: inout Hasher) { hasher.combine(value.description) }
    }

    /// For answers and logs; the reference's words where it has some (rpc-raft-wire §2.1).
    public var text: String {
        switch self {
        case .truncated: "EOF"
        case .mismatch("struct", let found):
            "codec.decoder: Only encoded map or array can be decoded into a struct. (valueType: \(Self.valueType(found)))"
        case .mismatch(let expected, let found): "codec.decoder: expected \(expected.value), found descriptor 0x\(String(found, radix: 16))"
        case .outOfRange: "codec.decoder: Overflow int64 value"
        case .tooDeep: "codec.decoder: nested too deeply"
        case .invalid(let text): text
        }
    }

    /// The library's number for the kind of value that starts with `byte`.
    private static func valueType(_ byte: UInt8) -> Int {
        switch byte {
        case 0xC0: 1
        case 0xE0...0xFF, 0xD0...0xD3: 2
        case 0x00...0x7F, 0xCC...0xCF: 3
        case 0xCA, 0xCB: 4
        case 0xC2, 0xC3: 5
        case 0xA0...0xBF, 0xD9...0xDB: 6
        case 0xC4...0xC6: 8
        case 0x80...0x8F, 0xDE, 0xDF: 9
        case 0x90...0x9F, 0xDC, 0xDD: 10
        default: 12
        }
    }
}

/// The name of a struct's field: compared with literals, without allocation or reference counting. Names longer than 32 bytes equal none.
public struct MessagePackKey: Sendable {
    /// The bytes in words that may overlap: the first and the last eight, and those between.
    private var first: UInt64 = 0, second: UInt64 = 0, third: UInt64 = 0, last: UInt64 = 0
    private let count: Int

    /// The empty name.
    init() { count = 0 }

    /// Inlined so that the words of a literal become constants.
    @inline(__always)
    init(_ bytes: RawSpan) {
        // The loads are named for types that not every sequence of bits is a value of; their bounds are checked.
        count = bytes.byteCount
        if count >= 8 {
            first = bytes.unsafeLoadUnaligned(as: UInt64.self)
            last = bytes.unsafeLoadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
            if count > 16 { second = bytes.unsafeLoadUnaligned(fromByteOffset: 8, as: UInt64.self) }
            if count > 24 { third = bytes.unsafeLoadUnaligned(fromByteOffset: 16, as: UInt64.self) }
        } else if count >= 4 {
            first = UInt64(bytes.unsafeLoadUnaligned(as: UInt32.self))
            last = UInt64(bytes.unsafeLoadUnaligned(fromByteOffset: count &- 4, as: UInt32.self))
        } else if count >= 1 {
            first = UInt64(bytes.unsafeLoadUnaligned(as: UInt8.self))
            second = UInt64(bytes.unsafeLoadUnaligned(fromByteOffset: count / 2, as: UInt8.self))
            last = UInt64(bytes.unsafeLoadUnaligned(fromByteOffset: count &- 1, as: UInt8.self))
        }
    }

    /// The bytes of a literal.
    @inline(__always)
    init(_ name: StaticString) {
        self.init(UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount).bytes)
    }

    @inline(__always)
    public static func ~= (name: StaticString, key: MessagePackKey) -> Bool { key == name }

    @inline(__always)
    public static func == (key: MessagePackKey, name: StaticString) -> Bool {
        if key.count != name.utf8CodeUnitCount || key.count > 32 { return false }
        let name = MessagePackKey(name)
        return key.first == name.first && key.last == name.last && key.second == name.second && key.third == name.third
    }
}

/// Reads MessagePack leniently (rpc-raft-wire §2.3): any width and sign of integers, integers for floats, every kind of raw for text and bytes,
/// `0`/`1` for booleans and nil for anything. Never traps; every count is checked against what is left of the input.
///
///     var left = try reader.structHeader()
///     while let key = try reader.nextKey(&left) {
///         switch key {
///         case "Node": node.node = try reader.string()
///         default: try reader.skip()
///         }
///     }
public struct MessagePackReader: Sendable {
    /// Of containers within containers.
    public static let depthLimit = 1_024

    private let buffer: ArraySlice<UInt8>
    /// The index in the slice that this reader was made from.
    public private(set) var position: Int
    private let end: Int
    /// How many elements of arrays and pairs of maps may still be announced, all containers together.
    private var elementsLeft: Int

    /// Of a request of somebody who need not be trusted. One byte can stand for an element, and an element takes hundreds of bytes in memory.
    public static let requestElementsMax = 262_144

    public init(_ bytes: [UInt8]) { self.init(bytes[...]) }

    /// `elementsMax`: of arrays and maps, all containers together; what announces more is refused.
    public init(_ bytes: ArraySlice<UInt8>, elementsMax: Int = .max) {
        buffer = bytes
        position = bytes.startIndex
        end = bytes.endIndex
        elementsLeft = elementsMax
    }

    public var isAtEnd: Bool { position == end }
    /// What is not read yet.
    public var rest: ArraySlice<UInt8> { buffer[position...] }

    /// The first byte of the next value.
    public func peek() throws(MessagePackError) -> UInt8 {
        if position == end { throw .truncated }
        return buffer[position]
    }

    public func isNull() -> Bool { position < end && buffer[position] == 0xC0 }

    /// Consumes the next value if it is nil.
    public mutating func readNull() -> Bool {
        if !isNull() { return false }
        position += 1
        return true
    }

    @inline(__always)
    private mutating func byte() throws(MessagePackError) -> UInt8 {
        if position == end { throw .truncated }
        let byte = buffer[position]
        position &+= 1
        return byte
    }

    @inline(__always)
    private mutating func bigEndian(_ count: Int) throws(MessagePackError) -> UInt64 {
        if end &- position < count { throw .truncated }
        var value: UInt64 = 0
        for _ in 0..<count {
            value = value << 8 | UInt64(buffer[position])
            position &+= 1
        }
        return value
    }

    @inline(__always)
    private mutating func readSlice(_ count: UInt64) throws(MessagePackError) -> ArraySlice<UInt8> {
        let start = position
        try advance(count)
        return buffer[start..<position]
    }

    @inline(__always)
    private mutating func advance(_ count: UInt64) throws(MessagePackError) {
        guard count <= UInt64(end &- position) else { throw .truncated }
        position &+= Int(count)
    }

    // MARK: Numbers

    private enum Number {
        case unsigned(UInt64)
        case signed(Int64)
        case floating(Double)
    }

    private mutating func number(_ expected: MessagePackError.StaticText) throws(MessagePackError) -> Number {
        let head = try byte()
        switch head {
        case 0x00...0x7F: return .unsigned(UInt64(head))
        case 0xE0...0xFF: return .signed(Int64(Int8(bitPattern: head)))
        case 0xCC: return .unsigned(try bigEndian(1))
        case 0xCD: return .unsigned(try bigEndian(2))
        case 0xCE: return .unsigned(try bigEndian(4))
        case 0xCF: return .unsigned(try bigEndian(8))
        case 0xD0: return .signed(Int64(Int8(truncatingIfNeeded: try bigEndian(1))))
        case 0xD1: return .signed(Int64(Int16(truncatingIfNeeded: try bigEndian(2))))
        case 0xD2: return .signed(Int64(Int32(truncatingIfNeeded: try bigEndian(4))))
        case 0xD3: return .signed(Int64(bitPattern: try bigEndian(8)))
        case 0xCA: return .floating(Double(Float(bitPattern: UInt32(truncatingIfNeeded: try bigEndian(4)))))
        case 0xCB: return .floating(Double(bitPattern: try bigEndian(8)))
        case 0xC0: return .unsigned(0)
        default: throw .mismatch(expected: expected, found: head)
        }
    }

    public mutating func int64() throws(MessagePackError) -> Int64 {
        switch try number("int") {
        case .unsigned(let value):
            guard let value = Int64(exactly: value) else { throw .outOfRange }
            return value
        case .signed(let value): return value
        case .floating(let value):
            // Not `init(exactly:)`, which calls the C library's `trunc`.
            guard value >= -0x1p63 && value < 0x1p63, Double(Int64(value)) == value else { throw .outOfRange }
            return Int64(value)
        }
    }

    public mutating func int() throws(MessagePackError) -> Int { Int(try int64()) }

    /// A negative integer is an error.
    public mutating func uint64() throws(MessagePackError) -> UInt64 {
        switch try number("uint") {
        case .unsigned(let value): return value
        case .signed(let value):
            guard let value = UInt64(exactly: value) else { throw .outOfRange }
            return value
        case .floating(let value):
            guard value >= 0 && value < 0x1p64, Double(UInt64(value)) == value else { throw .outOfRange }
            return UInt64(value)
        }
    }

    public mutating func double() throws(MessagePackError) -> Double {
        switch try number("float") {
        case .unsigned(let value): Double(value)
        case .signed(let value): Double(value)
        case .floating(let value): value
        }
    }

    public mutating func bool() throws(MessagePackError) -> Bool {
        let head = try byte()
        switch head {
        case 0xC3, 0x01: return true
        case 0xC2, 0x00, 0xC0: return false
        default: throw .mismatch(expected: "bool", found: head)
        }
    }

    /// Integer nanoseconds.
    public mutating func duration() throws(MessagePackError) -> Duration { .nanoseconds(try int64()) }

    // MARK: Raws

    /// The length of a text or byte string, whose bytes follow; nil for nil.
    @inline(__always)
    private mutating func rawLength() throws(MessagePackError) -> UInt64? {
        let head = try byte()
        switch head {
        case 0xA0...0xBF: return UInt64(head & 0x1F)
        case 0xD9, 0xC4: return try bigEndian(1)
        case 0xDA, 0xC5: return try bigEndian(2)
        case 0xDB, 0xC6: return try bigEndian(4)
        case 0xC0: return nil
        default: throw .mismatch(expected: "string", found: head)
        }
    }

    /// The bytes of a text or byte string where they stand in the input; nil for nil.
    public mutating func rawSlice() throws(MessagePackError) -> ArraySlice<UInt8>? {
        guard let length = try rawLength() else { return nil }
        return try readSlice(length)
    }

    /// Empty for nil; invalid UTF-8 is repaired.
    public mutating func string() throws(MessagePackError) -> String {
        guard let length = try rawLength() else { return "" }
        let start = position
        try advance(length)
        return UTF8Text.repaired(buffer.span.extracting(start - buffer.startIndex..<position - buffer.startIndex))
    }

    /// Empty for nil.
    public mutating func bytes() throws(MessagePackError) -> [UInt8] {
        guard let raw = try rawSlice() else { return [] }
        return Array(raw)
    }

    /// Empty for nil.
    public mutating func byteString() throws(MessagePackError) -> ByteString { ByteString(try bytes()) }

    /// nil for nil.
    public mutating func time() throws(MessagePackError) -> GoTime? {
        guard let raw = try rawSlice() else { return nil }
        guard let time = GoTime(binary: raw) else { throw .invalid("Time.UnmarshalBinary: unsupported version or invalid length") }
        return time
    }

    // MARK: Containers

    /// The number of elements that follow, at most as many as bytes are left; nil for nil.
    public mutating func arrayHeader() throws(MessagePackError) -> Int? { try header(short: 0x90, 0xDC, "array", bytesEach: 1) }

    /// The number of pairs that follow; nil for nil.
    public mutating func mapHeader() throws(MessagePackError) -> Int? { try header(short: 0x80, 0xDE, "map", bytesEach: 2) }

    /// The number of members of a struct; 0 for nil.
    public mutating func structHeader() throws(MessagePackError) -> Int { try header(short: 0x80, 0xDE, "struct", bytesEach: 2) ?? 0 }

    @inline(__always)
    private mutating func header(
        short: UInt8, _ long: UInt8, _ expected: MessagePackError.StaticText, bytesEach: Int
    ) throws(MessagePackError) -> Int? {
        let head = try byte()
        let count: Int
        if head & 0xF0 == short {
            count = Int(head & 0x0F)
        } else if head == long {
            count = Int(try bigEndian(2))
        } else if head == long + 1 {
            count = Int(try bigEndian(4))
        } else if head == 0xC0 {
            return nil
        } else {
            throw .mismatch(expected: expected, found: head)
        }
        if count > (end - position) / bytesEach { throw .truncated }
        if count > elementsLeft { throw .invalid("codec.decoder: too many elements") }
        elementsLeft &-= count
        return count
    }

    /// The next key while `left`, which started as the header's count, has not come down to 0.
    @inline(__always)
    public mutating func nextKey(_ left: inout Int) throws(MessagePackError) -> MessagePackKey? {
        if left == 0 { return nil }
        left &-= 1
        guard let length = try rawLength() else { return MessagePackKey() }
        let start = position
        try advance(length)
        return MessagePackKey(buffer.span.extracting(start - buffer.startIndex..<position - buffer.startIndex).bytes)
    }

    /// nil for nil.
    public mutating func strings() throws(MessagePackError) -> [String]? {
        guard let count = try arrayHeader() else { return nil }
        var texts: [String] = []
        texts.reserveCapacity(count)
        for _ in 0..<count { texts.append(try string()) }
        return texts
    }

    /// nil for nil; the last of several values for one key wins.
    public mutating func stringMap() throws(MessagePackError) -> StringMap? {
        guard let count = try mapHeader() else { return nil }
        // Sorted once at the end: names in any order cost no more.
        var pairs: [(String, String)] = []
        pairs.reserveCapacity(min(count, 1_024))
        for _ in 0..<count {
            let name = try string()
            pairs.append((name, try string()))
        }
        return StringMap(pairs)
    }

    /// nil for nil, else what `element` reads, as often as the header says.
    public mutating func array<T>(
        _ element: (inout MessagePackReader) throws(MessagePackError) -> T
    ) throws(MessagePackError) -> [T]? {
        guard let count = try arrayHeader() else { return nil }
        var values: [T] = []
        values.reserveCapacity(min(count, 1_024))
        for _ in 0..<count { values.append(try element(&self)) }
        return values
    }

    // MARK: Whole values

    /// Passes over one value of any kind, without recursion.
    public mutating func skip() throws(MessagePackError) {
        var pending: UInt64 = 1
        while pending > 0 {
            pending -= 1
            let head = try byte()
            switch head {
            case 0x00...0x7F, 0xE0...0xFF, 0xC0, 0xC2, 0xC3: break
            case 0xA0...0xBF: try advance(UInt64(head & 0x1F))
            case 0x90...0x9F: pending += UInt64(head & 0x0F)
            case 0x80...0x8F: pending += 2 * UInt64(head & 0x0F)
            case 0xCC, 0xD0: try advance(1)
            case 0xCD, 0xD1: try advance(2)
            case 0xCA, 0xCE, 0xD2: try advance(4)
            case 0xCB, 0xCF, 0xD3: try advance(8)
            case 0xC4, 0xD9: try advance(try bigEndian(1))
            case 0xC5, 0xDA: try advance(try bigEndian(2))
            case 0xC6, 0xDB: try advance(try bigEndian(4))
            case 0xD4...0xD8: try advance(1 + 1 << UInt64(head - 0xD4))
            case 0xC7: try advance(1 + (try bigEndian(1)))
            case 0xC8: try advance(1 + (try bigEndian(2)))
            case 0xC9: try advance(1 + (try bigEndian(4)))
            case 0xDC: pending += try bigEndian(2)
            case 0xDD: pending += try bigEndian(4)
            case 0xDE: pending += 2 * (try bigEndian(2))
            case 0xDF: pending += 2 * (try bigEndian(4))
            default: throw .mismatch(expected: "value", found: head)
            }
            if pending > UInt64(end - position) { throw .truncated }
        }
    }

    /// The next value as it stands in the input.
    public mutating func encodedValue() throws(MessagePackError) -> ArraySlice<UInt8> {
        let start = position
        try skip()
        return buffer[start..<position]
    }

    /// The next value whatever its shape. Raws that are UTF-8 become text; keys of maps must be raws.
    public mutating func dynamic() throws(MessagePackError) -> DynamicValue { try dynamic(depth: 0) }

    private mutating func dynamic(depth: Int) throws(MessagePackError) -> DynamicValue {
        let head = try peek()
        switch head {
        case 0x00...0x7F, 0xE0...0xFF, 0xCA...0xD3:
            switch try number("number") {
            case .unsigned(let value): return value <= UInt64(Int64.max) ? .int(Int64(value)) : .uint(value)
            case .signed(let value): return .int(value)
            case .floating(let value): return .double(value)
            }
        case 0xC0:
            _ = readNull()
            return .null
        case 0xC2, 0xC3: return .bool(try bool())
        case 0x90...0x9F, 0xDC, 0xDD:
            if depth == Self.depthLimit { throw .tooDeep }
            let count = try arrayHeader() ?? 0
            var values: [DynamicValue] = []
            values.reserveCapacity(min(count, 1_024))
            for _ in 0..<count { values.append(try dynamic(depth: depth + 1)) }
            return .array(values)
        case 0x80...0x8F, 0xDE, 0xDF:
            if depth == Self.depthLimit { throw .tooDeep }
            let count = try mapHeader() ?? 0
            var members: [DynamicMember] = []
            members.reserveCapacity(min(count, 1_024))
            for _ in 0..<count {
                let name = try string()
                members.append(DynamicMember(name, try dynamic(depth: depth + 1)))
            }
            return .map(members)
        default:
            guard let raw = try rawSlice() else { return .null }
            let isText = UTF8Text.isValid(raw.span)
            return isText ? .string(String(decoding: raw, as: UTF8.self)) : .bytes(Array(raw))
        }
    }
}
