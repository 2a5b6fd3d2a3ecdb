/// Where a node listens: its IP address in the form in which it was received, and its port.
///
/// The 4-byte and the 16-byte form of the same IPv4 address differ (gossip §3.9).
public struct NodeAddress: Hashable, Sendable {
    public let ip: IPAddress
    public var port: UInt16
    /// Whether the address stands in 4 bytes.
    public let isShort: Bool

    /// nil unless there are 4 or 16 bytes.
    public init?(_ bytes: some Collection<UInt8>, port: UInt16) {
        switch bytes.count {
        case 4:
            ip = IPAddress(high: 0, low: 0xFFFF << 32 | Self.word(bytes.prefix(4)))
            isShort = true
        case 16:
            ip = IPAddress(high: Self.word(bytes.prefix(8)), low: Self.word(bytes.dropFirst(8)))
            isShort = false
        default:
            return nil
        }
        self.port = port
    }

    /// Four bytes for IPv4.
    public init(_ ip: IPAddress, port: UInt16) {
        self.ip = ip
        self.port = port
        isShort = ip.isIPv4
    }

    /// Reads `10.0.0.1:8301` or `[fd00::1]:8301`.
    public init?(_ text: Address) {
        guard let (host, port) = try? HostPort.split(text), let port = UInt16(port), let ip = IPAddress(host) else { return nil }
        self.init(ip, port: port)
    }

    private static func word(_ bytes: some Sequence<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }

    /// The IP address as it goes over the wire.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return bytes
    }

    func append(to bytes: inout [UInt8]) {
        if isShort {
            bytes.append(bigEndian: UInt32(truncatingIfNeeded: ip.low))
        } else {
            bytes.append(bigEndian: ip.high)
            bytes.append(bigEndian: ip.low)
        }
    }

    public var ipText: String { ip.isIPv4 ? String(decoding: dotted(reserving: 15), as: UTF8.self) : ip.text }

    /// `10.0.0.1:8301` or `[fd00::1]:8301`.
    public var text: Address {
        guard ip.isIPv4 else { return HostPort.join(ip.text, Int(port)) }
        var text = dotted(reserving: 21)
        text.append(UInt8(ascii: ":"))
        text.append(decimal: UInt64(port))
        return String(decoding: text, as: UTF8.self)
    }

    private func dotted(reserving capacity: Int) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(capacity)
        text.append(decimal: ip.low >> 24 & 0xFF)
        for shift in [16, 8, 0] as [UInt64] {
            text.append(UInt8(ascii: "."))
            text.append(decimal: ip.low >> shift & 0xFF)
        }
        return text
    }
}
