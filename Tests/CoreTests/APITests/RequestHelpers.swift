@testable import Core

/// A request as a client sends it: `GET /v1/kv/a`.
func request(_ line: String, body: String = "", headers: [(name: String, value: String)] = [], chunked: Bool = false) -> HTTPRequest {
    let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
    let bytes = Array(body.utf8)
    return HTTPRequest(
        method: parts[0], target: Array(parts[1].utf8), headers: headers, body: bytes,
        contentLength: chunked || bytes.isEmpty ? nil : bytes.count)
}

extension HTTPResponse {
    var text: String { String(decoding: body, as: UTF8.self) }
    subscript(header: String) -> String? { headers.first { $0.name == header }?.value }
}

extension Router {
    func call(_ line: String, body: String = "", headers: [(name: String, value: String)] = []) -> APICall {
        route(request(line, body: body, headers: headers)).call
    }

    /// The answer to a request that needs no state.
    func answer(_ line: String, body: String = "", headers: [(name: String, value: String)] = []) -> HTTPResponse? {
        guard case .immediate(let response) = call(line, body: body, headers: headers) else { return nil }
        return response
    }
}
