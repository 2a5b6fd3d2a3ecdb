// The structs of operations on the wire. Spec: rpc-raft-wire §4.8.

extension RaftStatistics: WireStruct {
    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "LastContact": lastContact = try reader.string()
        case "LastIndex": lastIndex = try reader.uint64()
        case "LastTerm": lastTerm = try reader.uint64()
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(3)
        writer.field("LastContact", lastContact)
        writer.field("LastIndex", lastIndex)
        writer.field("LastTerm", lastTerm)
    }
}

extension RaftServerDescription: WireStruct {
    init() { self.init(id: "", node: "", address: "", isLeader: false, protocolVersion: "", isVoter: false) }

    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Address": address = try reader.string()
        case "ID": id = try reader.string()
        case "Leader": isLeader = try reader.bool()
        case "Node": node = try reader.string()
        case "ProtocolVersion": protocolVersion = try reader.string()
        case "Voter": isVoter = try reader.bool()
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(6)
        writer.field("Address", address)
        writer.field("ID", id)
        writer.field("Leader", isLeader)
        writer.field("Node", node)
        writer.field("ProtocolVersion", protocolVersion)
        writer.field("Voter", isVoter)
    }
}

extension ServerHealth: WireStruct {
    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Address": address = try reader.string()
        case "Healthy": isHealthy = try reader.bool()
        case "ID": id = try reader.string()
        case "LastContact": lastContact = try reader.duration()
        case "LastIndex": lastIndex = try reader.uint64()
        case "LastTerm": lastTerm = try reader.uint64()
        case "Leader": isLeader = try reader.bool()
        case "Name": name = try reader.string()
        case "SerfStatus": status = MemberStatus(rawValue: UInt8(clamping: try reader.int())) ?? .none
        case "StableSince": stableSince = try reader.time() ?? .zero
        case "Version": version = try reader.string()
        case "Voter": isVoter = try reader.bool()
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(12)
        writer.field("Address", address)
        writer.field("Healthy", isHealthy)
        writer.field("ID", id)
        writer.field("LastContact", lastContact)
        writer.field("LastIndex", lastIndex)
        writer.field("LastTerm", lastTerm)
        writer.field("Leader", isLeader)
        writer.field("Name", name)
        writer.field("SerfStatus", Int(status.rawValue))
        writer.field("StableSince", stableSince)
        writer.field("Version", version)
        writer.field("Voter", isVoter)
    }
}

extension ClusterHealth: WireStruct {
    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "FailureTolerance": failureTolerance = try reader.int()
        case "Healthy": healthy = try reader.bool()
        case "Servers": servers = try ServerHealth.array(from: &reader) ?? []
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(3)
        writer.field("FailureTolerance", failureTolerance)
        writer.field("Healthy", healthy)
        writer.field("Servers", servers.isEmpty ? nil : servers)
    }
}

extension KeyringResponse: WireStruct {
    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Datacenter": datacenter = try reader.string()
        case "Error": error = try reader.string()
        case "Keys": keys = try Self.counts(from: &reader)
        case "Messages": messages = try reader.stringMap()
        case "NumNodes": nodeCount = try reader.int()
        case "PrimaryKeys": primaryKeys = try Self.counts(from: &reader)
        case "Segment": segment = try reader.string()
        case "WAN": isWAN = try reader.bool()
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(8)
        writer.field("Datacenter", datacenter)
        writer.field("Error", error)
        writer.key("Keys")
        Self.encode(keys, into: &writer)
        writer.field("Messages", messages)
        writer.field("NumNodes", nodeCount)
        writer.key("PrimaryKeys")
        Self.encode(primaryKeys, into: &writer)
        writer.field("Segment", segment)
        writer.field("WAN", isWAN)
    }

    private static func counts(from reader: inout MessagePackReader) throws(MessagePackError) -> SortedMap<String, Int>? {
        guard let count = try reader.mapHeader() else { return nil }
        var counts = SortedMap<String, Int>()
        for _ in 0..<count {
            let key = try reader.string()
            counts[key] = try reader.int()
        }
        return counts
    }

    private static func encode(_ counts: SortedMap<String, Int>?, into writer: inout MessagePackWriter) {
        guard let counts else { return writer.null() }
        writer.mapHeader(counts.count)
        for (key, count) in counts {
            writer.string(key)
            writer.int(count)
        }
    }
}

extension QueryMeta {
    var encoded: [UInt8] {
        var writer = MessagePackWriter()
        writer.mapHeader(4)
        encodeFields(into: &writer)
        return writer.bytes
    }

    /// All four of them.
    func encodeFields(into writer: inout MessagePackWriter) {
        writer.field("ConsistencyLevel", "")
        writer.field("Index", index)
        writer.field("KnownLeader", knownLeader)
        writer.field("LastContact", lastContact)
    }
}
