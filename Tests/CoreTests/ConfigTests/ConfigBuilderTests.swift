import Testing

@testable import Core

/// Builds configurations from texts, on a machine with one loopback and one private address.
enum ConfigFixture {
    static let minimal = "data_dir = \"/d\"\nbind_addr = \"127.0.0.1\"\n"

    static func environment() -> ConfigEnvironment {
        ConfigEnvironment(
            hostName: " host1 ",
            interfaces: [
                InterfaceAddress(interface: "lo", address: "127.0.0.1", prefixLength: 8, isLoopback: true),
                InterfaceAddress(interface: "eth0", address: "10.1.2.3", prefixLength: 24, isDefault: true),
                InterfaceAddress(interface: "eth0", address: "2001:470::5", prefixLength: 64, isDefault: true),
                InterfaceAddress(interface: "tun0", address: "8.8.4.4", prefixLength: 32),
            ],
            fileStatus: { path in path == "/file" ? .file : path == "/old/mdb" ? .directory : .missing })
    }

    static func build(
        _ texts: [String], json: Bool = false, flags: [(String, String)] = [], fragments: [String] = [], isDev: Bool = false
    ) throws(TextError) -> Configuration {
        let files = texts.enumerated().map { index, text in
            ConfigSource(name: "\(index).\(json ? "json" : "hcl")", format: json ? .json : .hcl, text: Array(text.utf8))
        }
        let sources = AgentFlags.sources(flags.map { AgentFlags.Given(name: $0.0, value: $0.1) })
        return try ConfigBuilder.build(
            files: files, listFlags: sources.lists, valueFlags: sources.values, fragments: fragments, isDev: isDev,
            environment: environment())
    }

    static func build(_ text: String) throws(TextError) -> Configuration { try build([minimal + text]) }

    /// The error, or an empty text.
    static func error(_ text: String, json: Bool = false) -> String {
        do {
            _ = try json ? build([text], json: true) : build(text)
            return ""
        } catch {
            return error.text
        }
    }

    static func oneError(_ text: String) -> String { "1 error occurred:\n\t* \(text)\n\n" }
}

@Suite struct ConfigMergingTests {
    @Test func `single values of later sources win, lists are joined and maps overlaid`() throws {
        let a = """
            datacenter = "west"
            node_meta { zone = "a" keep = "k" }
            service { name = "one" port = 1 tags = ["a"] }
            retry_join = ["10.0.0.2"]
            dns_config { node_ttl = "5s" soa { min_ttl = 9 } }
            """
        let b = """
            node_meta { zone = "b" }
            service { name = "two" port = 2 }
            check { name = "c" ttl = "1h" status = "passing" }
            retry_join = ["10.0.0.3"]
            dns_config { service_ttl { "*" = "7s" } }
            """
        let config = try ConfigFixture.build(
            [ConfigFixture.minimal + a, b],
            flags: [("node-meta", "flag:yes"), ("datacenter", "East"), ("retry-join", "10.0.0.1"), ("node-meta", "bare")],
            fragments: ["node_meta { inline = \"1\" }", "service { name = \"three\" }\nretry_join = [\"10.0.0.4\"]"])
        #expect(config.agent.identity.datacenter == "east")
        #expect(config.agent.reloadable.nodeMeta == ["zone": "b", "keep": "k", "flag": "yes", "inline": "1", "bare": ""])
        #expect(config.agent.reloadable.services.map(\.name) == ["one", "two", "three"])
        #expect(config.agent.reloadable.checks.map(\.name) == ["c"])
        #expect(config.agent.gossip.lan.retryJoin == ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"])
        #expect(config.agent.reloadable.dns.nodeTTL == .seconds(5))
        #expect(config.agent.reloadable.dns.soaMinTTL == 9)
        #expect(config.agent.reloadable.dns.serviceTTL["*"] == .seconds(7))
    }

