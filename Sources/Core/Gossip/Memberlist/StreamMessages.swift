// What streams carry beside the messages of packets (gossip §3.8, §6).

/// In front of a push/pull.
struct PushPullHeader: GossipStruct, Hashable {
    static let names: [StaticString] = ["Nodes", "UserStateLen", "Join"]

    var nodes = 0
    var userStateLength = 0
    var join = false

    mutating func read(_ name: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch name {
        case "Nodes": nodes = try reader.int()
        case "UserStateLen": userStateLength = try reader.int()
        case "Join": join = try reader.bool()
        default: return false
        }
        return true
    }

    func write(to writer: inout MessagePackWriter) {
        writer.mapHeader(3)
        writer.field("Join", join)
        writer.field("Nodes", nodes)
        writer.field("UserStateLen", userStateLength)
    }
}

/// A node as the sender of a push/pull sees it.
struct PushPullNode: GossipStruct, Hashable {
    static let names: [StaticString] = ["Name", "Addr", "Port", "Meta", "Incarnation", "State", "Vsn"]

    var name = ""
    var address: ArraySlice<UInt8> = []
    var port: UInt16 = 0
    var meta: ArraySlice<UInt8> = []
    var incarnation: UInt32 = 0
    var state = 0
    var versions: ArraySlice<UInt8> = []

    mutating func read(_ name: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch name {
        case "Name": self.name = try reader.string()
        case "Addr": address = try reader.slice()
        case "Port": port = try reader.uint16()
        case "Meta": meta = try reader.slice()
        case "Incarnation": incarnation = try reader.uint32()
        case "State": state = try reader.int()
        case "Vsn": versions = try reader.slice()
        default: return false
        }
        return true
    }

    func write(to writer: inout MessagePackWriter) {
        writer.mapHeader(7)
        writer.field("Addr", slice: address)
        writer.field("Incarnation", incarnation)
        writer.field("Meta", slice: meta)
        writer.field("Name", name)
        writer.field("Port", port)
        writer.field("State", state)
        writer.field("Vsn", slice: versions)
    }
}

/// In front of a user message.
struct UserHeader: GossipStruct, Hashable {
    static let names: [StaticString] = ["UserMsgLen"]

    var length = 0

    mutating func read(_ name: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        guard name == "UserMsgLen" else { return false }
        length = try reader.int()
        return true
    }

    func write(to writer: inout MessagePackWriter) {
        writer.mapHeader(1)
        writer.field("UserMsgLen", length)
    }
}

/// The whole of a push/pull after its type byte.
struct PushPull: Hashable {
    var join = false
    var nodes: [PushPullNode] = []
    var userState: ArraySlice<UInt8> = []

    init() {}

    init(_ bytes: ArraySlice<UInt8>) throws(MessagePackError) {
        var reader = MessagePackReader(bytes)
        let header = try PushPullHeader(from: &reader)
        // Each node takes a byte at least.
        guard 0...MemberTable.limit ~= header.nodes, header.userStateLength >= 0 else { throw .outOfRange }
        guard header.nodes <= reader.rest.count else { throw .truncated }
        join = header.join
        nodes.reserveCapacity(min(header.nodes, 4_096))
        for _ in 0..<header.nodes { nodes.append(try PushPullNode(from: &reader)) }
        guard header.userStateLength <= reader.rest.count else { throw .truncated }
        userState = reader.rest.prefix(header.userStateLength)
    }

    /// With the type byte.
    var encoded: [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: 64 + userState.count + 160 * nodes.count)
        writer.bytes.append(MessageType.pushPull.rawValue)
        PushPullHeader(nodes: nodes.count, userStateLength: userState.count, join: join).write(to: &writer)
        for node in nodes { node.write(to: &writer) }
        writer.encoded(userState)
        return writer.bytes
    }
}

/// The wrapper of a compressed message (gossip §2.4).
struct CompressedMessage: MemberlistMessage {
    static let type = MessageType.compress
    static let names: [StaticString] = ["Algo", "Buf"]
    static let lzw: UInt64 = 0

    var algorithm: UInt64 = 0
    var buffer: ArraySlice<UInt8> = []

    mutating func read(_ name: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch name {
        case "Algo": algorithm = try reader.uint64()
        case "Buf": buffer = try reader.slice()
        default: return false
        }
        return true
    }

    func write(to writer: inout MessagePackWriter) {
        writer.mapHeader(2)
        writer.field("Algo", algorithm)
        writer.field("Buf", slice: buffer)
    }
}
