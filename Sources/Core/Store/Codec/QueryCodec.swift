// The bodies of requests to read and of their answers. Spec: rpc-raft-wire §4.

/// Writes the fields of a request between those of the options, which are flattened into the same map.
struct QueryWriter {
    private var writer: MessagePackWriter
    private let options: QueryOptions
    private var written = 0

    /// Of the options, in their order.
    private static let names: [StaticString] = [
        "AllowStale", "Filter", "MaxAge", "MaxQueryTime", "MaxStaleDuration", "MinQueryIndex", "MustRevalidate", "RequireConsistent",
        "StaleIfError", "Token", "UseCache",
    ]

    init(_ options: QueryOptions, fields: Int) {
        self.options = options
        writer = MessagePackWriter(reservingCapacity: 320)
        writer.mapHeader(Self.names.count + fields)
    }

    /// The options that come before this field, then its name.
    mutating func key(_ name: StaticString) {
        while written < Self.names.count, Self.names[written].precedes(name) { writeOption() }
        writer.key(name)
    }

    private mutating func writeOption() {
        switch written {
        case 0: writer.field("AllowStale", options.allowStale)
        case 1: writer.field("Filter", options.filter)
        case 2: writer.field("MaxAge", 0)
        case 3: writer.field("MaxQueryTime", options.maxQueryTime)
        case 4: writer.field("MaxStaleDuration", options.maxStaleDuration)
        case 5: writer.field("MinQueryIndex", options.minQueryIndex)
        case 6: writer.field("MustRevalidate", false)
        case 7: writer.field("RequireConsistent", options.requireConsistent)
        case 8: writer.field("StaleIfError", 0)
        case 9: writer.field("Token", options.token)
        default: writer.field("UseCache", false)
        }
        written += 1
    }

    mutating func field(_ name: StaticString, _ value: String) {
        key(name)
        writer.string(value)
    }

    mutating func field(_ name: StaticString, _ value: ByteString) {
        key(name)
        writer.raw(value)
    }

    mutating func field(_ name: StaticString, _ value: [UInt8]) {
        key(name)
        writer.raw(value)
    }

    mutating func field(_ name: StaticString, _ value: Int) {
        key(name)
        writer.int(value)
    }

    mutating func field(_ name: StaticString, _ value: Bool) {
        key(name)
        writer.bool(value)
    }

    mutating func field(_ name: StaticString, _ value: [String]?) {
        key(name)
        writer.strings(value)
    }

    mutating func datacenter() { field("Datacenter", options.datacenter) }

    mutating func metaFilters() {
        key("NodeMetaFilters")
        writer.stringMap(options.nodeMetaFilters.isEmpty ? nil : options.nodeMetaFilters)
    }

    /// What results are sorted by the distance from.
    mutating func source() {
        key("Source")
        writer.mapHeader(4)
        let datacenter = options.sourceDatacenter.isEmpty ? options.datacenter : options.sourceDatacenter
        writer.field("Datacenter", options.sourceNode.isEmpty ? "" : datacenter)
        writer.field("Ip", "")
        writer.field("Node", options.sourceNode)
        writer.field("Segment", "")
    }

    mutating func encode(_ ops: [TxnOp]) {
        writer.arrayHeader(ops.count)
        for op in ops { op.encode(into: &writer) }
    }

    mutating func finish() -> [UInt8] {
        while written < Self.names.count { writeOption() }
        return writer.bytes
    }
}

/// Writes the members of an answer between those of the metadata, all in the order of their names. Lists without elements are nil, as in
/// the reference.
struct ReplyWriter {
    var writer: MessagePackWriter
    private let meta: QueryMeta
    private var written = 0

    /// Of the metadata, in their order.
    private static let names: [StaticString] = ["ConsistencyLevel", "Index", "KnownLeader", "LastContact"]

    init(_ meta: QueryMeta, members: Int = 1) {
        self.meta = meta
        writer = MessagePackWriter(reservingCapacity: 1_024)
        writer.mapHeader(Self.names.count + members)
    }

    /// The metadata that comes before this member, then its name.
    mutating func key(_ name: StaticString) {
        while written < Self.names.count, Self.names[written].precedes(name) { writeMeta() }
        writer.key(name)
    }

    private mutating func writeMeta() {
        switch written {
        case 0: writer.field("ConsistencyLevel", "")
        case 1: writer.field("Index", meta.index)
        case 2: writer.field("KnownLeader", meta.knownLeader)
        default: writer.field("LastContact", meta.lastContact)
        }
        written += 1
    }

    mutating func list<Element>(_ elements: [Element], _ write: (Element, inout MessagePackWriter) -> Void) {
        list(elements, count: elements.count, write)
    }

    /// `count`: how many elements there are.
    mutating func list<Elements: Sequence>(
        _ elements: Elements, count: Int, _ write: (Elements.Element, inout MessagePackWriter) -> Void
    ) {
        if count == 0 { return writer.null() }
        writer.arrayHeader(count)
        for element in elements { write(element, &writer) }
    }

    mutating func rows(_ rows: [Row<some WireEncodable & Sendable>]) { list(rows) { $0.value.encode(into: &$1) } }

    mutating func finish() -> [UInt8] {
        while written < Self.names.count { writeMeta() }
        return writer.bytes
    }
}

extension StaticString {
    fileprivate func precedes(_ other: StaticString) -> Bool {
        withUTF8Buffer { a in other.withUTF8Buffer { b in a.lexicographicallyPrecedes(b) } }
    }
}