    @Test func `lists inside blocks that flags give follow those of files`() throws {
        let config = try ConfigFixture.build(
            [ConfigFixture.minimal + "http_config { allow_write_http_from = [\"10.0.0.0/8\"] }"],
            flags: [("allow-write-http-from", "127.0.0.0/8")])
        #expect(config.agent.http.allowWriteFrom == ["10.0.0.0/8", "127.0.0.0/8"])
    }

    @Test func `internal settings cannot be changed`() throws {
        let config = try ConfigFixture.build("ae_interval = \"1s\" check_reap_interval = \"5h\"")
        #expect(config.agent.checks.antiEntropyInterval == .minutes(1))
        #expect(config.agent.checks.reapInterval == .seconds(30))
    }

    @Test func `JSON and HCL mean the same`() throws {
        let json = try ConfigFixture.build(
            [
                #"{"data_dir":"/d","bind_addr":"127.0.0.1","ports":[{"http":1}],"services":[{"name":"a","checks":[{"ttl":"5s"}]}],"#
                    + #""node_meta":{"a":"b"},"server":null}"#
            ], json: true)
        let hcl = try ConfigFixture.build("ports { http = 1 }\nservices { name = \"a\" checks { ttl = \"5s\" } }\nnode_meta { a = \"b\" }")
        #expect(json.agent.addresses.httpPort == 1)
        #expect(json.agent.reloadable.services == hcl.agent.reloadable.services)
        #expect(json.agent.reloadable.nodeMeta == hcl.agent.reloadable.nodeMeta)
    }
}

