import Testing

@testable import Core

@Suite struct ClusterConfigTests {
    @Test func `an agent without settings has the reference's timing`() throws {
        let agent = try ConfigFixture.build("").agent
        #expect(agent.gossip.lan.tuning == .lan)
        #expect(agent.gossip.wan.tuning == .wan)
        #expect(agent.gossip.wan.tuning.gossipNodes == 3)
        #expect(agent.servers.autopilot == AutopilotConfiguration())
        #expect(agent.gossip.lan.reconnectTimeout == .hours(72))
        #expect(agent.gossip.lan.retryJoinInterval == .seconds(30))
        #expect(agent.gossip.lan.retryJoinMaxAttempts == 0)
        #expect(agent.gossip.encryptKey == nil)
        #expect(agent.gossip.verifyIncoming && agent.gossip.verifyOutgoing)
        #expect(agent.gossip.lan.bindAddress == "127.0.0.1")
        #expect(agent.raft.protocolVersion == 3 && agent.gossip.protocolVersion == 2)
        #expect(agent.coordinates.updatePeriod == .seconds(5))
        #expect(agent.servers.healthInterval == .seconds(2))
        #expect(agent.reloadable.rpcRate == nil)
        #expect(agent.gossip.disableRemoteExec)
        #expect(!agent.raft.announcesBootstrap)
    }

    @Test func `development mode gossips fast and keeps no keyring`() throws {
        let agent = try ConfigFixture.build([], isDev: true).agent
        let hasty = GossipTuning(
            gossipInterval: .milliseconds(100), probeInterval: .milliseconds(100), probeTimeout: .milliseconds(100), suspicionMult: 3)
        #expect(agent.gossip.lan.tuning == hasty && agent.gossip.wan.tuning == hasty)
        #expect(agent.gossip.disableKeyringFile)
        #expect(agent.raft.bootstrap && !agent.raft.announcesBootstrap)
        #expect(agent.coordinates.updatePeriod == .milliseconds(100))
        #expect(agent.servers.healthInterval == .milliseconds(10))
    }

    @Test func `settings of gossip, autopilot and joining are taken over`() throws {
        let agent = try ConfigFixture.build(
            """
            server = true
            encrypt = "pUqJrVyVRj5jsiYEkM/tFQYfWyJIv4s3XkvDwy7Cu5s="
            encrypt_verify_incoming = false
            serf_lan = "10.1.2.3"
            serf_lan_allowed_cidrs = ["10.0.0.0/8"]
            gossip_lan { gossip_nodes = 5 probe_interval = "2s" suspicion_mult = 9 }
            reconnect_timeout = "9h"
            autopilot { cleanup_dead_servers = false max_trailing_logs = 7 min_quorum = 3 last_contact_threshold = "1s" }
            retry_join = ["10.0.0.2:9000", "provider=aws tag_key=a tag_value=b"]
            retry_interval = "3s"
            retry_max = 4
            start_join_wan = ["10.9.0.1"]
            rejoin_after_leave = true
            non_voting_server = true
            raft_protocol = 2
            limits { rpc_rate = 5.5 rpc_max_burst = 10 }
            """
        ).agent
        #expect(agent.gossip.encryptKey?.count == 32)
        #expect(!agent.gossip.verifyIncoming && agent.gossip.verifyOutgoing)
        #expect(agent.gossip.lan.bindAddress == "10.1.2.3" && agent.gossip.wan.bindAddress == "127.0.0.1")
        #expect(agent.gossip.lan.allowedCIDRs == ["10.0.0.0/8"])
        #expect(
            agent.gossip.lan.tuning.gossipNodes == 5 && agent.gossip.lan.tuning.probeInterval == .seconds(2)
                && agent.gossip.lan.tuning.suspicionMult == 9)
        #expect(agent.gossip.lan.tuning.gossipInterval == .milliseconds(200))
        #expect(agent.gossip.lan.reconnectTimeout == .hours(9))
        #expect(!agent.servers.autopilot.cleanupDeadServers)
        #expect(agent.servers.autopilot.maxTrailingLogs == 7 && agent.servers.autopilot.minQuorum == 3)
        #expect(agent.servers.autopilot.lastContactThreshold == .seconds(1))
        #expect(agent.gossip.lan.retryJoin == ["10.0.0.2:9000", "provider=aws tag_key=a tag_value=b"])
        #expect(agent.gossip.lan.retryJoinInterval == .seconds(3) && agent.gossip.lan.retryJoinMaxAttempts == 4)
        #expect(agent.gossip.wan.startJoin == ["10.9.0.1"])
        #expect(agent.gossip.rejoinAfterLeave && agent.raft.nonVotingServer)
        #expect(agent.raft.protocolVersion == 2)
        #expect(agent.reloadable.rpcRate == 5.5 && agent.reloadable.rpcMaxBurst == 10)
    }

    @Test func `one expected server is bootstrapping, more are expected`() throws {
        let one = try ConfigFixture.build("server = true\nbootstrap_expect = 1").agent
        #expect(one.raft.bootstrap && one.raft.announcesBootstrap && one.raft.bootstrapExpect == 0)
        let three = try ConfigFixture.build("server = true\nbootstrap_expect = 3").agent
        #expect(!three.raft.bootstrap && !three.raft.announcesBootstrap && three.raft.bootstrapExpect == 3)
    }
}

@Suite struct JoinAddressTests {
    private func parse(_ text: String) -> String {
        do {
            let address = try JoinAddress(text, defaultPort: 8301)
            return "\(address.nodeName)|\(address.host)|\(address.port)|\(address.isIP ? "ip" : "name")"
        } catch {
            return error.text
        }
    }

