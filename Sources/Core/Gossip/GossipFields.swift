/// Reads the fields of a struct of the gossip protocols: a map with its keys in any order, or an array in the order of declaration
/// (gossip §1).
///
///     var fields = try GossipFields(&reader, order: ["LTime", "Node"])
///     while let key = try fields.next(&reader) {
///         switch key {
///         case "Node": node = try reader.string()
///         default: try reader.skip()
///         }
///     }
struct GossipFields {
    private var left: Int
    /// The names in the order of declaration if an array is read.
    private let order: [StaticString]
    private var index = 0

    init(_ reader: inout MessagePackReader, order: @autoclosure () -> [StaticString]) throws(MessagePackError) {
        switch try reader.peek() {
        case 0x90...0x9F, 0xDC, 0xDD:
            self.order = order()
            left = try reader.arrayHeader() ?? 0
        default:
            self.order = []
            left = try reader.structHeader()
        }
    }

    /// The name of the field whose value comes next. Elements behind the last field of an array have the empty name.
    mutating func next(_ reader: inout MessagePackReader) throws(MessagePackError) -> MessagePackKey? {
        if order.isEmpty { return try reader.nextKey(&left) }
        if left == 0 { return nil }
        left -= 1
        defer { index += 1 }
        guard index < order.count else { return MessagePackKey() }
        return MessagePackKey(order[index])
    }
}

extension MessagePackReader {
    /// A text, which the old format never writes as `bin`.
    mutating func gossipString() throws(MessagePackError) -> String {
        let head = try peek()
        if (0xC4...0xC6).contains(head) { throw .mismatch(expected: "string", found: head) }
        return try string()
    }

    /// Bytes, or nil for nil.
    mutating func optionalBytes() throws(MessagePackError) -> [UInt8]? {
        guard let slice = try rawSlice() else { return nil }
        return Array(slice)
    }
}
