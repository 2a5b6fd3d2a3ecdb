import Testing

@testable import Core

/// The parts that an agent is composed of, each without an agent.
@Suite struct AgentPartsTests {
    private let start = Instant(nanoseconds: 1_000_000_000)
    private static let caller = AgentSettings().access.context(token: "", source: "10.0.0.9")

    // MARK: Lifecycle

    @Test func `an agent joins what it is told to, then runs`() {
        var lifecycle = Lifecycle(startJoins: [.lan, .wan])
        let joins = [lifecycle.nextStartJoin(), lifecycle.nextStartJoin(), lifecycle.nextStartJoin()]
        #expect(joins == [.lan, .wan, nil])
        #expect(!lifecycle.isLeaving && lifecycle.deadline == nil)
    }

    @Test func `a server leaves the WAN pool, then the LAN pool, drains, and waits until it is removed`() {
        var lifecycle = Lifecycle(startJoins: [])
        let began = lifecycle.beginLeaving(from: .wan, drainTime: .seconds(5), at: start)
        #expect(began && lifecycle.isLeaving)
        let again = lifecycle.beginLeaving(from: .wan, drainTime: .seconds(5), at: start)
        #expect(!again)
        // The LAN pool's turn comes after the WAN pool's, and each comes once.
        let steps = [GossipPool.lan, .wan, .wan, .lan].map { lifecycle.departed(from: $0) }
        #expect(steps == [nil, .leave(.lan), nil, .drain])
        lifecycle.drain(for: .seconds(5), at: start)
        #expect(lifecycle.deadline == start + .seconds(5))
        let early = lifecycle.exits(isRemoved: true, at: start + .seconds(4))
        let asMember = lifecycle.exits(isRemoved: false, at: start + .seconds(5))
        #expect(!early && !asMember && lifecycle.deadline == start + .seconds(5) + .milliseconds(50))
        let removed = lifecycle.exits(isRemoved: true, at: start + .seconds(6))
        #expect(removed && lifecycle.deadline == nil)
        let twice = lifecycle.exits(isRemoved: true, at: start + .seconds(7))
        #expect(!twice)
    }

    @Test func `an agent stops even if nobody learns that it leaves, or removes it`() {
        var lifecycle = Lifecycle(startJoins: [])
        _ = lifecycle.beginLeaving(from: .lan, drainTime: .seconds(5), at: start)
        let limit = start + .seconds(5) + Lifecycle.departureMax
        #expect(lifecycle.deadline == limit)
        let unheard = lifecycle.exits(isRemoved: false, at: limit)
        #expect(unheard)
        lifecycle.drain(for: .zero, at: start)
        let kept = lifecycle.exits(isRemoved: false, at: start + Lifecycle.removalMax)
        #expect(kept)
    }

    @Test func `who waits for a reload or a departure is answered once`() {
        var lifecycle = Lifecycle(startJoins: [])
        lifecycle.awaitReload(RequestID(1))
        lifecycle.awaitDeparture(RequestID(2))
        let reloaders = [lifecycle.takeReloaders(), lifecycle.takeReloaders()]
        let leavers = [lifecycle.takeLeavers(), lifecycle.takeLeavers()]
        #expect(reloaders == [[RequestID(1)], []])
        #expect(leavers == [[RequestID(2)], []])
    }

    // MARK: Questions

