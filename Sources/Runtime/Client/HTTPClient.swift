import CSystem
import Core
import Glibc

/// A blocking HTTP/1.1 client for the command line: one connection per request, over TCP or a unix socket.
public struct HTTPClient: Sendable {
    public enum Endpoint: Hashable, Sendable {
        /// A name or an IP address without brackets.
        case tcp(host: String, port: Int)
        case unix(path: String)
    }

    public struct Request: Sendable {
        public var method: String
        /// Path and query, percent-encoded.
        public var target: String
        public var headers: [HTTPHeader]
        public var body: [UInt8]

        public init(method: String = "GET", target: String, headers: [HTTPHeader] = [], body: [UInt8] = []) {
            self.method = method
            self.target = target
            self.headers = headers
            self.body = body
        }
    }

    public struct Response: Sendable {
        public var status: Int
        /// `Not Found`
        public var reason: String
        private let headers: HTTPHeaders
        public var body: [UInt8]

        /// Without the body.
        init(_ response: HTTPClientResponse) {
            status = response.status
            reason = response.reason
            headers = response.headers
            body = []
        }

        /// The first header of that name, in whatever case.
        public func header(_ name: String) -> String? { headers.first(name.lowercased()) }
    }

    /// The text is Go's, without the `Get "http://...": ` that it puts in front.
    public struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
        public let description: String
        /// Nothing was sent, so that the request can be repeated safely.
        public let isConnecting: Bool
    }

    public let endpoint: Endpoint
    public var connectTimeout: Duration
    /// For the whole request; nil waits for ever.
    public var timeout: Duration?
    /// Answers with larger bodies fail, unless they are streamed.
    public var bodySizeMax = 1 << 30

    public init(_ endpoint: Endpoint, connectTimeout: Duration = .seconds(30), timeout: Duration? = nil) {
        self.endpoint = endpoint
        self.connectTimeout = connectTimeout
        self.timeout = timeout
    }

    /// Sends the request and waits for the whole answer.
    public func send(_ request: Request) throws(Failure) -> Response {
        var body: [UInt8] = []
        var isTooLarge = false
        var response = try send(request) { bytes in
            if body.count + bytes.count > bodySizeMax {
                isTooLarge = true
                return false
            }
            body.append(contentsOf: bytes)
            return true
        }
        if isTooLarge { throw Failure(description: "the answer is larger than \(bodySizeMax) bytes", isConnecting: false) }
        response.body = body
        return response
    }

    /// Sends the request and hands over the body as it arrives, until it ends or `onBody` returns false. `onHead` sees the answer before.
    public func send(
        _ request: Request, onHead: (Response) -> Void = { _ in }, onBody: (UnsafeRawBufferPointer) -> Bool
    ) throws(Failure) -> Response {
        let deadline = timeout.map { SystemClock.now() + $0 } ?? .distantFuture
        let socket = try connect(by: min(deadline, SystemClock.now() + connectTimeout))
        do {
            try write(encode(request), to: socket.raw, by: deadline)
            return try read(method: request.method, from: socket.raw, by: deadline, onHead: onHead, onBody: onBody)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(description: "\(error)", isConnecting: false)
        }
    }

    // MARK: Steps

    private var host: String {
        switch endpoint {
        case .unix: "127.0.0.1"
        case .tcp(let host, let port): HostPort.join(host, port)
        }
    }

    private func encode(_ request: Request) -> [UInt8] {
        var text = "\(request.method) \(request.target) HTTP/1.1\r\n"
        if !request.headers.contains(where: { $0.name.lowercased() == "host" }) { text += "Host: \(host)\r\n" }
        for header in request.headers { text += "\(header.name): \(header.value)\r\n" }
        if !request.body.isEmpty || request.method == "PUT" || request.method == "POST" {
            text += "Content-Length: \(request.body.count)\r\n"
        }
        text += "Connection: close\r\n\r\n"
        return Array(text.utf8) + request.body
    }

    private func connect(by deadline: Instant) throws(Failure) -> FileDescriptor {
        let addresses: [SocketAddress]
        switch endpoint {
        case .unix(let path):
            guard let address = SocketAddress(unixPath: path) else {
                throw Failure(description: "dial unix \(path): connect: invalid argument", isConnecting: true)
            }
            addresses = [address]
        case .tcp(let host, let port):
            addresses = SocketAddress.resolve(host: host, port: port)
            if addresses.isEmpty { throw Failure(description: "dial tcp: lookup \(host): no such host", isConnecting: true) }
        }
        var last = Failure(description: "", isConnecting: true)
        for address in addresses {
            do {
                return try connect(to: address, by: deadline)
            } catch {
                last = error
            }
        }
        throw last
    }

    private func connect(to address: SocketAddress, by deadline: Instant) throws(Failure) -> FileDescriptor {
        func failure(_ error: SystemError) -> Failure {
            Failure(description: "dial \(address.network) \(address): connect: \(error)", isConnecting: true)
        }
        let fd = FileDescriptor(socket(address.family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0))
        guard fd.isOpen else {
            throw Failure(description: "dial \(address.network) \(address): socket: \(SystemError.current)", isConnecting: true)
        }
        if address.withSockaddr({ Glibc.connect(fd.raw, $0, $1) }) == 0 { return fd }
        // A unix socket says EAGAIN when the server's queue is full.
        guard errno == EINPROGRESS else { throw failure(.current) }
        guard waitUntilReady(fd.raw, POLLOUT, by: deadline) else {
            throw Failure(description: "dial \(address.network) \(address): i/o timeout", isConnecting: true)
        }
        if let error = pendingError(of: fd.raw) { throw failure(error) }
        return fd
    }

    private func write(_ bytes: [UInt8], to fd: Int32, by deadline: Instant) throws {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                retrying { Glibc.send(fd, buffer.baseAddress! + done, buffer.count - done, Int32(MSG_NOSIGNAL)) }
            }
            if count > 0 {
                done += count
            } else if errno == EAGAIN {
                try wait(fd, POLLOUT, by: deadline)
            } else {
                // The server may have answered before it closed: the answer tells more than the broken pipe.
                if errno == EPIPE || errno == ECONNRESET { return }
                throw Failure(description: "write: \(SystemError.current)", isConnecting: false)
            }
        }
    }

    private func read(
        method: String, from fd: Int32, by deadline: Instant, onHead: (Response) -> Void, onBody: (UnsafeRawBufferPointer) -> Bool
    ) throws -> Response {
        var parser = HTTPResponseParser(bodyLimit: .max)
        parser.expect(method: method)
        var response: Response?
        var isHeadSeen = false
        /// Whether the answer is complete, or the caller wants no more.
        func isOver(_ event: HTTPResponseParser.Event) throws -> Bool {
            var piece: [UInt8] = [], isComplete = false
            switch event {
            case .failed(let text): throw Failure(description: text, isConnecting: false)
            case .needsMore: piece = parser.drainBody()
            case .response(let done):
                piece = done.body
                isComplete = true
                if response == nil { response = Response(done) }
            }
            if response == nil, let head = parser.head { response = Response(head) }
            if let response, !isHeadSeen {
                isHeadSeen = true
                onHead(response)
            }
            if !piece.isEmpty, !piece.withUnsafeBytes(onBody) { return true }
            return isComplete
        }
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = buffer.withUnsafeMutableBytes { target in retrying { recv(fd, target.baseAddress!, target.count, 0) } }
            if count > 0 {
                var at = 0
                let event = parser.parse(buffer.span.extracting(0..<count), at: &at)
                if try isOver(event) { break }
            } else if count == 0 {
                _ = try isOver(parser.end())
                break
            } else if errno == EAGAIN {
                try wait(fd, POLLIN, by: deadline)
            } else {
                throw Failure(description: "read: \(SystemError.current)", isConnecting: false)
            }
        }
        guard let response else { throw Failure(description: "unexpected EOF", isConnecting: false) }
        return response
    }

    private func wait(_ fd: Int32, _ events: Int32, by deadline: Instant) throws(Failure) {
        guard waitUntilReady(fd, events, by: deadline) else {
            throw Failure(description: "context deadline exceeded (Client.Timeout exceeded while awaiting headers)", isConnecting: false)
        }
    }
}

/// Waits until the descriptor is ready; false when the deadline came first.
func waitUntilReady(_ fd: Int32, _ events: Int32, by deadline: Instant) -> Bool {
    while true {
        var entry = pollfd(fd: fd, events: Int16(events), revents: 0)
        let left = deadline == .distantFuture ? -1 : max(0, (deadline - SystemClock.now()).nanoseconds / 1_000_000 + 1)
        let count = poll(&entry, 1, Int32(clamping: left))
        if count > 0 { return true }
        if count == 0, SystemClock.now() >= deadline { return false }
    }
}

/// The error that a connect in progress came to, nil for success.
func pendingError(of fd: Int32) -> SystemError? {
    var code: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    guard getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &length) == 0 else { return .current }
    return code == 0 ? nil : SystemError(code)
}