@Suite struct ConfigDefaultsTests {
    @Test func `a server without settings has the reference's defaults`() throws {
        let config = try ConfigFixture.build("server = true bootstrap = true")
        let agent = config.agent
        #expect(agent.identity.nodeName == "host1")
        #expect(agent.identity.datacenter == "dc1" && agent.identity.primaryDatacenter == "dc1")
        #expect(agent.identity.isServer && !agent.leaving.onTerminate && agent.leaving.skipsOnInterrupt)
        #expect(
            (agent.addresses.httpPort, agent.addresses.httpsPort, agent.addresses.dnsPort, agent.addresses.grpcPort) == (8500, -1, 8600, -1)
        )
        #expect((agent.addresses.serverPort, agent.gossip.lan.port, agent.gossip.wan.port) == (8300, 8301, 8302))
        #expect(agent.raft.electionTimeout == .seconds(5) && agent.raft.leaderLeaseTimeout == .milliseconds(2500))
        #expect(agent.servers.sessionTTLMin == .seconds(10) && agent.servers.rpcHoldTimeout == .seconds(7))
        #expect(agent.servers.defaultQueryTime == .seconds(300) && agent.servers.maxQueryTime == .seconds(600))
        #expect(agent.reloadable.dns == DNSConfig())
        #expect(agent.http.kvMaxValueSize == 524288 && agent.checks.outputMaxSize == 4096)
        #expect(!agent.checks.enableScripts && !agent.checks.enableLocalScripts && !agent.http.uiEnabled)
        let addresses = config.process.listeners.map { "\($0.service.rawValue) \($0.address)" }
        #expect(addresses == ["DNS 127.0.0.1:8600", "HTTP 127.0.0.1:8500"])
        #expect(
            agent.identity.taggedAddresses == ["lan": "127.0.0.1", "lan_ipv4": "127.0.0.1", "wan": "127.0.0.1", "wan_ipv4": "127.0.0.1"])
        #expect(config.warnings == ["bootstrap = true: do not enable unless necessary"])
        #expect(config.unsupported.isEmpty && config.startProblem == nil)
    }

    @Test func `a client leaves by default`() throws {
        let agent = try ConfigFixture.build("").agent
        #expect(!agent.identity.isServer && agent.leaving.onTerminate && !agent.leaving.skipsOnInterrupt)
    }

    @Test func `development mode needs nothing and can be overridden`() throws {
        let dev = try ConfigFixture.build([], isDev: true)
        #expect(
            dev.agent.identity.isServer && dev.agent.identity.devMode && dev.agent.raft.bootstrap && dev.agent.http.uiEnabled
                && dev.agent.http.enableDebug)
        #expect(!dev.process.showsBootstrap && dev.process.dataDirectory.isEmpty && !dev.agent.checks.persistsRegistrations)
        #expect(dev.agent.raft.electionTimeout == .milliseconds(52) && dev.agent.reloadable.logLevel == .debug)
        #expect(dev.agent.addresses.bind == "127.0.0.1")
        let other = try ConfigFixture.build([], flags: [("log-level", "err"), ("ui", "false"), ("http-port", "7")], isDev: true)
        #expect(other.agent.reloadable.logLevel == .error && !other.agent.http.uiEnabled && other.agent.addresses.httpPort == 7)
    }

    @Test func `gauges name the host where metrics have a sink`() throws {
        func hostName(_ telemetry: String) throws -> String {
            try ConfigFixture.build("telemetry { \(telemetry) }").agent.telemetry.hostName
        }
        #expect(try hostName("") == "" && hostName("prometheus_retention_time = \"10s\"") == "host1")
        #expect(try hostName("statsd_address = \"127.0.0.1:1\"") == "host1")
        #expect(try hostName("prometheus_retention_time = \"10s\" disable_hostname = true") == "")
    }

    @Test func `a directory of its own turns the web page on, too`() throws {
        let agent = try ConfigFixture.build("ui_dir = \"/srv/ui\"").agent
        #expect(!agent.http.uiEnabled && agent.http.uiDirectory == "/srv/ui" && APIContext(from: agent).uiEnabled)
    }

    @Test func `expecting one server is bootstrapping`() throws {
        let config = try ConfigFixture.build("server = true bootstrap_expect = 1")
        #expect(config.agent.raft.bootstrap && config.agent.raft.bootstrapExpect == 0 && config.process.showsBootstrap)
        #expect(
            config.warnings == [
                "BootstrapExpect is set to 1; this is the same as Bootstrap mode.", "bootstrap = true: do not enable unless necessary",
            ])
        let three = try ConfigFixture.build("server = true bootstrap_expect = 3")
        #expect(three.warnings == ["bootstrap_expect > 0: expecting 3 servers"])
        #expect(three.startProblem == nil && three.startFailure == nil)
    }

    @Test func `versions of protocols are limited when the agent starts`() throws {
        #expect(
            try ConfigFixture.build("server = true protocol = 1").startFailure
                == "Failed to start Consul server: Protocol version '1' too low. Must be in range: [2, 3]")
        #expect(
            try ConfigFixture.build("protocol = 4").startFailure
                == "Failed to start Consul client: Protocol version '4' too high. Must be in range: [2, 3]")
        #expect(
            try ConfigFixture.build("server = true raft_protocol = 9").startFailure
                == "Failed to start Consul server: Failed to start Raft: Protocol version 9 must be >= 1 and <= 3")
    }

    @Test func `script checks from files follow those from everywhere`() throws {
        #expect(try ConfigFixture.build("enable_script_checks = true").agent.checks.enableLocalScripts)
        #expect(try !ConfigFixture.build("enable_script_checks = true enable_local_script_checks = false").agent.checks.enableLocalScripts)
    }

    @Test func `the raft multiplier scales timeouts`() throws {
        let agent = try ConfigFixture.build("performance { raft_multiplier = 2 }").agent
        #expect(agent.raft.electionTimeout == .seconds(2) && agent.raft.leaderLeaseTimeout == .seconds(1))
    }
}

@Suite struct ConfigAddressTests {
    @Test func `an agent that listens everywhere advertises its private address`() throws {
        let config = try ConfigFixture.build(["data_dir = \"/d\""])
        #expect(config.agent.addresses.bind == "0.0.0.0" && config.agent.addresses.advertise == "10.1.2.3")
    }

