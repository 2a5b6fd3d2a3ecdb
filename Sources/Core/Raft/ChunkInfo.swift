/// What the `extensions` of one piece of a chunked command say (rpc-raft-wire §7.3), in the encoding of Protocol Buffers 3.
public struct ChunkInfo: Hashable, Sendable {
    /// The same, random number in all pieces of one command.
    public var operation: UInt64
    public var sequence: UInt32
    public var count: UInt32
    /// The extensions of the whole command; empty for none.
    public var nextExtensions: [UInt8]

    public init(operation: UInt64, sequence: UInt32, count: UInt32, nextExtensions: [UInt8] = []) {
        self.operation = operation
        self.sequence = sequence
        self.count = count
        self.nextExtensions = nextExtensions
    }

    /// Commands longer than this are cut into pieces of it.
    public static let chunkSize = 524_288

    public var encoded: [UInt8] {
        var bytes: [UInt8] = []
        func varint(_ value: UInt64) {
            var rest = value
            while rest >= 0x80 {
                bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
                rest >>= 7
            }
            bytes.append(UInt8(truncatingIfNeeded: rest))
        }
        func field(_ tag: UInt8, _ value: UInt64) {
            guard value != 0 else { return }
            bytes.append(tag)
            varint(value)
        }
        field(0x08, operation)
        field(0x10, UInt64(sequence))
        field(0x18, UInt64(count))
        if !nextExtensions.isEmpty {
            bytes.append(0x22)
            varint(UInt64(nextExtensions.count))
            bytes.append(contentsOf: nextExtensions)
        }
        return bytes
    }

    /// nil for malformed bytes. Unknown fields are passed over.
    public init?(encoded bytes: [UInt8]) {
        self.init(operation: 0, sequence: 0, count: 0)
        var at = 0
        func varint() -> UInt64? {
            var value: UInt64 = 0
            var shift: UInt64 = 0
            while at < bytes.count, shift < 64 {
                let byte = bytes[at]
                at += 1
                value |= UInt64(byte & 0x7F) << shift
                if byte < 0x80 { return value }
                shift += 7
            }
            return nil
        }
        while at < bytes.count {
            guard let tag = varint() else { return nil }
            switch (tag >> 3, tag & 7) {
            case (1, 0), (2, 0), (3, 0):
                guard let value = varint() else { return nil }
                switch tag >> 3 {
                case 1: operation = value
                case 2: sequence = UInt32(truncatingIfNeeded: value)
                default: count = UInt32(truncatingIfNeeded: value)
                }
            case (_, 0):
                guard varint() != nil else { return nil }
            case (let number, 2):
                guard let size = varint(), size <= UInt64(bytes.count - at) else { return nil }
                if number == 4 { nextExtensions = Array(bytes[at..<at + Int(size)]) }
                at += Int(size)
            case (_, 1):
                guard bytes.count - at >= 8 else { return nil }
                at += 8
            case (_, 5):
                guard bytes.count - at >= 4 else { return nil }
                at += 4
            default:
                return nil
            }
        }
    }

    /// Cuts a command into the proposals of its pieces; only the last one carries `token`, whose commit is the command's.
    public static func proposals(token: UInt64, command: [UInt8], operation: UInt64) -> [Proposal] {
        let count = (command.count + chunkSize - 1) / chunkSize
        return (0..<count).map { piece in
            let range = piece * chunkSize..<min(command.count, (piece + 1) * chunkSize)
            let info = ChunkInfo(operation: operation, sequence: UInt32(piece), count: UInt32(count))
            return Proposal(token: piece == count - 1 ? token : 0, data: Array(command[range]), extensions: info.encoded)
        }
    }
}
