import Testing

@testable import Core

@Suite struct DatacenterTests {
    private func server(_ change: (inout StringMap) -> Void = { _ in }) throws -> Member {
        var tags = SerfTags.decode(try gossipVector("tags_server").bytes)
        change(&tags)
        return Member(name: "s1", address: [10, 0, 0, 1], port: 8301, tags: tags)
    }

    @Test func `a server is known by its tags`() throws {
        let tags = try #require(ServerTags(try server()))
        #expect(tags.name == "s1" && tags.datacenter == "dc1" && tags.port == 8300 && tags.wanJoinPort == 8302)
        #expect(tags.expect == 3 && !tags.bootstrap && tags.raftVersion == 3 && tags.version == 2)
        #expect(tags.build == BuildVersion(1, 8, 6) && tags.acls == .disabled && tags.features["fs"] == 1)
        #expect(tags.serverAddress == "10.0.0.1:8300")
        var wan = try server()
        wan.name = "s1.dc1"
        #expect(ServerTags(wan)?.name == "s1")
        #expect(ServerTags(try server { $0["acls"] = nil })?.acls == .unknown)
    }

    @Test func `a member with tags that cannot be understood is no server`() throws {
        let spoilers: [(String, String?)] = [
            ("role", "node"), ("port", nil), ("port", "x"), ("vsn", nil), ("expect", "three"), ("wan_join_port", "x"), ("raft_vsn", "x"),
            ("ft_fs", "x"), ("sl_alpha", "8301"), ("build", "dev"),
        ]
        for (name, value) in spoilers { #expect(ServerTags(try server { $0[name] = value }) == nil, "\(name)") }
        #expect(ServerTags(try server { $0["sl_alpha"] = "10.0.0.1:8304" }) != nil)
    }

    @Test func `agents have the reference's tags`() throws {
        let vector = SerfTags.decode(try gossipVector("tags_server").bytes)
        var agent = AgentTags(datacenter: "dc1", nodeID: vector["id"] ?? "", build: "1.8.6:00000000")
        agent.server = AgentTags.Server(port: 8300, wanJoinPort: 8302)
        agent.server?.expect = 3
        #expect(agent.tags(in: .lan) == vector)
        #expect(agent.tags(in: .wan)["wan_join_port"] == nil)
        agent.server?.expect = 1
        #expect(agent.tags(in: .lan)["bootstrap"] == "1" && agent.tags(in: .lan)["expect"] == nil)
        let client = SerfTags.decode(try gossipVector("tags_client").bytes)
        #expect(AgentTags(datacenter: "dc1", nodeID: client["id"] ?? "", build: "1.8.6:00000000").tags(in: .lan) == client)
    }

    @Test func `strangers are kept out of a LAN`() throws {
        let check = MergeCheck.lan(datacenter: "dc1", segment: "", nodeID: "id-0", nodeName: "n0")
        func member(_ name: String, _ change: (inout StringMap) -> Void = { _ in }) -> Member {
            var tags: StringMap = ["role": "node", "dc": "dc1", "segment": "", "id": "id-" + name, "build": "1.8.6:0"]
            change(&tags)
            return Member(name: name, address: [10, 0, 0, 9], port: 8301, tags: tags)
        }
        #expect(check.veto([member("n0") { $0["id"] = "id-0" }, member("n1")]) == nil)
        #expect(check.veto([member("n1") { $0["id"] = "id-0" }]) == "Member 'n1' has conflicting node ID 'id-0' with this agent's ID")
        let twins = [member("n1"), member("n2") { $0["id"] = "id-n1" }]
        #expect(check.veto(twins) == "Member 'n2' has conflicting node ID 'id-n1' with member 'n1'")
        #expect(check.veto([member("n1") { $0["build"] = "0.8.4:0" }, twins[1]]) == nil)
        #expect(check.veto([member("n1") { $0["dc"] = "dc2" }]) == "Member 'n1' part of wrong datacenter 'dc2'")
        #expect(check.veto([try server { $0["dc"] = "dc2" }]) == "Member 's1' part of wrong datacenter 'dc2'")
        #expect(check.veto([member("n1") { $0["segment"] = "a" }]) == "Member 'n1' part of wrong segment 'a' (expected '')")
        // Without a role nobody asks for the datacenter; who left is not asked at all.
        #expect(check.veto([Member(name: "x", address: [1, 2, 3, 4], port: 1, tags: ["role": ""])]) == nil)
        var left = member("n1") { $0["dc"] = "dc2" }
        left.status = .left
        #expect(check.veto([left]) == nil)
    }

    @Test func `only servers are in a WAN`() throws {
        let client = Member(
            name: "c1.dc1", address: [10, 0, 0, 2], port: 8302, tags: SerfTags.decode(try gossipVector("tags_client").bytes))
        #expect(MergeCheck.wan.veto([try server()]) == nil)
        #expect(MergeCheck.wan.veto([try server(), client]) == "Member 'c1.dc1' is not a server")
    }

    @Test func `fired events have the reference's bytes`() throws {
        var event = UserEventPayload(id: "b54fe110-7af5-cafc-d1fb-afc8ba432b1c", name: "deploy")
        #expect(try event.encoded == gossipVector("consul_event_payload_minimal").bytes)
        event.payload = Array("1.2.3".utf8)
        event.nodeFilter = "^web"
        event.serviceFilter = "api"
        event.tagFilter = "v1"
        #expect(try event.encoded == gossipVector("consul_event_payload").bytes)
        #expect(ConsulEvent(name: "consul:event:deploy", payload: event.encoded) == .user(event))
        #expect(ConsulEvent(name: "consul:new-leader", payload: Array("s1".utf8)) == .newLeader("s1"))
        #expect(ConsulEvent(name: "consul:other", payload: []) == .unknown("consul:other"))
        #expect(ConsulEvent(name: "deploy", payload: []) == nil)
        guard case .malformed = ConsulEvent(name: "consul:event:x", payload: [0x81]) else { return #expect(Bool(false)) }
    }

    @Test func `names of the WAN carry the datacenter`() {
        #expect(PoolNames.memberName("s1", datacenter: "dc1", pool: .wan) == "s1.dc1")
        #expect(PoolNames.wanName("s1", datacenter: "dc1") == "s1.dc1")
        #expect(PoolNames.wanName("s1.dc1", datacenter: "dc1") == "s1.dc1")
        #expect(PoolNames.nodeName("s1.dc1", datacenter: "dc1") == "s1")
        #expect(PoolNames.nodeName("s1.dc2", datacenter: "dc1") == "s1.dc2")
    }

    @Test func `versions stand somewhere in the build`() {
        #expect(BuildVersion("1.8.6:2fa535b5") == BuildVersion(1, 8, 6))
        #expect(BuildVersion("v10.20.30-dev") == BuildVersion(10, 20, 30))
        #expect(BuildVersion("1.8") == nil)
        #expect(BuildVersion("") == nil)
        #expect(BuildVersion(0, 8, 5) < BuildVersion(0, 10, 0))
    }
}
