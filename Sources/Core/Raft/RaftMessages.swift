// The messages of the Raft transport (rpc-raft-wire §5.1): a type byte and a MessagePack map; the answer is a text, empty if all is
// well, and a map, or nil when there is none.
//
// Types 0 to 3 are the reference's. Two more are spoken between servers of this kind; a server of the reference closes the connection
// at them, which the caller sees as a failed call:
//
//   4   RequestPreVote    {Candidate, LastLogIndex, LastLogTerm, ProtocolVersion, Term}: would you vote for me in Term? Changes nothing.
//                         Answer {Granted, ProtocolVersion, Term}.
//   5   InstallChunk      InstallSnapshot's fields without Peers, and Checksum, Data, Offset, Restored, SnapshotID: one piece of a
//                         snapshot.
//                         Answer {Offset, ProtocolVersion, Success, Term}: where to go on.

/// The first byte of a request.
enum RaftMessageKind: UInt8 {
    case appendEntries = 0
    case requestVote = 1
    case installSnapshot = 2
    case timeoutNow = 3
    case requestPreVote = 4
    case installChunk = 5
}

enum RaftProtocol {
    /// What this implementation speaks.
    static let version = 3
    static let versionError = "operation not supported with current protocol version"
    /// More entries in one message than any sender sends.
    static let entriesMax = 65_536

    static func isSupported(_ version: Int64) -> Bool { version >= Int64(Self.version) - 1 && version <= Int64(Self.version) }
}

struct AppendEntriesRequest: Equatable {
    var term: UInt64 = 0
    var leader: [UInt8] = []
    var previousIndex: UInt64 = 0
    var previousTerm: UInt64 = 0
    var entries: [LogEntry] = []
    /// nil entries on the wire: what heartbeats have.
    var isHeartbeat = false
    var commitIndex: UInt64 = 0
    var version: Int64 = 0
}

struct AppendEntriesResponse: Equatable {
    var term: UInt64 = 0
    /// The last index before the append.
    var lastLog: UInt64 = 0
    var success = false
    var noRetryBackoff = false
}

struct VoteRequest: Equatable {
    var term: UInt64 = 0
    var candidate: [UInt8] = []
    var lastIndex: UInt64 = 0
    var lastTerm: UInt64 = 0
    var isTransfer = false
    var version: Int64 = Int64(RaftProtocol.version)
}

struct VoteResponse: Equatable {
    var term: UInt64 = 0
    var granted = false
    /// Only in the answer to a probe (a vote in term 0). No server of the reference says it.
    var knowsPreVote = false
}

struct InstallSnapshotRequest: Equatable {
    var term: UInt64 = 0
    var leader: [UInt8] = []
    var lastIndex: UInt64 = 0
    var lastTerm: UInt64 = 0
    var configuration = RaftConfiguration()
    var configurationIndex: UInt64 = 0
    var peers: [UInt8] = []
    var size = 0
    var snapshotVersion: Int64 = 1
    var version: Int64 = Int64(RaftProtocol.version)

    // InstallChunk only.
    var snapshotID: [UInt8] = []
    var isRestored = false
    var checksum: UInt64 = 0
    var offset = 0
    var data: [UInt8] = []
}

struct InstallSnapshotResponse: Equatable {
    var term: UInt64 = 0
    var success = false
    /// InstallChunk only: the bytes that the follower has.
    var offset: Int?
}

/// What a peer asked.
enum RaftRequest {
    case appendEntries(AppendEntriesRequest)
    case requestVote(VoteRequest)
    /// The state follows the map.
    case installSnapshot(InstallSnapshotRequest, state: ArraySlice<UInt8>)
    /// `term` is the leader's, 0 if it does not say (the reference).
    case timeoutNow(version: Int64, term: UInt64)
    case requestPreVote(VoteRequest)
    case installChunk(InstallSnapshotRequest)

    /// nil for a type that is unknown.
    init?(_ bytes: [UInt8]) throws(MessagePackError) {
        guard let kind = bytes.first.flatMap(RaftMessageKind.init(rawValue:)) else { return nil }
        var reader = MessagePackReader(bytes.dropFirst())
        switch kind {
        case .appendEntries: self = .appendEntries(try AppendEntriesRequest(&reader))
        case .requestVote: self = .requestVote(try VoteRequest(&reader))
        case .requestPreVote: self = .requestPreVote(try VoteRequest(&reader))
        case .installSnapshot:
            let request = try InstallSnapshotRequest(&reader)
            self = .installSnapshot(request, state: reader.rest)
        case .installChunk: self = .installChunk(try InstallSnapshotRequest(&reader))
        case .timeoutNow:
            var version: Int64 = 0
            var term: UInt64 = 0
            var left = try reader.structHeader()
            while let key = try reader.nextKey(&left) {
                switch key {
                case "ProtocolVersion": version = try reader.int64()
                case "Term": term = try reader.raftTerm()
                default: try reader.skip()
                }
            }
            self = .timeoutNow(version: version, term: term)
        }
    }
}

