import CSystem
import CZlib
import Core
import Foundation
import Glibc
import Testing

@testable import Runtime

@Suite(.timeLimit(.minutes(5))) struct HTTPServerTests {
    @Test func `one connection carries many requests, in place and through the machine`() throws {
        let running = try RunningDriver()
        defer { running.stop() }
        let client = RawClient(port: running.port)
        for _ in 0..<10 {
            #expect(client.get("/here")?.text == "here")
            #expect(client.get("/core")?.text == "core GET /core 0")
            #expect(client.put("/x", "abc")?.text == "core PUT /x 3")
        }
        #expect(client.get("/here")?.head.contains("Date: ") == true)
    }

    @Test func `requests are logged for those who want to know`() throws {
        let running = try RunningDriver()
        defer { running.stop() }
        let client = RawClient(port: running.port)
        #expect(client.get("/here")?.text == "here")
        running.agent.willAsk([.followLog(.debug)])
        #expect(client.put("/ask", "")?.text == "true")
        #expect(client.get("/here")?.text == "here")
        #expect(client.get("/core?token=abc&x=1") != nil)
        #expect(client.get("/broken")?.text == "No cluster leader")
        func lines(_ start: String) -> [String] { running.agent.history.filter { $0.hasPrefix(start) } }
        running.until { lines("debug agent.http ").contains { $0.contains("/broken") } }
        let finished = lines("debug agent.http Request finished: method=")
        #expect(finished.filter { $0.contains("url=/here from=127.0.0.1:") && $0.contains(" latency=") }.count == 1)
        #expect(finished.contains { $0.contains(#"method=GET url="/core?token=<hidden>&x=1" from=127.0.0.1:"#) })
        let failed = lines("error agent.http ")
        #expect(failed.count == 1 && failed[0].hasPrefix("error agent.http Request error: method=GET url=/broken from=127.0.0.1:"))
        #expect(failed[0].hasSuffix(#" error="No cluster leader""#))
    }

    @Test func `requests sent ahead are answered in their order`() throws {
        let running = try RunningDriver()
        defer { running.stop() }
        let client = RawClient(port: running.port)
        func get(_ target: String) -> String { "GET \(target) HTTP/1.1\r\nHost: x\r\n\r\n" }
        let put = "PUT /log HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"
        client.write(get("/here") + get("/one") + get("/here") + put + get("/two") + get("/here"))
        let answers = (0..<6).map { _ in client.answer()?.text }
        #expect(answers == ["here", "core GET /one 0", "here", "true", "core GET /two 0", "here"])
    }

    @Test func `thousands of requests sent ahead are all answered`() throws {
        let running = try RunningDriver()
        defer { running.stop() }
        let client = RawClient(port: running.port)
        let request = Array("GET /here HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
        let total = 20_000
        let writer = DispatchSemaphore(value: 0)
        let fd = client.fd
        Foundation.Thread.detachNewThread {
            for _ in 0..<total / 100 {
                let block = Array(repeating: request, count: 100).flatMap { $0 }
                var at = 0
                while at < block.count {
                    let count = block.withUnsafeBytes { send(fd, $0.baseAddress! + at, $0.count - at, Int32(MSG_NOSIGNAL)) }
                    if count <= 0 { break }
                    at += count
                }
            }
            writer.signal()
        }
        let one = client.answer()
        #expect(one?.text == "here")
        // All answers are the same but for the date, so their size is known.
        let first = RawClient(port: running.port)
        first.write(request)
        first.finish()
        let size = first.read(.max).count
        let rest = client.read(size * (total - 1))
        #expect(rest.count == size * (total - 1))
        #expect(rest.suffix(4).elementsEqual("here".utf8))
        writer.wait()
    }

    @Test func `a request may come byte by byte`() throws {
        let running = try RunningDriver()
        defer { running.stop() }
        let client = RawClient(port: running.port)
        for byte in Array("PUT /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello".utf8) {
            client.write([byte])
            usleep(200)
        }
        #expect(client.answer()?.text == "core PUT /slow 5")
    }

    @Test func `heads and bodies that are too large, and nonsense, are refused and the connection closed`() throws {
        let running = try RunningDriver { $0.limits.bodySizeMax = 1000 }
        defer { running.stop() }
        func ask(_ text: String) -> String {
            let client = RawClient(port: running.port)
            client.write(text)
            return client.readAll()
        }
        let huge = String(repeating: "x", count: 2 << 20)
        #expect(ask("GET /\(huge) HTTP/1.1\r\nHost: x\r\n\r\n").hasPrefix("HTTP/1.1 431 Request Header Fields Too Large\r\n"))
        #expect(ask("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n").hasPrefix("HTTP/1.1 413 Request Entity Too Large\r\n"))
        #expect(ask("nonsense\r\n\r\n").hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
        #expect(ask("GET / HTTP/1.1\r\n\r\n").contains("missing required Host header"))
        #expect(ask("PUT /fits HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc").hasSuffix("core PUT /fits 3"))
    }

    @Test func `the client decides whether the connection is kept`() throws {
        let running = try RunningDriver()
        defer { running.stop() }
        for target in ["/here", "/core"] {
            let closing = RawClient(port: running.port)
            closing.write("GET \(target) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            #expect(closing.answer()?.head.contains("Connection: close") == true)
            #expect(closing.read(1).isEmpty)
            let old = RawClient(port: running.port)
            old.write("GET \(target) HTTP/1.0\r\n\r\n")
            #expect(old.readAll().hasPrefix("HTTP/1.0 200 OK\r\n"))
        }
    }

    @Test func `leave is given to send a body`() throws {
        let running = try RunningDriver()
        defer { running.stop() }
        let client = RawClient(port: running.port)
        client.write("PUT /x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        #expect(client.read(25).elementsEqual("HTTP/1.1 100 Continue\r\n\r\n".utf8))
        client.write("abc")
        #expect(client.answer()?.text == "core PUT /x 3")
    }

    @Test func `a client that takes gzip gets it`() throws {
        let running = try RunningDriver()
        defer { running.stop() }
        let client = RawClient(port: running.port)
        let plain = try #require(client.get("/big?size=100000"))
        #expect(!plain.head.contains("gzip"))
        for _ in 0..<3 {
            let packed = try #require(client.get("/big?size=100000", headers: "Accept-Encoding: deflate, gzip\r\n"))
            #expect(packed.head.contains("Content-Encoding: gzip"))
            #expect(packed.body.count < plain.body.count)
            #expect(gunzip(packed.body, size: 100_000) == plain.body)
        }
    }

    @Test func `a client that reads slowly gets all of a large answer`() throws {
        let running = try RunningDriver()
        defer { running.stop() }
        let client = RawClient(port: running.port)
        let size = 8 << 20
        client.write("GET /big?size=\(size) HTTP/1.1\r\nHost: x\r\n\r\nGET /here HTTP/1.1\r\nHost: x\r\n\r\n")
        usleep(100_000)
        let answer = try #require(client.answer())
        #expect(answer.body.count == size)
        #expect(answer.body[size - 1] == UInt8(truncatingIfNeeded: (size - 1) &* 31 &+ (size - 1) >> 8))
        #expect(client.answer()?.text == "here")
    }

    @Test func `who waits is woken`() throws {
        let running = try RunningDriver { $0.limits.connectionsPerClientMax = 0 }
        defer { running.stop() }
        let clients = (0..<300).map { _ in RawClient(port: running.port) }
        for client in clients { client.write("GET /wait?index=1 HTTP/1.1\r\nHost: x\r\n\r\n") }
        running.until { running.agent.waitingCount == 300 }
        #expect(RawClient(port: running.port).put("/wake")?.text == "true")
        for client in clients { #expect(client.answer()?.text == "woken") }
        for client in clients { #expect(client.get("/here")?.text == "here") }
    }

    @Test func `clients that vanish while they wait leave nothing behind`() throws {
        let running = try RunningDriver { $0.limits.connectionsPerClientMax = 0 }
        defer { running.stop() }
        for round in 0..<4 {
            var clients = (0..<500).map { _ in RawClient(port: running.port) }
            for client in clients { client.write("GET /wait?index=1 HTTP/1.1\r\nHost: x\r\n\r\n") }
            running.until { running.agent.waitingCount == 500 }
            if round % 2 == 1 {
                // A reset instead of an orderly end.
                var linger = linger(l_onoff: 1, l_linger: 0)
                for client in clients {
                    setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
                }
            }
            clients = []
            running.until { running.agent.waitingCount == 0 && running.driver.clientCount == 0 }
        }
        #expect(running.agent.history.filter { $0 == "cancelled" }.count == 2000)
    }

    @Test func `an answer without end comes piece by piece`() throws {
        let running = try RunningDriver()
        defer { running.stop() }
        let follower = RawClient(port: running.port), teller = RawClient(port: running.port)
        follower.write("GET /follow HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n")
        while teller.put("/tell", "")?.text != "1" {}
        #expect(teller.put("/tell", "one\n")?.text == "1")
        #expect(teller.put("/tell", "")?.text == "1")
        #expect(teller.put("/tell", "two\n")?.text == "1")
        let head = "HTTP/1.1 200 OK\r\nX-A: b\r\nDate: Sat, 21 Nov 2026 05:02:16 GMT\r\nTransfer-Encoding: chunked\r\n\r\n"
        let expected = head + "4\r\none\n\r\n4\r\ntwo\n\r\n"
        let found = String(decoding: follower.read(expected.utf8.count), as: UTF8.self)
        #expect(found.hasPrefix("HTTP/1.1 200 OK\r\nX-A: b\r\nDate: "))
        #expect(found.hasSuffix("Transfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n4\r\ntwo\n\r\n"))
        follower.finish()
        while teller.put("/tell", "three")?.text != "0" {}
        // The connection ends, after what was told before its end was noticed.
        #expect(!follower.readAll().contains("one"))
    }

    @Test func `a client that does not read misses pieces of an answer without end`() throws {
        let running = try RunningDriver()
        defer { running.stop() }
        let follower = RawClient(port: running.port), teller = RawClient(port: running.port)
        follower.write("GET /follow HTTP/1.0\r\n\r\n")
        while teller.put("/tell", "")?.text != "1" {}
        let piece = String(repeating: "x", count: 10_000)
        for _ in 0..<2_000 { #expect(teller.put("/tell", piece)?.text == "1") }
        teller.write("PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        follower.finish()
        #expect(follower.readAll().utf8.count < 2_000 * 10_000)
    }

    @Test func `a client that only closes its sending side gets its answer`() throws {
        let running = try RunningDriver()
        defer { running.stop() }
        for (text, end) in [("GET /here", "here"), ("PUT /log", "true"), ("GET /core", "core GET /core 0")] {
            let client = RawClient(port: running.port)
            client.write("\(text) HTTP/1.1\r\nHost: x\r\n\r\n")
            client.finish()
            #expect(client.readAll().hasSuffix(end))
        }
        running.until { running.driver.clientCount == 0 }
    }

    @Test func `connections over the limit of a client are closed at once`() throws {
        let running = try RunningDriver { $0.limits.connectionsPerClientMax = 2 }
        defer { running.stop() }
        let first = RawClient(port: running.port)
        var second: RawClient? = RawClient(port: running.port)
        #expect(first.get("/here")?.text == "here")
        #expect(second?.get("/here")?.text == "here")
        let third = RawClient(port: running.port)
        #expect(third.readAll() == "")
        second = nil
        running.until { running.driver.clientCount == 1 }
        #expect(RawClient(port: running.port).get("/here")?.text == "here")
    }

    @Test func `a client that does not finish its request is dropped`() throws {
        let running = try RunningDriver { $0.limits.stallTimeout = .milliseconds(10) }
        defer { running.stop() }
        let client = RawClient(port: running.port)
        client.write("PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
        #expect(client.readAll() == "")
        running.until { running.driver.clientCount == 0 }
    }

    @Test func `a client that does not take its answer is dropped`() throws {
        let running = try RunningDriver { $0.limits.stallTimeout = .milliseconds(10) }
        defer { running.stop() }
        let client = RawClient(port: running.port)
        client.write("GET /big?size=50000000 HTTP/1.1\r\nHost: x\r\n\r\n")
        running.until { running.driver.clientCount == 1 }
        running.until { running.driver.clientCount == 0 }
        #expect(client.read(.max).count < 50_000_000)
    }

    @Test func `a unix socket serves as well`() throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/http.sock"
        let running = try RunningDriver {
            $0.httpAddresses = [SocketAddress(unixPath: path)!]
            $0.unixSockets.mode = "600"
            $0.unixSockets.user = String(getuid())
            $0.unixSockets.group = String(getgid())
        }
        defer { running.stop() }
        let client = HTTPClient(.unix(path: path), timeout: .seconds(60))
        #expect(try client.send(HTTPClient.Request(target: "/here")).body == Array("here".utf8))
        #expect(try client.send(HTTPClient.Request(target: "/core")).body == Array("core GET /core 0".utf8))
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o600)
    }

    @Test(arguments: [
        ("nobody-of-that-name", "", "", "failed to look up user nobody-of-that-name: user: unknown user nobody-of-that-name"),
        ("", "wheel", "", "invalid group specified: wheel"), ("", "", "rwx", "invalid mode specified: rwx"),
    ]) func `owners of unix sockets that do not exist are errors`(user: String, group: String, mode: String, problem: String) throws {
        let folder = TemporaryFolder()
        let error = #expect(throws: ListeningSocket.Failure.self) {
            _ = try RunningDriver {
                $0.httpAddresses = [SocketAddress(unixPath: folder.path + "/http.sock")!]
                ($0.unixSockets.user, $0.unixSockets.group, $0.unixSockets.mode) = (user, group, mode)
            }
        }
        #expect(error?.description == "Failed setting up socket: " + problem)
    }

    @Test func `DNS tells of both ports that are taken`() throws {
        let running = try RunningDriver()
        defer { running.stop() }
        let address = SocketAddress(ip: "127.0.0.1", port: running.dnsPort)!
        let error = #expect(throws: ListeningSocket.Failure.self) { _ = try RunningDriver { $0.dnsAddresses = [address] } }
        #expect(
            error?.description == "2 errors occurred:\n\t* listen udp \(address): bind: address already in use\n"
                + "\t* listen tcp \(address): bind: address already in use\n\n")
    }

    @Test func `an address that is taken is an error in the reference's words`() throws {
        let running = try RunningDriver()
        defer { running.stop() }
        let port = running.port
        let error = #expect(throws: ListeningSocket.Failure.self) {
            _ = try RunningDriver { $0.httpAddresses = [SocketAddress(ip: "127.0.0.1", port: port)!] }
        }
        #expect(error?.description == "listen tcp 127.0.0.1:\(port): bind: address already in use")
    }

    private func gunzip(_ bytes: [UInt8], size: Int) -> [UInt8] {
        var stream = z_stream()
        #expect(czlib_gunzip_begin(&stream) == Z_OK)
        var out = [UInt8](repeating: 0, count: size + 1)
        var source = bytes
        let written = source.withUnsafeMutableBufferPointer { source in
            out.withUnsafeMutableBufferPointer { target in
                stream.next_in = source.baseAddress
                stream.avail_in = UInt32(source.count)
                stream.next_out = target.baseAddress
                stream.avail_out = UInt32(target.count)
                #expect(inflate(&stream, Z_FINISH) == Z_STREAM_END)
                return target.count - Int(stream.avail_out)
            }
        }
        inflateEnd(&stream)
        return Array(out.prefix(written))
    }
}
