import Testing

@testable import Core

@Suite struct AliasCheckTests {
    private func agent() -> LocalHarness {
        let agent = LocalHarness()
        agent.start()
        agent.request("PUT /v1/agent/service/register", #"{"Name":"web"}"#)
        agent.request("PUT /v1/agent/service/register", #"{"Name":"front"}"#)
        agent.request("PUT /v1/agent/check/register", #"{"ID":"al","Name":"alias","ServiceID":"front","AliasService":"web"}"#)
        return agent
    }

    private func shown(_ agent: LocalHarness, _ id: String = "al") -> String {
        agent.check(id).map { "\($0.status) \($0.output)" } ?? "gone"
    }

    @Test func `an alias follows the checks of its service`() {
        let agent = agent()
        #expect(shown(agent) == "passing No checks found.")
        agent.request("PUT /v1/agent/check/register", #"{"Name":"one","ServiceID":"web","TTL":"1h","Status":"passing"}"#)
        #expect(shown(agent) == "passing All checks passing.")
        agent.request("PUT /v1/agent/check/warn/one?note=slow")
        #expect(shown(agent) == #"warning Aliased check "one" failing: slow"#)
        agent.request("PUT /v1/agent/check/fail/one?note=boom")
        #expect(shown(agent) == #"critical Aliased check "one" failing: boom"#)
        #expect(agent.checks["al"]?.status == "critical", "and the catalog knows")
        agent.request("PUT /v1/agent/check/pass/one")
        #expect(shown(agent) == "passing All checks passing.")
    }

    @Test func `checks of the node count, those of other services do not`() {
        let agent = agent()
        agent.request("PUT /v1/agent/check/register", #"{"Name":"other","ServiceID":"front","TTL":"1h"}"#)
        #expect(shown(agent) == "passing No checks found.")
        agent.request("PUT /v1/agent/maintenance?enable=true")
        #expect(shown(agent) == #"critical Aliased check "Node Maintenance Mode" failing: "#)
        agent.request("PUT /v1/agent/maintenance?enable=false")
        #expect(shown(agent) == "passing No checks found.")
    }

    @Test func `an alias of a service that does not exist is critical until it does`() {
        let agent = agent()
        agent.request("PUT /v1/agent/service/deregister/web")
        #expect(shown(agent) == "critical Service web could not be found on node ")
        agent.request("PUT /v1/agent/service/register", #"{"Name":"web"}"#)
        #expect(shown(agent) == "passing No checks found.")
    }

    @Test func `changed outputs are seen within a minute`() {
        let agent = agent()
        agent.request("PUT /v1/agent/check/register", #"{"Name":"one","ServiceID":"web","TTL":"1h"}"#)
        agent.request("PUT /v1/agent/check/fail/one?note=a")
        agent.advance(.minutes(1))
        #expect(shown(agent) == #"critical Aliased check "one" failing: a"#)
    }

    @Test func `aliases of each other come to rest`() {
        let agent = agent()
        agent.request("PUT /v1/agent/check/register", #"{"ID":"la","Name":"back","ServiceID":"web","AliasService":"front"}"#)
        agent.request("PUT /v1/agent/check/register", #"{"Name":"one","ServiceID":"web","TTL":"1h"}"#)
        agent.request("PUT /v1/agent/check/fail/one?note=boom")
        agent.advance(.seconds(10))
        #expect(shown(agent) == #"critical Aliased check "one" failing: boom"#)
        #expect(shown(agent, "la").hasPrefix(#"critical Aliased check "alias" failing:"#))
        agent.forgetHistory()
        agent.advance(.seconds(30))
        #expect(agent.writes.isEmpty)
    }

    @Test func `an alias of another node asks the catalog and waits there`() {
        let agent = agent()
        var check = HealthCheck()
        check.checkID = "x"
        check.name = "their check"
        check.status = "warning"
        check.serviceID = "db"
        agent.othersChecks = [check]
        agent.request("PUT /v1/agent/check/register", #"{"ID":"re","Name":"r","AliasNode":"n2","AliasService":"db"}"#)
        #expect(shown(agent, "re") == #"warning Aliased check "their check" failing: "#)
        agent.forgetHistory()
        agent.othersChecks[0].status = "passing"
        agent.advance(.seconds(2))
        #expect(shown(agent, "re") == "passing All checks passing.")
        let asked = agent.reads.filter { if case .health(.nodeChecks("n2")) = $0.query { true } else { false } }
        #expect(asked.allSatisfy { $0.options.allowStale && $0.options.maxQueryTime == .minutes(1) && $0.options.minQueryIndex == 5 })
        #expect((1...3).contains(asked.count), "an answer without news is not asked for again at once")
    }

    @Test func `a remote service without checks must exist`() {
        let agent = agent()
        agent.request("PUT /v1/agent/check/register", #"{"ID":"re","Name":"r","AliasNode":"n2","AliasService":"db"}"#)
        #expect(shown(agent, "re") == "critical Service db could not be found on node n2")
    }

    @Test func `a failing read shows from the second time on, ever more seldom`() {
        let agent = agent()
        agent.request("PUT /v1/agent/check/register", #"{"ID":"re","Name":"r","AliasNode":"n2","AliasService":"web","Status":"passing"}"#)
        let before = shown(agent, "re")
        agent.advance(.milliseconds(1))
        agent.readError = "No path to datacenter"
        agent.advance(.seconds(1))
        #expect(shown(agent, "re") == before)
        agent.advance(.seconds(1))
        #expect(shown(agent, "re") == "critical Failure checking aliased node or service: No path to datacenter")
        agent.advance(.minutes(5))
        agent.forgetHistory()
        agent.advance(.minutes(5))
        let asked = agent.reads.filter { if case .health(.nodeChecks("n2")) = $0.query { true } else { false } }
        #expect((4...6).contains(asked.count))
    }
}
