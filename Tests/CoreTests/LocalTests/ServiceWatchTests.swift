import Testing

@testable import Core

@Suite struct ServiceWatchTests {
    private func agent() -> (LocalHarness, hash: String) {
        let agent = LocalHarness()
        agent.start()
        agent.request("PUT /v1/agent/service/register", #"{"Name":"web","Port":1}"#)
        return (agent, agent.request("GET /v1/agent/service/web")?["X-Consul-Contenthash"] ?? "")
    }

    @Test func `a request with the current hash waits for a change of the content`() {
        let (agent, hash) = agent()
        let id = agent.begin("GET /v1/agent/service/web?hash=\(hash)")
        #expect(agent.responses[id] == nil)
        agent.request("PUT /v1/agent/service/register", #"{"Name":"web","Port":1}"#)
        agent.request("PUT /v1/agent/check/register", #"{"Name":"c","ServiceID":"web","TTL":"1m"}"#)
        #expect(agent.responses[id] == nil, "the content is the same")
        agent.request("PUT /v1/agent/service/register", #"{"Name":"web","Port":2}"#)
        #expect(agent.responses[id]?.text.contains(#""Port":2"#) == true)
        #expect(agent.responses[id]?["X-Consul-Contenthash"] != hash)
        agent.advance(.minutes(10))
    }

    @Test func `another hash is answered at once`() {
        let (agent, _) = agent()
        #expect(agent.request("GET /v1/agent/service/web?hash=abc")?.status == 200)
        #expect(agent.request("GET /v1/agent/service/web?hash=")?.status == 200)
        #expect(agent.request("GET /v1/agent/service/none?hash=abc")?.status == 404)
        #expect(agent.status("GET /v1/agent/service/web?wait=10") == "400 Invalid wait time")
        #expect(agent.status("GET /v1/agent/service/web?index=x") == "400 Invalid index")
    }

    @Test(arguments: [("wait=16s", 16, 17), ("wait=0", 300, 319), ("wait=2h", 600, 638), ("", 300, 319)])
    func `the wait ends with the same content`(wait: String, least: Int, most: Int) {
        let (agent, hash) = agent()
        let id = agent.begin("GET /v1/agent/service/web?hash=\(hash)&\(wait)")
        agent.advance(.seconds(least) - .milliseconds(1))
        #expect(agent.responses[id] == nil)
        agent.advance(.seconds(most - least))
        #expect(agent.responses[id]?["X-Consul-Contenthash"] == hash)
    }

    @Test func `a request that waits for a service is answered at once when the service goes away`() {
        let (agent, hash) = agent()
        let id = agent.begin("GET /v1/agent/service/web?hash=\(hash)")
        agent.request("PUT /v1/agent/service/deregister/web")
        #expect(agent.responses[id]?.status == 404)
    }

    @Test func `a client that went away is forgotten`() {
        let (agent, hash) = agent()
        let id = agent.begin("GET /v1/agent/service/web?hash=\(hash)")
        agent.send(.cancelled(id))
        agent.request("PUT /v1/agent/service/deregister/web")
        agent.advance(.minutes(10))
        #expect(agent.responses[id] == nil)
    }

    @Test func `a request that waits sees a reload as a whole`() {
        var web = ServiceDefinition()
        web.name = "web"
        web.port = 1
        let settings = LocalHarness.settings { $0.reloadable.services = [web] }
        let agent = LocalHarness(settings)
        agent.start()
        let hash = agent.request("GET /v1/agent/service/web")?["X-Consul-Contenthash"] ?? ""
        let id = agent.begin("GET /v1/agent/service/web?hash=\(hash)")
        #expect(agent.reload(settings) == nil)
        #expect(agent.responses[id] == nil)
        web.port = 2
        #expect(agent.reload(LocalHarness.settings { $0.reloadable.services = [web] }) == nil)
        #expect(agent.responses[id]?.text.contains(#""Port":2"#) == true)
        let other = agent.begin("GET /v1/agent/service/web?hash=\(agent.responses[id]?["X-Consul-Contenthash"] ?? "")")
        #expect(agent.reload(LocalHarness.settings()) == nil)
        #expect(agent.responses[other]?.status == 404)
    }
}
