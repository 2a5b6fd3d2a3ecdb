extension IPAddress {
    /// Dotted for IPv4, else groups with the longest run of zeros cut out (RFC 5952).
    var text: String {
        if isIPv4 {
            let octets: [UInt64] = [24, 16, 8, 0].map { shift in low >> shift & 0xFF }
            return octets.map(String.init).joined(separator: ".")
        }
        let groups: [UInt64] = [high, low].flatMap { half in [48, 32, 16, 0].map { shift in half >> shift & 0xFFFF } }
        let gap = Self.longestZeroRun(groups)
        let texts = groups.map { String($0, radix: 16) }
        guard gap.count > 1 else { return texts.joined(separator: ":") }
        return texts[..<gap.lowerBound].joined(separator: ":") + "::" + texts[gap.upperBound...].joined(separator: ":")
    }

    private static func longestZeroRun(_ groups: [UInt64]) -> Range<Int> {
        var best = 0..<0
        var start = 0
        for (index, group) in groups.enumerated() {
            if group != 0 {
                start = index + 1
            } else if index + 1 - start > best.count {
                best = start..<index + 1
            }
        }
        return best
    }

    /// `0.0.0.0` or `::`.
    var isAny: Bool { low == (isIPv4 ? 0xFFFF_0000_0000 : 0) && high == 0 }

    /// RFC 1918, RFC 6598, or unique local.
    var isPrivate: Bool { Self.privateNetworks.contains { $0.contains(self) } }

    /// A global address: neither private, loopback, link-local, multicast, documentation nor otherwise special.
    var isPublic: Bool { !isPrivate && !Self.specialNetworks.contains { $0.contains(self) } }

    /// Outside all the networks that are meant for use within a site or machine, or for examples (RFC 6890).
    var isForwardable: Bool { !Self.localNetworks.contains { $0.contains(self) } }

    private static let localNetworks = [
        "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
        "192.168.0.0/16", "::1/128", "fe80::/10", "fc00::/7", "fec0::/10", "2001:db8::/32",
    ].compactMap { IPNetwork($0) }

    private static let privateNetworks = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"]
        .compactMap { IPNetwork($0) }

    private static let specialNetworks = [
        "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24",
        "203.0.113.0/24", "224.0.0.0/3", "::/127", "fe80::/10", "ff00::/8", "2001:db8::/32",
    ].compactMap { IPNetwork($0) }
}
