import Testing

@testable import Core

@Suite struct AntiEntropyTests {
    private static let web = #"{"Name":"web","Port":80,"Check":{"TTL":"10m","Status":"passing"}}"#

    private func registers(_ requests: [WriteRequest]) -> [RegisterRequest] {
        requests.compactMap { if case .register(let request) = $0 { request } else { nil } }
    }

    private func deregisters(_ requests: [WriteRequest]) -> [DeregisterRequest] {
        requests.compactMap { if case .deregister(let request) = $0 { request } else { nil } }
    }

    @Test func `the first sync registers the node with its addresses and metadata`() {
        let agent = LocalHarness { $0.reloadable.nodeMeta = ["rack": "r1"] }
        agent.start()
        #expect(agent.node?.id == "deadbeef-0000-4000-8000-00000000c0de")
        #expect(agent.node?.meta == ["consul-network-segment": "", "rack": "r1"])
        #expect(agent.node?.taggedAddresses == ["lan": "127.0.0.1", "lan_ipv4": "127.0.0.1", "wan": "127.0.0.1", "wan_ipv4": "127.0.0.1"])
        #expect(agent.writes.count == 1)
        #expect(agent.reads.allSatisfy { $0.options.allowStale && $0.options.minQueryIndex == 0 })
    }

    @Test func `a service goes out in one write with its checks, before the request is answered`() {
        let agent = LocalHarness()
        agent.start()
        agent.forgetHistory()
        agent.holdsAnswers = true
        let id = agent.begin("PUT /v1/agent/service/register", AntiEntropyTests.web)
        #expect(agent.responses[id] == nil)
        agent.deliver()
        #expect(agent.responses[id]?.status == 200)
        let sent = registers(agent.writes)
        #expect(sent.count == 1)
        #expect(sent[0].service?.id == "web")
        #expect(sent[0].check?.checkID == "service:web")
        #expect(sent[0].checks == nil)
        #expect(sent[0].skipNodeUpdate)
    }

