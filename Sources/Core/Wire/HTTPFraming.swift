/// What a request says about the shape of its answer.
public struct HTTPFraming: Hashable, Sendable {
    /// The answer to HEAD announces a body but has none.
    public var isHead = false
    /// The client speaks HTTP/1.0: no chunks.
    public var isHTTP10 = false
    /// Whether the client wants the connection kept after the answer.
    public var keepAlive = true
    /// `Accept-Encoding` names gzip with a weight above zero (`*` alone does not count).
    public var acceptsGzip = false

    public init() {}
}

/// A request that cannot be served; the connection is closed after the answer.
public struct HTTPFailure: Error, Hashable, Sendable {
    public var status: Int
    /// What follows the status on its line, if anything: `missing required Host header`.
    public var detail: String

    public init(_ status: Int, _ detail: String = "") {
        self.status = status
        self.detail = detail
    }

    /// The whole answer, spelled as Go's server spells it.
    public var bytes: [UInt8] {
        let name = HTTPStatus.text(status)
        let line = detail.isEmpty ? "\(status) \(name)" : "\(status) \(name): \(detail)"
        var out: [UInt8] = []
        switch status {
        case 417:
            out.append(text: "HTTP/1.1 417 Expectation Failed\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        case 501:
            out.append(text: "HTTP/1.1 501 Not Implemented\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")
            out.append(text: "Unsupported transfer encoding")
        default:
            out.append(text: "HTTP/1.1 \(line)\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n\(line)")
        }
        return out
    }
}

public enum HTTPStatus {
    /// The reason phrase; empty for a status that has none.
    public static func text(_ status: Int) -> String {
        switch status {
        case 100: "Continue"
        case 101: "Switching Protocols"
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 204: "No Content"
        case 206: "Partial Content"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 304: "Not Modified"
        case 307: "Temporary Redirect"
        case 308: "Permanent Redirect"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 413: "Request Entity Too Large"
        case 415: "Unsupported Media Type"
        case 416: "Requested Range Not Satisfiable"
        case 417: "Expectation Failed"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        default: ""
        }
    }
}
