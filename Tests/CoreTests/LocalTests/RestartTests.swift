import Testing

@testable import Core

@Suite struct RestartTests {
    private static let web = """
        {"Name":"web","Checks":[{"CheckID":"http","HTTP":"http://h/","Interval":"10s"},{"CheckID":"ttl","TTL":"1h"},
         {"CheckID":"alias","AliasService":"web"}]}
        """

    /// An agent whose checks passed, and the same one started again beside the catalog that it left behind. It has not synced yet.
    private func restarted(_ change: (inout AgentSettings) -> Void = { _ in }) -> LocalHarness {
        let before = LocalHarness(LocalHarness.settings(change))
        before.start()
        before.request("PUT /v1/agent/service/register", RestartTests.web)
        before.advance(.seconds(10))
        answer(before, 200)
        // A check of the node concerns the alias as well.
        for probe in before.probes { if case .tcp = probe.probe { before.send(.probed(probe.token, .tcpConnected)) } }
        before.request("PUT /v1/agent/check/pass/ttl?note=beat")
        let after = LocalHarness(LocalHarness.settings(change), files: before.files, seed: 8)
        (after.node, after.services, after.checks) = (before.node, before.services, before.checks)
        #expect(["http", "ttl", "alias"].allSatisfy { after.checks[$0]?.status == "passing" })
        return after
    }

    /// The HTTP check's probe under way comes to this.
    private func answer(_ agent: LocalHarness, _ status: Int) {
        let probe = agent.probes.last { if case .http = $0.probe { true } else { false } }
        agent.send(.probed(probe!.token, .http(status: status, reason: status == 200 ? "OK" : "Error", body: Array("fine".utf8))))
    }

    private func turnedCritical(_ agent: LocalHarness) -> [String] {
        agent.writes.flatMap { write -> [HealthCheck] in
            guard case .register(let request) = write else { return [] }
            return (request.checks ?? []) + [request.check].compactMap(\.self)
        }.filter { $0.status == "critical" }.map(\.checkID)
    }

    @Test func `checks of a restarted agent keep what the catalog says until they have run`() {
        let agent = restarted()
        agent.start()
        #expect(agent.reads.allSatisfy { !$0.options.allowStale }, "a server that lags behind would not know")
        for id in ["http", "ttl", "alias"] {
            #expect(agent.check(id)?.status == "passing")
            #expect(agent.checks[id]?.status == "passing")
        }
        #expect(agent.check("http")?.output == "HTTP GET http://h/: 200 OK Output: fine")
        agent.advance(.seconds(10))
        #expect(turnedCritical(agent).isEmpty)
        answer(agent, 500)
        #expect(agent.checks["http"]?.status == "critical", "its first run decides")
        #expect(agent.checks["alias"]?.status == "critical")
    }

    @Test func `heartbeats and registrations before the catalog was asked tell nothing of checks that have not run`() {
        let agent = restarted()
        agent.readError = "No cluster leader"
        agent.start()
        #expect(agent.request("PUT /v1/agent/service/register", #"{"Name":"new","Check":{"TTL":"1h"}}"#)?.status == 200)
        #expect(agent.request("PUT /v1/agent/check/pass/ttl")?.status == 200)
        #expect(agent.request("PUT /v1/agent/service/register", RestartTests.web)?.status == 200)
        #expect(agent.services["new"] != nil)
        #expect(turnedCritical(agent) == ["service:new"])
        agent.advance(.seconds(10))
        answer(agent, 200)
        #expect(agent.check("alias")?.status == "passing", "all that it stands for is known now")
        #expect(turnedCritical(agent) == ["service:new"])
        agent.readError = nil
        agent.advance(.minutes(1))
        #expect(turnedCritical(agent) == ["service:new"])
    }

    @Test func `checks that the catalog does not know start as new ones`() {
        let agent = restarted()
        agent.checks = [:]
        agent.start()
        #expect(agent.checks["http"]?.status == "critical")
        #expect(agent.checks["ttl"]?.status == "passing", "its state was kept")
    }

    @Test func `the kept state of a TTL check counts more than the catalog`() {
        let agent = restarted()
        agent.checks["ttl"]?.status = "warning"
        agent.start()
        #expect(agent.checks["ttl"]?.status == "passing")
    }

    @Test func `checks of configuration files keep their status over a restart as well`() {
        func configured(_ settings: inout AgentSettings) {
            var check = CheckDefinition()
            check.name = "disk"
            check.tcp = "h:1"
            check.interval = .seconds(10)
            settings.reloadable.checks = [check]
        }
        let agent = restarted(configured)
        agent.checks["disk"]?.status = "warning"
        agent.start()
        #expect(agent.checks["disk"]?.status == "warning")
        agent.advance(.seconds(9))
        #expect(turnedCritical(agent).isEmpty)
    }

    @Test func `a check that this agent cannot run is kept with its file and shows why it is critical`() {
        let files: [String: [UInt8]] = [
            "services/1": Array(#"{"Service":{"ID":"web","Service":"web"},"Source":"remote"}"#.utf8),
            "checks/1": Array(
                #"{"Check":{"CheckID":"g","Name":"g","Status":"passing","ServiceID":"web"},"ChkType":{"GRPC":"h:1","Interval":1000000000},"Source":"remote"}"#
                    .utf8),
            "checks/2": Array(
                #"{"Check":{"CheckID":"d","Name":"d"},"ChkType":{"DockerContainerID":"c","ScriptArgs":["x"],"Interval":1000000000},"Source":"remote"}"#
                    .utf8),
        ]
        let agent = LocalHarness(files: files) { $0.checks.enableScripts = true }
        agent.start()
        #expect(agent.checks["g"]?.status == "critical")
        #expect(agent.checks["g"]?.output == "gRPC checks are not supported by this agent")
        #expect(agent.checks["d"]?.output == "Docker checks are not supported by this agent")
        #expect(agent.files == files)
        #expect(agent.reload(LocalHarness.settings()) == nil)
        #expect(agent.check("g")?.status == "critical")
        #expect(agent.files == files)
    }
}