    @Test func `hosts and addresses come with and without port`() {
        #expect(parse("10.0.0.1") == "|10.0.0.1|8301|ip")
        #expect(parse("10.0.0.1:9000") == "|10.0.0.1|9000|ip")
        #expect(parse("consul.example.com") == "|consul.example.com|8301|name")
        #expect(parse("consul.example.com:99") == "|consul.example.com|99|name")
        #expect(parse("::1") == "|::1|8301|ip")
        #expect(parse("[::1]") == "|::1|8301|ip")
        #expect(parse("[2001:db8::2]:77") == "|2001:db8::2|77|ip")
        #expect(parse("fe80::1%eth0") == "|fe80::1%eth0|8301|name")
    }

    @Test func `a node's name may stand before the address`() {
        #expect(parse("srv1.dc2/10.0.0.1:8302") == "srv1.dc2|10.0.0.1|8302|ip")
        #expect(parse("srv1/[::1]") == "srv1|::1|8301|ip")
        #expect(parse("/10.0.0.1") == "empty node name provided")
    }

    @Test func `mistakes are reported in the reference's words`() {
        #expect(parse("a:b") == "strconv.ParseUint: parsing \"b\": invalid syntax")
        #expect(parse("a:65536") == "strconv.ParseUint: parsing \"65536\": value out of range")
        #expect(parse("[::1") == "address [::1: missing ']' in address")
        #expect(parse("[::1:99") == "address [::1:99: missing ']' in address")
        #expect(parse("[::1]x:99") == "address [::1]x:99: missing port in address")
    }

    @Test func `addresses are written with brackets where needed`() throws {
        #expect(try JoinAddress("::1", defaultPort: 1).address() == "[::1]:1")
        #expect(try JoinAddress("host", defaultPort: 8302).address(ip: "10.0.0.9") == "10.0.0.9:8302")
    }

    @Test func `discovery by a cloud provider is refused by name and leaves the addresses`() {
        let sorted = JoinDiscovery.sort(["10.0.0.1", "provider=aws tag_key=x", "region=eu provider=\"k8s\"", "provider="])
        #expect(sorted.addresses == ["10.0.0.1"])
        #expect(
            sorted.refused.map(\.reason) == [
                "discover: unknown provider aws", "discover: unknown provider k8s", "discover: unknown provider ",
            ])
    }
}

@Suite struct KeyringTests {
    private static let key = [UInt8](repeating: 7, count: 16), other = [UInt8](repeating: 9, count: 32)

    private func decide(_ key: [UInt8]?, _ file: [UInt8]?, isFileDisabled: Bool = false) throws(TextError) -> KeyringSetup {
        try KeyringSetup.decide(key: key, file: file, isFileDisabled: isFileDisabled, pool: .lan, path: "/d/serf/local.keyring")
    }

    private func failure(_ key: [UInt8]?, _ file: String?, isFileDisabled: Bool = false) -> String {
        do {
            _ = try decide(key, file.map { Array($0.utf8) }, isFileDisabled: isFileDisabled)
            return ""
        } catch {
            return error.text
        }
    }

    @Test func `a configured key creates the file that is missing`() throws {
        let setup = try decide(Self.key, nil)
        #expect(setup.keys == [Self.key])
        #expect(setup.newFile == Array("[\"BwcHBwcHBwcHBwcHBwcHBw==\"]".utf8))
        #expect(setup.usesFile && setup.warning == nil)
    }

    @Test func `a file wins over the configured key, with a warning if it lacks the key`() throws {
        let file = Keyring.encode([Self.other, Self.key])
        let known = try decide(Self.key, file)
        #expect(known.keys == [Self.other, Self.key])
        #expect(known.newFile == nil && known.warning == nil)
        let unknown = try decide(Self.key, Keyring.encode([Self.other]))
        #expect(unknown.keys == [Self.other])
        #expect(unknown.warning == " keyring doesn't include key provided with -encrypt, using keyring: keyring=LAN")
        #expect(try decide(nil, file).keys == [Self.other, Self.key])
    }

    @Test func `without key and file, gossip is not encrypted`() throws {
        #expect(try decide(nil, nil) == KeyringSetup())
        #expect(try decide(nil, nil, isFileDisabled: true) == KeyringSetup())
    }

    @Test func `a disabled file is neither read nor written`() throws {
        let setup = try decide(Self.key, Keyring.encode([Self.other]), isFileDisabled: true)
        #expect(setup.keys == [Self.key])
        #expect(setup.newFile == nil && !setup.usesFile)
    }

    @Test func `keys of other sizes and empty files are refused`() {
        #expect(failure([1, 2], nil) == "Invalid key: key size must be 16, 24 or 32 bytes")
        #expect(failure([1, 2], nil, isFileDisabled: true) == "key size must be 16, 24 or 32 bytes")
        #expect(failure(nil, "[]") == "no keys present in keyring: /d/serf/local.keyring")
        #expect(failure(nil, "[\"!\"]") == "illegal base64 data at input byte 0")
        #expect(failure(nil, "{}") == "json: cannot unmarshal object into Go value of type []string")
    }

    @Test func `a rewritten file has a key a line`() throws {
        let text = "[\n  \"BwcHBwcHBwcHBwcHBwcHBw==\",\n  \"CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=\"\n]"
        #expect(Keyring.encode([Self.key, Self.other]) == Array(text.utf8))
        #expect(try Keyring.decode(Array(text.utf8), path: "") == [Self.key, Self.other])
    }
}
