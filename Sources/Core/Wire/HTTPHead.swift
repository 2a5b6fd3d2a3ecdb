/// Finds and takes apart the head of a message: its first line and its header fields.
enum HTTPHead {
    /// All of a head, as Go's server limits it.
    static let sizeLimit = 1 << 20
    static let fieldLimit = 1_024

    /// The offset behind the empty line that ends the head, looking from `scanned` on; leaves there where to look on when more has come.
    static func end(_ bytes: UnsafeBufferPointer<UInt8>, from scanned: inout Int) -> Int? {
        let newline = UInt8(ascii: "\n")
        var at = scanned
        while at < bytes.count {
            if bytes[at] != newline {
                at &+= 1
                continue
            }
            let next = at + 1
            if next < bytes.count && bytes[next] == newline { return next + 1 }
            if next + 1 < bytes.count && bytes[next] == UInt8(ascii: "\r") && bytes[next + 1] == newline { return next + 2 }
            if next >= bytes.count || (next + 1 >= bytes.count && bytes[next] == UInt8(ascii: "\r")) { break }
            at = next
        }
        scanned = at
        return nil
    }

    /// The line that starts at `at`, without its end; moves `at` behind it. The head is known to be complete.
    @inline(__always)
    static func line(_ bytes: UnsafeBufferPointer<UInt8>, _ at: inout Int) -> UnsafeBufferPointer<UInt8> {
        let start = at
        var end = at
        while end < bytes.count && bytes[end] != UInt8(ascii: "\n") { end &+= 1 }
        at = min(end + 1, bytes.count)
        if end > start && bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
        return UnsafeBufferPointer(rebasing: bytes[start..<end])
    }

    enum Problem {
        /// A line that is no field.
        case malformed
        case invalidName
        case invalidValue
        case tooMany
    }

    /// Reads the fields from `at` up to the end of the head into `headers`.
    static func fields(_ head: UnsafeBufferPointer<UInt8>, from start: Int, into headers: inout HTTPHeaders) -> Problem? {
        var at = start
        headers.reserve(head.count - start + 32)
        while at < head.count {
            let line = line(head, &at)
            if line.isEmpty { return nil }
            if headers.count == fieldLimit { return .tooMany }
            var colon = 0
            while colon < line.count && ASCII.isToken(line[colon]) { colon &+= 1 }
            if colon == line.count || line[colon] != UInt8(ascii: ":") {
                // A folded line, which RFC 7230 §3.2.4 lets a server refuse, a blank before the colon, or no colon.
                let isField = colon > 0 && line[colon...].contains(UInt8(ascii: ":")) && !ASCII.isBlank(line[colon])
                return isField ? .invalidName : .malformed
            }
            if colon == 0 { return .malformed }
            let value = ASCII.trimmed(UnsafeBufferPointer(rebasing: line[(colon + 1)...]))
            for byte in value where (byte < 0x20 && byte != 0x09) || byte == 0x7F { return .invalidValue }
            headers.append(name: UnsafeBufferPointer(rebasing: line[..<colon]), value: value)
        }
        return nil
    }

    /// Reads the fields of an answer, which a client takes as they come, like Go's: any bytes in names and values, as many as a head has room
    /// for, folded lines as one with a blank between them. Returns the line that is no field.
    static func answerFields(_ head: UnsafeBufferPointer<UInt8>, from start: Int, into headers: inout HTTPHeaders) -> String? {
        var at = start
        headers.reserve(head.count - start + 32)
        while at < head.count {
            let line = line(head, &at)
            if line.isEmpty { return nil }
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")), !ASCII.isBlank(line[0]) else { return String(repairing: line) }
            var value = Array(ASCII.trimmed(UnsafeBufferPointer(rebasing: line[(colon + 1)...])))
            while at < head.count && ASCII.isBlank(head[at]) {
                value.append(UInt8(ascii: " "))
                value.append(contentsOf: ASCII.trimmed(self.line(head, &at)))
            }
            // Nobody looks up a field without a name.
            if colon == 0 { continue }
            value.withUnsafeBufferPointer { value in
                headers.append(name: UnsafeBufferPointer(rebasing: line[..<colon]), value: ASCII.trimmed(value))
            }
        }
        return nil
    }

    /// The minor version of `HTTP/1.x`; nil if the text is no HTTP version, -1 for another major version.
    static func minorVersion(_ text: UnsafeBufferPointer<UInt8>) -> Int? {
        guard text.count == 8, ASCII.equal(UnsafeBufferPointer(rebasing: text[..<5]), "http/"), text[0] == UInt8(ascii: "H"),
            text[6] == UInt8(ascii: "."), text[5] &- 0x30 < 10, text[7] &- 0x30 < 10
        else { return nil }
        return text[5] == UInt8(ascii: "1") ? Int(text[7] &- 0x30) : -1
    }
}
