// The stream protocol of snapshots: a request and, to restore, an archive behind it, up to the end of the caller's side; an answer and,
// to save, an archive behind it (rpc-raft-wire §1.6).

/// What precedes the archive on the way there.
struct SnapshotRequest: Equatable, WireStruct {
    static let save: Int64 = 0
    static let restore: Int64 = 1

    var allowStale = false
    var datacenter = ""
    var operation = save
    var token = ""

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(4)
        writer.field("AllowStale", allowStale)
        writer.field("Datacenter", datacenter)
        writer.field("Op", Int(operation))
        writer.field("Token", token)
    }

    mutating func read(_ name: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch name {
        case "AllowStale": allowStale = try reader.bool()
        case "Datacenter": datacenter = try reader.string()
        case "Op": operation = try reader.int64()
        case "Token": token = try reader.string()
        default: return false
        }
        return true
    }

    /// The refusal of an operation that does not exist: its number is shown as Go quotes a character.
    var unknownOperation: String {
        "unrecognized snapshot op " + (UInt8(exactly: operation).map { GoQuote.character($0) } ?? "'\u{FFFD}'")
    }
}

/// What precedes the archive on the way back; an error comes without one.
struct SnapshotResponse: Equatable, WireStruct {
    var error = ""
    var meta = QueryMeta()

    init() {}
    init(meta: QueryMeta) { self.meta = meta }
    init(error: String) { self.error = error }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(5)
        writer.field("ConsistencyLevel", "")
        writer.field("Error", error)
        writer.field("Index", meta.index)
        writer.field("KnownLeader", meta.knownLeader)
        writer.field("LastContact", meta.lastContact)
    }

    mutating func read(_ name: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch name {
        case "Error": error = try reader.string()
        case "Index": meta.index = try reader.uint64()
        case "KnownLeader": meta.knownLeader = try reader.bool()
        case "LastContact": meta.lastContact = try reader.duration()
        default: return false
        }
        return true
    }
}

extension ServerWork {
    /// As it goes to another server: over what, and its bytes. nil for what a server proposes only itself.
    func message(sequence: UInt64) -> (channel: Channel, bytes: [UInt8])? {
        if case .operation(let operation, let options) = self, operation.isSnapshot {
            var request = SnapshotRequest()
            request.allowStale = options.allowStale
            request.datacenter = options.datacenter
            request.token = options.token
            guard case .restoreSnapshot(let archive) = operation else { return (.snapshot, request.encoded) }
            request.operation = SnapshotRequest.restore
            return (.snapshot, request.encoded + archive)
        }
        return encodedCall.map { (.rpc, RPCRequest.encode(sequence: sequence, method: $0.method, body: $0.body)) }
    }

    /// What the answer to `message` begins with: the refusal, or the body that `decodeAnswer` reads.
    func readReply(_ bytes: [UInt8]) throws(MessagePackError) -> RPCReply {
        guard isSnapshot else { return try RPCReply(decoding: bytes) }
        var reader = MessagePackReader(bytes)
        return RPCReply(error: try SnapshotResponse(from: &reader).error, body: bytes[...])
    }

    var isSnapshot: Bool { if case .operation(let operation, _) = self { operation.isSnapshot } else { false } }

    /// As whoever asked sees the refusal of the server that was called: there is no call that could have failed behind a snapshot.
    func called(_ refusal: String) -> ServerError { isSnapshot ? ServerError(refusal) : ServerError(refusal).called }

    /// As whoever asked sees a call that came to nothing.
    func failed(_ reason: String) -> ServerError {
        guard isSnapshot else { return ServerError(failedCall: reason) }
        return ServerError(ServerError.isUnsent(reason) ? reason : "failed to decode response: \(reason)")
    }
}

extension ServerOperation {
    var isSnapshot: Bool {
        switch self {
        case .saveSnapshot, .restoreSnapshot: true
        default: false
        }
    }
}
