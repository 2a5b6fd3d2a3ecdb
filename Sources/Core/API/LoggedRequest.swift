// How requests and their answers appear in the log. Spec: http-1 §1.2.

extension HTTPRequest {
    /// The target without secrets.
    public static func logged(target: [UInt8]) -> String {
        let mark = target.firstIndex(of: UInt8(ascii: "?")) ?? target.endIndex
        var out = withoutToken(path: target[..<mark])
        if mark == target.endIndex { return String(decoding: out, as: UTF8.self) }
        for (number, part) in target[(mark + 1)...].split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: false).enumerated() {
            out.append(number == 0 ? UInt8(ascii: "?") : UInt8(ascii: "&"))
            if let equals = part.firstIndex(of: UInt8(ascii: "=")), isToken(part[..<equals]) {
                out += part[...equals] + hidden
            } else {
                out += part
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static let hidden = Array("<hidden>".utf8)
    /// What follows these is a token.
    private static let tokenPaths = ["create", "update", "destroy", "info", "clone", "list"].map { Array("/v1/acl/\($0)/".utf8) }

    private static func withoutToken(path: ArraySlice<UInt8>) -> [UInt8] {
        for prefix in tokenPaths where path.starts(with: prefix) && path.count > prefix.count { return prefix + hidden }
        return Array(path)
    }

    private static func isToken(_ name: ArraySlice<UInt8>) -> Bool {
        PercentEncoding.decode(name, plusIsSpace: true)?.elementsEqual("token".utf8) ?? false
    }
}

extension HTTPResponse {
    /// The text of an answer that is an error to the log; nil for others, among them those that only tell of a state or of an absence.
    public var loggedError: String? {
        switch status {
        case 403, 405, 500: body.isEmpty ? nil : String(decoding: body, as: UTF8.self)
        case 400: body.starts(with: "Bad request: ".utf8) ? String(decoding: body, as: UTF8.self) : nil
        case 429: body.isEmpty ? ServerError.rateLimited.text : nil
        default: nil
        }
    }
}
