/// An address to join, as users write it: `host`, `host:port`, `::1`, `[::1]:8301`, each optionally behind `node name/`.
/// Spec: gossip §9.5, config §17.
public struct JoinAddress: Hashable, Sendable {
    /// As it was written, for error texts.
    public let text: String
    /// Empty where none is given.
    public var nodeName: String
    /// An IP address without brackets, or a name that is to be looked up.
    public var host: String
    public var port: UInt16

    /// - Parameter defaultPort: for entries without one: the pool's own.
    public init(_ text: String, defaultPort: Int) throws(TextError) {
        self.text = text
        var rest = text[...]
        nodeName = ""
        if let slash = text.firstIndex(of: "/") {
            if slash == text.startIndex { throw TextError("empty node name provided") }
            nodeName = String(text[..<slash])
            rest = text[text.index(after: slash)...]
        }
        let (host, port) = try HostPort.split(Self.withPort(String(rest), defaultPort))
        self.host = host
        self.port = UInt16(try GoNumber.parseUInt(port, bits: 16))
    }

    /// Whether nothing needs to be looked up.
    public var isIP: Bool { !host.utf8.contains(UInt8(ascii: "%")) && IPAddress(host) != nil }

    /// `ip:port`, once a name is looked up; of an entry that is an IP address already without an argument.
    public func address(ip: String? = nil) -> Address { HostPort.join(ip ?? host, Int(port)) }

    private static func withPort(_ text: String, _ port: Int) -> String {
        let bytes = Array(text.utf8)
        let open = UInt8(ascii: "["), close = UInt8(ascii: "]"), mark = UInt8(ascii: ":")
        let hasPort =
            bytes.lastIndex(of: open) == 0
            ? (bytes.lastIndex(of: mark) ?? -1) > (bytes.lastIndex(of: close) ?? -1) : bytes.count { $0 == mark } == 1
        if hasPort { return text }
        var host = bytes[...]
        while let first = host.first, first == open || first == close { host = host.dropFirst() }
        while let last = host.last, last == open || last == close { host = host.dropLast() }
        return HostPort.join(String(decoding: host, as: UTF8.self), port)
    }
}

/// Entries of `retry_join` and the like that describe how a cloud's machines are found (`provider=aws tag_key=…`). No such provider is
/// built in; the entry is refused by its name, and the other entries count.
public enum JoinDiscovery {
    public struct Refusal: Hashable, Sendable {
        public var entry: String
        /// `discover: unknown provider aws`
        public var reason: String
    }

    /// The entries that are addresses, and the others with the reason why they are not used.
    public static func sort(_ entries: [String]) -> (addresses: [String], refused: [Refusal]) {
        var addresses: [String] = [], refused: [Refusal] = []
        for entry in entries {
            if let reason = refusal(entry) { refused.append(Refusal(entry: entry, reason: reason)) } else { addresses.append(entry) }
        }
        return (addresses, refused)
    }

    /// nil: the entry is an address.
    public static func refusal(_ entry: String) -> String? {
        let bytes = Array(entry.utf8), mark = Array("provider=".utf8)
        guard bytes.count >= mark.count else { return nil }
        guard let at = (0...bytes.count - mark.count).first(where: { bytes[$0..<$0 + mark.count].elementsEqual(mark) }) else { return nil }
        var name = bytes[(at + mark.count)...]
        if name.first == UInt8(ascii: "\"") {
            name = name.dropFirst().prefix { $0 != UInt8(ascii: "\"") }
        } else {
            name = name.prefix { $0 != UInt8(ascii: " ") }
        }
        return "discover: unknown provider \(String(decoding: name, as: UTF8.self))"
    }
}
