import Testing

@testable import ConsulAgent

@Suite struct DispatcherTests {
    private let fixture = CommandFixture()

    @Test func `without a known command the list of commands goes to standard error`() {
        for words in [[], ["bogus"], ["bogus", "sub"], ["kv get", "x"], ["license"]] {
            let dispatched = words.count == 2 ? fixture.run(words[0], words[1]) : words.count == 1 ? fixture.run(words[0]) : fixture.run()
            #expect(dispatched.code == 127 && dispatched.output.isEmpty)
            #expect(
                dispatched.error.hasPrefix(
                    "Usage: consul [--version] [--help] <command> [<args>]\n\nAvailable commands are:\n    agent       "))
            #expect(dispatched.error.hasSuffix("\n\n"))
        }
    }

    @Test func `help is found anywhere before two dashes`() {
        #expect(fixture.run("-h").code == 0)
        let help = fixture.run("kv", "put", "foo", "-h")
        #expect(help.code == 0 && help.error.isEmpty)
        #expect(help.output.hasPrefix("Usage: consul kv put [options] KEY [DATA]\n\n"))
        #expect(help.output.contains("\n\nHTTP API Options\n\n  -ca-file=<value>\n     "))
        #expect(help.output.contains("\n  -http-addr=<address>\n") && help.output.contains("\n  -stale\n"))
        #expect(help.output.contains("\n\nCommand Options\n\n  -acquire\n") && help.output.contains("\n  -flags=<uint>\n"))
        #expect(help.output.split(separator: "\n").allSatisfy { $0.count <= 85 })
    }

    @Test func `a group shows its commands`() {
        let group = fixture.run("kv", "foo")
        #expect(group.code == 1 && group.output.isEmpty)
        #expect(group.error.contains("\n\nSubcommands:\n    delete    "))
        #expect(fixture.run("operator", "area", "list").code == 1)
        #expect(fixture.run("operator", "raft").error.contains("\n    list-peers     Lists"))
        #expect(fixture.run("kv", "get -x").code == 1)
    }

    @Test func `the version may be asked for by a flag before the command`() {
        let version = fixture.run("--version", "bogus")
        #expect(version.code == 0)
        let lines = version.output.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines[0] == "Consul v1.8.6" && lines.suffix(2) == ["", ""])
        #expect(fixture.run("version", "-format", "json").output.hasPrefix("{\n   \"Version\": \"1.8.6\",\n"))
        #expect(fixture.run("version", "-format=zz") == CommandFixture.Result(code: 1, output: "", error: "Unknown format: zz\n"))
    }

    @Test func `other flags before the command are refused`() {
        let refused = fixture.run("-bogus", "kv", "get", "x")
        #expect(refused.code == 1)
        let text =
            "Invalid flags before the subcommand. If these flags are for\nthe subcommand, please put them after the subcommand.\n\nUsage: consul kv get"
        #expect(refused.error.hasPrefix(text))
    }

    @Test func `mistakes in flags show the flags`() {
        let mistake = fixture.run("kv", "get", "-bogus", "x")
        #expect(mistake.code == 1 && mistake.error.hasPrefix("flag provided but not defined: -bogus\nUsage:\n  -base64\n"))
        #expect(fixture.run("agent", "-bogus").error.hasSuffix("\n==> error parsing flags: flag provided but not defined: -bogus\n"))
        #expect(fixture.run("validate", "-bogus").error.hasSuffix("\nflag provided but not defined: -bogus\n"))
        #expect(
            fixture.run("operator", "raft", "list-peers", "-x").error.hasSuffix(
                "\nFailed to parse args: flag provided but not defined: -x\n"))
    }

    @Test func `commands that this version does not have say so`() {
        let text = "The command \"consul acl\" is not supported by this version.\n"
        #expect(fixture.run("acl", "token", "create") == CommandFixture.Result(code: 1, output: "", error: text))
        #expect(fixture.run("acl", "-h") == CommandFixture.Result(code: 0, output: text, error: ""))
        #expect(fixture.run("operator", "autopilot", "get-config").code == 1)
        #expect(fixture.run("-autocomplete-install").code == 1)
    }
}

