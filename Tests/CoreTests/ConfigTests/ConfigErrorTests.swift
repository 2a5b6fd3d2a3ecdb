import Testing

@testable import Core

@Suite struct ConfigErrorTests {
    private func error(_ text: String) -> String { ConfigFixture.error(text) }

    @Test func `unknown keys are reported together`() {
        #expect(
            error("bogus = 1\ndns_config { xx = true }")
                == "failed to parse 0.hcl: 2 errors occurred:\n\t* invalid config key dns_config.xx\n\t* invalid config key bogus\n\n")
        #expect(error("DataDir = \"x\"") == "failed to parse 0.hcl: " + ConfigFixture.oneError("invalid config key DataDir"))
        #expect(
            error("service { name = \"a\" namespace = \"x\" }")
                == "failed to parse 0.hcl: " + ConfigFixture.oneError("invalid config key service.namespace"))
        #expect(
            error("service { name = \"a\" EnableTagOverride = true }")
                == "failed to parse 0.hcl: " + ConfigFixture.oneError("invalid config key service.EnableTagOverride"))
    }

    @Test func `keys match in any case, checks know other spellings`() throws {
        let config = try ConfigFixture.build(
            "Server = true\nDATACENTER = \"x\"\ncheck { Name = \"c\" ScriptArgs = [\"a\"] ServiceID = \"y\" }")
        #expect(config.agent.identity.isServer && config.agent.identity.datacenter == "x")
        #expect(config.agent.reloadable.checks[0].scriptArgs == ["a"] && config.agent.reloadable.checks[0].serviceID == "y")
    }

    @Test func `types are not converted`() {
        func decoding(_ text: String) -> String { "failed to parse 0.hcl: 1 error(s) decoding:\n\n* " + text }
        #expect(error("server = \"yes\"") == decoding("'server' expected type 'bool', got unconvertible type 'string'"))
        #expect(error("node_name = 3") == decoding("'node_name' expected type 'string', got unconvertible type 'int'"))
        #expect(error("ports { http = \"1\" }") == decoding("'ports.http' expected type 'int', got unconvertible type 'string'"))
        #expect(error("retry_join = \"x\"") == decoding("'retry_join': source data must be an array or slice, got string"))
        #expect(error("retry_join = [\"a\", 3]") == decoding("'retry_join[1]' expected type 'string', got unconvertible type 'int'"))
        #expect(
            error("limits { rpc_rate = \"x\" }") == decoding("'limits.rpc_rate' expected type 'float64', got unconvertible type 'string'"))
        #expect(error("limits { kv_max_value_size = -1 }") == decoding("cannot parse 'limits.kv_max_value_size', -1 overflows uint"))
        #expect(error("ports { http = 1 }\nports { dns = 2 }") == decoding("'ports' expected a map, got 'slice'"))
        #expect(error("node_meta { a = 1 }") == decoding("'node_meta[a]' expected type 'string', got unconvertible type 'int'"))
        #expect(error("services { port = \"8\" }") == decoding("'services[0].port' expected type 'int', got unconvertible type 'string'"))
        #expect(error("service { name = \"a\" }\nservice { name = \"b\" }") == decoding("'service' expected a map, got 'slice'"))
        #expect(
            ConfigFixture.error("{\"node_name\":3}", json: true)
                == "failed to parse 0.json: 1 error(s) decoding:\n\n* 'node_name' expected type 'string', got unconvertible type 'float64'")
    }

    @Test func `fractions of whole numbers are cut off`() throws {
        #expect(try ConfigFixture.build("ports { http = 8500.7 }").agent.addresses.httpPort == 8500)
    }

    @Test func `texts that are no JSON are refused in the reference's words`() {
        #expect(
            ConfigFixture.error("[1]", json: true)
                == "failed to parse 0.json: json: cannot unmarshal array into Go value of type map[string]interface {}")
        #expect(ConfigFixture.error("{\"a\":", json: true) == "failed to parse 0.json: unexpected end of JSON input")
        #expect(
            ConfigFixture.error("data_dir = 1", json: true)
                == "failed to parse 0.json: invalid character 'd' looking for beginning of value")
    }

    @Test func `durations are reported late and together`() {
        #expect(
            error("check_update_interval = \"5\"")
                == ConfigFixture.oneError("check_update_interval: invalid duration: \"5\": time: missing unit in duration \"5\""))
        #expect(
            error("dns_config { service_ttl { a = \"zz\" } }")
                == ConfigFixture.oneError("dns_config.service_ttl[\"a\"]: invalid duration: \"zz\": time: invalid duration \"zz\""))
        #expect(
            error("check { name = \"c\" ttl = \"5\" }")
                == ConfigFixture.oneError("check[].ttl: invalid duration: \"5\": time: missing unit in duration \"5\""))
        #expect(
            error("ports { http = 70000 }\nservice { name = \"a\" weights { passing = -1 } }")
                == "2 errors occurred:\n\t* Invalid weight definition for service a: Passing must be greater than 0\n"
                + "\t* ports.http: invalid port: 70000\n\n")
    }

    @Test(arguments: [
        ("bind_addr = \"nope\"", "bind_addr cannot be empty"),
        ("bind_addr = \"127.0.0.1 127.0.0.2\"", "bind_addr cannot contain multiple addresses. Use 'addresses.{dns,http,https}' instead."),
        ("bind_addr = \"unix:///x\"", "bind_addr cannot be a unix socket"),
        ("advertise_addr = \"0.0.0.0\"", "Advertise address cannot be 0.0.0.0, :: or [::]"),
        ("advertise_addr_ipv4 = \"::1\"", "advertise_addr_ipv4 must be an ipv4 address"),
        ("datacenter = \"\"", "datacenter cannot be empty"),
        ("datacenter = \"a b\"", "datacenter cannot be \"a b\". Please use only [a-z0-9-_]"),
        ("primary_datacenter = \"A B\"", "acl_datacenter cannot be \"a b\". Please use only [a-z0-9-_]"),
        ("data_dir = \"\"", "data_dir cannot be empty"),
        ("data_dir = \"/file\"", "data_dir \"/file\" is not a directory"),
        ("ui_content_path = \"/a b/\"", "ui-content-path can only contain alphanumeric, -, _, or /. received: /a b/"),
        ("ui_content_path = \"v1\"", "ui-content-path cannot have 'v[0-9]'. received: /v1/"),
        ("segment = \"x\"", "Network segments are not supported in this version of Consul"),
        ("addresses { dns = \"unix:///x\" }", "DNS address cannot be a unix socket"),
        ("recursors = [\"0.0.0.0\"]", "DNS recursor address cannot be 0.0.0.0, :: or [::]"),
        ("recursors = [\"unix:///x\"]", "DNS Recursors cannot be unix sockets: unix:///x"),
        ("alt_domain = \"service.foo\"", "alt_domain cannot start with {service,connect,node,query,addr,dc1}"),
        ("bootstrap = true", "'bootstrap = true' requires 'server = true'"),
        ("bootstrap_expect = 3", "'bootstrap_expect > 0' requires 'server = true'"),
        ("bootstrap_expect = -1", "bootstrap_expect cannot be -1. Must be greater than or equal to zero"),
        (
            "server = true bootstrap = true bootstrap_expect = 3",
            "'bootstrap_expect > 0' and 'bootstrap = true' are mutually exclusive"
        ),
        (
            "check_output_max_size = 0",
            "check_output_max_size must be positive, to discard check output use the discard_check_output flag"
        ),
        ("dns_config { a_record_limit = -2 }", "dns_config.a_record_limit cannot be -2. Must be greater than or equal to zero"),
        (
            "node_meta { \"bad key\" = \"x\" }",
            "node_meta invalid: Couldn't load metadata pair ('bad key', 'x'): Key contains invalid characters"
        ),
        ("encrypt = \"notakey\"", "encrypt has invalid key: illegal base64 data at input byte 4"),
        ("primary_gateways = [\"10.0.0.1:1\"]", "'primary_gateways' requires 'server = true'"),
        ("ports { http = 8600 }", "HTTP address 127.0.0.1:8600 already configured for DNS"),
        ("ports { server = 8301 }", "Serf Advertise LAN address 127.0.0.1:8301 already configured for RPC Advertise"),
        ("ports { server = -1 }", "ports.server cannot be disabled"),
        ("performance { raft_multiplier = 11 }", "performance.raft_multiplier cannot be 11. Must be between 1 and 10"),
        (
            "ports { sidecar_min_port = 5 sidecar_max_port = 1 }",
            "sidecar_min_port must be less than sidecar_max_port. To disable, set both to zero."
        ),
        ("connect { enabled = true ca_provider = \"zz\" }", "zz is not a valid CA provider"),
        ("server = true auto_encrypt { tls = true }", "auto_encrypt.tls can only be used on a client."),
        ("auto_encrypt { allow_tls = true }", "auto_encrypt.allow_tls can only be used on a server."),
        ("serf_lan_allowed_cidrs = [\"zz\"]", "serf_lan_allowed_cidrs: " + ConfigFixture.oneError("invalid cidr: zz")),
        ("client_addr = \"unix:///x\"", ConfigFixture.oneError("client_addr cannot be a unix socket")),
        ("addresses { http = \"zz\" }", ConfigFixture.oneError("addresses.http: invalid ip address: zz")),
        ("cache { entry_fetch_max_burst = 0 }", "cache.entry_fetch_max_burst must be strictly positive, was: 0"),
        (
            "config_entries { bootstrap = [ { kind = \"bogus\" name = \"x\" } ] }",
            "config_entries.bootstrap[0]: invalid config entry kind: bogus"
        ),
        (
            "service { name = \"a\" kind = \"connect-proxy\" }",
            "service \"a\": 2 errors occurred:\n\t* Proxy.DestinationServiceName must be non-empty for Connect proxy services\n"
                + "\t* Port must be set for a Connect proxy\n\n"
        ),
    ])
    func `settings that contradict each other are refused`(text: String, expected: String) {
        #expect(error(text) == expected)
    }

    @Test func `some settings are refused only by an agent that starts`() throws {
        #expect(
            try ConfigFixture.build("log_level = \"xx\"").startProblem
                == "Invalid log level: xx. Valid log levels are: [TRACE DEBUG INFO WARN ERR ERROR]")
        #expect(
            try ConfigFixture.build("node_id = \"x\"").startProblem
                == "failed to setup node ID: specified NodeID is invalid: uuid string is wrong length")
    }

    @Test func `warnings are the reference's`() throws {
        #expect(
            try ConfigFixture.build("non_voting_server = true acl_datacenter = \"dc1\" acl_enforce_version_8 = true").warnings == [
                "config key \"acl_enforce_version_8\" is deprecated and should be removed",
                "\"non_voting_server\" is a Consul Enterprise configuration and will have no effect",
                "The 'acl_datacenter' field is deprecated. Use the 'primary_datacenter' field instead.",
            ])
        #expect(try ConfigFixture.build("node_name = \"has space\"").warnings[0].hasPrefix("Node name \"has space\" will not be"))
        #expect(
            try ConfigFixture.build("telemetry { prefix_filter = [\"nosign\", \"+consul.x\", \"\"] }").warnings == [
                "Filter rule must begin with either '+' or '-': \"nosign\"", "Cannot have empty filter rule in prefix_filter",
            ])
    }

    @Test func `settings without effect are named`() throws {
        let config = try ConfigFixture.build(
            "server = true acl { enabled = true default_policy = \"allow\" } verify_incoming = false ca_file = \"x\"\n"
                + "retry_join = [\"127.0.0.1:8301\"]")
        #expect(
            config.unsupported == [
                "\"acl.enabled\" is not supported by this version: requests are not authorized; everyone may do everything",
                "\"ca_file\" is not supported by this version: TLS is not used",
            ])
    }

    @Test func `every key of the reference is known`() {
        let text = """
            acl { tokens { managed_service_provider = [{ accessor_id = "a" secret_id = "b" }] } policy_ttl = "1s" }
            audit { enabled = true sink "x" { type = "file" } }
            auto_config { authorization { static { claim_mappings { a = "b" } bound_audiences = ["x"] } } }
            autopilot { min_quorum = 3 redundancy_zone_tag = "z" }
            cache { entry_fetch_rate = 1.5 }
            connect { ca_config { any_thing = { nested = [1, 2] } } }
            consul { raft { election_timeout = "1s" } }
            gossip_lan { gossip_nodes = 4 }
            gossip_wan { probe_timeout = "1s" }
            raft_snapshot_threshold = 5
            snapshot_agent { http_addr = "x" anything { goes = true } }
            telemetry { circonus_api_app = "x" dogstatsd_tags = ["a"] disable_hostname = true }
            unix_sockets { user = "0" mode = "755" }
            watches = [{ type = "key" key = "k" handler_type = "script" args = ["a"] }]
            tls_cipher_suites = "X" tls_prefer_server_cipher_suites = true
            """
        #expect(error(text) == "")
    }
}

