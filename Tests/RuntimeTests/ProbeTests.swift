import Core
import Foundation
import Testing

@testable import Runtime

@Suite(.timeLimit(.minutes(5))) struct ProbeTests {
    /// What a probe comes to.
    private func outcome(_ probe: CheckProbe, timeout: Duration = .seconds(60), limit: Int = 4096) throws -> CheckOutcome {
        let running = try RunningDriver()
        defer { running.stop() }
        running.agent.willAsk([.probe(7, probe, timeout: timeout, outputLimit: limit)])
        _ = RawClient(port: running.port).put("/ask")
        running.until { running.agent.outcome(7) != nil }
        return running.agent.outcome(7)!
    }

    private func shell(_ script: String) -> CheckProbe { .script(arguments: ["/bin/sh", "-c", script], directory: "") }
    private func http(_ url: String, method: String = "", headers: [HTTPHeader] = [], body: String = "") -> CheckProbe {
        .http(url: url, method: method, headers: headers, body: Array(body.utf8), tlsSkipVerify: false)
    }

    @Test(arguments: [0, 1, 2, 255])
    func `a script's exit status and both of its outputs are told`(status: Int32) throws {
        let outcome = try outcome(shell("echo out; echo err >&2; exit \(status)"))
        #expect(outcome == .script(exitStatus: status, output: Array("out\nerr\n".utf8)))
    }

    @Test func `a script ended by a signal has no status`() throws {
        #expect(try outcome(shell("kill -9 $$")) == .script(exitStatus: nil, output: []))
    }

    @Test func `the end of a long output is kept, and its length told`() throws {
        let outcome = try outcome(shell("i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done"), limit: 20)
        guard case .script(exitStatus: 0, let output, let written) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(String(decoding: output, as: UTF8.self) == "998\nline 2999\n".suffix(20).description || output.count == 20)
        #expect(String(decoding: output, as: UTF8.self).hasSuffix("line 2999\n"))
        #expect(written == (0..<3000).reduce(0) { $0 + "line \($1)\n".utf8.count })
    }

    @Test func `a script runs in its folder, alone in its process group, without the agent's signal mask`() throws {
        let folder = TemporaryFolder()
        let probe = CheckProbe.script(
            arguments: ["/bin/sh", "-c", "pwd; [ $(ps -o pgid= -p $$) = $$ ] && echo leader; grep SigBlk /proc/self/status; cat"],
            directory: folder.path)
        guard case .script(exitStatus: 0, let output, _) = try outcome(probe) else {
            Issue.record("failed")
            return
        }
        #expect(String(decoding: output, as: UTF8.self) == "\(folder.path)\nleader\nSigBlk:\t0000000000000000\n")
    }

    @Test func `a script that takes too long is killed with all of its children`() throws {
        let folder = TemporaryFolder()
        let script = "echo begun; (sleep 1000 & echo $! > \(folder.path)/child; wait) & wait"
        let outcome = try outcome(shell(script), timeout: .milliseconds(300))
        #expect(outcome == .scriptTimedOut(output: Array("begun\n".utf8), written: 0))
        if let text = try? String(contentsOfFile: folder.path + "/child", encoding: .utf8),
            let child = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines))
        {
            while kill(child, 0) == 0, !isZombie(child) { usleep(1000) }
        }
    }

    private func isZombie(_ pid: Int32) -> Bool {
        (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8))?.contains(") Z ") ?? true
    }

    @Test func `a child in the background that keeps the output open is waited for, up to the timeout`() throws {
        let outcome = try outcome(shell("echo done; sleep 1000 &"), timeout: .milliseconds(300))
        #expect(outcome == .scriptTimedOut(output: Array("done\n".utf8), written: 0))
    }

    @Test(
        arguments: [
            (["/no/such/bin"], "", "fork/exec /no/such/bin: no such file or directory"),
            (["no-such-command"], "", "exec: \"no-such-command\": executable file not found in $PATH"),
            (["/etc/passwd"], "", "fork/exec /etc/passwd: permission denied"),
            (["/bin/true"], "/no/such/folder", "chdir /no/such/folder: no such file or directory"),
            ([], "", "exec: no command"),
        ] as [([String], String, String)])
    func `a script that cannot start says why`(arguments: [String], directory: String, text: String) throws {
        #expect(try outcome(.script(arguments: arguments, directory: directory)) == .failed(text))
    }

    @Test func `a command is looked up in the path`() throws {
        #expect(try outcome(.script(arguments: ["true"], directory: "")) == .script(exitStatus: 0, output: []))
    }

    @Test func `a thousand scripts leave no process and no descriptor behind`() throws {
        let running = try RunningDriver()
        defer { running.stop() }
        running.agent.willAsk((0..<1000).map { .probe($0, shell("echo \($0)"), timeout: .seconds(500), outputLimit: 100) })
        _ = RawClient(port: running.port).put("/ask")
        running.until { running.agent.outcomeCount == 1000 }
        for id in 0..<1000 { #expect(running.agent.outcome(UInt64(id)) == .script(exitStatus: 0, output: Array("\(id)\n".utf8))) }
        #expect(running.driver.probeCount == 0)
    }

    @Test func `a cancelled script is killed and nothing is told`() throws {
        let running = try RunningDriver()
        defer { running.stop() }
        let client = RawClient(port: running.port)
        running.agent.willAsk([.probe(1, shell("sleep 1000"), timeout: .seconds(500), outputLimit: 1), .cancelProbe(1), .cancelProbe(2)])
        _ = client.put("/ask")
        running.agent.willAsk([.probe(3, shell("true"), timeout: .seconds(500), outputLimit: 1)])
        _ = client.put("/ask")
        running.until { running.agent.outcome(3) != nil && running.driver.probeCount == 0 }
        #expect(running.agent.outcome(1) == nil)
    }

    @Test func `an HTTP check sends what it was given, with the reference's defaults`() throws {
        let server = CannedServer("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 5\r\n\r\nhello")
        let outcome = try outcome(
            http(
                "http://127.0.0.1:\(server.port)/x?y=1#z", method: "POST", headers: [HTTPHeader("Host", "web"), HTTPHeader("X-A", "1")],
                body: "abc"),
            limit: 3)
        #expect(outcome == .http(status: 429, reason: "Too Many Requests", body: Array("llo".utf8)))
        let expected = """
            POST /x?y=1 HTTP/1.1
            Host: web
            User-Agent: Consul Health Check
            Content-Length: 3
            Accept: text/plain, text/*, */*
            X-A: 1
            Connection: close

            abc
            """
        #expect(server.requests == [expected.replacingOccurrences(of: "\n", with: "\r\n")])
    }

    @Test func `redirects are followed, ten times at most`() throws {
        let target = CannedServer("HTTP/1.1 200 OK\r\n\r\nfine")
        let first = CannedServer("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:\(target.port)/there\r\nContent-Length: 0\r\n\r\n")
        #expect(try outcome(http("http://127.0.0.1:\(first.port)")) == .http(status: 200, reason: "OK", body: Array("fine".utf8)))
        #expect(target.requests.first?.hasPrefix("GET /there HTTP/1.1\r\n") == true)
        let loop = CannedServer("HTTP/1.1 301 Moved Permanently\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")
        #expect(try outcome(http("http://127.0.0.1:\(loop.port)/")) == .failed("stopped after 10 redirects"))
        #expect(loop.requests.count == 11)
    }

    @Test func `HTTP checks that cannot be made say why`() throws {
        let port = unusedPort()
        #expect(try outcome(http("http://127.0.0.1:\(port)/")) == .failed("dial tcp 127.0.0.1:\(port): connect: connection refused"))
        #expect(try outcome(http("://bad")) == .failed("parse \"://bad\": missing protocol scheme"))
        #expect(try outcome(http("ftp://x/")) == .failed("unsupported protocol scheme \"ftp\""))
        let broken = CannedServer("garbage\r\n\r\n")
        #expect(try outcome(http("http://127.0.0.1:\(broken.port)/")) == .failed("malformed HTTP response \"garbage\""))
        guard case .failed(let text) = try outcome(http("http://no-such-host.invalid/")) else {
            Issue.record("an invalid name was found")
            return
        }
        #expect(text.hasSuffix("lookup no-such-host.invalid: no such host"))
    }

    @Test func `a silent server runs into the timeout`() throws {
        let server = CannedServer { fd in
            var byte: UInt8 = 0
            _ = recv(fd, &byte, 1, 0)
        }
        #expect(try outcome(http("http://127.0.0.1:\(server.port)/"), timeout: .milliseconds(50)) == .timedOut)
    }

    @Test func `a TCP check connects, by name too`() throws {
        let server = CannedServer("")
        #expect(try outcome(.tcp(address: "127.0.0.1:\(server.port)")) == .tcpConnected)
        #expect(try outcome(.tcp(address: "localhost:\(server.port)")) == .tcpConnected)
        let port = unusedPort()
        #expect(try outcome(.tcp(address: "127.0.0.1:\(port)")) == .failed("dial tcp 127.0.0.1:\(port): connect: connection refused"))
        #expect(try outcome(.tcp(address: "nothing")) == .failed("dial tcp: address nothing: missing port in address"))
        #expect(try outcome(.tcp(address: "a:b:c")) == .failed("dial tcp: address a:b:c: too many colons in address"))
    }

    @Test(arguments: [
        ("/x", "http://h:1/x"), ("x", "http://h:1/a/x"), ("?q", "http://h:1/a/b?q"), ("//o/x", "http://o/x"), ("http://o", "http://o"),
        ("https://o", "https://o"),
    ])
    func `a location is seen from the URL that named it`(location: String, url: String) throws {
        #expect(try ProbeURL.parse("http://h:1/a/b?c").get().resolve(location) == url)
    }
}
