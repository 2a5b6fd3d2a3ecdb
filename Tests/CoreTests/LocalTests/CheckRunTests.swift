import Testing

@testable import Core

@Suite struct CheckRunTests {
    private func agent(_ change: (inout AgentSettings) -> Void = { _ in }) -> LocalHarness {
        let agent = LocalHarness {
            $0.checks.enableScripts = true
            change(&$0)
        }
        agent.start()
        return agent
    }

    // MARK: TTL

    @Test func `a TTL runs out after the last update, and stays so`() {
        let agent = agent()
        agent.request("PUT /v1/agent/check/register", #"{"Name":"mem","TTL":"10s"}"#)
        agent.request("PUT /v1/agent/check/pass/mem?note=fine")
        agent.advance(.seconds(9))
        agent.request("PUT /v1/agent/check/warn/mem?note=hm")
        agent.advance(.seconds(9))
        #expect(agent.check("mem")?.status == "warning")
        agent.advance(.seconds(1))
        #expect(agent.check("mem")?.status == "critical")
        #expect(agent.check("mem")?.output == "TTL expired (last output before timeout follows): hm")
        #expect(agent.logs.contains("agent: Check missed TTL, is now critical: check=mem"))
        agent.advance(.minutes(5))
        #expect(agent.check("mem")?.output == "TTL expired (last output before timeout follows): hm")
        agent.request("PUT /v1/agent/check/pass/mem")
        agent.advance(.seconds(10))
        #expect(agent.check("mem")?.output == "TTL expired")
    }

    @Test func `long notes are cut at the smaller of two limits`() {
        let agent = agent { $0.checks.outputMaxSize = 10 }
        agent.request("PUT /v1/agent/check/register", #"{"Name":"a","TTL":"1m","OutputMaxSize":4}"#)
        agent.request("PUT /v1/agent/check/register", #"{"Name":"b","TTL":"1m","OutputMaxSize":4000}"#)
        agent.request("PUT /v1/agent/check/pass/a?note=abcdef")
        agent.request("PUT /v1/agent/check/update/b", #"{"Status":"passing","Output":"abcdefghijkl"}"#)
        #expect(agent.check("a")?.output == "abcd ... (captured 4 of 6 bytes)")
        #expect(agent.check("b")?.output == "abcdefghij ... (captured 10 of 12 bytes)")
    }

    @Test func `only TTL checks take updates`() {
        let agent = agent()
        agent.request("PUT /v1/agent/check/register", #"{"Name":"t","TCP":"a:1","Interval":"10s"}"#)
        #expect(agent.status("PUT /v1/agent/check/pass/t") == #"500 CheckID "t" does not have associated TTL"#)
        #expect(agent.status("PUT /v1/agent/check/fail/none") == #"500 CheckID "none" does not have associated TTL"#)
    }

    // MARK: Intervals

    @Test func `a probe starts within its interval and again that long after its end`() {
        let agent = agent()
        agent.request("PUT /v1/agent/check/register", #"{"Name":"t","TCP":"a:1","Interval":"10s"}"#)
        let start = agent.now
        agent.advance(.seconds(10))
        #expect(agent.probes.count == 1)
        #expect(agent.probes[0].at - start < .seconds(10))
        #expect(agent.probes[0].timeout == .seconds(10))
        agent.advance(.minutes(1))
        #expect(agent.probes.count == 1, "one at a time")
        agent.probed(.tcpConnected)
        let end = agent.now
        agent.advance(.seconds(10))
        #expect(agent.probes.count == 2)
        #expect(agent.probes[1].at - end == .seconds(10))
    }

    @Test func `first runs are spread over the interval`() {
        let agent = agent()
        for at in 0..<20 {
            agent.request("PUT /v1/agent/check/register", #"{"Name":"t\#(at)","TCP":"a:1","Interval":"1h"}"#)
        }
        agent.advance(.minutes(30))
        #expect((3...17).contains(agent.probes.count))
    }

    @Test func `intervals below a second are raised`() {
        let agent = agent()
        agent.request("PUT /v1/agent/check/register", #"{"Name":"t","TCP":"a:1","Interval":"10ms"}"#)
        #expect(agent.logs.contains("agent: check has interval below minimum: check=t minimum_interval=1s"))
        agent.advance(.seconds(1))
        agent.probed(.tcpConnected)
        agent.advance(.milliseconds(999))
        #expect(agent.probes.count == 1)
    }

    @Test func `a check that goes away takes its probe along`() {
        let agent = agent()
        agent.request("PUT /v1/agent/check/register", #"{"Name":"t","TCP":"a:1","Interval":"1s"}"#)
        agent.advance(.seconds(1))
        agent.request("PUT /v1/agent/check/deregister/t")
        #expect(agent.cancelledProbes == [agent.probes[0].token])
        agent.probed(.tcpConnected)
        agent.advance(.minutes(1))
        #expect(agent.probes.count == 1)
    }

    // MARK: Results

    private func result(_ definition: String, _ outcome: CheckOutcome) -> String {
        let agent = agent()
        agent.request("PUT /v1/agent/check/register", definition)
        agent.advance(.seconds(10))
        agent.probed(outcome)
        return "\(agent.check("c")!.status) \(agent.check("c")!.output)"
    }

    private static let script = #"{"Name":"c","Args":["x","y"],"Interval":"10s","Timeout":"500ms"}"#
    private static let http = #"{"Name":"c","HTTP":"http://h/p","Interval":"10s"}"#

    @Test func `exit codes decide the status of scripts`() {
        #expect(result(Self.script, .script(exitStatus: 0, output: Array("hi\n".utf8))) == "passing hi\n")
        #expect(result(Self.script, .script(exitStatus: 1, output: [])) == "warning ")
        #expect(result(Self.script, .script(exitStatus: 2, output: [])) == "critical ")
        #expect(result(Self.script, .script(exitStatus: nil, output: [])) == "critical ")
    }

    @Test func `a script's output says when it is not all of it`() {
        let outcome = CheckOutcome.script(exitStatus: 0, output: Array("tail".utf8), written: 16893)
        #expect(result(Self.script, outcome) == "passing Captured 4 of 16893 bytes\n...\ntail")
    }

    @Test func `a script that takes too long or cannot start is critical`() {
        #expect(result(Self.script, .timedOut) == "critical Timed out (500ms) running check")
        #expect(
            result(Self.script, .scriptTimedOut(output: Array("so far".utf8), written: 6))
                == "critical Timed out (500ms) running check\n\nso far")
        #expect(
            result(Self.script, .failed("fork/exec x: no such file or directory")) == "critical fork/exec x: no such file or directory")
    }

    @Test func `the answer's code decides the status of an HTTP check`() {
        #expect(
            result(Self.http, .http(status: 204, reason: "No Content", body: [])) == "passing HTTP GET http://h/p: 204 No Content Output: ")
        #expect(
            result(Self.http, .http(status: 429, reason: "Too Many Requests", body: Array("x".utf8)))
                == "warning HTTP GET http://h/p: 429 Too Many Requests Output: x")
        #expect(result(Self.http, .http(status: 302, reason: "Found", body: [])) == "critical HTTP GET http://h/p: 302 Found Output: ")
        #expect(
            result(Self.http, .failed("dial tcp 1.2.3.4:80: connect: connection refused"))
                == #"critical Get "http://h/p": dial tcp 1.2.3.4:80: connect: connection refused"#)
        #expect(result(Self.http, .failed(#"parse "://x": missing protocol scheme"#)) == #"critical parse "://x": missing protocol scheme"#)
        #expect(
            result(Self.http, .timedOut)
                == #"critical Get "http://h/p": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"#)
    }

    @Test func `a TCP check passes when somebody listens`() {
        let tcp = #"{"Name":"c","TCP":"127.0.0.1:80","Interval":"10s"}"#
        #expect(result(tcp, .tcpConnected) == "passing TCP connect 127.0.0.1:80: Success")
        #expect(result(tcp, .failed("dial tcp 127.0.0.1:80: connect: connection refused")).hasPrefix("critical dial tcp"))
        #expect(result(tcp, .timedOut) == "critical dial tcp 127.0.0.1:80: i/o timeout")
    }

    @Test func `HTTP probes carry the check's headers and those of the agent`() {
        let agent = agent()
        agent.request(
            "PUT /v1/agent/check/register",
            #"{"Name":"c","HTTP":"http://h/","Interval":"1s","Method":"POST","Body":"b","Header":{"accept":["x"],"Host":["me"]},"TLSSkipVerify":true}"#
        )
        agent.advance(.seconds(1))
        guard case .http(let url, let method, let headers, let body, let skips) = agent.probes[0].probe else {
            Issue.record("no HTTP probe")
            return
        }
        #expect(url == "http://h/" && method == "POST" && body == Array("b".utf8) && skips)
        #expect(headers.map(\.name).sorted() == ["Host", "User-Agent", "accept"])
    }

    // MARK: Thresholds

    @Test func `failures must come in a row before a check turns critical`() {
        let agent = agent()
        agent.request("PUT /v1/agent/check/register", #"{"Name":"c","TCP":"a:1","Interval":"1s","FailuresBeforeCritical":3}"#)
        func run(_ outcome: CheckOutcome) -> String {
            agent.advance(.seconds(1))
            agent.probed(outcome)
            return agent.check("c")!.status
        }
        let failed = CheckOutcome.failed("no")
        #expect(run(.tcpConnected) == "passing")
        #expect(run(failed) == "passing")
        #expect(run(failed) == "passing")
        #expect(run(.tcpConnected) == "passing")
        #expect(run(failed) == "passing")
        #expect(run(failed) == "passing")
        #expect(agent.check("c")?.output == "TCP connect a:1: Success")
        #expect(run(failed) == "critical")
    }

    @Test func `the first result counts at once, later successes only in a row`() {
        let agent = agent()
        agent.request("PUT /v1/agent/check/register", #"{"Name":"c","Args":["x"],"Interval":"1s","SuccessBeforePassing":2}"#)
        func run(_ status: Int32) -> String {
            agent.advance(.seconds(1))
            agent.probed(.script(exitStatus: status, output: []))
            return agent.check("c")!.status
        }
        #expect(run(0) == "passing")
        #expect(run(2) == "critical")
        #expect(run(1) == "critical")
        #expect(run(0) == "passing")
    }

    @Test func `a script that does not start needs no second failure`() {
        let agent = agent()
        agent.request(
            "PUT /v1/agent/check/register", #"{"Name":"c","Args":["x"],"Interval":"1s","FailuresBeforeCritical":5,"Status":"passing"}"#)
        agent.advance(.seconds(1))
        agent.probed(.script(exitStatus: 0, output: []))
        agent.advance(.seconds(1))
        agent.probed(.timedOut)
        #expect(agent.check("c")?.status == "critical")
    }

    // MARK: Re-registration, outputs, reaping

    @Test func `a check that is registered again keeps its status and output`() {
        let agent = agent()
        agent.request("PUT /v1/agent/check/register", #"{"Name":"c","TTL":"1m","Status":"passing"}"#)
        agent.request("PUT /v1/agent/check/warn/c?note=n")
        agent.request("PUT /v1/agent/check/register", #"{"Name":"c","TTL":"2m","Status":"passing","Notes":"new"}"#)
        #expect(agent.check("c")?.status == "warning")
        #expect(agent.check("c")?.output == "n")
        #expect(agent.check("c")?.notes == "new")
        agent.advance(.seconds(90))
        #expect(agent.check("c")?.status == "warning")
    }

    @Test func `outputs are dropped where the agent is told to`() {
        let agent = agent { $0.reloadable.discardCheckOutput = true }
        agent.request("PUT /v1/agent/check/register", #"{"Name":"c","TTL":"1m"}"#)
        agent.request("PUT /v1/agent/check/pass/c?note=secret")
        #expect(agent.check("c")?.status == "passing")
        #expect(agent.check("c")?.output == "")
    }

    @Test func `a service critical for too long is deregistered`() {
        let agent = agent()
        agent.request(
            "PUT /v1/agent/service/register", #"{"Name":"web","Check":{"TTL":"10s","DeregisterCriticalServiceAfter":"90s"}}"#)
        agent.request("PUT /v1/agent/service/register", #"{"Name":"db","Check":{"TTL":"10s","DeregisterCriticalServiceAfter":"90s"}}"#)
        agent.advance(.seconds(60))
        agent.request("PUT /v1/agent/check/pass/service:db")
        agent.advance(.seconds(38))
        #expect(agent.services.keys.sorted() == ["db", "web"])
        agent.advance(.seconds(33))
        #expect(agent.services.keys.sorted() == ["db"])
        #expect(
            agent.logs.contains(
                "agent: Check for service has been critical for too long; deregistered service: service=web check=service:web"))
        agent.advance(.seconds(60))
        #expect(agent.services.isEmpty)
    }

    @Test func `a service is not deregistered before a minute has passed`() {
        let agent = agent()
        agent.request("PUT /v1/agent/service/register", #"{"Name":"web","Check":{"TTL":"1s","DeregisterCriticalServiceAfter":"1s"}}"#)
        #expect(agent.logs.contains("agent: check has deregister interval below minimum: check=service:web minimum_interval=1m0s"))
        agent.advance(.seconds(60))
        #expect(agent.services.count == 1)
        agent.advance(.seconds(35))
        #expect(agent.services.isEmpty)
    }
}
