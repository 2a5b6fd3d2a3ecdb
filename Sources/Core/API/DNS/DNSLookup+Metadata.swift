// Node metadata as TXT records. Spec: dns §5.1.
extension DNSLookup {
    /// One record per pair; sorted by key, where the reference has no order.
    static func metadata(of node: Row<Node>, owner: DNSName, ttl: UInt32) -> [DNSRecord] {
        guard let meta = node.value.meta else { return [] }
        return meta.map { DNSRecord(owner: owner, ttl: ttl, data: .txt(unescaped(text(key: $0.key, value: $0.value)))) }
    }

    /// The value alone, or `key=value` as RFC 1464 has it.
    private static func text(key: String, value: String) -> [UInt8] {
        let raw = "rfc1035-".utf8
        if key.utf8.count >= raw.count, zip(key.utf8, raw).allSatisfy({ ASCII.lowercased($0) == $1 }) { return Array(value.utf8) }
        let backquote = UInt8(ascii: "`"), blank = UInt8(ascii: " ")
        var out: [UInt8] = []
        out.reserveCapacity(key.utf8.count + value.utf8.count + 1)
        let first = key.utf8.firstIndex { $0 != blank } ?? key.utf8.endIndex
        let last = key.utf8.lastIndex { $0 != blank } ?? key.utf8.startIndex
        for at in key.utf8.indices {
            let byte = key.utf8[at]
            let isOuterBlank = byte == blank && (at < first || at > last)
            if byte == backquote || byte == UInt8(ascii: "=") || isOuterBlank { out.append(backquote) }
            out.append(byte)
        }
        out.append(UInt8(ascii: "="))
        for byte in value.utf8 {
            if byte == backquote { out.append(backquote) }
            out.append(byte)
        }
        return out
    }

    /// The text as a master file would mean it: `\DDD` is that byte, any other `\x` is x.
    private static func unescaped(_ text: [UInt8]) -> [UInt8] {
        let backslash = UInt8(ascii: "\\")
        guard text.contains(backslash) else { return text }
        func digit(_ at: Int) -> UInt8? { at < text.count && text[at] &- 0x30 < 10 ? text[at] &- 0x30 : nil }
        var out: [UInt8] = []
        var at = 0
        while at < text.count {
            if text[at] != backslash {
                out.append(text[at])
                at += 1
            } else if let hundreds = digit(at + 1), let tens = digit(at + 2), let ones = digit(at + 3) {
                out.append(hundreds &* 100 &+ tens &* 10 &+ ones)
                at += 4
            } else {
                if at + 1 < text.count { out.append(text[at + 1]) }
                at += 2
            }
        }
        return out
    }
}
