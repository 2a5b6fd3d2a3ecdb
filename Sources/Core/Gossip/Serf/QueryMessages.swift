// Queries, their answers, and what internal queries carry (gossip §11.1, §13).

/// A query on its way.
struct QueryMessage: SerfBody, Equatable {
    static let kind = SerfMessageKind.query

    /// Of `flags`: the sender wants to know who received it.
    static let ackFlag: UInt32 = 1
    /// Of `flags`: receivers do not pass it on.
    static let noBroadcastFlag: UInt32 = 2

    var ltime: UInt64 = 0
    /// Tells queries of the same Lamport time apart.
    var id: UInt32 = 0
    /// Where answers go.
    var address: [UInt8] = []
    var port: UInt16 = 0
    var sourceNode = ""
    /// All must match; each is an encoded `QueryFilter`.
    var filters: [[UInt8]]?
    var flags: UInt32 = 0
    /// Over how many other members each answer is sent as well.
    var relayFactor: UInt8 = 0
    /// Answers are welcome for this long.
    var timeout: Duration = .zero
    var name = ""
    var payload: [UInt8]?

    init() {}

    init(from reader: inout MessagePackReader) throws(MessagePackError) {
        let order: [StaticString] = [
            "LTime", "ID", "Addr", "Port", "SourceNode", "Filters", "Flags", "RelayFactor", "Timeout", "Name", "Payload",
        ]
        var fields = try GossipFields(&reader, order: order)
        while let key = try fields.next(&reader) {
            switch key {
            case "LTime": ltime = try reader.uint64()
            case "ID": id = try reader.uint32()
            case "Addr": address = try reader.bytes()
            case "Port": port = try reader.uint16()
            case "SourceNode": sourceNode = try reader.gossipString()
            case "Filters": filters = try reader.array { (reader: inout MessagePackReader) throws(MessagePackError) in try reader.bytes() }
            case "Flags": flags = try reader.uint32()
            case "RelayFactor": relayFactor = try reader.uint8()
            case "Timeout": timeout = try reader.duration()
            case "Name": name = try reader.gossipString()
            case "Payload": payload = try reader.optionalBytes()
            default: try reader.skip()
            }
        }
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(11)
        writer.field("Addr", address)
        writer.key("Filters")
        if let filters {
            writer.arrayHeader(filters.count)
            for filter in filters { writer.raw(filter) }
        } else {
            writer.null()
        }
        writer.field("Flags", flags)
        writer.field("ID", id)
        writer.field("LTime", ltime)
        writer.field("Name", name)
        writer.field("Payload", payload)
        writer.field("Port", port)
        writer.field("RelayFactor", UInt64(relayFactor))
        writer.field("SourceNode", sourceNode)
        writer.field("Timeout", timeout)
    }
}

/// An answer to a query, or the word that it arrived.
struct QueryResponseMessage: SerfBody, Equatable {
    static let kind = SerfMessageKind.queryResponse

    /// Of `flags`: only says that the query arrived.
    static let ackFlag: UInt32 = 1

    var ltime: UInt64 = 0
    var id: UInt32 = 0
    var from = ""
    var flags: UInt32 = 0
    var payload: [UInt8]?

    init(ltime: UInt64, id: UInt32, from: String, flags: UInt32, payload: [UInt8]?) {
        self.ltime = ltime
        self.id = id
        self.from = from
        self.flags = flags
        self.payload = payload
    }

    init(from reader: inout MessagePackReader) throws(MessagePackError) {
        var fields = try GossipFields(&reader, order: ["LTime", "ID", "From", "Flags", "Payload"])
        while let key = try fields.next(&reader) {
            switch key {
            case "LTime": ltime = try reader.uint64()
            case "ID": id = try reader.uint32()
            case "From": from = try reader.gossipString()
            case "Flags": flags = try reader.uint32()
            case "Payload": payload = try reader.optionalBytes()
            default: try reader.skip()
            }
        }
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(5)
        writer.field("Flags", flags)
        writer.field("From", from)
        writer.field("ID", id)
        writer.field("LTime", ltime)
        writer.field("Payload", payload)
    }
}

/// Asks a member to pass a message on. The message follows the header directly.
struct RelayMessage: Equatable {
    static let kind = SerfMessageKind.relay
    var address: [UInt8] = []
    var port: UInt16 = 0
    /// The name of the member that the message is for.
    var name = ""
    /// Kind byte and struct.
    var message: ArraySlice<UInt8> = []

    /// The header's struct with what follows it.
    init(body: ArraySlice<UInt8>) throws(MessagePackError) {
        var reader = MessagePackReader(body)
        var fields = try GossipFields(&reader, order: ["DestAddr", "DestName"])
        while let key = try fields.next(&reader) {
            switch key {
            case "DestAddr":
                var parts = try GossipFields(&reader, order: ["IP", "Port", "Zone"])
                while let key = try parts.next(&reader) {
                    switch key {
                    case "IP": address = try reader.bytes()
                    case "Port": port = try reader.uint16()
                    default: try reader.skip()
                    }
                }
            case "DestName": name = try reader.gossipString()
            default: try reader.skip()
            }
        }
        message = reader.rest
    }

