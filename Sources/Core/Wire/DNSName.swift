/// A domain name as it stands in a message: labels, each behind its length, and a zero. At most 255 bytes; the case is kept.
public struct DNSName: Hashable, Sendable {
    /// Uncompressed.
    public let wire: [UInt8]

    static let lengthLimit = 255
    static let labelLimit = 63

    public static let root = DNSName(unchecked: [0])

    init(unchecked wire: [UInt8]) { self.wire = wire }

    /// The labels between the dots of `text`, which may end with one, followed by `suffix`. Nil where a label is empty or too long, or the
    /// name is.
    public init?(_ text: String, suffix: DNSName = .root) {
        var wire: [UInt8] = []
        wire.reserveCapacity(text.utf8.count + 2 + suffix.wire.count)
        guard DNSName.append(text, to: &wire) else { return nil }
        wire.append(contentsOf: suffix.wire)
        if wire.count > DNSName.lengthLimit { return nil }
        self.wire = wire
    }

    private static func append(_ text: String, to wire: inout [UInt8]) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            var end = bytes.count
            if end > 0 && bytes[end - 1] == UInt8(ascii: ".") { end -= 1 }
            var start = 0
            while start < end {
                var at = start
                while at < end && bytes[at] != UInt8(ascii: ".") { at &+= 1 }
                // An empty label, also the one behind a last dot, has no place in a name.
                if at == start || at - start > labelLimit || at + 1 == end { return false }
                wire.append(UInt8(at - start))
                wire.append(contentsOf: bytes[start..<at])
                start = at + 1
            }
            return true
        }
    }

    /// Whether the name has no labels.
    public var isRoot: Bool { wire.count == 1 }

    /// Costs nothing when the name is in lower case already. (Lengths of labels are no capital letters: they are below 64.)
    public var lowercased: DNSName {
        wire.contains { $0 &- 0x41 < 26 } ? DNSName(unchecked: wire.map(ASCII.lowercased)) : self
    }

    public func hash(into hasher: inout Hasher) { wire.withUnsafeBytes { hasher.combine(bytes: $0) } }

    /// The offsets at which labels start.
    var labelStarts: [Int] {
        var starts: [Int] = []
        starts.reserveCapacity(8)
        var at = 0
        while at < wire.count && wire[at] != 0 {
            starts.append(at)
            at += 1 + Int(wire[at])
        }
        return starts
    }

    /// The labels as text, dots between them and at the end; bytes that are no printable ASCII, and dots inside labels, as `\DDD`.
    public var text: String {
        if isRoot { return "." }
        var out: [UInt8] = []
        for start in labelStarts {
            for byte in wire[(start + 1)...(start + Int(wire[start]))] {
                if byte > 0x20 && byte < 0x7F && byte != UInt8(ascii: ".") && byte != UInt8(ascii: "\\") {
                    out.append(byte)
                } else {
                    out.append(UInt8(ascii: "\\"))
                    out.append(0x30 + byte / 100)
                    out.append(twoDigits: Int(byte % 100))
                }
            }
            out.append(UInt8(ascii: "."))
        }
        return String(decoding: out, as: UTF8.self)
    }
}
