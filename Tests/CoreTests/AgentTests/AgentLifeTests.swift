import Testing

@testable import Core

/// How an agent starts and ends, and what it tells its driver in between.
@Suite struct AgentLifeTests {
    private final class Fixture {
        let agent: Agent
        var now = Instant(nanoseconds: 1_000_000_000)
        private(set) var effects: [AgentEffect] = []

        init(_ change: (inout AgentSettings) -> Void = { _ in }, disk: TestDisk = TestDisk()) throws {
            var settings = AgentSettings()
            settings.identity.nodeName = "s1"
            settings.identity.nodeID = "00000000-0000-4000-8000-000000000001"
            change(&settings)
            agent = try Agent(settings: settings, disk: disk, seed: 5, at: now) { _ in "0" }
            send(.wake)
        }

        func send(_ event: AgentEvent) {
            agent.handle(event, at: now, into: &effects)
            agent.flush(at: now, into: &effects)
        }

        func request(_ line: String) -> RequestID {
            let id = RequestID(99)
            let parts = line.split(separator: " ")
            send(.request(id, HTTPRequest(method: String(parts[0]), target: Array(parts[1].utf8), remoteAddress: "127.0.0.1")))
            return id
        }

        /// The body of the answer, which comes at once.
        func text(_ line: String) throws -> String {
            _ = request(line)
            let responses = effects.compactMap { if case .respond(_, let response) = $0 { response } else { nil } }
            return try #require(responses.last).text
        }

        /// Answers as a server would.
        func fire(_ name: String) {
            let payload = UserEventPayload(id: "e1", name: name).encoded
            #expect(agent.membership.fireEvent(name, payload, at: now) == nil)
            send(.wake)
        }

        func taken() -> [AgentEffect] {
            defer { effects = [] }
            return effects
        }

        var shown: [String] { effects.compactMap { if case .show(let text) = $0 { text } else { nil } } }
        var logged: [String] {
            effects.compactMap { if case .log(let level, let module, let text) = $0 { "\(level.name) \(module) \(text)" } else { nil } }
        }
        var exits: [String?] { effects.compactMap { if case .exit(let text) = $0 { .some(text) } else { nil } } }
        var streams: [CallID] { effects.compactMap { if case .call(let id, _, .lan, _, _) = $0 { id } else { nil } } }
        var pieces: [String] {
            effects.compactMap { if case .piece(_, let bytes) = $0 { String(decoding: bytes, as: UTF8.self) } else { nil } }
        }
    }

    @Test func `an agent that joins nobody is up at once`() throws {
        let fixture = try Fixture()
        #expect(fixture.shown == ["Consul agent running!"])
        #expect(fixture.logged.contains("info agent started state syncer"))
    }