@Suite struct ConnectionTests {
    @Test func `flags go before the environment`() {
        let fixture = CommandFixture((200, "[]"), (200, "[]"), (200, "[]"))
        fixture.environment = ["CONSUL_HTTP_ADDR": "http://10.0.0.1:1234/x", "CONSUL_HTTP_TOKEN": "env", "CONSUL_HTTP_AUTH": "u:p"]
        _ = fixture.run("kv", "export")
        _ = fixture.run("kv", "export", "-http-addr=[::1]:99", "-token=flag")
        _ = fixture.run("kv", "export", "-http-addr=unix:///run/c.sock", "-token=", "-datacenter=dc2", "-namespace=n", "-stale", "a b/ü")
        #expect(fixture.endpoints == [.tcp(host: "10.0.0.1", port: 1234), .tcp(host: "::1", port: 99), .unix(path: "/run/c.sock")])
        func value(_ name: String, _ index: Int) -> String? { fixture.headers[index].first { $0.name == name }?.value }
        #expect(value("X-Consul-Token", 0) == "env" && value("X-Consul-Token", 1) == "flag" && value("X-Consul-Token", 2) == "env")
        #expect(value("Authorization", 0) == "Basic dTpw" && value("Host", 2) == "")
        #expect(fixture.requests[2] == "GET /v1/kv/a%20b/%C3%BC?dc=dc2&ns=n&recurse=&stale=")
    }

    @Test func `a token file goes before everything`() {
        let fixture = CommandFixture((200, "[]"))
        fixture.files["/t"] = " secret \n"
        fixture.environment["CONSUL_HTTP_TOKEN_FILE"] = "/t"
        _ = fixture.run("kv", "export", "-token=flag")
        #expect(fixture.headers[0].contains { $0.name == "X-Consul-Token" && $0.value == "secret" })
    }

    @Test(arguments: [
        (["-http-addr=tcp://x:1"], "Unknown protocol scheme: tcp"),
        (["-token-file=/none"], "Error loading token file: open /none: no such file or directory"),
        (["-ca-file=/none"], "Error loading CA File: open /none: no such file or directory"),
        (["-ca-path=/none"], "lstat /none: no such file or directory"),
        (["-client-cert=/none"], "both client cert and client key must be provided"),
        (["-client-cert=/none", "-client-key=/none"], "open /none: no such file or directory"),
        (["-http-addr=https://x:1"], "connections with TLS are not supported by this version"),
    ])
    func `reasons why there is no connection`(flags: [String], reason: String) {
        let fixture = CommandFixture()
        let result = flags.count == 1 ? fixture.run("kv", "get", flags[0], "a") : fixture.run("kv", "get", flags[0], flags[1], "a")
        #expect(result == CommandFixture.Result(code: 1, output: "", error: "Error connecting to Consul agent: \(reason)\n"))
    }

    @Test func `transport failures show the request`() {
        let fixture = CommandFixture()
        fixture.failure = "dial tcp 127.0.0.1:1: connect: connection refused"
        #expect(
            fixture.run("members", "-http-addr=127.0.0.1:1").error
                == "Error retrieving members: Get \"http://127.0.0.1:1/v1/agent/members?segment=_all\": "
                + "dial tcp 127.0.0.1:1: connect: connection refused\n")
        #expect(
            fixture.run("leave", "-http-addr=unix:///a/b").error
                == "Error leaving: Put \"http://%2Fa%2Fb/v1/agent/leave\": dial tcp 127.0.0.1:1: connect: connection refused\n")
    }

    @Test func `unreadable booleans in the environment are warned of twice`() {
        let fixture = CommandFixture((200, "[]"))
        fixture.environment["CONSUL_HTTP_SSL"] = "foo"
        let line =
            "2026-01-01T00:00:00.000Z [WARN]  consul-api: could not parse CONSUL_HTTP_SSL: "
            + "error=\"strconv.ParseBool: parsing \"foo\": invalid syntax\"\n"
        #expect(fixture.run("kv", "export").error == line + line)
    }
}
