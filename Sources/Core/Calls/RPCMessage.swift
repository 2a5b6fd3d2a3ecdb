/// One call of the server port: header and body (rpc-raft-wire §2.1).
struct RPCRequest {
    var sequence: UInt64
    var method: String
    /// The encoded request value.
    var body: ArraySlice<UInt8>

    static func encode(sequence: UInt64, method: String, body: [UInt8]) -> [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: 64 + body.count)
        writer.mapHeader(2)
        writer.field("Seq", sequence)
        writer.field("ServiceMethod", method)
        writer.encoded(body)
        return writer.bytes
    }

    init(decoding bytes: [UInt8]) throws(MessagePackError) {
        var reader = MessagePackReader(bytes)
        sequence = 0
        method = ""
        var left = try reader.structHeader()
        while let key = try reader.nextKey(&left) {
            switch key {
            case "Seq": sequence = try reader.uint64()
            case "ServiceMethod": method = try reader.string()
            default: try reader.skip()
            }
        }
        body = reader.rest
    }
}

/// The answer to a call: a non-empty error, or a body.
struct RPCReply {
    var error: String
    var body: ArraySlice<UInt8>

    init(error: String, body: ArraySlice<UInt8>) {
        self.error = error
        self.body = body
    }

    static func encode(sequence: UInt64, method: String, body: [UInt8]) -> [UInt8] {
        var writer = header(to: sequence, method, error: "")
        writer.encoded(body)
        return writer.bytes
    }

    static func encode(sequence: UInt64, method: String, error: String) -> [UInt8] {
        var writer = header(to: sequence, method, error: error)
        writer.mapHeader(0)
        return writer.bytes
    }

    private static func header(to sequence: UInt64, _ method: String, error: String) -> MessagePackWriter {
        var writer = MessagePackWriter(reservingCapacity: 256)
        writer.mapHeader(3)
        writer.field("Error", error)
        writer.field("Seq", sequence)
        writer.field("ServiceMethod", method)
        return writer
    }

    /// Whether the stream that this answer goes out on ends behind it: a caller that was not understood is given up (rpc-raft-wire §2.1).
    static func endsStream(_ bytes: [UInt8]) -> Bool {
        // The empty error of a success, which nearly all are.
        if bytes.count > 7, bytes[7] == 0xA0 { return false }
        guard let reply = try? RPCReply(decoding: bytes) else { return false }
        return reply.error == "EOF" || misunderstandings.contains { reply.error.hasPrefix($0) }
    }

    /// How errors begin that are about the call's form. Those of other servers have a prefix.
    private static let misunderstandings = ["rpc: can't find ", "rpc: service/method request ill-formed: ", "codec.decoder: "]

    init(decoding bytes: [UInt8]) throws(MessagePackError) {
        var reader = MessagePackReader(bytes)
        error = ""
        var left = try reader.structHeader()
        while let key = try reader.nextKey(&left) {
            switch key {
            case "Error": error = try reader.string()
            default: try reader.skip()
            }
        }
        body = reader.rest
    }
}