// MARK: Requests

extension AppendEntriesRequest {
    init(_ reader: inout MessagePackReader) throws(MessagePackError) {
        var left = try reader.structHeader()
        var hasEntries = false
        while let key = try reader.nextKey(&left) {
            switch key {
            case "Entries":
                guard let count = try reader.arrayHeader() else { continue }
                hasEntries = true
                guard count <= RaftProtocol.entriesMax else { throw .invalid("too many entries in one message") }
                entries.reserveCapacity(count)
                for _ in 0..<count { entries.append(try LogEntry(&reader)) }
            case "Leader": leader = try reader.bytes()
            case "LeaderCommitIndex": commitIndex = try reader.raftIndex()
            case "PrevLogEntry": previousIndex = try reader.raftIndex()
            case "PrevLogTerm": previousTerm = try reader.raftTerm()
            case "ProtocolVersion": version = try reader.int64()
            case "Term": term = try reader.raftTerm()
            default: try reader.skip()
            }
        }
        isHeartbeat = !hasEntries
    }

    /// Everything but the entries, of which `count` are appended by `entries`.
    static func encode(
        term: UInt64, leader: [UInt8], previousIndex: UInt64, previousTerm: UInt64, commitIndex: UInt64, count: Int?, payload: Int,
        entries: (inout MessagePackWriter) -> Void
    ) -> [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: 160 + payload + 64 * (count ?? 0))
        writer.bytes.append(RaftMessageKind.appendEntries.rawValue)
        writer.mapHeader(7)
        writer.key("Entries")
        if let count {
            writer.arrayHeader(count)
            entries(&writer)
        } else {
            writer.null()
        }
        writer.field("Leader", leader)
        writer.field("LeaderCommitIndex", commitIndex)
        writer.field("PrevLogEntry", previousIndex)
        writer.field("PrevLogTerm", previousTerm)
        writer.field("ProtocolVersion", RaftProtocol.version)
        writer.field("Term", term)
        return writer.bytes
    }

    var encoded: [UInt8] {
        Self.encode(
            term: term, leader: leader, previousIndex: previousIndex, previousTerm: previousTerm, commitIndex: commitIndex,
            count: isHeartbeat ? nil : entries.count, payload: entries.reduce(0) { $0 + $1.weight }
        ) { writer in for entry in entries { entry.encode(&writer) } }
    }
}

extension LogEntry {
    init(_ reader: inout MessagePackReader) throws(MessagePackError) {
        self.init(index: 0, term: 0)
        var left = try reader.structHeader()
        while let key = try reader.nextKey(&left) {
            switch key {
            case "Data": data = try reader.bytes()
            case "Extensions": extensions = try reader.bytes()
            case "Index": index = try reader.raftIndex()
            case "Term": term = try reader.raftTerm()
            case "Type":
                guard let kind = LogKind(rawValue: UInt8(clamping: try reader.uint64())) else {
                    throw .invalid("unknown type of log entry")
                }
                self.kind = kind
            default: try reader.skip()
            }
        }
        guard data.count + extensions.count <= RaftLimits.entryPayloadMax else {
            throw .invalid("an entry is larger than \(RaftLimits.entryPayloadMax) bytes")
        }
    }

    @inline(__always)
    func encode(_ writer: inout MessagePackWriter) {
        writer.mapHeader(5)
        writer.field("Data", data.isEmpty ? nil : data)
        writer.field("Extensions", extensions.isEmpty ? nil : extensions)
        writer.field("Index", index)
        writer.field("Term", term)
        writer.field("Type", UInt64(kind.rawValue))
    }
}

extension VoteRequest {
    init(_ reader: inout MessagePackReader) throws(MessagePackError) {
        version = 0
        var left = try reader.structHeader()
        while let key = try reader.nextKey(&left) {
            switch key {
            case "Candidate": candidate = try reader.bytes()
            case "LastLogIndex": lastIndex = try reader.raftIndex()
            case "LastLogTerm": lastTerm = try reader.raftTerm()
            case "LeadershipTransfer": isTransfer = try reader.bool()
            case "ProtocolVersion": version = try reader.int64()
            case "Term": term = try reader.raftTerm()
            default: try reader.skip()
            }
        }
    }

