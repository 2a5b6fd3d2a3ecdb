import Testing

@testable import Core

@Suite struct AgentAnswerTests {
    private let router = Router(APIContext(from: LocalHarness.settings()))

    private func agentRequest(_ line: String) -> AgentRequest? {
        guard case .agent(let request, _) = router.call(line) else { return nil }
        return request
    }

    @Test func `requests that concern the whole agent are told apart`() {
        guard case .join("10.0.0.1:8301", wan: true)? = agentRequest("PUT /v1/agent/join/10.0.0.1:8301?wan=1"),
            case .forceLeave(node: "", prune: true)? = agentRequest("PUT /v1/agent/force-leave/?prune"),
            case .leave? = agentRequest("PUT /v1/agent/leave"), case .reload? = agentRequest("PUT /v1/agent/reload"),
            case .selfDescription? = agentRequest("GET /v1/agent/self"),
            case .members(wan: true)? = agentRequest("GET /v1/agent/members?wan=0"),
            case .members(wan: false)? = agentRequest("GET /v1/agent/members?wan=&segment=_all")
        else {
            Issue.record("a request was taken for another")
            return
        }
    }

    @Test func `segments are an enterprise feature`() {
        #expect(router.answer("GET /v1/agent/members?segment=a")?.text == "Network segments are not supported in this version of Consul")
        #expect(router.answer("GET /v1/agent/members?segment=a")?.status == 500)
        #expect(router.answer("GET /v1/agent/members?segment=a&wan=1")?.status == 400)
    }

    @Test func `endpoints for tokens and certificates that do not exist are refused`() {
        #expect(router.answer("PUT /v1/agent/token/default")?.status == 401)
        #expect(router.answer("GET /v1/agent/monitor?loglevel=odd")?.text == "Bad request: Unknown log level: odd")
        for path in ["connect/ca/roots", "connect/ca/leaf/web"] {
            #expect(router.answer("GET /v1/agent/\(path)")?.status == 404)
        }
    }

    @Test func `a server describes itself as a member`() {
        let settings = LocalHarness.settings {
            $0.raft.bootstrap = false
            $0.raft.bootstrapExpect = 3
        }
        let answer = AgentRenderer.members([AgentMember(of: settings), AgentMember(of: settings, wan: true)], pretty: false)
        let tags =
            #""Tags":{"acls":"0","build":"1.8.6:\#(AgentSettings.revision.prefix(8))","dc":"dc1","expect":"3","ft_fs":"1","id":"deadbeef-0000-4000-8000-00000000c0de","port":"8300","raft_vsn":"3","role":"consul","segment":"","vsn":"2","vsn_max":"3","vsn_min":"2""#
        let rest = #""Status":1,"ProtocolMin":1,"ProtocolMax":5,"ProtocolCur":2,"DelegateMin":2,"DelegateMax":5,"DelegateCur":4}"#
        #expect(
            answer.text == #"[{"Name":"n1","Addr":"127.0.0.1","Port":8301,\#(tags),"wan_join_port":"8302"},\#(rest),"#
                + #"{"Name":"n1.dc1","Addr":"127.0.0.1","Port":8302,\#(tags)},\#(rest)]"#)
        #expect(AgentRenderer.members(nil, pretty: false).text == "null")
        let client = AgentMember(of: LocalHarness.settings { $0.identity.isServer = false })
        #expect(client.tags.keys == ["acls", "build", "dc", "id", "role", "segment", "vsn", "vsn_max", "vsn_min"])
    }

    @Test func `self has its parts in order`() {
        let settings = LocalHarness.settings {
            $0.reloadable.nodeMeta = ["a": "b"]
            $0.debugConfig = .map([DynamicMember("Datacenter", .string("dc1"))])
        }
        let statistics = AgentStatistics.local(LocalStatistics()) + [AgentStatistics("a", ["x": "y"])]
        let answer = AgentRenderer.selfDescription(
            settings, member: AgentMember(of: settings), statistics: statistics,
            coordinate: Coordinate(vec: Array(repeating: 0, count: 8), error: 1.5, adjustment: 0, height: 10e-6), pretty: false)
        #expect(
            answer.text.hasPrefix(
                #"{"Config":{"Datacenter":"dc1","NodeName":"n1","NodeID":"deadbeef-0000-4000-8000-00000000c0de","Revision":"\#(AgentSettings.revision)","Server":true,"Version":"1.8.6"},"DebugConfig":{"Datacenter":"dc1"},"Coord":{"Vec":[0,0,0,0,0,0,0,0],"Error":1.5,"Adjustment":0,"Height":0.00001},"Member":{"Name":"n1","#
            ))
        #expect(
            answer.text.contains(
                #""Stats":{"a":{"x":"y"},"agent":{"check_monitors":"0","check_ttls":"0","checks":"0","services":"0"},"build":"#))
        #expect(answer.text.hasSuffix(#""Meta":{"a":"b","consul-network-segment":""}}"#))
    }

    @Test func `a member that nobody knows cannot be forced to leave`() {
        let answer = AgentRenderer.unknownMember("x")
        #expect(answer.status == 500 && answer.text == "agent: No node found with name 'x'")
    }
}
