import Core
import Runtime

/// What a request came to when it did not succeed; the text is the reference's.
struct APIFailure: Error {
    var text: String
    init(_ text: String) { self.text = text }
}

/// Talks to an agent as flags and environment say. Spec: cli §3.
struct APIClient: Sendable {
    private var endpoint: HTTPClient.Endpoint
    /// `http://127.0.0.1:8500`, for error texts.
    private var base: String
    private var token = ""
    private var authorization = ""
    private var datacenter = ""
    private var namespace = ""
    private let transport: any Transport

    /// Fails with the reason why no client can be made.
    init(_ arguments: Arguments, _ console: Console, _ transport: any Transport) throws(APIFailure) {
        self.transport = transport
        func setting(_ flag: String, _ variable: String) -> String {
            let given = arguments.string(flag)
            return given.isEmpty ? console.variable(variable) ?? "" : given
        }
        try Self.checkTLSFiles(setting, console)
        let usesTLS = Self.environmentBool("CONSUL_HTTP_SSL", console, ifUnreadable: false) ?? false
        _ = Self.environmentBool("CONSUL_HTTP_SSL_VERIFY", console, ifUnreadable: false)
        (endpoint, base) = try Self.endpoint(setting("http-addr", "CONSUL_HTTP_ADDR"), usesTLS: usesTLS)
        token = setting("token", "CONSUL_HTTP_TOKEN")
        let tokenFile = arguments.value("token-file") ?? console.variable("CONSUL_HTTP_TOKEN_FILE") ?? ""
        if !tokenFile.isEmpty {
            do {
                let content = TextLayout.trimmed(String(decoding: try console.readFile(tokenFile), as: UTF8.self))
                if !content.isEmpty { token = content }
            } catch {
                throw APIFailure("Error loading token file: \(error.text)")
            }
        }
        if let credentials = console.variable("CONSUL_HTTP_AUTH") {
            let text = credentials.utf8.contains(UInt8(ascii: ":")) ? credentials : credentials + ":"
            authorization = "Basic " + Base64.encode(Array(text.utf8))
        }
        datacenter = arguments.string("datacenter")
        namespace = arguments.value("namespace") ?? console.variable("CONSUL_NAMESPACE") ?? ""
    }

    // MARK: Settings

    private static func endpoint(_ address: String, usesTLS: Bool) throws(APIFailure) -> (HTTPClient.Endpoint, String) {
        let address = address.isEmpty ? "127.0.0.1:8500" : address
        var usesTLS = usesTLS
        var rest = address[...]
        if let mark = address.firstRange(of: "://") {
            rest = address[mark.upperBound...]
            switch address[..<mark.lowerBound] {
            case "http": break
            case "https": usesTLS = true
            case "unix": return (.unix(path: String(rest)), "http://" + URLText.segment(String(rest)))
            case let scheme: throw APIFailure("Unknown protocol scheme: \(scheme)")
            }
        }
        if usesTLS { throw APIFailure("connections with TLS are not supported by this version") }
        let authority = String(rest.prefix { $0 != "/" })
        let (host, port) = split(authority)
        return (.tcp(host: host, port: port ?? 80), "http://" + authority)
    }

    /// Host without brackets, and port.
    private static func split(_ authority: String) -> (host: String, port: Int?) {
        if let (host, port) = try? HostPort.split(authority) { return (host, Int(port)) }
        return (authority.hasPrefix("[") && authority.hasSuffix("]") ? String(authority.dropFirst().dropLast()) : authority, nil)
    }

    /// The files of TLS are checked even where TLS is not used, as the reference does.
    private static func checkTLSFiles(_ setting: (String, String) -> String, _ console: Console) throws(APIFailure) {
        let certificate = setting("client-cert", "CONSUL_CLIENT_CERT"), key = setting("client-key", "CONSUL_CLIENT_KEY")
        if certificate.isEmpty != key.isEmpty { throw APIFailure("both client cert and client key must be provided") }
        for path in [certificate, key] where !path.isEmpty {
            do { _ = try console.readFile(path) } catch { throw APIFailure(error.text) }
        }
        let file = setting("ca-file", "CONSUL_CACERT"), directory = setting("ca-path", "CONSUL_CAPATH")
        if !file.isEmpty {
            do { _ = try console.readFile(file) } catch { throw APIFailure("Error loading CA File: \(error.text)") }
        } else if !directory.isEmpty {
            do { _ = try console.readFile(directory) } catch  where error.text.hasSuffix("no such file or directory") {
                throw APIFailure("lstat \(directory): no such file or directory")
            } catch {}
        }
    }

