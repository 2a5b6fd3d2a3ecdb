/// What is read from a value of the reference's wire (rpc-raft-wire §2.2, §4).
protocol WireDecodable {
    init(from reader: inout MessagePackReader) throws(MessagePackError)
}

/// What is read from a map, field by field: in any order, unknown names are ignored, and nil has no fields.
protocol WireFields: WireDecodable {
    /// With every field at zero, where absent ones stay.
    init()
    /// Reads the value of one field; false where there is no such field.
    mutating func read(_ name: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool
}

/// What is written as a map of all its fields in the byte order of their names.
protocol WireEncodable {
    func encode(into writer: inout MessagePackWriter)
}

typealias WireStruct = WireFields & WireEncodable

extension WireDecodable {
    /// nil for nil.
    static func optional(from reader: inout MessagePackReader) throws(MessagePackError) -> Self? {
        reader.readNull() ? nil : try Self(from: &reader)
    }

    /// The elements that are not nil; nil for nil.
    static func array(from reader: inout MessagePackReader) throws(MessagePackError) -> [Self]? {
        guard let count = try reader.arrayHeader() else { return nil }
        var elements: [Self] = []
        elements.reserveCapacity(min(count, 1_024))
        for _ in 0..<count where !reader.readNull() { elements.append(try Self(from: &reader)) }
        return elements
    }
}

extension WireFields {
    @inline(__always)
    init(from reader: inout MessagePackReader) throws(MessagePackError) {
        self.init()
        try readFields(from: &reader)
    }

    @inline(__always)
    mutating func readFields(from reader: inout MessagePackReader) throws(MessagePackError) {
        var left = try reader.structHeader()
        while let name = try reader.nextKey(&left) {
            if try !read(name, from: &reader) { try reader.skip() }
        }
    }
}

extension WireEncodable {
    var encoded: [UInt8] {
        var writer = MessagePackWriter()
        encode(into: &writer)
        return writer.bytes
    }
}

extension MessagePackWriter {
    mutating func field(_ name: StaticString, _ value: (some WireEncodable)?) {
        key(name)
        if let value { value.encode(into: &self) } else { null() }
    }

    mutating func field(_ name: StaticString, _ values: [some WireEncodable]?) {
        key(name)
        guard let values else { return null() }
        arrayHeader(values.count)
        for value in values { value.encode(into: &self) }
    }
}
