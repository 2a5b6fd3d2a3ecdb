/// A struct of the reference's wire: a map of all its fields in the byte order of their names (rpc-raft-wire §2.2, §4).
///
/// Decoding accepts any order, ignores unknown names and leaves absent ones at zero; nil decodes as the zero struct.
protocol WireStruct {
    init(from reader: inout MessagePackReader) throws(MessagePackError)
    func encode(into writer: inout MessagePackWriter)
}

extension WireStruct {
    var encoded: [UInt8] {
        var writer = MessagePackWriter()
        encode(into: &writer)
        return writer.bytes
    }

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

extension MessagePackWriter {
    mutating func field(_ name: StaticString, _ value: (some WireStruct)?) {
        key(name)
        if let value { value.encode(into: &self) } else { null() }
    }

    mutating func field(_ name: StaticString, _ values: [some WireStruct]?) {
        key(name)
        guard let values else { return null() }
        arrayHeader(values.count)
        for value in values { value.encode(into: &self) }
    }

    /// The rows of an answer: nil when there are none, as in the reference.
    mutating func field(_ name: StaticString, rows: [Row<some WireStruct & Sendable>]) {
        key(name)
        if rows.isEmpty { return null() }
        arrayHeader(rows.count)
        for row in rows { row.value.encode(into: &self) }
    }
}
