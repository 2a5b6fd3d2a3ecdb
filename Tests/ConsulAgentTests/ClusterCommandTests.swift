import Testing

@testable import ConsulAgent

@Suite struct ClusterCommandTests {
    typealias Result = CommandFixture.Result

    private static let nodes =
        #"[{"ID":"f6a1ed0b-5d82","Node":"n1","Address":"127.0.0.1","Datacenter":"dc1","TaggedAddresses":{"wan":"1","lan":"2"},"#
        + #""Meta":{"b":"","a":"x"}},{"ID":"","Node":"external","Address":"10.0.0.1","Datacenter":"dc1","Meta":null}]"#

    @Test func `nodes are listed in columns`() {
        let fixture = CommandFixture((200, Self.nodes), (200, Self.nodes), (200, "[]"), (500, "why"))
        #expect(
            fixture.run("catalog", "nodes").output
                == "Node      ID        Address    DC\nn1        f6a1ed0b  127.0.0.1  dc1\nexternal            10.0.0.1   dc1\n")
        #expect(
            fixture.run("catalog", "nodes", "-detailed", "-node-meta", "a=b", "-near=_agent", "-filter=x == y").output
                == "Node      ID             Address    DC   TaggedAddresses  Meta\n"
                + "n1        f6a1ed0b-5d82  127.0.0.1  dc1  lan=2, wan=1     a=x, b=\n"
                + "external                 10.0.0.1   dc1                   \n")
        #expect(fixture.requests[1] == "GET /v1/catalog/nodes?filter=x+%3D%3D+y&near=_agent&node-meta=a%3Ab")
        let none = "No nodes match the given query - try expanding your search.\n"
        #expect(fixture.run("catalog", "nodes", "-service=web") == Result(code: 0, output: "", error: none))
        #expect(fixture.requests[2] == "GET /v1/catalog/service/web")
        #expect(fixture.run("catalog", "nodes").error == "Error listing nodes: Unexpected response code: 500 (why)\n")
        #expect(fixture.run("catalog", "nodes", "x").error == "Too many arguments (expected 0, got 1)\n")
    }

    @Test func `services are listed with their tags`() {
        let services = #"{"web":["v2","v1"],"consul":[]}"#
        let node = #"{"Node":{},"Services":{"w1":{"Service":"web","Tags":["b"]},"w2":{"Service":"web","Tags":["a","b"]}}}"#
        let fixture = CommandFixture((200, services), (200, services), (200, node), (200, "null"))
        #expect(fixture.run("catalog", "services").output == "consul\nweb\n")
        #expect(fixture.run("catalog", "services", "-tags").output == "consul      \nweb         v1,v2\n")
        #expect(fixture.run("catalog", "services", "-node=n", "-tags").output == "web      a,b\n")
        #expect(
            fixture.run("catalog", "services", "-node=n")
                == Result(code: 0, output: "", error: "No services match the given query - try expanding your search.\n"))
    }

    private static let members =
        #"[{"Name":"z","Addr":"::1","Port":8301,"Status":1,"Tags":{"role":"consul","build":"1.8.6:2fa5","vsn":"2","dc":"dc1"}},"#
        + #"{"Name":"a","Addr":"10.0.0.1","Port":1,"Status":4,"Tags":{"role":"node","vsn":"2","dc":"dc1","segment":""}},"#
        + #"{"Name":"q","Addr":"10.0.0.2","Port":1,"Status":3,"Tags":{}}]"#

    @Test func `members are listed by segment and name`() {
        let fixture = CommandFixture((200, Self.members), (200, Self.members), (200, Self.members), (200, Self.members))
        #expect(
            fixture.run("members").output
                == "Node  Address     Status  Type     Build  Protocol  DC   Segment\n"
                + "z     [::1]:8301  alive   server   1.8.6  2         dc1  <all>\n"
                + "a     10.0.0.1:1  failed  client   < 0.3  2         dc1  <default>\n"
                + "q     10.0.0.2:1  left    unknown" + String(repeating: " ", count: 24) + "\n")
        #expect(fixture.run("members", "-status=^nothing$") == Result(code: 2, output: "", error: ""))
        let detailed = fixture.run("members", "-status=alive", "-detailed", "-wan").output
        #expect(detailed.hasSuffix("\nz     [::1]:8301  alive   build=1.8.6:2fa5,dc=dc1,role=consul,segment=<all>,vsn=2\n"))
        #expect(
            fixture.requests == [
                "GET /v1/agent/members?segment=_all", "GET /v1/agent/members?segment=_all", "GET /v1/agent/members?segment=_all&wan=1",
            ])
        #expect(
            fixture.run("members", "-status=[").error == "Failed to compile status regexp: error parsing regexp: missing closing ]: `[`\n")
    }

    @Test func `info prints groups of facts`() {
        let fixture = CommandFixture((200, #"{"Stats":{"raft":{"term":"2","state":"Leader"},"agent":{"checks":"0"}}}"#))
        #expect(fixture.run("info").output == "agent:\n\tchecks = 0\nraft:\n\tstate = Leader\n\tterm = 2\n")
    }

    @Test func `servers of raft`() {
        let servers = #"{"Servers":[{"ID":"i1","Node":"n1","Address":"127.0.0.1:8300","Leader":true,"Voter":true,"ProtocolVersion":"3"}]}"#
        let fixture = CommandFixture((200, servers), (200, ""), (500, "gone"))
        #expect(
            fixture.run("operator", "raft", "list-peers", "-stale").output
                == "Node  ID  Address         State   Voter  RaftProtocol\nn1    i1  127.0.0.1:8300  leader  true   3\n")
        #expect(fixture.run("operator", "raft", "remove-peer", "-id=zz").output == "Removed peer with id \"zz\"\n")
        #expect(
            fixture.run("operator", "raft", "remove-peer", "-address=1:1").error
                == "Error removing peer: Unexpected response code: 500 (gone)\n")
        #expect(
            fixture.requests == [
                "GET /v1/operator/raft/configuration?stale=", "DELETE /v1/operator/raft/peer?id=zz",
                "DELETE /v1/operator/raft/peer?address=1%3A1",
            ])
        #expect(
            fixture.run("operator", "raft", "remove-peer", "-id=a", "-address=b").error
                == "Error removing peer: cannot give both an address and id\n")
    }

    @Test func `leaving and reloading`() {
        let fixture = CommandFixture((200, ""), (200, ""), (500, "bad file"))
        #expect(fixture.run("leave").output == "Graceful leave complete\n")
        #expect(fixture.run("reload", "ignored").output == "Configuration reload triggered\n")
        #expect(fixture.run("reload").error == "Error reloading: Unexpected response code: 500 (bad file)\n")
        #expect(fixture.requests == ["PUT /v1/agent/leave", "PUT /v1/agent/reload", "PUT /v1/agent/reload"])
        let refused = fixture.run("leave", "x")
        #expect(
            refused.code == 1 && refused.error == "Error found unexpected args: [x]\n" && refused.output.hasPrefix("Usage: consul leave"))
    }
}
