import Testing

@testable import Core

@Suite struct PersistenceTests {
    private func text(_ bytes: [UInt8]?) -> String { bytes.map { String(decoding: $0, as: UTF8.self) } ?? "(no file)" }

    private func name(_ folder: String, _ id: String) -> String { folder + "/" + id.utf8.map { String($0, radix: 16) }.joined() }

    private func service(_ name: String, port: Int = 0, checks: [CheckDefinition] = []) -> ServiceDefinition {
        var definition = ServiceDefinition()
        definition.name = name
        definition.port = port
        definition.checks = checks
        return definition
    }

    private func check(_ name: String, status: String = "", service: String = "") -> CheckDefinition {
        var definition = CheckDefinition()
        definition.name = name
        definition.ttl = .hours(1)
        definition.status = status
        definition.serviceID = service
        return definition
    }

    @Test func `files have the reference's form`() {
        let agent = LocalHarness()
        agent.start()
        agent.request("PUT /v1/agent/service/register", #"{"Name":"api","Port":5,"Check":{"TTL":"20s"}}"#)
        #expect(
            text(agent.files[name("services", "api")])
                == #"{"Token":"","Service":{"ID":"api","Service":"api","Tags":null,"Address":"","Meta":null,"Port":5,"Weights":{"Passing":1,"Warning":1},"EnableTagOverride":false,"Proxy":{"MeshGateway":{},"Expose":{}},"Connect":{},"CreateIndex":0,"ModifyIndex":0},"Source":"remote"}"#
        )
        #expect(
            text(agent.files[name("checks", "service:api")])
                == #"{"Check":{"Node":"n1","CheckID":"service:api","Name":"Service 'api' check","Status":"critical","Notes":"","Output":"","ServiceID":"api","ServiceName":"api","ServiceTags":null,"Type":"ttl","Definition":{},"CreateIndex":0,"ModifyIndex":0},"ChkType":{"CheckID":"","Name":"","Status":"","Notes":"","ScriptArgs":null,"HTTP":"","Header":null,"Method":"","Body":"","TCP":"","Interval":0,"AliasNode":"","AliasService":"","DockerContainerID":"","Shell":"","GRPC":"","GRPCUseTLS":false,"TLSSkipVerify":false,"Timeout":0,"TTL":20000000000,"SuccessBeforePassing":0,"FailuresBeforeCritical":0,"ProxyHTTP":"","ProxyGRPC":"","DeregisterCriticalServiceAfter":0,"OutputMaxSize":0},"Token":"","Source":"remote"}"#
        )
        agent.send(.wallClock(offset: 1_000_000_000_000))
        agent.request("PUT /v1/agent/check/pass/service:api?note=ok")
        #expect(
            text(agent.files[name("checks/state", "service:api")])
                == #"{"CheckID":"service:api","Output":"ok","Status":"passing","Expires":1021}"#)
        agent.request("PUT /v1/agent/service/deregister/api")
        #expect(agent.files.isEmpty)
    }

    @Test func `what was registered over HTTP survives a restart`() {
        let before = LocalHarness { $0.checks.enableScripts = true }
        before.start()
        before.request(
            "PUT /v1/agent/service/register?token=secret",
            #"""
            {"ID":"w","Name":"web","Tags":["a"],"Address":"10.0.0.1","Port":80,"Meta":{"k":"v"},"Weights":{"Passing":5,"Warning":2},
             "EnableTagOverride":true,"Checks":[{"TTL":"1h","Notes":"n"},
              {"HTTP":"http://h/","Header":{"X":["y","z"]},"Method":"PUT","Body":"b","Interval":"90s","Timeout":"3s","TLSSkipVerify":true,
               "SuccessBeforePassing":2,"FailuresBeforeCritical":3,"DeregisterCriticalServiceAfter":"2h","OutputMaxSize":10},
              {"Args":["a","b"],"Interval":"1h"}],
             "Connect":{"SidecarService":{"Proxy":{"Config":{"x":{"y":[1,2.5]}},"Upstreams":[{"DestinationName":"db","LocalBindPort":1}]}}}}
            """#)
        before.request("PUT /v1/agent/service/maintenance/w?enable=true&reason=r")
        before.request("PUT /v1/agent/check/pass/service:w:1?note=kept")
        let after = LocalHarness(files: before.files) { $0.checks.enableScripts = true }
        after.start()
        #expect(after.text("GET /v1/agent/services") == before.text("GET /v1/agent/services"))
        #expect(after.check("service:w:1")?.status == "passing")
        #expect(after.check("service:w:1")?.output == "kept")
        #expect(after.check("service:w:2")?.status == "critical")
        #expect(after.check("_service_maintenance:w")?.notes == "r")
        for id in ["service:w:1", "service:w:2", "service:w:3"] {
            let old = before.state.registry.liveCheck(ByteString(id)), new = after.state.registry.liveCheck(ByteString(id))
            #expect(old?.definition == new?.definition && old?.token == "secret" && new?.token == "secret")
        }
        #expect(after.files == before.files, "nothing is written again")
        after.request("PUT /v1/agent/service/deregister/w")
        #expect(after.services.isEmpty, "the sidecar is still known as one")
        #expect(after.files.isEmpty)
    }

    @Test func `an expired state is not restored`() {
        let before = LocalHarness()
        before.start()
        before.request("PUT /v1/agent/check/register", #"{"Name":"c","TTL":"10s"}"#)
        before.request("PUT /v1/agent/check/pass/c")
        let after = LocalHarness(files: before.files) { $0.wallClockOffset = 10_000_000_000 }
        after.start()
        #expect(after.check("c")?.status == "critical")
        #expect(after.files.keys.sorted() == [name("checks", "c")])
    }

    @Test func `damaged files are logged and stay, useless ones are removed`() {
        let valid = #"{"Service":{"ID":"a","Service":"a","Unknown":1},"Source":""}"#
        let agent = LocalHarness(files: [
            "services/1": Array(#"{"Service":{"ID":"#.utf8), "services/2": [], "services/3": Array(valid.utf8),
            "services/4tmp": [1], "services/5": Array(#"{"Service":{"ID":"b","Service":"b"},"Source":"moon"}"#.utf8),
            "services/6": Array(#"{"Service":5}"#.utf8), "services/configs/7": [1], "checks/1": [0xFF], "checks/state/1": [],
            "checks/2": Array(#"{"Check":{"CheckID":"c","Name":"c","ServiceID":"none"},"ChkType":{"TTL":1000000000}}"#.utf8),
            "checks/3": Array(
                #"{"Check":{"CheckID":"s","Name":"s"},"ChkType":{"ScriptArgs":["x"],"Interval":1000000000},"Source":"remote"}"#.utf8),
            "checks/4": Array("[[[[[[".utf8),
        ]) { _ in }
        #expect(agent.load() == nil)
        #expect(agent.text("GET /v1/agent/services").hasPrefix(#"{"a":{"#))
        #expect(agent.text("GET /v1/agent/checks") == "{}")
        #expect(
            agent.files.keys.sorted() == [
                "checks/1", "checks/4", "checks/state/1", "services/1", "services/2", "services/3", "services/4tmp", "services/6",
                "services/configs/7",
            ])
        #expect(agent.logs.count { $0.contains("Failed decoding service file") } == 3)
        #expect(agent.logs.count { $0.contains("Failed to restore check") } == 2)
    }

    @Test func `configuration wins over the data directory`() {
        let before = LocalHarness()
        before.start()
        before.request("PUT /v1/agent/service/register", #"{"Name":"web","Port":1}"#)
        before.request("PUT /v1/agent/check/register", #"{"Name":"c","TTL":"1m"}"#)
        let after = LocalHarness(files: before.files) {
            $0.reloadable.services = [service("web", port: 2)]
            $0.reloadable.checks = [check("c", status: "warning")]
        }
        after.start()
        #expect(after.services["web"]?.port == 2)
        #expect(after.check("c")?.status == "warning")
        #expect(after.files.isEmpty)
    }

    @Test func `definitions of the configuration are registered, and never written`() {
        let agent = LocalHarness {
            $0.reloadable.services = [service("web", checks: [check("")])]
            $0.reloadable.checks = [check("mem", status: "passing"), check("on web", service: "web")]
        }
        #expect(agent.load() == nil)
        #expect(agent.files.isEmpty)
        #expect(agent.check("service:web")?.type == "ttl")
        #expect(agent.check("mem")?.type == "")
        #expect(agent.check("on web")?.serviceName == "web")
    }

    @Test func `a wrong definition stops the start`() {
        func complaint(_ change: (inout AgentSettings) -> Void) -> String? { LocalHarness(LocalHarness.settings(change)).load()?.text }
        #expect(
            complaint { $0.reloadable.checks = [check("c", service: "ghost")] }
                == #"Failed to register check 'c': ServiceID "ghost" does not exist"#)
        var script = CheckDefinition()
        script.scriptArgs = ["x"]
        script.interval = .seconds(10)
        #expect(
            complaint { $0.reloadable.services = [service("web", checks: [script])] }
                == "Failed to register service \"web\": Scripts are disabled on this agent; to enable, configure "
                + "'enable_script_checks' or 'enable_local_script_checks' to true")
        #expect(
            complaint { $0.reloadable.services = [service("web", checks: [CheckDefinition()])] }
                == "Failed to validate checks for service \"web\": TTL must be > 0 for TTL checks")
        #expect(
            complaint {
                $0.reloadable.services = [service("web", checks: [script])]
                $0.checks.enableLocalScripts = true
            } == nil)
        var web = service("web")
        web.sidecar = SidecarDefinition(ServiceDefinition())
        #expect(
            complaint {
                $0.reloadable.services = [web]
                $0.addresses.sidecarMaxPort = 0
            }
                == "Failed to validate sidecar for service \"web\": no port provided for sidecar_service and auto-assignment disabled in config"
        )
    }

    @Test func `nothing is written without a data directory`() {
        let agent = LocalHarness { $0.checks.persistsRegistrations = false }
        agent.start()
        agent.request("PUT /v1/agent/service/register", #"{"Name":"web","Check":{"TTL":"1m"}}"#)
        agent.request("PUT /v1/agent/check/pass/service:web")
        #expect(agent.files.isEmpty)
    }

    // MARK: Reload

    @Test func `a reload exchanges what files define and keeps statuses and registrations`() {
        let agent = LocalHarness {
            $0.reloadable.services = [service("old"), service("both", port: 1, checks: [check("", status: "passing")])]
            $0.reloadable.checks = [check("gone")]
        }
        agent.start()
        agent.request("PUT /v1/agent/service/register", #"{"Name":"mine","Check":{"TTL":"1h"}}"#)
        agent.request("PUT /v1/agent/check/warn/service:mine?note=w")
        agent.request("PUT /v1/agent/check/fail/service:both?note=f")
        let files = agent.files
        let complaint = agent.reload(
            LocalHarness.settings {
                $0.reloadable.services = [service("new"), service("both", port: 2, checks: [check("", status: "passing")])]
                $0.reloadable.checks = [check("node check", status: "warning")]
                $0.reloadable.nodeMeta = ["gen": "2"]
            })
        #expect(complaint == nil)
        #expect(agent.services.keys.sorted() == ["both", "mine", "new"])
        #expect(agent.services["both"]?.port == 2)
        #expect(agent.checks.keys.sorted() == ["node check", "service:both", "service:mine"])
        #expect(agent.checks["service:mine"]?.output == "w")
        #expect(agent.checks["service:both"]?.status == "critical")
        #expect(agent.checks["node check"]?.status == "warning")
        #expect(agent.node?.meta?["gen"] == "2")
        #expect(agent.files == files)
    }

    @Test func `without a data directory a reload forgets what was registered over HTTP`() {
        let agent = LocalHarness { $0.checks.persistsRegistrations = false }
        agent.start()
        agent.request("PUT /v1/agent/service/register", #"{"Name":"mine"}"#)
        #expect(agent.reload(LocalHarness.settings()) == nil)
        #expect(agent.services.isEmpty)
    }

    @Test func `a reload leaves the wall clock as it was set`() {
        let agent = LocalHarness()
        agent.start()
        agent.request("PUT /v1/agent/check/register", #"{"Name":"c","TTL":"10s"}"#)
        let offset: Int64 = 5_000_000_000_000
        agent.send(.wallClock(offset: offset))
        #expect(agent.reload(LocalHarness.settings()) == nil)
        agent.request("PUT /v1/agent/check/pass/c")
        let expires = (agent.now.nanoseconds + offset) / 1_000_000_000 + 10
        #expect(text(agent.files[name("checks/state", "c")]).contains("\"Expires\":\(expires)}"))
    }

    @Test func `a wrong configuration changes nothing`() {
        let agent = LocalHarness { $0.reloadable.services = [service("web")] }
        agent.start()
        let complaint = agent.reload(LocalHarness.settings { $0.reloadable.checks = [check("c", service: "ghost")] })
        #expect(complaint?.text == #"Failed to register check 'c': ServiceID "ghost" does not exist"#)
        agent.advance(.minutes(3))
        #expect(agent.services.keys.sorted() == ["web"])
    }

    @Test func `outputs are dropped when a reload says so`() {
        let agent = LocalHarness()
        agent.start()
        agent.request("PUT /v1/agent/check/register", #"{"Name":"c","TTL":"1h"}"#)
        agent.request("PUT /v1/agent/check/pass/c?note=n")
        #expect(agent.reload(LocalHarness.settings { $0.reloadable.discardCheckOutput = true }) == nil)
        #expect(agent.checks["c"]?.status == "passing")
        #expect(agent.checks["c"]?.output == "")
    }
}
