/// The first byte of every message of memberlist (gossip §2.1).
enum MessageType: UInt8 {
    case ping = 0
    case indirectPing = 1
    case ack = 2
    case suspect = 3
    case alive = 4
    case dead = 5
    case pushPull = 6
    case compound = 7
    case user = 8
    case compress = 9
    case encrypt = 10
    case nack = 11
    case checksum = 12
    case error = 13
}

/// A message with a type byte of its own.
protocol MemberlistMessage: GossipStruct {
    static var type: MessageType { get }
}

extension MemberlistMessage {
    /// With the type byte.
    var encoded: [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: 128)
        writer.bytes.append(Self.type.rawValue)
        write(to: &writer)
        return writer.bytes
    }
}

/// Who sent a ping, where it says so: the answer goes there. All three are left out together by older peers.
struct PingSource: Hashable {
    var address: ArraySlice<UInt8> = []
    var port: UInt16 = 0
    var node = ""

    mutating func read(_ name: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch name {
        case "SourceAddr": address = try reader.slice()
        case "SourcePort": port = try reader.uint16()
        case "SourceNode": node = try reader.string()
        default: return false
        }
        return true
    }

    var fieldCount: Int { (address.isEmpty ? 0 : 1) + (port == 0 ? 0 : 1) + (node.isEmpty ? 0 : 1) }

    func write(to writer: inout MessagePackWriter) {
        if !address.isEmpty { writer.field("SourceAddr", slice: address) }
        if !node.isEmpty { writer.field("SourceNode", node) }
        if port != 0 { writer.field("SourcePort", port) }
    }
}

struct PingMessage: MemberlistMessage, Hashable {
    static let type = MessageType.ping
    static let names: [StaticString] = ["SeqNo", "Node", "SourceAddr", "SourcePort", "SourceNode"]

    var sequence: UInt32 = 0
    /// Whom it is meant for; empty: anyone.
    var node = ""
    var source = PingSource()

    mutating func read(_ name: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch name {
        case "SeqNo": sequence = try reader.uint32()
        case "Node": node = try reader.string()
        default: return try source.read(name, from: &reader)
        }
        return true
    }

    func write(to writer: inout MessagePackWriter) {
        writer.mapHeader(2 + source.fieldCount)
        writer.field("Node", node)
        writer.field("SeqNo", sequence)
        source.write(to: &writer)
    }
}

struct IndirectPingMessage: MemberlistMessage, Hashable {
    static let type = MessageType.indirectPing
    static let names: [StaticString] = ["SeqNo", "Target", "Port", "Node", "Nack", "SourceAddr", "SourcePort", "SourceNode"]

    var sequence: UInt32 = 0
    var target: ArraySlice<UInt8> = []
    var port: UInt16 = 0
    var node = ""
    /// Whether the sender wants to hear that there was no answer.
    var nack = false
    var source = PingSource()

    mutating func read(_ name: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch name {
        case "SeqNo": sequence = try reader.uint32()
        case "Target": target = try reader.slice()
        case "Port": port = try reader.uint16()
        case "Node": node = try reader.string()
        case "Nack": nack = try reader.bool()
        default: return try source.read(name, from: &reader)
        }
        return true
    }

    func write(to writer: inout MessagePackWriter) {
        writer.mapHeader(5 + source.fieldCount)
        writer.field("Nack", nack)
        writer.field("Node", node)
        writer.field("Port", port)
        writer.field("SeqNo", sequence)
        source.write(to: &writer)
        writer.field("Target", slice: target)
    }
}

struct AckMessage: MemberlistMessage, Hashable {
    static let type = MessageType.ack
    static let names: [StaticString] = ["SeqNo", "Payload"]

    var sequence: UInt32 = 0
    var payload: ArraySlice<UInt8> = []

    mutating func read(_ name: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch name {
        case "SeqNo": sequence = try reader.uint32()
        case "Payload": payload = try reader.slice()
        default: return false
        }
        return true
    }

    func write(to writer: inout MessagePackWriter) {
        writer.mapHeader(2)
        writer.field("Payload", slice: payload)
        writer.field("SeqNo", sequence)
    }
}

struct NackMessage: MemberlistMessage, Hashable {
    static let type = MessageType.nack
    static let names: [StaticString] = ["SeqNo"]

    var sequence: UInt32 = 0

    mutating func read(_ name: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        guard name == "SeqNo" else { return false }
        sequence = try reader.uint32()
        return true
    }

    func write(to writer: inout MessagePackWriter) {
        writer.mapHeader(1)
        writer.field("SeqNo", sequence)
    }
}

/// Somebody accuses a node: the fields that suspect and dead share.
struct Accusation: Hashable {
    static let names: [StaticString] = ["Incarnation", "Node", "From"]

    var incarnation: UInt32 = 0
    var node = ""
    /// Of a dead message about the accuser itself: it leaves.
    var from = ""

    mutating func read(_ name: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch name {
        case "Incarnation": incarnation = try reader.uint32()
        case "Node": node = try reader.string()
        case "From": from = try reader.string()
        default: return false
        }
        return true
    }

    func write(to writer: inout MessagePackWriter) {
        writer.mapHeader(3)
        writer.field("From", from)
        writer.field("Incarnation", incarnation)
        writer.field("Node", node)
    }
}

/// A message that is an accusation and nothing else.
protocol AccusationMessage: MemberlistMessage {
    var accusation: Accusation { get set }
}

extension AccusationMessage {
    static var names: [StaticString] { Accusation.names }

    mutating func read(_ name: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        try accusation.read(name, from: &reader)
    }

    func write(to writer: inout MessagePackWriter) { accusation.write(to: &writer) }
}

struct SuspectMessage: AccusationMessage, Hashable {
    static let type = MessageType.suspect
    var accusation = Accusation()
}

struct DeadMessage: AccusationMessage, Hashable {
    static let type = MessageType.dead
    var accusation = Accusation()
}

struct AliveMessage: MemberlistMessage, Hashable {
    static let type = MessageType.alive
    static let names: [StaticString] = ["Incarnation", "Node", "Addr", "Port", "Meta", "Vsn"]

    var incarnation: UInt32 = 0
    var node = ""
    var address: ArraySlice<UInt8> = []
    /// 0: that of the receiver.
    var port: UInt16 = 0
    var meta: ArraySlice<UInt8> = []
    /// Six numbers.
    var versions: ArraySlice<UInt8> = []

    mutating func read(_ name: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch name {
        case "Incarnation": incarnation = try reader.uint32()
        case "Node": node = try reader.string()
        case "Addr": address = try reader.slice()
        case "Port": port = try reader.uint16()
        case "Meta": meta = try reader.slice()
        case "Vsn": versions = try reader.slice()
        default: return false
        }
        return true
    }

    func write(to writer: inout MessagePackWriter) {
        writer.mapHeader(6)
        writer.field("Addr", slice: address)
        writer.field("Incarnation", incarnation)
        writer.field("Meta", slice: meta)
        writer.field("Node", node)
        writer.field("Port", port)
        writer.field("Vsn", slice: versions)
    }
}

/// Why the other side would not read a stream.
struct ErrorMessage: MemberlistMessage, Hashable {
    static let type = MessageType.error
    static let names: [StaticString] = ["Error"]

    var text = ""

    mutating func read(_ name: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        guard name == "Error" else { return false }
        text = try reader.string()
        return true
    }

    func write(to writer: inout MessagePackWriter) {
        writer.mapHeader(1)
        writer.field("Error", text)
    }
}
