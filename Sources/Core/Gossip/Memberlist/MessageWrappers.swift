/// Wrappers around messages: compression, several in one, checksum (gossip §2.2-2.4).
enum MessageWrappers {
    /// A compound counts its parts in one byte, and the reference reads twice that count in one byte too.
    static let compoundLimit = 127
    static let compoundOverhead = 2

    /// Several messages in one, at most `compoundLimit`, none longer than 65,535 bytes.
    static func compound(_ parts: ArraySlice<[UInt8]>) -> [UInt8] {
        precondition(parts.count <= compoundLimit, "a compound has at most 127 parts")
        var message: [UInt8] = []
        message.reserveCapacity(2 + parts.reduce(0) { $0 + 2 + $1.count })
        message.append(MessageType.compound.rawValue)
        message.append(UInt8(parts.count))
        for part in parts { message.append(bigEndian: UInt16(part.count)) }
        for part in parts { message.append(contentsOf: part) }
        return message
    }

    /// The parts of a compound without its type byte, and how many are cut off; nil if even the lengths are.
    static func parts(of body: ArraySlice<UInt8>) -> (parts: [ArraySlice<UInt8>], truncated: Int)? {
        guard let count = body.first.map({ Int($0) }), body.count > 2 * count else { return nil }
        var at = body.startIndex + 1 + 2 * count
        var parts: [ArraySlice<UInt8>] = []
        parts.reserveCapacity(count)
        for index in 0..<count {
            let place = body.startIndex + 1 + 2 * index
            let length = Int(body[place]) << 8 | Int(body[place + 1])
            guard length <= body.endIndex - at else { return (parts, count - index) }
            parts.append(body[at..<at + length])
            at += length
        }
        return (parts, 0)
    }

    static func checksummed(_ message: [UInt8]) -> [UInt8] {
        var packet: [UInt8] = []
        packet.reserveCapacity(message.count + 5)
        packet.append(MessageType.checksum.rawValue)
        packet.append(bigEndian: CRC32.checksum(message[...]))
        packet.append(contentsOf: message)
        return packet
    }

    /// The compressed form, whatever its length.
    static func compressed(_ message: [UInt8]) -> [UInt8] {
        CompressedMessage(buffer: (LZW.compress(message) ?? [])[...]).encoded
    }

    /// The compressed form where that is shorter.
    static func compressedIfShorter(_ message: [UInt8]) -> [UInt8]? {
        // Type byte, map, "Algo" with its number, "Buf", and the shortest header of a raw.
        let wrapping = 1 + 1 + 5 + 1 + 4 + 1
        guard message.count > wrapping, let buffer = LZW.compress(message, limit: message.count - wrapping) else { return nil }
        let whole = CompressedMessage(buffer: buffer[...]).encoded
        return whole.count < message.count ? whole : nil
    }

    enum DecompressionError: Error, Hashable {
        case message(MessagePackError)
        case unknownAlgorithm(UInt64)
        case lzw(LZW.Failure)

        var text: String {
            switch self {
            case .message(let error): error.text
            case .unknownAlgorithm(let number): "Cannot decompress unknown algorithm \(number)"
            case .lzw(.truncated): "unexpected EOF"
            case .lzw(.invalidCode): "lzw: invalid code"
            case .lzw(.tooLong): "decompressed message is too large"
            }
        }
    }

    /// Undoes `compressed`, its type byte already gone; at most `limit` bytes.
    static func decompressed(_ body: ArraySlice<UInt8>, limit: Int) throws(DecompressionError) -> [UInt8] {
        let message: CompressedMessage
        do { message = try CompressedMessage(body) } catch { throw .message(error) }
        guard message.algorithm == CompressedMessage.lzw else { throw .unknownAlgorithm(message.algorithm) }
        do { return try LZW.decompress(message.buffer, limit: limit) } catch { throw .lzw(error) }
    }
}
