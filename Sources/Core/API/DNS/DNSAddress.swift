/// An address as records carry it.
enum DNSAddress: Hashable {
    case v4(UInt32)
    case v6(high: UInt64, low: UInt64)

    /// Nil for a host name. IPv4 in its mapped IPv6 form is IPv4.
    init?(_ text: String) {
        if let plain = DNSAddress.dotted(text) {
            self = .v4(plain)
            return
        }
        // Only colons can make it IPv6 now.
        guard text.utf8.contains(UInt8(ascii: ":")), let address = IPAddress(text) else { return nil }
        self = address.isIPv4 ? .v4(UInt32(truncatingIfNeeded: address.low)) : .v6(high: address.high, low: address.low)
    }

    /// Four numbers without leading zeros, without allocation.
    private static func dotted(_ text: String) -> UInt32? {
        var value: UInt32 = 0, octet: UInt32 = 0, digits = 0, dots = 0
        for byte in text.utf8 {
            if byte >= 0x30 && byte <= 0x39 {
                if digits > 0 && octet == 0 { return nil }
                octet = octet * 10 + UInt32(byte - 0x30)
                digits += 1
                if octet > 255 { return nil }
            } else {
                guard byte == UInt8(ascii: "."), digits > 0, dots < 3 else { return nil }
                value = value << 8 | octet
                octet = 0
                digits = 0
                dots += 1
            }
        }
        return dots == 3 && digits > 0 ? value << 8 | octet : nil
    }

    var data: DNSData {
        switch self {
        case .v4(let value): .a(value)
        case .v6(let high, let low): .aaaa(high: high, low: low)
        }
    }

    /// Whether a question of that type is about this family.
    func answers(_ type: UInt16) -> Bool {
        switch self {
        case .v4: type == DNSType.a || type == DNSType.any || type == DNSType.srv || type == DNSType.txt
        case .v6: type == DNSType.aaaa || type == DNSType.any || type == DNSType.srv || type == DNSType.txt
        }
    }

    private var bytes: [UInt8] {
        var bytes: [UInt8] = []
        switch self {
        case .v4(let value): bytes.append(bigEndian: value)
        case .v6(let high, let low):
            bytes.append(bigEndian: high)
            bytes.append(bigEndian: low)
        }
        return bytes
    }

    private init?(bytes: [UInt8]) {
        func number(_ range: Range<Int>) -> UInt64 { bytes[range].reduce(0) { $0 << 8 | UInt64($1) } }
        switch bytes.count {
        case 4: self = .v4(UInt32(number(0..<4)))
        case 16: self = .v6(high: number(0..<8), low: number(8..<16))
        default: return nil
        }
    }

    /// The label before `addr` (dns §9): 8 or 32 hexadecimal digits in lower case, behind its length.
    var hexLabel: [UInt8] {
        let bytes = bytes
        var label: [UInt8] = [UInt8(bytes.count * 2)]
        for byte in bytes { label.append(hex: byte) }
        return label
    }

    /// Nil unless the label is 8 or 32 hexadecimal digits.
    init?(hexLabel label: ArraySlice<UInt8>) {
        guard let bytes = Hex.bytes(label), let address = DNSAddress(bytes: bytes) else { return nil }
        self = address
    }

    /// The address that a name below `in-addr.arpa` or `ip6.arpa` spells (RFC 1035 §3.5, RFC 3596 §2.5). The name is in lower case.
    init?(reverse name: DNSName) {
        let starts = name.labelStarts
        func label(_ at: Int) -> ArraySlice<UInt8> { name.wire[(starts[at] + 1)...(starts[at] + Int(name.wire[starts[at]]))] }
        if starts.count == 6, label(4).elementsEqual("in-addr".utf8), label(5).elementsEqual("arpa".utf8) {
            let text = (0..<4).reversed().map { String(decoding: label($0), as: UTF8.self) }.joined(separator: ".")
            guard let value = DNSAddress.dotted(text) else { return nil }
            self = .v4(value)
        } else if starts.count == 34, label(32).elementsEqual("ip6".utf8), label(33).elementsEqual("arpa".utf8) {
            var nibbles: [UInt8] = []
            for at in (0..<32).reversed() {
                let label = label(at)
                guard label.count == 1, let first = label.first, hexValue(first) != nil else { return nil }
                nibbles.append(first)
            }
            self.init(hexLabel: nibbles[...])
        } else {
            return nil
        }
    }

    /// The usual text; IPv6 as RFC 5952 has it.
    var text: String {
        switch self {
        case .v4(let value): IPAddress(high: 0, low: 0xFFFF << 32 | UInt64(value)).text
        case .v6(let high, let low): IPAddress(high: high, low: low).text
        }
    }
}
