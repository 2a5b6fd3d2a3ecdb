// The answers of the Raft transport; see RaftMessages.swift.

/// An answer with a text instead of a map. The connection stays usable.
enum RaftFailure {
    static func encoded(_ text: String) -> [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: text.utf8.count + 8)
        writer.string(text)
        writer.null()
        return writer.bytes
    }

    /// Reads the text that every answer begins with; empty if all is well.
    static func read(_ reader: inout MessagePackReader) throws(MessagePackError) -> String { try reader.string() }
}

extension AppendEntriesResponse {
    var encoded: [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: 96)
        writer.string("")
        writer.mapHeader(5)
        writer.field("LastLog", lastLog)
        writer.field("NoRetryBackoff", noRetryBackoff)
        writer.field("ProtocolVersion", RaftProtocol.version)
        writer.field("Success", success)
        writer.field("Term", term)
        return writer.bytes
    }

    init(_ reader: inout MessagePackReader) throws(MessagePackError) {
        var left = try reader.structHeader()
        while let key = try reader.nextKey(&left) {
            switch key {
            case "LastLog": lastLog = try reader.uint64()
            case "NoRetryBackoff": noRetryBackoff = try reader.bool()
            case "Success": success = try reader.bool()
            case "Term": term = try reader.uint64()
            default: try reader.skip()
            }
        }
    }
}

extension VoteResponse {
    /// To a probe (a vote in term 0), which says that this server knows pre-votes. No server of the reference sends one.
    var encodedProbe: [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: 64)
        writer.string("")
        writer.mapHeader(5)
        writer.field("Granted", false)
        writer.nullField("Peers")
        writer.field("PreVote", true)
        writer.field("ProtocolVersion", RaftProtocol.version)
        writer.field("Term", term)
        return writer.bytes
    }

    func encoded(_ kind: RaftMessageKind) -> [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: 64)
        writer.string("")
        writer.mapHeader(kind == .requestVote ? 4 : 3)
        writer.field("Granted", granted)
        if kind == .requestVote { writer.nullField("Peers") }
        writer.field("ProtocolVersion", RaftProtocol.version)
        writer.field("Term", term)
        return writer.bytes
    }

    init(_ reader: inout MessagePackReader) throws(MessagePackError) {
        var left = try reader.structHeader()
        while let key = try reader.nextKey(&left) {
            switch key {
            case "Granted": granted = try reader.bool()
            case "PreVote": knowsPreVote = try reader.bool()
            case "Term": term = try reader.uint64()
            default: try reader.skip()
            }
        }
    }
}

extension InstallSnapshotResponse {
    /// The reference leaves the protocol version 0 here.
    var encoded: [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: 64)
        writer.string("")
        writer.mapHeader(offset == nil ? 3 : 4)
        if let offset { writer.field("Offset", offset) }
        writer.field("ProtocolVersion", offset == nil ? 0 : RaftProtocol.version)
        writer.field("Success", success)
        writer.field("Term", term)
        return writer.bytes
    }

    init(_ reader: inout MessagePackReader) throws(MessagePackError) {
        var left = try reader.structHeader()
        while let key = try reader.nextKey(&left) {
            switch key {
            case "Offset": offset = try reader.int()
            case "Success": success = try reader.bool()
            case "Term": term = try reader.uint64()
            default: try reader.skip()
            }
        }
    }
}

extension TimeoutNow {
    /// The reference leaves the protocol version 0 here.
    static var encodedResponse: [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: 32)
        writer.string("")
        writer.mapHeader(1)
        writer.field("ProtocolVersion", 0)
        return writer.bytes
    }
}
