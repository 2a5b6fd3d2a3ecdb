/// The media type that the reference's HTTP library finds in the first bytes of a body (WHATWG MIME sniffing, the parts of it that occur).
enum ContentSniffing {
    /// How many bytes decide.
    private static let window = 512

    static func type(of body: [UInt8]) -> String {
        let data = body.prefix(window)
        let start = data.firstIndex { !isBlank($0) } ?? data.endIndex
        if let markup = markup(data[start...]) { return markup }
        if let binary = signature(data) { return binary }
        return data.contains(where: isBinary) ? "application/octet-stream" : Answer.text
    }

    /// The same, but markup, which a browser would run as part of the API's own pages, is plain text.
    static func passiveType(of body: [UInt8]) -> String {
        let type = type(of: body)
        return type.hasPrefix("text/html") || type.hasPrefix("text/xml") ? Answer.text : type
    }

    private static func isBlank(_ byte: UInt8) -> Bool { [0x09, 0x0A, 0x0C, 0x0D, 0x20].contains(byte) }

    private static func isBinary(_ byte: UInt8) -> Bool {
        byte <= 0x08 || byte == 0x0B || (0x0E...0x1A).contains(byte) || (0x1C...0x1F).contains(byte)
    }

    private static let htmlTags = [
        "<!DOCTYPE HTML", "<HTML", "<HEAD", "<SCRIPT", "<IFRAME", "<H1", "<DIV", "<FONT", "<TABLE", "<A", "<STYLE", "<TITLE", "<B", "<BODY",
        "<BR", "<P", "<!--",
    ]

    /// HTML (a known tag, in any case, that a blank or `>` ends) and XML, after leading blanks.
    private static func markup(_ data: ArraySlice<UInt8>) -> String? {
        guard data.first == UInt8(ascii: "<") else { return nil }
        for tag in htmlTags where data.count > tag.utf8.count {
            let matches = zip(data, tag.utf8).allSatisfy { byte, expected in
                byte == expected || (expected >= 0x41 && expected <= 0x5A && byte == expected | 0x20)
            }
            let end = data[data.startIndex + tag.utf8.count]
            if matches, end == UInt8(ascii: " ") || end == UInt8(ascii: ">") { return "text/html; charset=utf-8" }
        }
        return data.starts(with: "<?xml".utf8) ? "text/xml; charset=utf-8" : nil
    }

    private static let signatures: [(bytes: [UInt8], type: String)] = [
        (Array("%PDF-".utf8), "application/pdf"),
        (Array("%!PS-Adobe-".utf8), "application/postscript"),
        ([0x00, 0x00, 0x01, 0x00], "image/x-icon"),
        ([0x00, 0x00, 0x02, 0x00], "image/x-icon"),
        (Array("BM".utf8), "image/bmp"),
        (Array("GIF87a".utf8), "image/gif"),
        (Array("GIF89a".utf8), "image/gif"),
        ([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A], "image/png"),
        ([0xFF, 0xD8, 0xFF], "image/jpeg"),
        (Array("ID3".utf8), "audio/mpeg"),
        (Array("OggS\u{0}".utf8), "application/ogg"),
        (Array("MThd\u{0}\u{0}\u{0}\u{6}".utf8), "audio/midi"),
        ([0x1A, 0x45, 0xDF, 0xA3], "video/webm"),
        ([0x00, 0x01, 0x00, 0x00], "font/ttf"),
        (Array("OTTO".utf8), "font/otf"),
        (Array("ttcf".utf8), "font/collection"),
        (Array("wOFF".utf8), "font/woff"),
        (Array("wOF2".utf8), "font/woff2"),
        ([0x1F, 0x8B, 0x08], "application/x-gzip"),
        (Array("PK\u{3}\u{4}".utf8), "application/zip"),
        (Array("Rar!\u{1A}\u{7}\u{0}".utf8), "application/x-rar-compressed"),
        (Array("Rar!\u{1A}\u{7}\u{1}\u{0}".utf8), "application/x-rar-compressed"),
        ([0x00, 0x61, 0x73, 0x6D], "application/wasm"),
    ]

    /// What follows `RIFF` and four bytes of length.
    private static let riffTypes: [(bytes: [UInt8], type: String)] = [
        (Array("WEBPVP".utf8), "image/webp"), (Array("AVI ".utf8), "video/avi"), (Array("WAVE".utf8), "audio/wave"),
    ]

    private static func signature(_ data: ArraySlice<UInt8>) -> String? {
        if data.starts(with: [0xFE, 0xFF]) && data.count >= 4 { return "text/plain; charset=utf-16be" }
        if data.starts(with: [0xFF, 0xFE]) && data.count >= 4 { return "text/plain; charset=utf-16le" }
        if data.starts(with: [0xEF, 0xBB, 0xBF]) && data.count >= 4 { return Answer.text }
        for (bytes, type) in signatures where data.starts(with: bytes) { return type }
        if data.starts(with: "RIFF".utf8) {
            for (bytes, type) in riffTypes where data.dropFirst(8).starts(with: bytes) { return type }
        }
        if data.starts(with: "FORM".utf8), data.dropFirst(8).starts(with: "AIFF".utf8) { return "audio/aiff" }
        if data.dropFirst(34).starts(with: "LP".utf8) { return "application/vnd.ms-fontobject" }
        return isMP4(Array(data)) ? "video/mp4" : nil
    }

    /// An ISO base media file whose brands include one that begins with `mp4`.
    private static func isMP4(_ data: [UInt8]) -> Bool {
        guard data.count >= 12 else { return false }
        let size = data[..<4].reduce(0) { $0 << 8 | Int($1) }
        guard size <= data.count, size % 4 == 0, data[4..<8].elementsEqual("ftyp".utf8) else { return false }
        // The four bytes after the major brand are its version.
        return stride(from: 8, to: size, by: 4).contains { $0 != 12 && data[$0...].starts(with: "mp4".utf8) }
    }
}
