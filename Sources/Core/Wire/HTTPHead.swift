/// Finds and takes apart the head of a message: its first line and its header fields.
enum HTTPHead {
    /// All of a head, as Go's server limits it.
    static let sizeLimit = 1 << 20
    static let fieldLimit = 1_024

    /// The offset behind the empty line that ends the head, looking from `scanned` on; leaves there where to look on when more has come.
    static func end(_ bytes: Span<UInt8>, from scanned: inout Int) -> Int? {
        let newline = UInt8(ascii: "\n")
        while let at = bytes.firstIndex(of: newline, in: scanned..<bytes.count) {
            scanned = at
            let next = at + 1
            if next < bytes.count && bytes[next] == newline { return next + 1 }
            if next + 1 < bytes.count && bytes[next] == UInt8(ascii: "\r") && bytes[next + 1] == newline { return next + 2 }
            if next >= bytes.count || (next + 1 >= bytes.count && bytes[next] == UInt8(ascii: "\r")) { return nil }
            scanned = next
        }
        scanned = bytes.count
        return nil
    }

    /// Where the line stands that starts at `at`, without its end; moves `at` behind it.
    @inline(__always)
    static func line(_ bytes: Span<UInt8>, _ at: inout Int) -> Range<Int> {
        let start = at
        var end = bytes.firstIndex(of: UInt8(ascii: "\n"), in: at..<bytes.count) ?? bytes.count
        at = min(end + 1, bytes.count)
        if end > start && bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
        return start..<end
    }

    enum Problem {
        /// A line that is no field.
        case malformed
        case invalidName
        case invalidValue
        case tooMany
    }

    /// Reads the fields from `at` up to the end of the head into `headers`.
    static func fields(_ head: Span<UInt8>, from start: Int, into headers: inout HTTPHeaders) -> Problem? {
        var at = start
        headers.reserve(head.count - start + 32)
        while at < head.count {
            let line = line(head, &at)
            if line.isEmpty { return nil }
            if headers.count == fieldLimit { return .tooMany }
            var colon = line.lowerBound
            while colon < line.upperBound && ASCII.isToken(head[colon]) { colon &+= 1 }
            let name = line.lowerBound..<colon, rest = colon..<line.upperBound
            if rest.isEmpty || head[colon] != UInt8(ascii: ":") {
                // A folded line, which RFC 7230 §3.2.4 lets a server refuse, a blank before the colon, or no colon.
                let hasColon = head.firstIndex(of: UInt8(ascii: ":"), in: rest) != nil
                return hasColon && !name.isEmpty && !ASCII.isBlank(head[colon]) ? .invalidName : .malformed
            }
            if name.isEmpty { return .malformed }
            let value = ASCII.trimmed(head, rest.dropFirst())
            for at in value where (head[at] < 0x20 && head[at] != 0x09) || head[at] == 0x7F { return .invalidValue }
            headers.append(name: head.extracting(name), value: head.extracting(value))
        }
        return nil
    }

    /// Reads the fields of an answer, which a client takes as they come, like Go's: any bytes in names and values, as many as a head has room
    /// for, folded lines as one with a blank between them. Returns the line that is no field.
    static func answerFields(_ head: Span<UInt8>, from start: Int, into headers: inout HTTPHeaders) -> String? {
        var at = start
        headers.reserve(head.count - start + 32)
        while at < head.count {
            let line = line(head, &at)
            if line.isEmpty { return nil }
            guard let colon = head.firstIndex(of: UInt8(ascii: ":"), in: line), !ASCII.isBlank(head[line.lowerBound]) else {
                return UTF8Text.repaired(head.extracting(line))
            }
            var value: [UInt8] = []
            value.append(ASCII.trimmed(head, (colon + 1)..<line.upperBound), of: head)
            while at < head.count && ASCII.isBlank(head[at]) {
                value.append(UInt8(ascii: " "))
                let folded = self.line(head, &at)
                value.append(ASCII.trimmed(head, folded), of: head)
            }
            // Nobody looks up a field without a name.
            if colon == line.lowerBound { continue }
            let trimmed = ASCII.trimmed(value.span, 0..<value.count)
            headers.append(name: head.extracting(line.lowerBound..<colon), value: value.span.extracting(trimmed))
        }
        return nil
    }

    /// The minor version of `HTTP/1.x`; nil if the text is no HTTP version, -1 for another major version.
    static func minorVersion(_ text: Span<UInt8>) -> Int? {
        guard text.count == 8, ASCII.equal(text.extracting(0..<5), "http/"), text[0] == UInt8(ascii: "H"),
            text[6] == UInt8(ascii: "."), text[5] &- 0x30 < 10, text[7] &- 0x30 < 10
        else { return nil }
        return text[5] == UInt8(ascii: "1") ? Int(text[7] &- 0x30) : -1
    }
}