    @Test func `several checks of a service are sent as a list`() {
        let agent = LocalHarness()
        agent.start()
        agent.forgetHistory()
        agent.request("PUT /v1/agent/service/register", #"{"Name":"web","Checks":[{"TTL":"1m"},{"TTL":"2m"}]}"#)
        let sent = registers(agent.writes)
        #expect(sent.count == 1)
        #expect(sent[0].check == nil)
        #expect(sent[0].checks?.map(\.checkID) == ["service:web:1", "service:web:2"])
    }

    @Test func `checks with another token than their service go out on their own`() {
        let agent = LocalHarness {
            $0.reloadable.services = [service("web", token: "a")]
            var check = CheckDefinition()
            check.name = "extra"
            check.serviceID = "web"
            check.ttl = .minutes(1)
            check.token = "b"
            $0.reloadable.checks = [check]
        }
        agent.start()
        let sent = registers(agent.writes).filter { $0.service != nil }
        #expect(sent.map(\.token) == ["a", "b"])
        #expect(sent[0].check == nil)
        #expect(sent[1].check?.checkID == "extra")
        #expect(sent[1].service?.id == "web")
    }

    private func service(_ name: String, token: String = "") -> ServiceDefinition {
        var definition = ServiceDefinition()
        definition.name = name
        definition.token = token
        return definition
    }

    @Test func `an agent in agreement writes nothing`() {
        let agent = LocalHarness { $0.reloadable.services = [service("web")] }
        agent.start()
        agent.request("PUT /v1/agent/service/register", AntiEntropyTests.web)
        agent.forgetHistory()
        agent.advance(.minutes(9))
        #expect(agent.writes.isEmpty)
        #expect((4...9).contains(agent.reads.count / 2), "a full sync every one to two minutes")
    }

    @Test func `foreign services and checks under the node's name disappear`() {
        let agent = LocalHarness()
        agent.start()
        var foreign = NodeService()
        foreign.id = "alien"
        foreign.service = "alien"
        agent.services["alien"] = foreign
        foreign.id = "consul"
        agent.services["consul"] = foreign
        for (id, serviceID) in [("c1", ""), ("c2", "alien"), ("serfHealth", "")] {
            var check = HealthCheck()
            check.checkID = id
            check.serviceID = serviceID
            agent.checks[id] = check
        }
        agent.forgetHistory()
        agent.advance(.minutes(2))
        #expect(agent.services.keys.sorted() == ["consul"])
        #expect(agent.checks.keys.sorted() == ["serfHealth"])
        #expect(deregisters(agent.writes).map(\.serviceID) == ["alien", ""], "the service takes its check along")
        #expect(agent.logs.contains("agent: Deregistered service: service=alien"))
    }

    @Test func `what others changed is put right, but not the address of the node`() {
        let agent = LocalHarness()
        agent.start()
        agent.request("PUT /v1/agent/service/register", AntiEntropyTests.web)
        agent.services["web"]?.port = 99
        agent.checks["service:web"]?.status = "critical"
        agent.node?.address = "9.9.9.9"
        agent.forgetHistory()
        agent.advance(.minutes(2))
        #expect(agent.services["web"]?.port == 80)
        #expect(agent.checks["service:web"]?.status == "passing")
        #expect(agent.node?.address == "9.9.9.9")
        agent.node?.meta = [:]
        agent.advance(.minutes(2))
        #expect(agent.node?.address == "127.0.0.1")
    }

    @Test func `with tag override the catalog's tags win`() {
        let agent = LocalHarness()
        agent.start()
        agent.request("PUT /v1/agent/service/register", #"{"Name":"web","Tags":["a"],"EnableTagOverride":true}"#)
        agent.request("PUT /v1/agent/service/register", #"{"Name":"db","Tags":["a"]}"#)
        agent.services["web"]?.tags = ["b"]
        agent.services["db"]?.tags = ["b"]
        agent.advance(.minutes(2))
        #expect(agent.services["web"]?.tags == ["b"])
        #expect(agent.services["db"]?.tags == ["a"])
        #expect(agent.text("GET /v1/agent/service/web").contains(#""Tags":["b"]"#))
    }

    @Test func `a removed service is deregistered, and its checks with it`() {
        let agent = LocalHarness()
        agent.start()
        agent.request("PUT /v1/agent/service/register", AntiEntropyTests.web)
        agent.forgetHistory()
        #expect(agent.request("PUT /v1/agent/service/deregister/web")?.status == 200)
        #expect(agent.services.isEmpty && agent.checks.isEmpty)
        #expect(agent.writes.count == 1)
        #expect(agent.text("GET /v1/agent/services") == "{}")
        #expect(agent.text("GET /v1/agent/checks") == "{}")
    }

    @Test func `an unknown service counts as deregistered`() {
        let agent = LocalHarness()
        agent.start()
        agent.request("PUT /v1/agent/service/register", AntiEntropyTests.web)
        agent.writeError = "Unknown service ID 'web'. Ensure that the service ID is passed"
        agent.request("PUT /v1/agent/service/deregister/web")
        agent.forgetHistory()
        agent.services = [:]
        agent.checks = [:]
        agent.writeError = nil
        agent.advance(.minutes(5))
        #expect(agent.writes.isEmpty)
    }

    @Test func `what ACLs forbid is left alone until the next full sync`() {
        let agent = LocalHarness()
        agent.start()
        agent.writeError = "Permission denied"
        #expect(agent.request("PUT /v1/agent/service/register", AntiEntropyTests.web)?.status == 200)
        #expect(agent.logs.contains("agent: Service registration blocked by ACLs: service=web"))
        agent.forgetHistory()
        agent.request("PUT /v1/agent/service/register", #"{"Name":"db"}"#)
        #expect(registers(agent.writes).map { $0.service?.id } == ["db"])
        agent.forgetHistory()
        agent.writeError = nil
        agent.advance(.minutes(2))
        #expect(registers(agent.writes).map { $0.service?.id } == ["db", "web"])
    }

    @Test func `a failure stops the pass, the request succeeds, and the next full sync repairs`() {
        let agent = LocalHarness()
        agent.start()
        agent.writeError = "No cluster leader"
        agent.forgetHistory()
        #expect(agent.request("PUT /v1/agent/service/register", #"{"Name":"a"}"#)?.status == 200)
        #expect(agent.writes.count == 1)
        #expect(agent.logs.contains(#"agent: Syncing service failed.: service=a error="No cluster leader""#))
        #expect(agent.logs.contains(#"agent.anti_entropy: failed to sync changes: error="No cluster leader""#))
        #expect(agent.request("PUT /v1/agent/service/register", #"{"Name":"b"}"#)?.status == 200)
        #expect(agent.writes.count == 2, "the one that failed is not the first again, and one failure is enough")
        agent.writeError = nil
        agent.advance(.minutes(2))
        #expect(agent.services.keys.sorted() == ["a", "b"])
    }

    @Test func `without a leader full syncs are tried again sooner`() {
        let agent = LocalHarness()
        agent.readError = "No cluster leader"
        agent.start()
        agent.forgetHistory()
        agent.advance(.seconds(30))
        #expect(agent.reads.count >= 2)
        #expect(agent.logs.contains(#"agent.anti_entropy: failed to sync remote state: error="No cluster leader""#))
        agent.readError = nil
        agent.advance(.seconds(30))
        #expect(agent.node != nil)
    }

    @Test func `a change made while its old version is on the way is sent as well`() {
        let agent = LocalHarness()
        agent.start()
        agent.holdsAnswers = true
        let first = agent.begin("PUT /v1/agent/service/register", #"{"Name":"web","Port":1}"#)
        let second = agent.begin("PUT /v1/agent/service/register", #"{"Name":"web","Port":2}"#)
        agent.deliver()
        #expect(agent.responses[first]?.status == 200)
        #expect(agent.responses[second] == nil)
        agent.deliver()
        #expect(agent.responses[second]?.status == 200)
        #expect(agent.services["web"]?.port == 2)
    }

    @Test func `a service removed while its registration is on the way does not stay behind`() {
        let agent = LocalHarness()
        agent.start()
        agent.holdsAnswers = true
        _ = agent.begin("PUT /v1/agent/service/register", #"{"Name":"web"}"#)
        let id = agent.begin("PUT /v1/agent/service/deregister/web")
        agent.deliver()
        agent.deliver()
        #expect(agent.responses[id]?.status == 200)
        #expect(agent.services.isEmpty)
    }

    @Test func `a client that goes away is not answered`() {
        let agent = LocalHarness()
        agent.start()
        agent.holdsAnswers = true
        let first = agent.begin("PUT /v1/agent/service/register", #"{"Name":"a"}"#)
        let second = agent.begin("PUT /v1/agent/service/register", #"{"Name":"b"}"#)
        agent.send(.cancelled(first))
        agent.send(.cancelled(second))
        agent.holdsAnswers = false
        agent.deliver()
        #expect(agent.responses.isEmpty)
        #expect(agent.services.keys.sorted() == ["a", "b"])
    }

    @Test func `new output with an old status is sent minutes later, a new status at once`() {
        let agent = LocalHarness()
        agent.start()
        agent.request("PUT /v1/agent/check/register", #"{"Name":"mem","TTL":"24h"}"#)
        agent.request("PUT /v1/agent/check/pass/mem?note=one")
        #expect(agent.checks["mem"]?.output == "one")
        agent.forgetHistory()
        agent.request("PUT /v1/agent/check/pass/mem?note=two")
        #expect(agent.check("mem")?.output == "two")
        #expect(agent.checks["mem"]?.output == "one")
        agent.advance(.seconds(149))
        #expect(agent.writes.isEmpty, "not even by the full syncs in between")
        agent.advance(.seconds(302))
        #expect(agent.checks["mem"]?.output == "two")
        agent.request("PUT /v1/agent/check/pass/mem?note=three")
        agent.request("PUT /v1/agent/check/fail/mem?note=four")
        #expect(agent.checks["mem"]?.output == "four")
    }

    @Test func `without an update interval every output is sent`() {
        let agent = LocalHarness { $0.checks.updateInterval = .zero }
        agent.start()
        agent.request("PUT /v1/agent/check/register", #"{"Name":"mem","TTL":"24h","Status":"passing"}"#)
        agent.request("PUT /v1/agent/check/pass/mem?note=two")
        #expect(agent.checks["mem"]?.output == "two")
    }

    @Test func `nothing is scheduled while paused, and changes follow the resume`() {
        let agent = LocalHarness()
        agent.start()
        agent.request("PUT /v1/agent/check/register", #"{"Name":"c","TTL":"10s","Status":"passing"}"#)
        agent.send(.pause)
        agent.send(.pause)
        agent.advance(.seconds(20))
        #expect(agent.checks["c"]?.status == "passing")
        agent.send(.resume)
        #expect(agent.checks["c"]?.status == "passing")
        agent.send(.resume)
        #expect(agent.checks["c"]?.status == "critical")
    }

    @Test func `a new leader brings a full sync`() {
        let agent = LocalHarness()
        agent.start()
        agent.node = nil
        agent.forgetHistory()
        agent.send(.synchronize)
        agent.advance(.seconds(3))
        #expect(agent.node != nil)
    }
}
