/// A struct as it stands on the wire, of which a few members are read or replaced and the rest is passed on byte by byte.
///
/// For tables that the store keeps without interpreting them: nothing of a row is lost, not even the width of its floating-point numbers.
struct EncodedStruct {
    private(set) var members: [(name: ByteString, value: ArraySlice<UInt8>)] = []

    init() {}

    /// Of nil: no members.
    init(_ encoded: ArraySlice<UInt8>) throws(MessagePackError) {
        var reader = MessagePackReader(encoded)
        let count = try reader.structHeader()
        members.reserveCapacity(count)
        for _ in 0..<count {
            let name = try reader.byteString()
            members.append((name, try reader.encodedValue()))
        }
    }

    init(_ encoded: [UInt8]) throws(MessagePackError) { try self.init(encoded[...]) }

    /// The encoded value of a member; nil when it is absent.
    subscript(name: ByteString) -> ArraySlice<UInt8>? {
        get { members.first { $0.name == name }?.value }
        set {
            members.removeAll { $0.name == name }
            guard let newValue else { return }
            members.insert((name, newValue), at: members.firstIndex { name < $0.name } ?? members.count)
        }
    }

    func isNull(_ name: ByteString) -> Bool { self[name]?.first ?? 0xC0 == 0xC0 }

    private func reader(_ name: ByteString) -> MessagePackReader { MessagePackReader(self[name] ?? [0xC0]) }

    func text(_ name: ByteString) throws(MessagePackError) -> String {
        var reader = reader(name)
        return try reader.string()
    }

    func uint(_ name: ByteString) throws(MessagePackError) -> UInt64 {
        var reader = reader(name)
        return try reader.uint64()
    }

    func bool(_ name: ByteString) throws(MessagePackError) -> Bool {
        var reader = reader(name)
        return try reader.bool()
    }

    func texts(_ name: ByteString) throws(MessagePackError) -> [String] {
        var reader = reader(name)
        return try reader.strings() ?? []
    }

    func nested(_ name: ByteString) throws(MessagePackError) -> EncodedStruct { try EncodedStruct(self[name] ?? [0xC0]) }

    /// The elements of a list that are not nil.
    func list(_ name: ByteString) throws(MessagePackError) -> [EncodedStruct] {
        var reader = reader(name)
        var elements: [EncodedStruct] = []
        for _ in 0..<(try reader.arrayHeader() ?? 0) {
            let element = try reader.encodedValue()
            if element.first != 0xC0 { elements.append(try EncodedStruct(element)) }
        }
        return elements
    }

    mutating func set(_ name: ByteString, _ value: UInt64) {
        var writer = MessagePackWriter()
        writer.uint(value)
        self[name] = writer.bytes[...]
    }

    mutating func set(_ name: ByteString, _ value: String) {
        var writer = MessagePackWriter()
        writer.string(value)
        self[name] = writer.bytes[...]
    }

    var index: RaftIndex {
        get throws(MessagePackError) { RaftIndex(create: try uint("CreateIndex"), modify: try uint("ModifyIndex")) }
    }

    mutating func set(_ index: RaftIndex) {
        set("CreateIndex", index.create)
        set("ModifyIndex", index.modify)
    }

    var encoded: [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: members.reduce(8) { $0 + $1.name.count + $1.value.count + 3 })
        writer.mapHeader(members.count)
        for (name, value) in members {
            writer.raw(name)
            writer.encoded(value)
        }
        return writer.bytes
    }
}
