// The messages of Serf (gossip §11): one byte that tells the kind, then a struct. They travel in user messages of memberlist, in the user
// state of its push/pull and, some of them, as payloads of queries.

/// The first byte of a message of Serf.
enum SerfMessageKind: UInt8 {
    case leave = 0
    case join = 1
    case pushPull = 2
    case userEvent = 3
    case query = 4
    case queryResponse = 5
    case conflictResponse = 6
    case keyRequest = 7
    case keyResponse = 8
    case relay = 9
}

/// The struct behind the kind byte.
protocol SerfBody {
    static var kind: SerfMessageKind { get }
    init(from reader: inout MessagePackReader) throws(MessagePackError)
    func encode(into writer: inout MessagePackWriter)
}

extension SerfBody {
    /// The whole message, kind byte and struct.
    func message() -> [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: 128)
        writer.bytes.append(Self.kind.rawValue)
        encode(into: &writer)
        return writer.bytes
    }

    /// From what follows the kind byte.
    init(body: ArraySlice<UInt8>) throws(MessagePackError) {
        var reader = MessagePackReader(body, elementsMax: SerfLimits.elementsMax)
        try self.init(from: &reader)
    }
}

/// A member announces that it leaves, or is told to have left.
struct LeaveIntent: SerfBody, Equatable {
    static let kind = SerfMessageKind.leave
    var ltime: UInt64 = 0
    var node = ""
    /// Whether the member is to be forgotten at once.
    var prune = false

    init(ltime: UInt64, node: String, prune: Bool) {
        self.ltime = ltime
        self.node = node
        self.prune = prune
    }

    init(from reader: inout MessagePackReader) throws(MessagePackError) {
        var fields = try GossipFields(&reader, order: ["LTime", "Node", "Prune"])
        while let key = try fields.next(&reader) {
            switch key {
            case "LTime": ltime = try reader.uint64()
            case "Node": node = try reader.gossipString()
            case "Prune": prune = try reader.bool()
            default: try reader.skip()
            }
        }
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(3)
        writer.field("LTime", ltime)
        writer.field("Node", node)
        writer.field("Prune", prune)
    }
}

/// A member announces that it has joined, or that it is still here.
struct JoinIntent: SerfBody, Equatable {
    static let kind = SerfMessageKind.join
    var ltime: UInt64 = 0
    var node = ""

    init(ltime: UInt64, node: String) {
        self.ltime = ltime
        self.node = node
    }

    init(from reader: inout MessagePackReader) throws(MessagePackError) {
        var fields = try GossipFields(&reader, order: ["LTime", "Node"])
        while let key = try fields.next(&reader) {
            switch key {
            case "LTime": ltime = try reader.uint64()
            case "Node": node = try reader.gossipString()
            default: try reader.skip()
            }
        }
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(2)
        writer.field("LTime", ltime)
        writer.field("Node", node)
    }
}

/// A user event on its way.
struct UserEventMessage: SerfBody, Equatable {
    static let kind = SerfMessageKind.userEvent
    var ltime: UInt64 = 0
    var name = ""
    var payload: [UInt8]?
    /// Whether receivers may coalesce it with others of its name.
    var coalesce = false

    init(ltime: UInt64, name: String, payload: [UInt8]?, coalesce: Bool) {
        self.ltime = ltime
        self.name = name
        self.payload = payload
        self.coalesce = coalesce
    }

    init(from reader: inout MessagePackReader) throws(MessagePackError) {
        var fields = try GossipFields(&reader, order: ["LTime", "Name", "Payload", "CC"])
        while let key = try fields.next(&reader) {
            switch key {
            case "LTime": ltime = try reader.uint64()
            case "Name": name = try reader.gossipString()
            case "Payload": payload = try reader.optionalBytes()
            case "CC": coalesce = try reader.bool()
            default: try reader.skip()
            }
        }
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(4)
        writer.field("CC", coalesce)
        writer.field("LTime", ltime)
        writer.field("Name", name)
        writer.field("Payload", payload)
    }
}
