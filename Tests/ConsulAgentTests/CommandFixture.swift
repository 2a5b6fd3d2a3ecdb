import Core
import Runtime

@testable import ConsulAgent

/// Runs commands against an agent that answers as told, and keeps what they print and send.
final class CommandFixture: Transport, @unchecked Sendable {
    // Unchecked: the commands of these tests stay on one thread.
    struct Result: Equatable {
        var code: Int32
        var output: String
        var error: String
    }

    var answers: [(status: Int, body: String)] = []
    var failure: String?
    /// In place of the next answer's body.
    var data: [UInt8]?
    /// `X-Consul-Index` of all answers.
    var index: UInt64 = 0
    var files: [String: String] = [:]
    var dataFiles: [String: [UInt8]] = [:]
    var input = ""
    var environment: [String: String] = [:]
    private(set) var requests: [String] = []
    private(set) var headers: [[HTTPHeader]] = []
    private(set) var bodies: [String] = []
    private(set) var endpoints: [HTTPClient.Endpoint] = []

    init(_ answers: (status: Int, body: String)...) { self.answers = answers }

    func send(_ request: HTTPClient.Request, to endpoint: HTTPClient.Endpoint) throws(TransportFailure) -> APIAnswer {
        requests.append("\(request.method) \(request.target)")
        headers.append(request.headers)
        bodies.append(String(decoding: request.body, as: UTF8.self))
        endpoints.append(endpoint)
        if let failure { throw TransportFailure(text: failure) }
        let answer = answers.isEmpty ? (status: 500, body: "no answer is left") : answers.removeFirst()
        defer { data = nil }
        return APIAnswer(status: answer.status, body: data ?? Array(answer.body.utf8), index: index)
    }

    func stream(
        _ request: HTTPClient.Request, to endpoint: HTTPClient.Endpoint, onBody: ([UInt8]) -> Void
    ) throws(TransportFailure) -> APIAnswer {
        let answer = try send(request, to: endpoint)
        if answer.status == 200 { for byte in answer.body { onBody([byte]) } }
        return answer
    }

    func run(_ words: String...) -> Result {
        var output: [UInt8] = [], error: [UInt8] = []
        let console = Console(
            writeOutput: { output += $0 }, writeError: { error += $0 },
            readInput: { () throws(FileFailure) in Array(self.input.utf8) },
            readFile: { path throws(FileFailure) in
                if let data = self.dataFiles[path] { return data }
                guard let content = self.files[path] else { throw FileFailure(text: "open \(path): no such file or directory") }
                return Array(content.utf8)
            }, variable: { self.environment[$0] }, timestamp: { "2026-01-01T00:00:00.000Z" })
        let code = Dispatcher.all { _ in 42 }.run(words, console: console, transport: self)
        return Result(code: code, output: String(decoding: output, as: UTF8.self), error: String(decoding: error, as: UTF8.self))
    }
}
