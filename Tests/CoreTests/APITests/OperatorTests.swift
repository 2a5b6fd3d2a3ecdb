import Testing

@testable import Core

@Suite struct OperatorTests {
    private let router = Router(APIContext())
    private let context = APIContext()

    private func operation(_ line: String, body: String = "", router: Router? = nil) -> (ServerOperation, QueryOptions)? {
        guard case .operation(let operation, let options, _) = (router ?? self.router).call(line, body: body) else { return nil }
        return (operation, options)
    }

    private func text(_ result: ServerOperationResult, of operation: ServerOperation) -> String {
        let answer = Renderer.render(result, of: operation, pretty: false, context: context)
        return "\(answer.status) \(answer.text)"
    }

    // MARK: Raft

    @Test func `a peer is named by exactly one of id and address`() throws {
        #expect(operation("DELETE /v1/operator/raft/peer?id=a&dc=dc2")?.0 == .removeRaftPeer(.id("a")))
        #expect(operation("DELETE /v1/operator/raft/peer?id=a&dc=dc2")?.1.datacenter == "dc2")
        #expect(operation("DELETE /v1/operator/raft/peer?address=")?.0 == .removeRaftPeer(.address("")))
        let both = try #require(router.answer("DELETE /v1/operator/raft/peer?id=a&address=b"))
        #expect(both.status == 400 && both.text == "Bad request: Must specify only one of ?id or ?address")
        let none = try #require(router.answer("DELETE /v1/operator/raft/peer"))
        #expect(
            none.text == "Bad request: Must specify either ?id with the server's ID or ?address with IP:port of peer to remove")
    }

    @Test func `status and the Raft configuration are asked of the servers`() {
        #expect(operation("GET /v1/status/leader")?.0 == .leader)
        #expect(operation("GET /v1/status/peers?stale")?.1.allowStale == true)
        #expect(operation("GET /v1/operator/raft/configuration?dc=x")?.0 == .raftConfiguration)
        #expect(text(.text("127.0.0.1:8300"), of: .leader) == #"200 "127.0.0.1:8300""#)
        #expect(text(.texts([]), of: .peers) == "200 null")
    }

    @Test func `a snapshot is asked for and brought as a whole`() {
        let (save, options) = operation("GET /v1/snapshot?stale&dc=x&token=t") ?? (.ping, QueryOptions())
        #expect(save == .saveSnapshot && options.allowStale && options.datacenter == "x" && options.token == "t")
        #expect(operation("PUT /v1/snapshot", body: "abc")?.0 == .restoreSnapshot(Array("abc".utf8)))
        #expect(router.answer("DELETE /v1/snapshot")?.status == 405)
        var meta = QueryMeta()
        meta.index = 204
        meta.knownLeader = true
        meta.lastContact = .milliseconds(12)
        let answer = Renderer.render(.snapshot([1, 2, 3], meta), of: .saveSnapshot, pretty: false, context: context)
        #expect(answer.status == 200 && answer.body == [1, 2, 3])
        let headers = answer.headers.filter { $0.name != "Vary" }.map { "\($0.name): \($0.value)" }
        #expect(
            headers == [
                "Content-Type: application/x-gzip", "X-Consul-Index: 204", "X-Consul-Knownleader: true", "X-Consul-Lastcontact: 12",
            ])
        #expect(text(.done, of: .restoreSnapshot([])) == "200 ")
    }

    // MARK: Autopilot

    @Test func `a configuration replaces all fields`() throws {
        let body = #"{"CleanupDeadServers":true,"LastContactThreshold":"300ms","MinQuorum":3,"ModifyIndex":77}"#
        guard case .write(.autopilot(let write), let shape) = router.call("PUT /v1/operator/autopilot/configuration?cas=12", body: body)
        else {
            Issue.record("no write")
            return
        }
        #expect(write.cas && write.configuration.index.modify == 12 && shape.form == .outcome)
        #expect(write.configuration.cleanupDeadServers && write.configuration.lastContactThreshold == .milliseconds(300))
        #expect(write.configuration.minQuorum == 3 && write.configuration.maxTrailingLogs == 0)
        #expect(write.configuration.serverStabilizationTime == .zero)
    }

    @Test(arguments: [
        ("", "{", "Error parsing autopilot config: unexpected EOF"), ("", "", "Error parsing autopilot config: EOF"),
        ("", #"{"LastContactThreshold":"abc"}"#, #"Error parsing autopilot config: time: invalid duration "abc""#),
        ("", #"{"Unknown":true}"#, #"Error parsing autopilot config: json: unknown field "Unknown""#),
        (
            "", #"{"MaxTrailingLogs":-1}"#,
            "Error parsing autopilot config: json: cannot unmarshal number -1 into Go struct field "
                + "AutopilotConfiguration.MaxTrailingLogs of type uint64"
        ),
        ("?cas=", "{}", #"Error parsing cas value: strconv.ParseUint: parsing "": invalid syntax"#),
    ])
    func `broken configurations are refused`(query: String, body: String, text: String) throws {
        let answer = try #require(router.answer("PUT /v1/operator/autopilot/configuration\(query)", body: body))
        #expect(answer.status == 400 && answer.text == "Bad request: " + text)
    }

    @Test func `the configuration is shown without metadata`() {
        var settings = AutopilotConfiguration()
        settings.index = RaftIndex(create: 4, modify: 5)
        let answer = Renderer.render(
            .autopilot(settings), meta: QueryMeta(), options: QueryOptions(), shape: ReadShape(.autopilotConfiguration), context: context)
        #expect(
            answer.text == #"{"CleanupDeadServers":true,"LastContactThreshold":"200ms","MaxTrailingLogs":250,"MinQuorum":0,"#
                + #""ServerStabilizationTime":"10s","RedundancyZoneTag":"","DisableUpgradeMigration":false,"UpgradeVersionTag":"","#
                + #""CreateIndex":4,"ModifyIndex":5}"#)
        #expect(answer.headers.map(\.name) == ["Content-Type", "Vary"])
    }

    @Test func `an unhealthy cluster is 429 and called a text`() {
        var health = ClusterHealth()
        #expect(text(.health(health), of: .serverHealth) == #"429 {"Healthy":false,"FailureTolerance":0,"Servers":null}"#)
        var server = ServerHealth()
        server.id = "fda9"
        server.address = "127.0.0.1:8300"
        health.servers = [server]
        let answer = Renderer.render(.health(health), of: .serverHealth, pretty: false, context: context)
        #expect(answer["Content-Type"] == "text/plain; charset=utf-8")
        #expect(
            answer.text == #"{"Healthy":false,"FailureTolerance":0,"Servers":[{"ID":"fda9","Name":"","Address":"127.0.0.1:8300","#
                + #""SerfStatus":"none","Version":"","Leader":false,"LastContact":"-1ns","LastTerm":0,"LastIndex":0,"Healthy":false,"#
                + #""Voter":false,"StableSince":"0001-01-01T00:00:00Z"}]}"#)
        health.healthy = true
        #expect(Renderer.render(.health(health), of: .serverHealth, pretty: false, context: context)["Content-Type"] == "application/json")
    }

    @Test(arguments: [
        (GoTime(unixSeconds: 1_795_236_854, nanoseconds: 499_999_999), "2026-11-21T04:54:14Z"),
        (GoTime(unixSeconds: 1_795_236_854, nanoseconds: 500_000_000, offsetMinutes: 60), "2026-11-21T04:54:15Z"),
    ])
    func `a server is stable since a whole second`(time: GoTime, shown: String) {
        var health = ClusterHealth()
        var server = ServerHealth()
        server.stableSince = time
        health.servers = [server]
        #expect(text(.health(health), of: .serverHealth).hasSuffix(#""StableSince":"\#(shown)"}]}"#))
    }

    // MARK: Keys of gossip

    @Test func `each method is an operation on the keys`() {
        var wanted = KeyringRequest()
        wanted.relayFactor = 3
        wanted.localOnly = true
        #expect(operation("GET /v1/operator/keyring?relay-factor=3&local-only=true")?.0 == .keyring(wanted))
        for (method, name) in [("POST", KeyringRequest.Operation.install), ("PUT", .use), ("DELETE", .remove)] {
            var wanted = KeyringRequest()
            wanted.operation = name
            wanted.key = "a2V5"
            wanted.relayFactor = 2
            let found = operation("\(method) /v1/operator/keyring", body: #"{"Key":"a2V5","RelayFactor":2,"Token":"t"}"#)
            #expect(found?.0 == .keyring(wanted) && found?.1.token == "t")
        }
    }

    @Test(arguments: [
        ("GET /v1/operator/keyring?relay-factor=6", "", "Invalid relay-factor: Relay factor must be in range: [0, 5]"),
        ("GET /v1/operator/keyring?relay-factor=-1", "", "Invalid relay-factor: Relay factor must be in range: [0, 5]"),
        ("GET /v1/operator/keyring?relay-factor=x", "", #"Error parsing relay factor: strconv.Atoi: parsing "x": invalid syntax"#),
        ("GET /v1/operator/keyring?local-only=zz", "", #"Error parsing local-only: strconv.ParseBool: parsing "zz": invalid syntax"#),
        (
            "PUT /v1/operator/keyring?local-only=true", "{}",
            "Invalid use of local-only: local-only can only be set for list requests"
        ),
        ("POST /v1/operator/keyring", "", "Request decode failed: EOF"),
        ("POST /v1/operator/keyring", #"{"Extra":1}"#, #"Request decode failed: json: unknown field "Extra""#),
    ])
    func `broken key operations are refused`(line: String, body: String, text: String) throws {
        let answer = try #require(router.answer(line, body: body))
        #expect(answer.status == 400 && answer.text == "Bad request: " + text)
    }

    @Test func `a client does not operate on keys`() throws {
        var settings = AgentSettings()
        settings.identity.isServer = false
        let answer = try #require(Router(APIContext(from: settings)).answer("GET /v1/operator/keyring"))
        #expect(answer.status == 500 && answer.text == "keyring operations must run against a server node")
    }

    @Test func `pools that failed are told with what their nodes said`() {
        var wan = KeyringResponse()
        wan.isWAN = true
        wan.datacenter = "dc1"
        wan.error = "1/1 nodes reported failure"
        wan.messages = ["n1.dc1": "Removing the primary key is not allowed"]
        var lan = wan
        lan.isWAN = false
        lan.messages = ["n1": "Removing the primary key is not allowed"]
        var remove = KeyringRequest()
        remove.operation = .remove
        #expect(
            text(.keyring([wan, lan]), of: .keyring(remove))
                == "500 4 errors occurred:\n\t* WAN error: 1/1 nodes reported failure\n\t* n1.dc1: Removing the primary key is not allowed\n"
                + "\t* dc1 (LAN) error: 1/1 nodes reported failure\n\t* n1: Removing the primary key is not allowed\n\n")
        #expect(text(.keyring([KeyringResponse()]), of: .keyring(remove)) == "200 ")
    }

    @Test func `keys are listed by pool`() {
        var pool = KeyringResponse()
        pool.isWAN = true
        pool.datacenter = "dc1"
        pool.keys = ["a": 2]
        pool.primaryKeys = ["a": 1]
        pool.nodeCount = 2
        #expect(
            text(.keyring([pool]), of: .keyring(KeyringRequest()))
                == #"200 [{"WAN":true,"Datacenter":"dc1","Segment":"","Keys":{"a":2},"PrimaryKeys":{"a":1},"NumNodes":2}]"#)
    }
}
