import Foundation
import Testing

@testable import ConsulAgent
@testable import Runtime

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

    @Test func `the servers of Raft are listed and removed`() {
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

    @Test func `leave and reload say what has become of them`() {
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

@Suite struct GossipCommandTests {
    typealias Result = CommandFixture.Result

    @Test func `joining goes on after an address that fails`() {
        let fixture = CommandFixture((500, "refused"), (200, ""), (500, "refused"))
        #expect(
            fixture.run("join", "-wan", "10.0.0.1", "10.0.0.2:99")
                == Result(
                    code: 0, output: "Successfully joined cluster by contacting 1 nodes.\n",
                    error: "Error joining address '10.0.0.1': Unexpected response code: 500 (refused)\n"))
        #expect(fixture.run("join", "x").error.hasSuffix("Failed to join any nodes.\n"))
        #expect(fixture.requests == ["PUT /v1/agent/join/10.0.0.1?wan=1", "PUT /v1/agent/join/10.0.0.2:99?wan=1", "PUT /v1/agent/join/x"])
        #expect(fixture.run("join").error.hasPrefix("At least one address to join must be specified.\n\nUsage: consul join"))
    }

    @Test func `a node is made to leave`() {
        let fixture = CommandFixture((200, ""), (500, "agent: No node found with name 'zz'"))
        #expect(fixture.run("force-leave", "-prune", "n1") == Result(code: 0, output: "", error: ""))
        #expect(
            fixture.run("force-leave", "zz").error
                == "Error force leaving: Unexpected response code: 500 (agent: No node found with name 'zz')\n")
        #expect(fixture.requests == ["PUT /v1/agent/force-leave/n1?prune=1", "PUT /v1/agent/force-leave/zz"])
        #expect(fixture.run("force-leave", "a", "b").code == 1)
    }

    @Test func `events are fired with filters and payload`() {
        let fixture = CommandFixture((200, "{}"), (200, #"{"ID":"u1"}"#))
        #expect(fixture.run("event", "-name=deploy", "-service=web", "-tag=a", "1.4").output == "Event ID: u1\n")
        #expect(fixture.requests == ["GET /v1/agent/self", "PUT /v1/event/fire/deploy?service=web&tag=a"])
        #expect(fixture.bodies[1] == "1.4")
        #expect(fixture.run("event", "-name=x", "-tag=y").error == "Cannot provide tag filter without service filter.\n")
        #expect(
            fixture.run("event", "-name=x", "-node=[").error
                == "Failed to compile node filter regexp: error parsing regexp: missing closing ]: `[`\n")
    }

    @Test func `keys are listed by pool`() {
        let pools =
            #"[{"WAN":true,"Datacenter":"dc1","Segment":"","Keys":{"a=":1,"b=":2},"PrimaryKeys":{"a=":2},"NumNodes":2},"#
            + #"{"WAN":false,"Datacenter":"dc1","Segment":"","Messages":{"n1":"bad"},"Keys":{"a=":1},"PrimaryKeys":{},"NumNodes":1}]"#
        let fixture = CommandFixture((200, pools), (200, pools))
        #expect(
            fixture.run("keyring", "-list", "-relay-factor=2").output
                == "==> Gathering installed encryption keys...\n\nWAN:\n  a= [1/2]\n  b= [2/2]\n"
                + "\ndc1 (LAN):\n  ===> n1: bad\n  a= [1/1]\n")
        #expect(fixture.run("keyring", "-list-primary", "-list").error == "Only a single action is allowed\n")
        #expect(fixture.run("keyring", "-list-primary").output.contains("\nWAN:\n  a= [2/2]\n"))
        #expect(fixture.requests == ["GET /v1/operator/keyring?relay-factor=2", "GET /v1/operator/keyring"])
    }

    @Test func `keys are installed, used and removed`() {
        let fixture = CommandFixture((200, ""), (200, ""), (500, "in use"))
        #expect(fixture.run("keyring", "-install=k") == Result(code: 0, output: "==> Installing new gossip encryption key...\n", error: ""))
        #expect(fixture.run("keyring", "-use", "k").output == "==> Changing primary gossip encryption key...\n")
        #expect(
            fixture.run("keyring", "-remove=k")
                == Result(
                    code: 1, output: "==> Removing gossip encryption key...\n", error: "error: Unexpected response code: 500 (in use)\n"))
        #expect(fixture.requests.map { $0.prefix { $0 != " " } } == ["POST", "PUT", "DELETE"])
        #expect(fixture.bodies[0] == "{\"Key\":\"k\"}\n")
        #expect(
            fixture.run("keyring", "-list", "-relay-factor=6").error
                == "Error parsing relay factor: Relay factor must be in range: [0, 5]\n")
        #expect(fixture.run("keyring", "-use=k", "-local-only").error.hasPrefix("Error validating local-only: "))
        #expect(fixture.run("keyring").error.hasPrefix("Usage: consul keyring"))
    }

    @Test func `a new key has 32 bytes`() { #expect(CommandFixture().run("keygen").output.count == 45) }

    private static let coordinates =
        #"[{"Node":"a","Segment":"","Coord":{"Vec":[0.003,0,0,0,0,0,0,0],"Error":1,"Adjustment":0.001,"Height":0.0005}},"#
        + #"{"Node":"b","Segment":"","Coord":{"Vec":[0,0.004,0,0,0,0,0,0],"Error":1,"Adjustment":0,"Height":0.0005}},"#
        + #"{"Node":"far","Segment":"x","Coord":{"Vec":[0,0,0,0,0,0,0,0],"Error":1,"Adjustment":0,"Height":0}}]"#

    @Test func `round trips are estimated from coordinates`() {
        let fixture = CommandFixture((200, Self.coordinates), (200, #"{"Config":{"NodeName":"b"}}"#), (200, Self.coordinates))
        #expect(fixture.run("rtt", "a", "b").output == "Estimated a <-> b rtt: 7.000 ms (using LAN coordinates)\n")
        #expect(fixture.run("rtt", "a").output == "Estimated a <-> b rtt: 7.000 ms (using LAN coordinates)\n")
        fixture.answers = [(200, Self.coordinates)]
        #expect(fixture.run("rtt", "a", "far").error == "Could not find a coordinate for node \"far\"\n")
        #expect(
            fixture.run("rtt", "-wan", "a", "b.dc1").error == "Node names must be specified as <node name>.<datacenter> with -wan\n")
    }

    @Test func `autopilot is shown and changed`() {
        let config =
            #"{"CleanupDeadServers":true,"LastContactThreshold":"200ms","MaxTrailingLogs":250,"MinQuorum":0,"#
            + #""ServerStabilizationTime":"10s","CreateIndex":4,"ModifyIndex":9}"#
        let fixture = CommandFixture((200, config), (200, config), (200, "true"), (200, config), (200, "false"))
        #expect(
            fixture.run("operator", "autopilot", "get-config", "-stale").output
                == "CleanupDeadServers = true\nLastContactThreshold = 200ms\nMaxTrailingLogs = 250\nMinQuorum = 0\n"
                + "ServerStabilizationTime = 10s\nRedundancyZoneTag = \"\"\nDisableUpgradeMigration = false\nUpgradeVersionTag = \"\"\n")
        let set = ["operator", "autopilot", "set-config"]
        #expect(fixture.run(set[0], set[1], set[2], "-cleanup-dead-servers=false", "-min-quorum=3").output == "Configuration updated!\n")
        #expect(fixture.requests[2] == "PUT /v1/operator/autopilot/configuration?cas=9")
        #expect(fixture.bodies[2].contains("\"CleanupDeadServers\":false") && fixture.bodies[2].contains("\"MinQuorum\":3"))
        let refused = fixture.run(set[0], set[1], set[2])
        #expect(refused.code == 1 && refused.output == "Configuration could not be atomically updated, please try again\n")
        let wrong = fixture.run(set[0], set[1], set[2], "-last-contact-threshold=zz").error
        #expect(wrong.hasPrefix("invalid value \"zz\" for flag -last-contact-threshold: time: invalid duration \"zz\"\n"))
        #expect(wrong.hasSuffix("Failed to parse args: \(wrong.split(separator: "\n")[0])\n"))
    }

    @Test func `the log is shown until the agent ends it`() {
        let result = CommandFixture((200, "one\ntwo\n")).run("monitor", "-log-level=debug")
        #expect(result.code == 1)
        #expect(
            result.output
                == "one\ntwo\n\nRemote side ended the monitor! This usually means that the\nremote side has exited or crashed.\n")
        #expect(
            CommandFixture((400, "Bad request: Unknown log level: zz")).run("monitor", "-log-level=zz").error
                == "Error starting monitor: Unexpected response code: 400 (Bad request: Unknown log level: zz)\n")
        let json = CommandFixture((200, ""))
        _ = json.run("monitor", "-log-json")
        #expect(json.requests == ["GET /v1/agent/monitor?loglevel=INFO"])
    }

    @Test func `a stream that breaks off has ended`() throws {
        let listener = try ListeningSocket.stream(#require(SocketAddress(ip: "127.0.0.1", port: 0)))
        defer { listener.close() }
        let fd = listener.fd
        Foundation.Thread.detachNewThread {
            var readiness = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
            poll(&readiness, 1, -1)
            let client = accept(fd, nil, nil)
            let text = Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n".utf8)
            send(client, text, text.count, Int32(MSG_NOSIGNAL))
            shutdown(client, Int32(SHUT_WR))
            var rest = [UInt8](repeating: 0, count: 4096)
            while recv(client, &rest, rest.count, 0) > 0 {}
            close(client)
        }
        var body: [UInt8] = []
        let answer = try HTTPTransport().stream(
            HTTPClient.Request(target: "/v1/agent/monitor"), to: .tcp(host: "127.0.0.1", port: listener.address.port)
        ) { body += $0 }
        #expect(answer.status == 200 && String(decoding: body, as: UTF8.self) == "one\n")
    }
}

