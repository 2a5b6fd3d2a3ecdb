/// Turns a request into what it asks for. Pure: the same request and context give the same call. Spec: http-1 §1.
public struct Router: Sendable {
    public let context: APIContext

    public init(_ context: APIContext) { self.context = context }

    public func route(_ request: HTTPRequest) -> RoutedCall {
        var caller = context.access.context(token: "", source: request.remoteAddress)
        let call = route(request, &caller)
        return RoutedCall(call, caller)
    }

    /// `caller` is nobody in particular at first; the endpoints' requests may name a token.
    private func route(_ request: HTTPRequest, _ caller: inout RequestContext) -> APICall {
        guard let target = RequestTarget(request.target) else {
            if request.method == "OPTIONS", request.target.elementsEqual("*".utf8) {
                return .immediate(HTTPResponse(status: 200, wrapped: false))
            }
            var response = Answer.plain(400, "400 Bad Request", wrapped: false)
            response.close = true
            return .immediate(response)
        }
        if !context.disableUnprintableFilter, target.hasUnprintable {
            return .immediate(HTTPResponse(status: 400, wrapped: false))
        }
        let table = RouteTable.shared
        let found = table.find(target.path)
        if request.method != "CONNECT" {
            let cleaned = target.cleaned
            let path = cleaned ?? target.path
            if table.lacksSlash(path, cleaned == nil ? found : table.find(path)) || lacksSlashOfUI(path) {
                return .immediate(Answer.redirect(to: path + [UInt8(ascii: "/")], query: target.query, request))
            }
            if cleaned != nil { return .immediate(Answer.redirect(to: path, query: target.query, request)) }
        }
        guard let found else { return .immediate(index(target, request)) }
        return endpoint(found, target, request, &caller)
    }

    /// `/` itself, or no endpoint at all.
    private func index(_ target: RequestTarget, _ request: HTTPRequest) -> HTTPResponse {
        if isOfUI(target.path) { return missingFile() }
        guard target.path.elementsEqual("/".utf8) else { return HTTPResponse(status: 404, wrapped: false) }
        if context.uiEnabled { return Answer.redirect(to: Array(context.uiContentPath.utf8), query: nil, request) }
        return Answer.plain(200, "Consul Agent", wrapped: false)
    }

    private func isOfUI(_ path: [UInt8]) -> Bool {
        guard context.uiEnabled, !path.elementsEqual("/".utf8) else { return false }
        return path.starts(with: context.uiContentPath.utf8) || path.elementsEqual("/robots.txt".utf8)
    }

    /// A file of the web page, none of which is there.
    private func missingFile() -> HTTPResponse {
        var response = Answer.plain(404, "404 page not found\n", wrapped: false)
        response.headers.append(("X-Content-Type-Options", "nosniff"))
        response.headers += context.configuredHeaders.filter { $0.name != "Content-Type" && $0.name != "X-Content-Type-Options" }
        response.headers.sort { $0.name < $1.name }
        return response
    }

    private func lacksSlashOfUI(_ path: [UInt8]) -> Bool {
        let content = context.uiContentPath.utf8
        return context.uiEnabled && content.last == UInt8(ascii: "/") && content.dropLast().elementsEqual(path)
    }

    /// Steps 3 to 8 of http-1 §1.2; the headers of steps 1 and 2 are on every answer (`APIContext.finish`).
    private func endpoint(
        _ found: Route, _ target: RequestTarget, _ request: HTTPRequest, _ caller: inout RequestContext
    ) -> APICall {
        if found.path.starts(with: "/debug/".utf8) { return .immediate(profiling()) }
        guard let parameters = target.query.map(QueryParameters.init) ?? QueryParameters() else {
            return .immediate(wrapped(HTTPResponse(status: 500)))
        }
        if context.blockEndpoints.contains(where: { target.path.starts(with: $0) }) {
            return .immediate(wrapped(Answer.plain(403, "Endpoint is blocked by agent configuration")))
        }
        if let allow = found.methods.header {
            if request.method == "OPTIONS" {
                return .immediate(wrapped(HTTPResponse(status: 200, headers: [("Allow", allow)])))
            }
            if !found.methods.contains(request.method) {
                var response = Answer.plain(405, "method \(request.method) not allowed")
                response.headers.insert(("Allow", allow), at: 0)
                return .immediate(wrapped(response))
            }
        }
        if !context.allowWriteFrom.isEmpty, !["GET", "HEAD", "OPTIONS"].contains(request.method), !mayWrite(from: request.remoteAddress) {
            return .immediate(wrapped(Answer.plain(403, "Access is restricted")))
        }
        let call = APIRequest(
            context: context, request: request, path: target.path, argument: target.path[found.path.count...], parameters: parameters)
        do {
            let result = try found.handler(call)
            let token = result.token ?? call.token
            if !token.isEmpty { caller = context.access.context(token: token, source: request.remoteAddress) }
            return result
        } catch {
            return .immediate(wrapped(error.response))
        }
    }