    func encoded(_ kind: RaftMessageKind) -> [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: 128)
        writer.bytes.append(kind.rawValue)
        writer.mapHeader(kind == .requestVote ? 6 : 5)
        writer.field("Candidate", candidate)
        writer.field("LastLogIndex", lastIndex)
        writer.field("LastLogTerm", lastTerm)
        if kind == .requestVote { writer.field("LeadershipTransfer", isTransfer) }
        writer.field("ProtocolVersion", version)
        writer.field("Term", term)
        return writer.bytes
    }
}

extension InstallSnapshotRequest {
    init(_ reader: inout MessagePackReader) throws(MessagePackError) {
        (snapshotVersion, version) = (0, 0)
        var encodedConfiguration: [UInt8] = []
        var left = try reader.structHeader()
        while let key = try reader.nextKey(&left) {
            switch key {
            case "Checksum": checksum = try reader.uint64()
            case "Configuration": encodedConfiguration = try reader.bytes()
            case "ConfigurationIndex": configurationIndex = try reader.raftIndex()
            case "Data": data = try reader.bytes()
            case "LastLogIndex": lastIndex = try reader.raftIndex()
            case "LastLogTerm": lastTerm = try reader.raftTerm()
            case "Leader": leader = try reader.bytes()
            case "Offset": offset = try reader.int()
            case "Peers": peers = try reader.bytes()
            case "ProtocolVersion": version = try reader.int64()
            case "Restored": isRestored = try reader.bool()
            case "Size": size = try reader.int()
            case "SnapshotID": snapshotID = try reader.bytes()
            case "SnapshotVersion": snapshotVersion = try reader.int64()
            case "Term": term = try reader.raftTerm()
            default: try reader.skip()
            }
        }
        guard size >= 0, offset >= 0 else { throw .invalid("negative size of a snapshot") }
        guard size <= RaftLimits.snapshotSizeMax, offset <= size else { throw .invalid("size or offset of a snapshot is too large") }
        guard configurationIndex <= lastIndex else { throw .invalid("a snapshot that is older than its configuration") }
        if snapshotVersion > 0 {
            configuration = try RaftConfiguration(encoded: encodedConfiguration)
        } else {
            configuration = try RaftConfiguration(encodedPeers: peers)
        }
    }

    /// The single-call form without the state, which follows.
    var encoded: [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: 256 + size)
        writer.bytes.append(RaftMessageKind.installSnapshot.rawValue)
        writer.mapHeader(isRestored ? 11 : 10)
        writer.field("Configuration", configuration.encoded)
        writer.field("ConfigurationIndex", configurationIndex)
        writer.field("LastLogIndex", lastIndex)
        writer.field("LastLogTerm", lastTerm)
        writer.field("Leader", leader)
        writer.field("Peers", configuration.encodedPeers)
        writer.field("ProtocolVersion", version)
        if isRestored { writer.field("Restored", true) }
        writer.field("Size", size)
        writer.field("SnapshotVersion", snapshotVersion)
        writer.field("Term", term)
        return writer.bytes
    }

    var encodedChunk: [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: 512 + data.count)
        writer.bytes.append(RaftMessageKind.installChunk.rawValue)
        writer.mapHeader(14)
        writer.field("Checksum", checksum)
        writer.field("Configuration", configuration.encoded)
        writer.field("ConfigurationIndex", configurationIndex)
        writer.field("Data", data)
        writer.field("LastLogIndex", lastIndex)
        writer.field("LastLogTerm", lastTerm)
        writer.field("Leader", leader)
        writer.field("Offset", offset)
        writer.field("ProtocolVersion", version)
        writer.field("Restored", isRestored)
        writer.field("Size", size)
        writer.field("SnapshotID", snapshotID)
        writer.field("SnapshotVersion", snapshotVersion)
        writer.field("Term", term)
        return writer.bytes
    }
}

enum TimeoutNow {
    /// A term other than 0 is an addition to the reference's message, which servers of the reference ignore.
    static func encoded(term: UInt64) -> [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: 32)
        writer.bytes.append(RaftMessageKind.timeoutNow.rawValue)
        writer.mapHeader(term == 0 ? 1 : 2)
        writer.field("ProtocolVersion", RaftProtocol.version)
        if term != 0 { writer.field("Term", term) }
        return writer.bytes
    }
}
