/// A struct of the gossip protocols: written as a map of its fields in the byte order of their names, read from a map or from an array
/// in the order of declaration (gossip §1).
protocol GossipStruct: WireFields {
    /// The names in the order of declaration.
    static var names: [StaticString] { get }
    func write(to writer: inout MessagePackWriter)
}

extension GossipStruct {
    /// nil gives the zero value.
    init(from reader: inout MessagePackReader) throws(MessagePackError) {
        self.init()
        var fields = try GossipFields(&reader, order: Self.names)
        while let name = try fields.next(&reader) {
            if try !read(name, from: &reader) { try reader.skip() }
        }
    }

    /// The first value of `bytes`; what follows is ignored.
    init(_ bytes: ArraySlice<UInt8>) throws(MessagePackError) {
        var reader = MessagePackReader(bytes)
        try self.init(from: &reader)
    }
}

extension MessagePackReader {
    mutating func uint8() throws(MessagePackError) -> UInt8 { try narrow() }
    mutating func uint16() throws(MessagePackError) -> UInt16 { try narrow() }
    mutating func uint32() throws(MessagePackError) -> UInt32 { try narrow() }

    private mutating func narrow<T: FixedWidthInteger>() throws(MessagePackError) -> T {
        guard let value = T(exactly: try uint64()) else { throw .outOfRange }
        return value
    }

    /// Bytes where they stand in the input; none for nil.
    mutating func slice() throws(MessagePackError) -> ArraySlice<UInt8> { try rawSlice() ?? [] }
}

extension MessagePackWriter {
    mutating func field(_ name: StaticString, _ value: UInt32) { field(name, UInt64(value)) }
    mutating func field(_ name: StaticString, _ value: UInt16) { field(name, UInt64(value)) }

    /// Bytes; nil for empty ones.
    mutating func field(_ name: StaticString, slice: ArraySlice<UInt8>) {
        key(name)
        if slice.isEmpty { null() } else { raw(slice) }
    }
}
