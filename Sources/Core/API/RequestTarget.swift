/// A request target taken apart: the decoded path and the still encoded query. Spec: http-1 §1.1.
struct RequestTarget {
    /// Percent-decoded.
    var path: [UInt8]
    /// Without the `?`; nil when there was none.
    var query: ArraySlice<UInt8>?

    /// Nil for what an HTTP server refuses before any routing: a broken escape, a control character, a target that is no path.
    init?(_ target: [UInt8]) {
        var rest = target[...]
        if rest.first != UInt8(ascii: "/") {
            guard let afterHost = RequestTarget.afterAuthority(rest) else { return nil }
            rest = afterHost
        }
        var escaped = false
        var end = rest.endIndex
        for (at, byte) in zip(rest.indices, rest) {
            if byte == UInt8(ascii: "?"), end == rest.endIndex { end = at }
            if byte < 0x20 || byte == 0x7F { return nil }
            if byte == UInt8(ascii: "%"), end == rest.endIndex { escaped = true }
        }
        if end < rest.endIndex { query = rest[(end + 1)...] }
        if escaped {
            guard let decoded = PercentEncoding.decode(rest[..<end], plusIsSpace: false) else { return nil }
            path = decoded
        } else {
            path = Array(rest[..<end])
        }
        if path.isEmpty { path = [UInt8(ascii: "/")] }
    }

    /// The path and query of `http://host/path?query`.
    private static func afterAuthority(_ target: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        for scheme in ["http://", "https://"] where target.starts(with: scheme.utf8) {
            let rest = target.dropFirst(scheme.utf8.count)
            guard let start = rest.firstIndex(where: { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") }) else { return [] }
            return rest[start...]
        }
        return nil
    }

    /// Whether the path has a character that cannot be printed (blanks other than U+0020 count as such).
    var hasUnprintable: Bool {
        if path.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return false }
        let text = String(decoding: path, as: UTF8.self)
        return !text.unicodeScalars.allSatisfy { GoQuote.isPrintable($0) }
    }

    /// The shortest equivalent path (no `//`, `/./`, `/../`; a trailing slash stays); nil when the path is clean already.
    var cleaned: [UInt8]? {
        if isClean { return nil }
        var out: [UInt8] = []
        out.reserveCapacity(path.count)
        for segment in path.split(separator: UInt8(ascii: "/")) {
            if segment.elementsEqual(".".utf8) { continue }
            if segment.elementsEqual("..".utf8) {
                if let slash = out.lastIndex(of: UInt8(ascii: "/")) { out.removeSubrange(slash...) }
                continue
            }
            out.append(UInt8(ascii: "/"))
            out += segment
        }
        if out.isEmpty || path.last == UInt8(ascii: "/") { out.append(UInt8(ascii: "/")) }
        return out == path ? nil : out
    }

    /// False for every path that has an empty, `.` or `..` segment; may be false for some that have none.
    private var isClean: Bool {
        guard path.first == UInt8(ascii: "/") else { return false }
        var previous: UInt8 = 0
        for byte in path {
            if previous == UInt8(ascii: "/"), byte == UInt8(ascii: "/") || byte == UInt8(ascii: ".") { return false }
            previous = byte
        }
        return true
    }
}

enum PercentEncoding {
    /// Nil for a broken escape.
    static func decode(_ text: ArraySlice<UInt8>, plusIsSpace: Bool) -> [UInt8]? {
        var out: [UInt8] = []
        out.reserveCapacity(text.count)
        var at = text.startIndex
        while at < text.endIndex {
            let byte = text[at]
            if byte == UInt8(ascii: "%") {
                guard text.endIndex - at > 2, let high = hexValue(text[at + 1]), let low = hexValue(text[at + 2]) else { return nil }
                out.append(high << 4 | low)
                at += 3
            } else {
                out.append(plusIsSpace && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
                at += 1
            }
        }
        return out
    }

    /// As a path stands in a Location header: reserved characters stay, except `?`.
    static func encodePath(_ path: some Sequence<UInt8>) -> [UInt8] {
        encode(path) { isUnreserved($0) || "$&+,/:;=@".utf8.contains($0) }
    }

    /// As a name or value stands in a query string; a blank becomes `+`.
    static func encodeQuery(_ text: String) -> [UInt8] {
        encode(text.utf8) { isUnreserved($0) || $0 == UInt8(ascii: " ") }.map { $0 == UInt8(ascii: " ") ? UInt8(ascii: "+") : $0 }
    }

    private static func encode(_ bytes: some Sequence<UInt8>, keep: (UInt8) -> Bool) -> [UInt8] {
        var out: [UInt8] = []
        for byte in bytes {
            if keep(byte) {
                out.append(byte)
            } else {
                out += Hex.percent(byte)
            }
        }
        return out
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