@Suite struct ServiceCommandTests {
    typealias Result = CommandFixture.Result

    @Test func `a service is registered from flags`() {
        let fixture = CommandFixture((200, ""))
        let result = fixture.run(
            "services", "register", "-name=web", "-port=80", "-tag=a", "-tag=b", "-meta=k=v", "-tagged-address=lan=10.0.0.1:81")
        #expect(result == Result(code: 0, output: "Registered service: web\n", error: ""))
        #expect(
            fixture.bodies == [
                #"{"Meta":{"k":"v"},"Name":"web","Port":80,"TaggedAddresses":{"lan":{"Address":"10.0.0.1","Port":81}},"Tags":["a","b"]}"#
                    + "\n"
            ])
    }

    @Test func `mistakes are told before anything is sent`() {
        let fixture = CommandFixture()
        #expect(fixture.run("services", "register").error == "Service registration requires at least one argument or flags.\n")
        #expect(
            fixture.run("services", "register", "-name=x", "-tagged-address=lan=zz").error
                == "Invalid Tagged Address: address zz: missing port in address\n")
        #expect(
            fixture.run("services", "deregister", "-id=x", "y.hcl").error
                == "Service deregistration requires arguments or -id, not both.\n")
        #expect(
            fixture.run("services", "deregister", "/none.hcl").error
                == "Error: config: Open failed on /none.hcl. open /none.hcl: no such file or directory\n")
        #expect(fixture.requests.isEmpty)
    }

    @Test func `maintenance is switched and shown`() {
        let fixture = CommandFixture(
            (200, ""), (404, "No service registered with ID \"x\""), (200, #"{"Config":{"NodeName":"n1"}}"#),
            (200, #"{"_node_maintenance":{"Notes":"why"},"_service_maintenance:web":{"ServiceID":"web","Notes":"w"},"c":{}}"#))
        #expect(fixture.run("maint", "-enable", "-reason=a b").output == "Node maintenance is now enabled\n")
        #expect(
            fixture.run("maint", "-disable", "-service=x").error
                == "Error disabling service maintenance: Unexpected response code: 404 (No service registered with ID \"x\")\n")
        #expect(
            fixture.run("maint").output
                == "Node:\n  Name:   n1\n  Reason: why\n\nService:\n  ID:     web\n  Reason: w\n\n")
        #expect(fixture.requests[0] == "PUT /v1/agent/maintenance?enable=true&reason=a+b")
        #expect(fixture.requests[1] == "PUT /v1/agent/service/maintenance/x?enable=false")
    }

    @Test func `watches are checked before they begin`() {
        let fixture = CommandFixture()
        #expect(fixture.run("watch").error.hasPrefix("Watch type must be specified\n\nUsage: consul watch"))
        #expect(fixture.run("watch", "-type=zz").error == "Unsupported watch type: zz\n")
        #expect(fixture.run("watch", "-type=key").error == "Must specify a single key to watch\n")
        #expect(fixture.run("watch", "-type=checks", "-service=a", "-state=any").error == "Cannot specify service and state\n")
        #expect(fixture.run("watch", "-type=nodes", "-key=a", "-stale").error == "Invalid parameters: [key]\n")
        #expect(fixture.run("watch", "-type=connect_roots").error == "Type connect_roots is not supported in the CLI tool\n")
        #expect(
            fixture.run("watch", "-type=service", "-service=a", "-passingonly=zz").error
                == "Failed to parse passingonly flag: strconv.ParseBool: parsing \"zz\": invalid syntax\n")
    }

    @Test func `a watch without program prints the data in the client's order`() {
        let entry = #"[{"LockIndex":0,"Key":"a","Flags":0,"Value":"MQ==","CreateIndex":5,"ModifyIndex":5}]"#
        let fixture = CommandFixture((200, "{}"), (200, entry), (200, "{}"), (404, ""))
        #expect(
            fixture.run("watch", "-type=key", "-key=a", "-stale").output
                == "{\n    \"Key\": \"a\",\n    \"CreateIndex\": 5,\n    \"ModifyIndex\": 5,\n    \"LockIndex\": 0,\n    \"Flags\": 0,\n"
                + "    \"Value\": \"MQ==\",\n    \"Session\": \"\"\n}\n")
        #expect(fixture.requests[1] == "GET /v1/kv/a?stale=")
        #expect(fixture.run("watch", "-type=key", "-key=none").output == "null\n")
    }

    @Test func `locks are checked before they are taken`() {
        let fixture = CommandFixture()
        #expect(fixture.run("lock", "-n=0", "a", "b").error == "Lock holder limit must be positive\n")
        #expect(fixture.run("lock", "a").error == "Key prefix and child command must be specified\n")
        #expect(fixture.run("lock", "-try=-5s", "a", "b").error == "Timeout must be positive\n")
        let usage = fixture.run("lock", "-bogus").error
        #expect(usage.hasPrefix("flag provided but not defined: -bogus\nUsage:\n") && !usage.contains("0s"))
        #expect(fixture.run("lock", "-monitor-retry=-1", "a", "b").error == "Number for 'monitor-retry' must be >= 0\n")
        #expect(fixture.requests.isEmpty)
    }
}