    private static func environmentBool(_ name: String, _ console: Console, ifUnreadable other: Bool) -> Bool? {
        guard let text = console.variable(name) else { return nil }
        if ["1", "t", "T", "true", "TRUE", "True"].contains(text) { return true }
        if ["0", "f", "F", "false", "FALSE", "False"].contains(text) { return false }
        for _ in 0..<2 {
            console.error(
                "\(console.timestamp()) [WARN]  consul-api: could not parse \(name): "
                    + "error=\"strconv.ParseBool: parsing \(GoQuote.quote(text)): invalid syntax\"")
        }
        return other
    }

    // MARK: Requests

    typealias Query = [(name: String, value: String)]

    /// Sends a request whatever its answer; `path` is not encoded yet.
    func send(_ method: String, _ path: String, query: Query = [], body: [UInt8] = []) throws(APIFailure) -> APIAnswer {
        let request = request(method, path, query, body)
        do { return try transport.send(request, to: endpoint) } catch { throw failure(request, error) }
    }

    /// The lines of an answer of status 200 as they come, until it ends.
    func lines(_ path: String, query: Query, onLine: ([UInt8]) -> Void) throws(APIFailure) {
        let request = request("GET", path, query, [])
        var rest: [UInt8] = []
        let answer: APIAnswer
        do {
            answer = try transport.stream(request, to: endpoint) { bytes in
                rest += bytes
                while let end = rest.firstIndex(of: 10) {
                    onLine(Array(rest[..<end]))
                    rest.removeFirst(end + 1)
                }
            }
        } catch {
            throw failure(request, error)
        }
        if answer.status != 200 { throw Self.refusal(answer) }
        if !rest.isEmpty { onLine(rest) }
    }

    private func failure(_ request: HTTPClient.Request, _ error: TransportFailure) -> APIFailure {
        let word = request.method.prefix(1) + request.method.dropFirst().lowercased()
        return APIFailure("\(word) \(GoQuote.quote(base + request.target)): \(error.text)")
    }

    private static func refusal(_ answer: APIAnswer) -> APIFailure {
        APIFailure("Unexpected response code: \(answer.status) (\(String(decoding: answer.body, as: UTF8.self)))")
    }

    private func request(_ method: String, _ path: String, _ query: Query, _ body: [UInt8]) -> HTTPClient.Request {
        var query = query
        if !datacenter.isEmpty { query.append(("dc", datacenter)) }
        if !namespace.isEmpty { query.append(("ns", namespace)) }
        query.sort { ByteString($0.name) < ByteString($1.name) }
        var target = URLText.path(path)
        if !query.isEmpty {
            target += "?" + query.map { "\(URLText.query($0.name))=\(URLText.query($0.value))" }.joined(separator: "&")
        }
        var headers = [HTTPHeader("User-Agent", "Go-http-client/1.1")]
        if case .unix = endpoint { headers.insert(HTTPHeader("Host", ""), at: 0) }
        if !authorization.isEmpty { headers.append(HTTPHeader("Authorization", authorization)) }
        if !token.isEmpty { headers.append(HTTPHeader("X-Consul-Token", token)) }
        return HTTPClient.Request(method: method, target: target, headers: headers, body: body)
    }

    /// The body of an answer of status 200.
    func body(_ method: String, _ path: String, query: Query = [], body: [UInt8] = []) throws(APIFailure) -> [UInt8] {
        try answer(method, path, query: query, body: body).body
    }

    /// An answer of status 200.
    func answer(_ method: String, _ path: String, query: Query = [], body: [UInt8] = []) throws(APIFailure) -> APIAnswer {
        let answer = try send(method, path, query: query, body: body)
        if answer.status == 200 { return answer }
        throw Self.refusal(answer)
    }

    func json(_ method: String, _ path: String, query: Query = []) throws(APIFailure) -> DynamicValue {
        try Self.decoded(try body(method, path, query: query))
    }

    static func decoded(_ body: [UInt8]) throws(APIFailure) -> DynamicValue {
        do { return try JSON.parse(body) } catch { throw APIFailure(error.text) }
    }
}

/// Reading of answers: absent members are empty.
extension DynamicValue {
    func text(_ name: String) -> String { if case .string(let text) = self[name] { text } else { "" } }
    var elements: [DynamicValue] { if case .array(let elements) = self { elements } else { [] } }
    var members: [DynamicMember] { if case .map(let members) = self { members } else { [] } }
    /// A member as it is printed; numbers in decimal.
    func printed(_ name: String) -> String {
        switch self[name] {
        case .string(let text): text
        case .int(let number): String(number)
        case .uint(let number): String(number)
        case .double(let number): number == number.rounded() && abs(number) < 1e15 ? String(Int64(number)) : String(number)
        case .bool(let flag): String(flag)
        default: ""
        }
    }
    /// `k=v` of a map of strings, sorted by key.
    func pairs(separator: String) -> String {
        members.sorted { ByteString($0.name) < ByteString($1.name) }.map { member in
            if case .string(let value) = member.value { "\(member.name)=\(value)" } else { member.name }
        }.joined(separator: separator)
    }
}
