/// An IP address as 16 bytes; IPv4 in its mapped form `::ffff:a.b.c.d`.
public struct IPAddress: Hashable, Sendable {
    public var high: UInt64
    public var low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    public var isIPv4: Bool { high == 0 && low >> 32 == 0xFFFF }

    /// Reads dotted IPv4 or IPv6 text (with `::`, with a dotted tail); a zone after `%` is ignored. Nil when it is neither.
    public init?(_ text: String) {
        var bytes = Array(text.utf8)
        if let zone = bytes.firstIndex(of: UInt8(ascii: "%")) { bytes.removeSubrange(zone...) }
        guard bytes.count <= 45 else { return nil }
        if bytes.contains(UInt8(ascii: ":")) {
            guard let (high, low) = IPAddress.version6(bytes[...]) else { return nil }
            self.high = high
            self.low = low
        } else {
            guard let value = IPAddress.version4(bytes[...]) else { return nil }
            high = 0
            low = 0xFFFF << 32 | UInt64(value)
        }
    }

    /// Of 4 or 16 bytes; nil for another number of them.
    public init?(bytes: [UInt8]) {
        func word(_ part: ArraySlice<UInt8>) -> UInt64 { part.reduce(0) { $0 << 8 | UInt64($1) } }
        switch bytes.count {
        case 4:
            high = 0
            low = 0xFFFF << 32 | word(bytes[...])
        case 16:
            high = word(bytes[..<8])
            low = word(bytes[8...])
        default: return nil
        }
    }

    private static func version4(_ text: ArraySlice<UInt8>) -> UInt32? {
        var value: UInt32 = 0
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        for part in parts {
            guard (1...3).contains(part.count), part.count == 1 || part.first != UInt8(ascii: "0") else { return nil }
            var octet: UInt32 = 0
            for byte in part {
                guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
                octet = octet * 10 + UInt32(byte - UInt8(ascii: "0"))
            }
            guard octet <= 255 else { return nil }
            value = value << 8 | octet
        }
        return value
    }

    private static func version6(_ text: ArraySlice<UInt8>) -> (UInt64, UInt64)? {
        var groups: [UInt16] = []
        var gap: Int?
        var rest = text
        if rest.starts(with: "::".utf8) {
            gap = 0
            rest = rest.dropFirst(2)
        }
        while !rest.isEmpty {
            guard groups.count < 8 else { return nil }
            let part = rest.prefix { $0 != UInt8(ascii: ":") }
            if part.contains(UInt8(ascii: ".")) {
                guard part.count == rest.count, groups.count <= 6, let value = version4(part) else { return nil }
                groups += [UInt16(value >> 16), UInt16(value & 0xFFFF)]
                rest = []
                break
            }
            guard let group = hexadecimal(part) else { return nil }
            groups.append(group)
            rest = rest.dropFirst(part.count)
            guard !rest.isEmpty else { break }
            rest = rest.dropFirst()
            if rest.first == UInt8(ascii: ":") {
                guard gap == nil else { return nil }
                gap = groups.count
                rest = rest.dropFirst()
            } else if rest.isEmpty {
                return nil
            }
        }
        if let gap {
            guard groups.count < 8 else { return nil }
            groups.insert(contentsOf: repeatElement(0, count: 8 - groups.count), at: gap)
        }
        guard groups.count == 8 else { return nil }
        let high = groups[..<4].reduce(0 as UInt64) { $0 << 16 | UInt64($1) }
        let low = groups[4...].reduce(0 as UInt64) { $0 << 16 | UInt64($1) }
        return (high, low)
    }

    private static func hexadecimal(_ text: ArraySlice<UInt8>) -> UInt16? {
        guard (1...4).contains(text.count) else { return nil }
        var value: UInt16 = 0
        for byte in text {
            guard let digit = hexValue(byte) else { return nil }
            value = value << 4 | UInt16(digit)
        }
        return value
    }
}

/// A network in CIDR form.
public struct IPNetwork: Hashable, Sendable {
    private let address: IPAddress
    private let isIPv4: Bool
    /// Of the 128-bit form.
    private let prefixLength: Int

    /// Reads `10.0.0.0/8` or `fd00::/8`; nil when it is not a network.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPAddress(String(parts[0])), let length = Int(parts[1]), length >= 0 else { return nil }
        isIPv4 = !parts[0].utf8.contains(UInt8(ascii: ":"))
        guard length <= (isIPv4 ? 32 : 128) else { return nil }
        self.address = address
        prefixLength = isIPv4 ? length + 96 : length
    }

    public func contains(_ other: IPAddress) -> Bool {
        guard other.isIPv4 == isIPv4 else { return false }
        let high: UInt64 = prefixLength >= 64 ? .max : ~(UInt64.max >> UInt64(prefixLength))
        let low: UInt64 = prefixLength <= 64 ? 0 : prefixLength == 128 ? .max : ~(UInt64.max >> UInt64(prefixLength - 64))
        return (address.high ^ other.high) & high == 0 && (address.low ^ other.low) & low == 0
    }
}