    private func packet(_ name: String) throws -> [UInt8] {
        DNSMessage(id: 7, flags: 0, question: DNSQuestion(name: try #require(DNSName(name)), type: DNSType.a)).encoded()
    }

    private func replies(_ effects: [AgentEffect]) throws -> [DNSMessage] {
        try effects.compactMap { if case .answer(_, let bytes) = $0 { try DNSMessage(decoding: bytes) } else { nil } }
    }

    @Test func `questions follow the DNS configuration of the last reload`() throws {
        var broker = QuestionBroker(AgentSettings())
        var effects: [AgentEffect] = []
        let question = try packet("web.service.consul")
        let fetch = broker.ask(RequestID(1), question, Self.caller, tcp: false, seed: 1, unixSeconds: 0, into: &effects)
        let first = try #require(fetch)
        #expect(first.id == RequestID(1) && first.options.allowStale && first.options.datacenter == "dc1")
        var config = DNSConfig()
        config.allowStale = false
        config.maxStale = .seconds(1)
        broker.reload(config)
        let other = broker.ask(RequestID(2), question, Self.caller, tcp: false, seed: 1, unixSeconds: 0, into: &effects)
        #expect(other?.options.allowStale == false)
        // The answer to the first one is older than the new configuration allows: the leader is asked.
        var meta = QueryMeta()
        meta.lastContact = .seconds(2)
        let stale = ReadAnswer(result: .healthNodes([]), meta: meta, evaluation: 1)
        let again = broker.fetched(.success(stale), for: RequestID(1), unixSeconds: 0, into: &effects)
        #expect(again?.query == first.query && again?.options.allowStale == false)
        #expect(effects.isEmpty && !broker.isEmpty)
    }

    @Test func `a question fails when no server can be asked, and is forgotten when its client goes`() throws {
        var broker = QuestionBroker(AgentSettings())
        var effects: [AgentEffect] = []
        _ = broker.ask(RequestID(1), try packet("web.service.consul"), Self.caller, tcp: false, seed: 1, unixSeconds: 0, into: &effects)
        let next = broker.fetched(.failure(.noServers), for: RequestID(1), unixSeconds: 0, into: &effects)
        #expect(next == nil && broker.isEmpty)
        #expect(try replies(effects).map { $0.flags & DNSFlag.codeMask } == [DNSCode.serverFailure])
        #expect(effects.contains { if case .log(.error, "agent.dns", _) = $0 { true } else { false } })
        _ = broker.ask(RequestID(2), try packet("web.service.consul"), Self.caller, tcp: false, seed: 1, unixSeconds: 0, into: &effects)
        let cancelled = [broker.cancel(RequestID(2)), broker.cancel(RequestID(2))]
        #expect(cancelled == [true, false])
        let late = broker.fetched(.failure(.noServers), for: RequestID(2), unixSeconds: 0, into: &effects)
        #expect(late == nil)
        #expect(try replies(effects).count == 1)
    }

    // MARK: Telemetry

    @Test func `the driver is told once which of its lines anybody follows`() {
        var followers = LogFollowers()
        var told: [LogLevel?] = []
        func tell() {
            var effects: [AgentEffect] = []
            followers.tellDriver(into: &effects)
            for case .followLog(let level) in effects { told.append(level) }
        }
        tell()
        followers.add(RequestID(1), LogStream(level: .warn, json: false))
        followers.add(RequestID(2), LogStream(level: .debug, json: false))
        tell()
        tell()
        followers.remove(RequestID(2))
        tell()
        var effects: [AgentEffect] = []
        followers.send(.info, "agent", "a", unixNanoseconds: 0, into: &effects)
        followers.send(.error, "agent", "b", unixNanoseconds: 0, into: &effects)
        #expect(effects.count == 1)
        followers.remove(RequestID(1))
        tell()
        #expect(told == [.debug, .warn, nil])
    }

    @Test func `what goes out in a batch is measured, and its log goes to those who follow`() {
        var telemetry = Telemetry(AgentSettings())
        telemetry.followers.add(RequestID(1), LogStream(level: .info, json: false))
        var effects: [AgentEffect] = [
            .packet(.lan, to: "10.0.0.2:8301", [1, 2, 3]), .packet(.wan, to: "10.0.0.2:8302", [1]), .log(.info, "agent", "hello"),
            .log(.debug, "agent", "hidden"),
        ]
        telemetry.observe(&effects, of: nil, wallClockOffset: 0, at: start)
        let pieces = effects.compactMap {
            if case .piece(RequestID(1), let bytes) = $0 { String(decoding: bytes, as: UTF8.self) } else { nil }
        }
        #expect(pieces.count == 1 && pieces[0].hasSuffix("agent: hello\n"))
        let text = Renderer.metricLines(telemetry.snapshot(of: Telemetry.Parts(), at: start))
        let sent = text.split(separator: "\n").first { $0.contains("memberlist.udp.sent'") }
        #expect(sent?.contains("Count: 2 ") == true && sent?.hasSuffix("Sum: 4.000") == true, "\(text)")
    }

    // MARK: Membership

    private static let keyRequester = Requester.client(RequestID(7))

    @Test func `an agent without pools knows its own datacenter and node, and has no keys`() {
        let membership = GossipMembership(AgentSettings())
        #expect(membership.datacenters == ["dc1"] && membership.datacenterCoordinates.isEmpty)
        #expect(membership.knows("node") && !membership.knows("other"))
        #expect(membership.deadline == nil && membership[.lan] == nil)
        let problem = membership.manageKeys(KeyringRequest(), for: Self.keyRequester, at: start)
        #expect(problem == ServerError("Keyring is empty (encryption not enabled)"))
        var request = KeyringRequest()
        (request.operation, request.localOnly) = (.install, true)
        let local = membership.manageKeys(request, for: Self.keyRequester, at: start)
        #expect(local == ServerError("argument error: LocalOnly can only be used for List operations"))
    }

    @Test func `an operation on keys ends when all pools have answered, the WAN pool's answer first`() throws {
        let settings = AgentSettings()
        let membership = GossipMembership(settings)
        for kind in [GossipPool.lan, .wan] {
            let serf = Serf(config: try settings.serfConfig(kind), seed: 1, at: start)
            membership.add(Pool(kind, serf: serf, settings: settings), at: start)
        }
        #expect(membership.floodAt == start + GossipMembership.floodInterval)
        let problem = membership.manageKeys(KeyringRequest(), for: Self.keyRequester, at: start)
        #expect(problem == nil)
        var response = KeyResponse()
        response.nodes = 3
        let first = membership.keysAnswered(1, response, .lan)
        let stranger = membership.keysAnswered(2, response, .wan)
        guard first == nil, stranger == nil, let (requester, all) = membership.keysAnswered(1, response, .wan) else {
            return #expect(Bool(false), "answered too early, or not at all")
        }
        #expect(requester == Self.keyRequester)
        #expect(all.map(\.isWAN) == [true, false] && all.map(\.nodeCount) == [3, 3] && all.map(\.datacenter) == ["dc1", "dc1"])
    }

    @Test func `members are kept by name until they are reaped`() {
        let membership = GossipMembership(AgentSettings())
        let a = Member(name: "a", address: [10, 0, 0, 1], port: 8301), b = Member(name: "b", address: [10, 0, 0, 2], port: 8301)
        let joined = membership.changed(.joined, [b, a])
        #expect(joined == [a, b])
        let left = membership.changed(.reaped, [a])
        #expect(left == [b])
    }

    // MARK: Files

    @Test func `a file is replaced by a durable one, and a failure is told once with its name`() {
        var files = FileReplacements()
        let first = files.replace("serf/local.keyring", by: [1, 2]), second = files.replace("top", by: [])
        #expect(first.token != second.token)
        #expect(
            first.operations == [
                .write(file: "serf/local.keyring.tmp", offset: 0, bytes: [1, 2]), .truncate(file: "serf/local.keyring.tmp", size: 2),
                .sync(file: "serf/local.keyring.tmp"), .rename(from: "serf/local.keyring.tmp", to: "serf/local.keyring"),
                .syncDirectory("serf"),
            ])
        #expect(second.operations.last == .syncDirectory(""))
        let failure = DiskCompletion(of: first, .failure(.noSpace))
        let problem = files.ended(failure), again = files.ended(failure)
        #expect(problem?.hasPrefix("failed to write a file: file=serf/local.keyring error=") == true && again == nil)
        let done = files.ended(DiskCompletion(of: second, .success([])))
        #expect(done == nil)
    }

    // MARK: Requests

    @Test func `a request is answered once`() {
        var requests = RequestBroker(APIContext(from: AgentSettings()))
        requests.add(RequestID(1), .write(WriteShape(.outcome)))
        let first = requests.answer(write: .success(.bool(true)), for: RequestID(1))
        let second = requests.answer(write: .success(.bool(true)), for: RequestID(1))
        #expect(first.map { String(decoding: $0.body, as: UTF8.self) } == "true")
        #expect(second?.status == nil)
        requests.add(RequestID(2), .operation(.leader, pretty: false))
        let failed = requests.answer(operation: .failure(.noLeader), for: RequestID(2), at: start)
        #expect(failed?.status == 500 && failed?.body == Array("No cluster leader".utf8))
    }

    @Test func `a summary that no leader can give is asked for once more, of any server`() throws {
        var requests = RequestBroker(APIContext(from: AgentSettings()))
        requests.addRead(RequestID(1), .catalog(.nodes), QueryOptions(), ReadShape(.serviceSummaries), Self.caller)
        let again = requests.answer(read: .failure(.noLeader), for: RequestID(1))
        guard case .again(.catalog(.nodes), let options, _)? = again else { return #expect(Bool(false), "it is asked for again") }
        #expect(options.allowStale)
        guard case .respond(let response)? = requests.answer(read: .failure(.noLeader), for: RequestID(1)) else {
            return #expect(Bool(false), "the second failure is the answer")
        }
        #expect(response.status == 500)
    }
}
