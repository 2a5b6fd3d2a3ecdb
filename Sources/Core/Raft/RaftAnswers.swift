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

extension MessagePackWriter {
    /// Begins the answer that all is well, with a map of that many fields.
    fileprivate init(answerOf fields: Int) {
        self.init(reservingCapacity: 96)
        string("")
        mapHeader(fields)
    }
}

extension AppendEntriesResponse: WireFields {
    var encoded: [UInt8] {
        var writer = MessagePackWriter(answerOf: 5)
        writer.field("LastLog", lastLog)
        writer.field("NoRetryBackoff", noRetryBackoff)
        writer.field("ProtocolVersion", RaftProtocol.version)
        writer.field("Success", success)
        writer.field("Term", term)
        return writer.bytes
    }

    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "LastLog": lastLog = try reader.raftIndex()
        case "NoRetryBackoff": noRetryBackoff = try reader.bool()
        case "Success": success = try reader.bool()
        case "Term": term = try reader.raftTerm()
        default: return false
        }
        return true
    }
}

extension VoteResponse: WireFields {
    func encoded(_ kind: RaftMessageKind) -> [UInt8] {
        var writer = MessagePackWriter(answerOf: 3 + (kind == .requestVote ? 1 : 0) + (knowsPreVote ? 1 : 0))
        writer.field("Granted", granted)
        if kind == .requestVote { writer.nullField("Peers") }
        if knowsPreVote { writer.field("PreVote", true) }
        writer.field("ProtocolVersion", RaftProtocol.version)
        writer.field("Term", term)
        return writer.bytes
    }

    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Granted": granted = try reader.bool()
        case "PreVote": knowsPreVote = try reader.bool()
        case "Term": term = try reader.raftTerm()
        default: return false
        }
        return true
    }
}

extension InstallSnapshotResponse: WireFields {
    /// The reference leaves the protocol version 0 here.
    var encoded: [UInt8] {
        var writer = MessagePackWriter(answerOf: offset == nil ? 3 : 4)
        if let offset { writer.field("Offset", offset) }
        writer.field("ProtocolVersion", offset == nil ? 0 : RaftProtocol.version)
        writer.field("Success", success)
        writer.field("Term", term)
        return writer.bytes
    }

    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Offset":
            let value = try reader.int()
            guard value >= 0 else { throw .invalid("negative offset in a snapshot") }
            offset = value
        case "Success": success = try reader.bool()
        case "Term": term = try reader.raftTerm()
        default: return false
        }
        return true
    }
}

extension TimeoutNow {
    /// The reference leaves the protocol version 0 here.
    static var encodedResponse: [UInt8] {
        var writer = MessagePackWriter(answerOf: 1)
        writer.field("ProtocolVersion", 0)
        return writer.bytes
    }
}
