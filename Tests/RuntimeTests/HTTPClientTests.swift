import Core
import Foundation
import Testing

@testable import Runtime

@Suite(.timeLimit(.minutes(5))) struct HTTPClientTests {
    func client(_ server: CannedServer, timeout: Duration? = .seconds(20)) -> HTTPClient {
        HTTPClient(.tcp(host: "127.0.0.1", port: server.port), timeout: timeout)
    }

    @Test func `an answer of known length is read without waiting for the end of the connection`() throws {
        let server = CannedServer { fd in
            let text = Array("HTTP/1.1 404 Not Found\r\nX-A: 1\r\nContent-Length: 5\r\n\r\nhello and more".utf8)
            _ = send(fd, text, text.count, 0)
            var byte: UInt8 = 0
            _ = recv(fd, &byte, 1, 0)
        }
        let response = try client(server).send(
            HTTPClient.Request(method: "PUT", target: "/v1/x?y=1", headers: [HTTPHeader("X-Token", "t")]))
        #expect(response.status == 404)
        #expect(response.reason == "Not Found")
        #expect(response.header("x-a") == "1")
        #expect(response.body == Array("hello".utf8))
        let expected =
            "PUT /v1/x?y=1 HTTP/1.1\r\nHost: 127.0.0.1:\(server.port)\r\nX-Token: t\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        #expect(server.requests == [expected])
    }

    @Test func `chunks in odd pieces, with interim answer and trailer, make one body`() throws {
        let server = CannedServer(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Enc", "oding: chunked\r\n\r\n5;x=y\r", "\nhel", "lo\r\n",
            "A\r\n0123456789\r\n0",
            "\r\nTrailer: 1\r\n\r", "\n")
        let response = try client(server).send(HTTPClient.Request(target: "/"))
        #expect(response.status == 200)
        #expect(String(decoding: response.body, as: UTF8.self) == "hello0123456789")
    }

    @Test func `a body without length ends with the connection`() throws {
        let server = CannedServer("HTTP/1.0 200 OK\r\n\r\nabc", "def")
        #expect(try client(server).send(HTTPClient.Request(target: "/")).body == Array("abcdef".utf8))
    }

    @Test func `the head is seen before the body, which can be stopped`() throws {
        let server = CannedServer("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nab", "cd")
        var events: [String] = []
        let response = try client(server).send(HTTPClient.Request(target: "/")) { head in
            events.append("head \(head.status)")
        } onBody: { bytes in
            events.append("body")
            return false
        }
        #expect(events == ["head 200", "body"])
        #expect(response.status == 200)
    }

    @Test(arguments: [
        ("", "EOF"), ("HTTP/1.1 200 OK\r\n", "unexpected EOF"), ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "unexpected EOF"),
        ("nonsense\r\n\r\n", "malformed HTTP response \"nonsense\""),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "invalid byte in chunk length"),
        ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "bad Content-Length \"-1\""),
    ])
    func `a broken answer is an error`(answer: String, text: String) {
        let server = CannedServer(answer)
        let error = #expect(throws: HTTPClient.Failure.self) { try client(server).send(HTTPClient.Request(target: "/")) }
        #expect(error?.description == text)
        #expect(error?.isConnecting == false)
    }

    @Test func `errors of connecting read like Go's`() {
        let port = unusedPort()
        func failure(_ endpoint: HTTPClient.Endpoint) -> HTTPClient.Failure? {
            #expect(throws: HTTPClient.Failure.self) { try HTTPClient(endpoint).send(HTTPClient.Request(target: "/")) }
        }
        let refused = failure(.tcp(host: "127.0.0.1", port: port))
        #expect(refused?.description == "dial tcp 127.0.0.1:\(port): connect: connection refused")
        #expect(refused?.isConnecting == true)
        #expect(failure(.unix(path: "/nowhere/x"))?.description == "dial unix /nowhere/x: connect: no such file or directory")
    }

    @Test func `a silent server runs into the timeout`() {
        let server = CannedServer { fd in
            var byte: UInt8 = 0
            _ = recv(fd, &byte, 1, 0)
        }
        let error = #expect(throws: HTTPClient.Failure.self) {
            try client(server, timeout: .milliseconds(50)).send(HTTPClient.Request(target: "/"))
        }
        #expect(error?.description == "context deadline exceeded (Client.Timeout exceeded while awaiting headers)")
    }

    @Test func `digests are those of OpenSSL`() {
        #expect(Digest.md5Hex(Array("api".utf8)) == "8a5da52ed126447d359e70c05721a8aa")
        #expect(Digest.sha512([]).prefix(8) == [0xcf, 0x83, 0xe1, 0x35, 0x7e, 0xef, 0xb8, 0xbd] && Digest.sha512([]).count == 64)
        #expect(SystemRandom.bytes(100).count == 100)
        #expect(SystemRandom.seed() != SystemRandom.seed())
    }
}