    static func encode(address: [UInt8], port: UInt16, name: String, message: [UInt8]) -> [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: message.count + 80)
        writer.bytes.append(kind.rawValue)
        writer.mapHeader(2)
        writer.key("DestAddr")
        writer.mapHeader(3)
        writer.field("IP", address)
        writer.field("Port", port)
        writer.field("Zone", "")
        writer.field("DestName", name)
        writer.encoded(message)
        return writer.bytes
    }
}

/// The payload of the queries that change or list keys.
struct KeyRequest: SerfBody, Equatable {
    static let kind = SerfMessageKind.keyRequest
    var key: [UInt8] = []

    init(key: [UInt8]) { self.key = key }

    init(from reader: inout MessagePackReader) throws(MessagePackError) {
        var fields = try GossipFields(&reader, order: ["Key"])
        while let key = try fields.next(&reader) {
            switch key {
            case "Key": self.key = try reader.bytes()
            default: try reader.skip()
            }
        }
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(1)
        writer.field("Key", key)
    }
}

/// What one member answers to a query about keys.
struct KeyAnswer: SerfBody, Equatable {
    static let kind = SerfMessageKind.keyResponse
    var result = false
    var message = ""
    /// In base64.
    var keys: [String]?
    var primaryKey = ""

    init() {}

    init(from reader: inout MessagePackReader) throws(MessagePackError) {
        var fields = try GossipFields(&reader, order: ["Result", "Message", "Keys", "PrimaryKey"])
        while let key = try fields.next(&reader) {
            switch key {
            case "Result": result = try reader.bool()
            case "Message": message = try reader.gossipString()
            case "Keys": keys = try reader.strings()
            case "PrimaryKey": primaryKey = try reader.gossipString()
            default: try reader.skip()
            }
        }
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(4)
        writer.field("Keys", keys)
        writer.field("Message", message)
        writer.field("PrimaryKey", primaryKey)
        writer.field("Result", result)
    }
}

/// What a member knows of one whose name two claim; nil member: nothing.
enum ConflictAnswer {
    static func encode(_ member: Member?) -> [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: 256)
        writer.bytes.append(SerfMessageKind.conflictResponse.rawValue)
        guard let member else {
            writer.null()
            return writer.bytes
        }
        writer.mapHeader(11)
        writer.field("Addr", member.address)
        writer.field("DelegateCur", UInt64(member.delegateCurrent))
        writer.field("DelegateMax", UInt64(member.delegateMax))
        writer.field("DelegateMin", UInt64(member.delegateMin))
        writer.field("Name", member.name)
        writer.field("Port", member.port)
        writer.field("ProtocolCur", UInt64(member.protocolCurrent))
        writer.field("ProtocolMax", UInt64(member.protocolMax))
        writer.field("ProtocolMin", UInt64(member.protocolMin))
        writer.field("Status", UInt64(member.status.rawValue))
        writer.field("Tags", member.tags)
        return writer.bytes
    }

    /// From what follows the kind byte. An unknown member is one without a name.
    static func decode(_ body: ArraySlice<UInt8>) throws(MessagePackError) -> Member {
        var reader = MessagePackReader(body)
        var member = Member(
            name: "", address: [], port: 0, status: .none, protocolMin: 0, protocolMax: 0, protocolCurrent: 0, delegateMin: 0,
            delegateMax: 0,
            delegateCurrent: 0)
        let order: [StaticString] = [
            "Name", "Addr", "Port", "Tags", "Status", "ProtocolMin", "ProtocolMax", "ProtocolCur", "DelegateMin", "DelegateMax",
            "DelegateCur",
        ]
        var fields = try GossipFields(&reader, order: order)
        while let key = try fields.next(&reader) {
            switch key {
            case "Name": member.name = try reader.gossipString()
            case "Addr": member.address = try reader.bytes()
            case "Port": member.port = try reader.uint16()
            case "Tags": member.tags = try reader.stringMap() ?? [:]
            case "Status":
                guard let status = MemberStatus(rawValue: try reader.uint8()) else { throw .outOfRange }
                member.status = status
            case "ProtocolMin": member.protocolMin = try reader.uint8()
            case "ProtocolMax": member.protocolMax = try reader.uint8()
            case "ProtocolCur": member.protocolCurrent = try reader.uint8()
            case "DelegateMin": member.delegateMin = try reader.uint8()
            case "DelegateMax": member.delegateMax = try reader.uint8()
            case "DelegateCur": member.delegateCurrent = try reader.uint8()
            default: try reader.skip()
            }
        }
        return member
    }
}
