/// A request as the HTTP parser delivers it.
public struct HTTPRequest: Sendable {
    /// `GET`, `PUT`, ...: as sent.
    public var method: String
    /// The request target as sent, still percent-encoded: path and, after `?`, the query.
    public var target: [UInt8]
    public var fields: HTTPHeaders
    public var body: [UInt8]
    /// Whether a Content-Length header announced the body (a chunked body is not announced).
    public var contentLength: Int?
    /// The peer's address without port, as text.
    public var remoteAddress: String

    public init(
        method: String, target: [UInt8], headers: [(name: String, value: String)] = [], body: [UInt8] = [], contentLength: Int? = nil,
        remoteAddress: String = "127.0.0.1"
    ) {
        self.init(
            method: method, target: target, fields: HTTPHeaders(headers), body: body, contentLength: contentLength,
            remoteAddress: remoteAddress)
    }

    public init(
        method: String, target: [UInt8], fields: HTTPHeaders, body: [UInt8], contentLength: Int?, remoteAddress: String
    ) {
        self.method = method
        self.target = target
        self.fields = fields
        self.body = body
        self.contentLength = contentLength
        self.remoteAddress = remoteAddress
    }

    /// Names in lower case, in the order of the request. Made anew at each call.
    public var headers: [(name: String, value: String)] { fields.pairs }

    /// The first header of that lower-case name.
    public func header(_ name: String) -> String? { fields.first(name) }
}

/// An answer before it is framed: the serializer adds Date, Content-Length or chunking, and gzip where the client takes it.
public struct HTTPResponse: Sendable {
    public var status: Int
    /// In their canonical spelling, sorted by name, without Date, Content-Length, Transfer-Encoding and Content-Encoding.
    public var headers: [(name: String, value: String)]
    public var body: [UInt8]
    /// Of a long body what follows `body`, made while it is sent.
    public var rest: BodyRest?
    /// Answers of the API wrapper: `Vary`, configured headers and gzip apply (http-1 §1.1: not to redirects, 404 and `/`).
    public var wrapped: Bool
    /// Close the connection after this answer.
    public var close = false
    /// A body of no bytes that is one all the same: to who takes gzip it is sent as an empty stream, with a type.
    public var hasEmptyBody = false
    /// Announced by its length whatever that is, unless it is compressed.
    public var isSized = false
    /// Bytes that only this answer keeps in memory until it is sent; nil: those of the body, unless a `rest` follows it. A value of the
    /// store costs nothing, the rows of another agent's answer cost what came over the wire.
    public var retained: Int?

    public init(status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = [], wrapped: Bool = true) {
        self.status = status
        self.headers = headers
        self.body = body
        self.wrapped = wrapped
    }
}