    @Test func `templates name addresses of the machine`() throws {
        func bind(_ template: String) throws -> String {
            try ConfigFixture.build(["data_dir = \"/d\"\nbind_addr = \"\(template)\""]).agent.addresses.bind
        }
        #expect(try bind("{{ GetPrivateIP }}") == "10.1.2.3")
        #expect(try bind("{{ GetPublicIP }}") == "2001:470::5")
        #expect(try bind("{{ GetInterfaceIP \\\"lo\\\" }}") == "127.0.0.1")
        #expect(try bind("{{ GetAllInterfaces | include \\\"network\\\" \\\"10.0.0.0/8\\\" | attr \\\"address\\\" }}") == "10.1.2.3")
        #expect(try bind("{{ GetAllInterfaces | include \\\"name\\\" \\\"^tun\\\" | join \\\"address\\\" \\\" \\\" }}") == "8.8.4.4")
        let sorted = "{{ GetAllInterfaces | include \\\"type\\\" \\\"ipv4\\\" | sort \\\"-address\\\" | limit 1 | attr \\\"address\\\" }}"
        #expect(try bind(sorted) == "127.0.0.1")
    }

    @Test func `templates that are not supported are named`() {
        let error = ConfigFixture.error("client_addr = \"{{ GetRain }}\"")
        #expect(
            error
                == ConfigFixture.oneError("client_addr: error parsing \"{{ GetRain }}\": template function \"GetRain\" is not supported"))
        #expect(ConfigFixture.error("recursors = [\"{{\"]") == "Invalid DNS recursor template \"{{\": unclosed action in template")
    }

    @Test func `clients may be served on several addresses and sockets`() throws {
        let config = try ConfigFixture.build("client_addr = \"127.0.0.1 ::1\"\naddresses { http = \"unix:///tmp/x.sock 10.1.2.3\" }")
        let addresses = config.process.listeners.map { "\($0.service.rawValue) \($0.address)" }
        #expect(addresses == ["DNS 127.0.0.1:8600", "DNS [::1]:8600", "HTTP /tmp/x.sock", "HTTP 10.1.2.3:8500"])
        #expect(config.process.clientAddresses == ["127.0.0.1", "::1"])
    }

    @Test func `addresses are written in their shortest form`() {
        for (text, shown) in [
            ("0:0:0:0:0:0:0:1", "::1"), ("::", "::"), ("2001:0db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
            ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"),
            ("fe80::1", "fe80::1"), ("::ffff:1.2.3.4", "1.2.3.4"), ("10.0.0.1", "10.0.0.1"),
        ] {
            #expect(IPAddress(text)?.text == shown)
        }
    }
}

@Suite struct ConfigRobustnessTests {
    @Test func `damaged configurations are refused or read, never trapped on`() {
        var random = Random(seed: 11)
        let seed = """
            ports { http = 9223372036854775807 dns = -9223372036854775808 } limits { kv_max_value_size = 1e300 rpc_rate = -1e300 }
            bind_addr = "{{ GetAllInterfaces | include \\"name\\" \\"e.*0\\" | attr \\"address\\" }}" node_meta { a = "b" } dns_config { soa { ttl = 1 } }
            services = [{ name = "x" port = 70000 checks = [{ ttl = "9999999h", args = ["a"] }] weights { passing = 99999999 } }]
            raft_snapshot_threshold = -5 performance { raft_multiplier = 3 leave_drain_time = "-1s" } ui_content_path = "///"
            """
        for _ in 0..<3000 {
            var text = Array(seed.utf8)
            for _ in 0..<Int.random(in: 0..<4, using: &random) {
                let at = Int.random(in: 0..<text.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: text[at] = UInt8.random(in: 0...255, using: &random)
                case 1: text.insert(contentsOf: text[at..<min(text.count, at + 20)], at: Int.random(in: 0..<text.count, using: &random))
                default: text.removeSubrange(at..<min(text.count, at + Int.random(in: 1..<8, using: &random)))
                }
            }
            let file = ConfigSource(name: "x.hcl", format: .hcl, text: text)
            _ = try? ConfigBuilder.build(files: [file], isDev: true, environment: ConfigFixture.environment())
        }
    }
}