@Suite struct ConfigDefinitionTests {
    @Test func `a service with every setting is read`() throws {
        let text = """
            service {
              id = "web1" name = "web" kind = "unheard-of" tags = ["v1"] address = "10.0.0.1" port = 8080 token = "t"
              tagged_addresses { wan { address = "1.2.3.4" port = 80 } }
              meta { k = "v" }
              enable_tag_override = true
              weights { warning = 5 }
              check { http = "http://x" interval = "5s" header { a = ["b", "c"] } }
              checks = [{ id = "first" ttl = "10s" deregister_critical_service_after = "1h" }]
              connect { sidecar_service { port = 9 proxy { upstreams { destination_name = "db" local_bind_port = 1 } } } }
              proxy { config { a { b = 1 } } expose { paths { path = "/x" listener_port = 5 } } mesh_gateway { mode = "local" } }
            }
            """
        let service = try ConfigFixture.build(text).agent.reloadable.services[0]
        #expect(service.id == "web1" && service.name == "web" && service.kind.isEmpty && service.tags == ["v1"])
        #expect(service.port == 8080 && service.token == "t" && service.enableTagOverride && service.meta == ["k": "v"])
        #expect(service.taggedAddresses?["wan"] == ServiceAddress(address: "1.2.3.4", port: 80))
        #expect(service.weights == Weights(passing: 1, warning: 5))
        #expect(service.check == nil && service.checks.map(\.checkID) == ["first", ""])
        #expect(service.checks[0].ttl == .seconds(10) && service.checks[0].deregisterCriticalServiceAfter == .hours(1))
        #expect(service.checks[1].http == "http://x" && service.checks[1].interval == .seconds(5))
        #expect(service.checks[1].header?["a"] == ["b", "c"])
        let upstream = service.sidecar?.definition.proxy?.upstreams?[0]
        #expect(upstream?.destinationName == "db" && upstream?.destinationType == "service" && upstream?.localBindPort == 1)
        #expect(service.proxy?.config?["a"]?["b"] == .int(1))
        #expect(service.proxy?.expose.paths?[0].listenerPort == 5 && service.proxy?.meshGateway.mode == "local")
    }

    @Test func `sidecars have no id and no sidecars`() {
        #expect(
            ConfigFixture.error("service { name = \"a\" connect { sidecar_service { id = \"x\" } } }")
                == ConfigFixture.oneError("sidecar_service can't specify an ID"))
        #expect(
            ConfigFixture.error("service { name = \"a\" connect { sidecar_service { connect { sidecar_service {} } } } }")
                == ConfigFixture.oneError("sidecar_service can't have a nested sidecar_service"))
    }
}
