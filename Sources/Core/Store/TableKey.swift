/// Builds the keys of tables: names in lower case, each ended by a zero byte, so that a component never runs into the next one and
/// `web` sorts before `web-proxy` (http-1 §5).
enum TableKey {
    static func of(_ name: String) -> ByteString {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(name.utf8.count + 1)
        append(name, to: &bytes)
        return ByteString(bytes)
    }

    static func of(_ first: String, _ second: String) -> ByteString {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(first.utf8.count + second.utf8.count + 2)
        append(first, to: &bytes)
        append(second, to: &bytes)
        return ByteString(bytes)
    }

    static func of(_ first: String, _ second: String, _ third: String) -> ByteString {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(first.utf8.count + second.utf8.count + third.utf8.count + 3)
        append(first, to: &bytes)
        append(second, to: &bytes)
        append(third, to: &bytes)
        return ByteString(bytes)
    }

    /// `status` keeps its case.
    static func ofStatus(_ status: String, _ rest: ByteString = ByteString([])) -> ByteString {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(status.utf8.count + 1 + rest.count)
        bytes.append(text: status)
        bytes.append(0)
        bytes.append(contentsOf: rest.bytes)
        return ByteString(bytes)
    }

    static func join(_ first: ByteString, _ second: ByteString) -> ByteString {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(first.count + second.count)
        bytes.append(contentsOf: first.bytes)
        bytes.append(contentsOf: second.bytes)
        return ByteString(bytes)
    }

    private static func append(_ name: String, to bytes: inout [UInt8]) {
        appendLowerCased(name, to: &bytes)
        bytes.append(0)
    }

    /// Lower case as Go has it: scalar by scalar, without regard to context.
    static func appendLowerCased(_ text: String, to bytes: inout [UInt8]) {
        let start = bytes.count
        let done: Bool? = text.utf8.withContiguousStorageIfAvailable { utf8 in
            for byte in utf8 {
                if byte >= 0x80 { return false }
                bytes.append(byte &- 0x41 < 26 ? byte | 0x20 : byte)
            }
            return true
        }
        if done == true { return }
        bytes.removeSubrange(start...)
        for scalar in text.unicodeScalars {
            // The one scalar whose lower case is two of them.
            bytes.append(contentsOf: (scalar == "\u{130}" ? "i" : scalar.properties.lowercaseMapping).utf8)
        }
    }

    static func lowerCased(_ text: String) -> ByteString {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        appendLowerCased(text, to: &bytes)
        return ByteString(bytes)
    }
}