    @Test func `an agent that stops says so, and whether it has left`() throws {
        let server = try Fixture()
        _ = server.taken()
        server.send(.shutDown)
        #expect(
            server.logged == [
                "info agent.server shutting down server", "warn agent.server.serf.lan serf: Shutdown without a Leave",
                "warn agent.server.serf.wan serf: Shutdown without a Leave", "info agent consul server down",
                "info agent shutdown complete",
            ])
        let client = try Fixture { $0.identity.isServer = false }
        client.send(.leave)
        client.send(.wake)
        #expect(client.exits == [nil])
        _ = client.taken()
        client.send(.shutDown)
        #expect(
            client.logged == ["info agent.client shutting down client", "info agent consul client down", "info agent shutdown complete"])
    }

    @Test func `an empty keyring is told with its path`() throws {
        let disk = TestDisk()
        try disk.perform([.write(file: "serf/local.keyring", offset: 0, bytes: Array("[]".utf8))])
        let error = #expect(throws: ServerError.self) { _ = try Fixture({ $0.identity.dataDirectory = "/var/consul" }, disk: disk) }
        #expect(error?.text == "Failed to configure keyring: no keys present in keyring: /var/consul/serf/local.keyring")
    }

    @Test func `an agent that cannot join what start_join names ends before it is up`() throws {
        let fixture = try Fixture { $0.gossip.lan.startJoin = ["10.0.0.9"] }
        #expect(fixture.shown == ["Joining cluster..."])
        fixture.send(.callFailed(try #require(fixture.streams.first), "dial tcp 10.0.0.9:8301: connect: connection refused"))
        #expect(fixture.shown == ["Joining cluster..."])
        let reason = "1 error occurred:\n\t* Failed to join 10.0.0.9: dial tcp 10.0.0.9:8301: connect: connection refused\n\n"
        #expect(fixture.exits == [reason])
    }

    @Test func `a client has no WAN pool to join`() throws {
        let fixture = try Fixture {
            $0.identity.isServer = false
            $0.gossip.wan.startJoin = ["10.0.0.9"]
        }
        #expect(fixture.shown == ["Joining -wan cluster..."])
        #expect(fixture.exits == ["Must be a server to join WAN cluster"])
    }

    @Test func `the members' file is written to its end before the process stops`() throws {
        let fixture = try Fixture()
        _ = fixture.taken()
        fixture.send(.shutDown)
        var written: [String] = []
        for case .disk(let batch) in fixture.effects {
            for operation in batch.operations {
                switch operation {
                case .write(let file, _, let bytes): written.append("\(file) \(String(decoding: bytes, as: UTF8.self))")
                case .sync(let file): written.append("sync \(file)")
                default: break
                }
            }
        }
        #expect(written.contains("serf/local.snapshot alive: s1 127.0.0.1:8301\n"))
        #expect(written.contains("sync serf/local.snapshot") && written.contains("sync serf/remote.snapshot"))
    }

    @Test func `the driver's log lines are for those who follow the log`() throws {
        let fixture = try Fixture()
        let id = fixture.request("GET /v1/agent/monitor?loglevel=warn")
        func follows(_ effects: [AgentEffect]) -> [LogLevel?] {
            effects.compactMap { if case .followLog(let level) = $0 { .some(level) } else { nil } }
        }
        #expect(follows(fixture.taken()) == [.warn])
        fixture.send(.logged(.error, "agent", "Caught: signal=hangup"))
        fixture.send(.logged(.info, "agent", "nobody wants it"))
        #expect(fixture.pieces.count == 1)
        #expect(fixture.pieces.first?.hasSuffix(" [ERROR] agent: Caught: signal=hangup\n") == true)
        fixture.send(.cancelled(id))
        #expect(follows(fixture.taken()) == [nil])
    }

    @Test func `a coordinate is shown unless there are none`() throws {
        for isDisabled in [false, true] {
            let fixture = try Fixture { $0.coordinates.disabled = isDisabled }
            #expect(try fixture.text("GET /v1/agent/self").contains(#""Coord":null"#) == isDisabled)
        }
    }

    @Test func `nobody may have a command run by an event`() throws {
        let fixture = try Fixture()
        fixture.fire("_rexec")
        fixture.fire("deploy")
        let logs = fixture.effects.compactMap { if case .log(.info, "agent", let text) = $0 { text } else { nil } }
        #expect(logs.contains("ignoring remote exec event, disabled.: event_name=_rexec event_id=e1"))
        let listed = try fixture.text("GET /v1/event/list")
        #expect(listed.contains("deploy") && !listed.contains("_rexec"))
    }

    @Test func `what the pools, consensus and the I/O threads count is shown`() throws {
        let fixture = try Fixture()
        for _ in 0..<20 {
            fixture.now = fixture.now + .seconds(1)
            fixture.send(.wake)
        }
        var measures = RequestMeasures()
        measures.add(MeasuredSubject(HTTPRequest(method: "GET", target: Array("/v1/kv/a".utf8))), nanoseconds: 3_000_000)
        measures.add(.domainQuery, nanoseconds: 1_000_000)
        measures.reads = 3
        fixture.send(.measured(measures))
        fixture.send(.call(CallID(incoming: 7), from: "10.0.0.9:1", .lan, [255]))
        let ping = RPCRequest.encode(sequence: 1, method: "Status.Ping", body: [0x80])
        fixture.send(.call(CallID(incoming: 8), from: "10.0.0.9:1", .rpc, ping))
        // The pools are asked once a second, and the interval is over after ten.
        for seconds in [1, 10] {
            fixture.now = fixture.now + .seconds(seconds)
            fixture.send(.wake)
        }
        _ = fixture.taken()
        let id = fixture.request("GET /v1/agent/metrics")
        let responses = fixture.effects.compactMap { if case .respond(id, let response) = $0 { response } else { nil } }
        let text = String(decoding: try #require(responses.first).body, as: UTF8.self)
        for part in [
            #""Name":"consul.rpc.query","Count":3,"#, #""Name":"consul.rpc.request","Count":1,"#,
            #""Name":"consul.memberlist.tcp.accept","Count":1,"#,
            #""Name":"consul.http.GET.v1.kv._","Count":1,"Rate":0.3,"#,
            #""Name":"consul.dns.domain_query","Count":1,"Rate":0.1,"Sum":1,"Min":1,"Max":1,"Mean":1,"Stddev":0,"Labels":{"node":"s1"}"#,
        ] { #expect(text.contains(part), "\(part) in \(text)") }
    }

    @Test func `a leader's writes are measured from the proposal to the commit`() throws {
        let cluster = try AgentCluster(clients: 0)
        #expect(cluster.ask(0, "PUT /v1/kv/a", body: "1")?.status == 200)
        #expect(cluster.ask(0, "PUT /v1/txn", body: #"[{"KV":{"Verb":"set","Key":"b","Value":"eA=="}}]"#)?.status == 200)
        let text = try #require(cluster.ask(0, "GET /v1/agent/metrics")).text
        for name in [
            "raft.apply", "raft.state.follower", "raft.state.leader", "raft.commitTime", "raft.commitNumLogs",
            "raft.leader.dispatchNumLogs", "leader.barrier",
            "kvs.apply", "txn.apply",
        ] { #expect(text.contains("\"consul.\(name)\""), "\(name) in \(text)") }
    }

    @Test func `a reload changes what DNS is told, but not the domain`() throws {
        let fixture = try Fixture()
        var new = fixture.agent.settings.reloadable
        new.dns.onlyPassing = true
        new.dns.recursors = ["10.0.0.53"]
        new.dns.domain = "other."
        var frontEnd = FrontEnd(settings: fixture.agent.settings, gzip: AgentCluster.NoGzip(), seed: 1)
        fixture.send(.reload(new))
        for case .configure(let new) in fixture.effects { frontEnd.reload(new) }
        #expect(fixture.agent.questions.dns.zone.config.onlyPassing)
        #expect(fixture.agent.questions.dns.zone.config.domain == "consul.")
        let foreign = DNSMessage(id: 3, flags: 0, question: DNSQuestion(name: try #require(DNSName("example.com")), type: DNSType.a))
            .encoded()
        let state = PublishedState(
            store: Store(), isLeader: true, leaseExpiry: .distantFuture, isSoleVoter: true, knowsLeader: true, lastLeaderContact: nil)
        guard case .reply(let bytes) = frontEnd.answer(question: foreign, tcp: false, remote: "", state: state, now: fixture.now) else {
            return #expect(Bool(false), "there is a reply")
        }
        // With recursors, other names are refused; without, they fail.
        #expect(try DNSMessage(decoding: bytes).flags & DNSFlag.codeMask == DNSCode.refused)
    }

    @Test func `a reload that is refused changes nothing for the driver`() throws {
        let fixture = try Fixture()
        _ = fixture.taken()
        var new = fixture.agent.settings.reloadable
        new.services = [ServiceDefinition()]
        fixture.send(.reload(new))
        #expect(!fixture.effects.contains { if case .configure = $0 { true } else { false } })
    }

    @Test func `Prometheus gets what the driver knows of the process, too`() throws {
        let fixture = try Fixture { $0.telemetry.prometheusRetention = .minutes(1) }
        _ = fixture.taken()
        let id = fixture.request("GET /v1/agent/metrics?format=prometheus")
        #expect(fixture.taken().contains { if case .examineHost(id.raw) = $0 { true } else { false } })
        var facts = HostFacts()
        facts.process = HostFacts.Process()
        facts.process?.openDescriptors = 17
        fixture.send(.hostExamined(id.raw, facts))
        let responses = fixture.effects.compactMap { if case .respond(id, let response) = $0 { response } else { nil } }
        let text = String(decoding: try #require(responses.first).body, as: UTF8.self)
        #expect(text.contains("\nprocess_open_fds 17\n") && text.contains("# TYPE consul_raft_applied_index gauge"))
    }

    @Test func `the host is described from what the kernel says`() throws {
        let fixture = try Fixture()
        let id = fixture.request("GET /v1/agent/host")
        #expect(fixture.taken().contains { if case .examineHost(id.raw) = $0 { true } else { false } })
        var facts = HostFacts()
        facts.memory =
            "MemTotal:       1000 kB\nMemFree:         200 kB\nMemAvailable:    500 kB\nBuffers:  50 kB\nCached: 100 kB\nSReclaimable: 50 kB\n"
            + "HugePages_Total:       3\n"
        facts.processors =
            "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\nmodel name\t: Xeon\nstepping\t: 7\ncpu MHz\t\t: 2500.5\n"
            + "cache size\t: 36608 KB\nflags\t\t: fpu vme\n\nprocessor\t: 1\n\n"
        facts.release = "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"22.04\"\n"
        facts.unixNanoseconds = 1_000_000_000_000
        var kernel = HostFacts.Kernel()
        kernel.hostName = "h"
        kernel.uptimeSeconds = 100
        facts.kernel = kernel
        var root = HostFacts.FileSystem()
        (root.kind, root.blockSize, root.blocks, root.free, root.available) = (0xEF53, 4096, 100, 60, 50)
        facts.root = root
        fixture.send(.hostExamined(id.raw, facts))
        let responses = fixture.effects.compactMap { if case .respond(id, let response) = $0 { response } else { nil } }
        let text = String(decoding: try #require(responses.first).body, as: UTF8.self)
        for part in [
            #"{"Memory":{"total":1024000,"available":512000,"used":614400,"usedPercent":60,"free":204800,"#, #""hugepagestotal":3,"#,
            #""CPU":[{"cpu":0,"vendorId":"GenuineIntel","family":"6","model":"85","stepping":7,"physicalId":"","coreId":"","cores":1,"#,
            #""modelName":"Xeon","mhz":2500.5,"cacheSize":36608,"flags":["fpu","vme"],"microcode":""},{"cpu":1,"#,
            #""Host":{"hostname":"h","uptime":100,"bootTime":900,"procs":0,"os":"linux","platform":"ubuntu","platformFamily":"debian","platformVersion":"22.04","#,
            #""Disk":{"path":"/","fstype":"ext2/ext3","total":409600,"free":204800,"used":163840,"#,
            #""CollectionTime":1000000000000,"Errors":null}"#,
        ] { #expect(text.contains(part), "\(part) in \(text)") }
    }
}