    private func wrapped(_ response: HTTPResponse) -> HTTPResponse {
        var response = response
        context.finish(&response)
        return response
    }

    private func mayWrite(from address: String) -> Bool {
        guard let address = IPAddress(address) else { return false }
        return context.allowWriteFrom.contains { $0.contains(address) }
    }

    /// `/debug/pprof/`: there is no such profiler in this agent.
    private func profiling() -> HTTPResponse {
        context.enableDebug ? HTTPResponse(status: 404, wrapped: false) : Answer.plain(401, "ACL support disabled", wrapped: false)
    }
}

/// An endpoint's request, taken apart as far as all endpoints need it. Over 500 lines with the handlers, an extension for each family.
struct APIRequest {
    let context: APIContext
    let request: HTTPRequest
    /// Decoded.
    let path: [UInt8]
    /// What follows the endpoint's pattern.
    let argument: ArraySlice<UInt8>
    let parameters: QueryParameters

    var method: String { request.method }
    var pretty: Bool { context.devMode || parameters.contains("pretty") }
    var argumentText: String { String(decoding: argument, as: UTF8.self) }
}

/// Ends the handling of a request with an answer.
struct Refusal: Error {
    var response: HTTPResponse

    init(_ response: HTTPResponse) { self.response = response }

    /// A text as it stands.
    init(_ status: Int, _ text: String) { response = Answer.plain(status, text) }

    /// An error that no class was given to: 500, or 403 and 429 for some texts (http-1 §1.13).
    static func failure(_ text: String) -> Refusal { Refusal(Answer.failure(text)) }

    static func badRequest(_ reason: String) -> Refusal { Refusal(400, "Bad request: " + reason) }
}

/// Answers that carry a text instead of a result.
enum Answer {
    static let json = "application/json"
    static let text = "text/plain; charset=utf-8"

    static func plain(_ status: Int, _ text: String, wrapped: Bool = true) -> HTTPResponse {
        HTTPResponse(status: status, headers: [("Content-Type", Answer.text)], body: Array(text.utf8), wrapped: wrapped)
    }

    /// The status follows from the text (http-1 §1.13).
    static func failure(_ text: String) -> HTTPResponse {
        if text.utf8.contains("RPC rate limit exceeded") { return HTTPResponse(status: 429) }
        if text == "Rate limit reached, try again later" { return plain(429, text) }
        if text == "ACL support disabled" { return plain(401, text) }
        // An archive whose numbers no cluster reaches: the reference takes it and panics.
        if text.utf8.contains(RaftLimits.beyondSuffix) { return plain(400, text) }
        return plain(text.utf8.contains("Permission denied") || text.utf8.contains("ACL not found") ? 403 : 500, text)
    }

    static func redirect(to path: [UInt8], query: ArraySlice<UInt8>?, _ request: HTTPRequest) -> HTTPResponse {
        var location = PercentEncoding.encodePath(path)
        if let query, !query.isEmpty {
            location.append(UInt8(ascii: "?"))
            location += query
        }
        let text = String(decoding: location, as: UTF8.self)
        var response = HTTPResponse(status: 301, headers: [("Location", text)], wrapped: false)
        if request.method == "GET" || request.method == "HEAD" {
            response.headers.insert(("Content-Type", "text/html; charset=utf-8"), at: 0)
        }
        if request.method == "GET" { response.body = Array("<a href=\"\(escapedForHTML(text))\">Moved Permanently</a>.\n\n".utf8) }
        return response
    }

    private static func escapedForHTML(_ text: String) -> String {
        var out = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "\"": out += "&#34;"
            case "'": out += "&#39;"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }
}
