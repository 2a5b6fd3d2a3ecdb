import Testing

@testable import Core

/// Messages that cannot come from a server of the cluster, or that contradict its state.
@Suite struct RaftStrangerTests {
    private func formed(_ servers: Int = 3) throws -> (RaftSimulation, leader: RaftSimulation.Host, follower: RaftSimulation.Host) {
        let simulation = RaftSimulation(seed: 5, servers: servers, config: RaftSimulation.quick)
        simulation.startAll()
        try #require(simulation.run(until: { simulation.leader?.node?.isEstablished == true }, within: .seconds(5)))
        for number in 0..<5 { simulation.propose(simulation.leader!, [UInt8(number)]) }
        simulation.run(for: .milliseconds(50))
        let leader = try #require(simulation.leader)
        return (simulation, leader, simulation.hosts.first { $0 !== leader }!)
    }

    private func vote(_ term: UInt64, _ candidate: String, isTransfer: Bool = true) -> VoteRequest {
        VoteRequest(term: term, candidate: Array(candidate.utf8), lastIndex: 1 << 40, lastTerm: term, isTransfer: isTransfer)
    }

    private func heartbeat(_ term: UInt64, _ leader: String) -> [UInt8] {
        AppendEntriesRequest(term: term, leader: Array(leader.utf8), isHeartbeat: true, version: 3).encoded
    }

    @Test func `a term beyond any that a cluster reaches is refused where it is decoded`() throws {
        let (simulation, leader, _) = try formed()
        let term = leader.node!.currentTerm
        for bytes in [vote(.max, "x").encoded(.requestVote), heartbeat(.max, "x"), heartbeat(RaftLimits.termMax + 1, "x")] {
            #expect(throws: MessagePackError.self) { try RaftRequest(bytes) }
            for host in simulation.hosts { simulation.inject(bytes, into: host) }
        }
        simulation.run(for: .seconds(1))
        #expect(simulation.leader === leader && leader.node?.currentTerm == term && simulation.violations == [])
    }

    @Test func `a stranger neither deposes a leader that is heard nor raises the term far`() throws {
        let (simulation, leader, follower) = try formed()
        let term = leader.node!.currentTerm
        for host in [leader, follower] {
            simulation.inject(vote(term + 1, "10.9.9.9:8300").encoded(.requestVote), into: host)
            simulation.inject(heartbeat(term + 1, "10.9.9.9:8300"), into: host)
            simulation.inject(heartbeat(term + 1, host.server.address), into: host)
            simulation.inject(vote(term + 1, host.server.address).encoded(.requestVote), into: host)
        }
        simulation.run(for: .milliseconds(20))
        #expect(simulation.leader === leader && leader.node?.currentTerm == term && follower.node?.currentTerm == term)
        // Without a leader a stranger's term counts, within a bound.
        for host in simulation.hosts where host !== follower { simulation.crash(host, survival: .everything) }
        simulation.run(for: .seconds(1))
        #expect(follower.node?.leader == nil)
        let before = follower.node!.currentTerm
        simulation.inject(vote(before + RaftLimits.strangerTermStepMax + 1, "10.9.9.9:8300").encoded(.requestVote), into: follower)
        #expect(follower.node!.currentTerm == before)
        simulation.inject(vote(before + 1, "10.9.9.9:8300").encoded(.requestVote), into: follower)
        #expect(follower.node!.currentTerm == before + 1)
    }

    @Test func `a known server raises the term by a bounded step with one message`() throws {
        let (simulation, leader, follower) = try formed()
        let term = leader.node!.currentTerm
        let third = simulation.hosts.first { $0 !== leader && $0 !== follower }!
        simulation.inject(vote(RaftLimits.termMax, third.server.address).encoded(.requestVote), into: follower)
        #expect(follower.node?.currentTerm == term + RaftLimits.termStepMax)
        #expect(simulation.run(until: { (simulation.leader?.node?.currentTerm ?? 0) > term + RaftLimits.termStepMax }, within: .seconds(5)))
        #expect(simulation.violations == [])
    }

    @Test func `a second leader in the term of this one is refused and the leader goes on`() throws {
        let (simulation, leader, follower) = try formed()
        let term = leader.node!.currentTerm
        simulation.inject(heartbeat(term, follower.server.address), into: leader)
        simulation.run(for: .milliseconds(50))
        #expect(simulation.violations == [] && simulation.leader === leader && leader.node?.currentTerm == term)
    }

    @Test func `entries that contradict a committed one are refused and nothing changes`() throws {
        let (simulation, leader, follower) = try formed()
        let third = simulation.hosts.first { $0 !== leader && $0 !== follower }!
        let node = follower.node!
        var request = AppendEntriesRequest(term: node.currentTerm + 1, leader: Array(third.server.address.utf8), version: 3)
        (request.previousIndex, request.previousTerm) = (2, node.logTerm(at: 2) ?? 0)
        request.entries = [LogEntry(index: 3, term: node.currentTerm + 1, data: [1])]
        var errors = 0
        simulation.onEffect = { host, effect in
            if host === follower, case .log(.error, let text) = effect, text.contains("entry 3 differs") { errors += 1 }
        }
        let (term, last) = (node.currentTerm, node.lastLogIndex)
        for _ in 0..<50 { simulation.inject(request.encoded, into: follower) }
        simulation.run(for: .milliseconds(20))
        #expect(simulation.violations == [] && node.currentTerm == term && node.lastLogIndex >= last && errors == 1)
        #expect(simulation.leader === leader && node.logTerm(at: 3) != term + 1)
    }

    @Test func `a leadership transfer counts only from the host of the leader`() throws {
        let (simulation, leader, follower) = try formed()
        let term = leader.node!.currentTerm
        for named in [term, 0] { simulation.inject(TimeoutNow.encoded(term: named), into: follower) }
        simulation.run(for: .milliseconds(20))
        #expect(follower.node?.currentTerm == term && simulation.leader === leader)
        let third = simulation.hosts.first { $0 !== leader && $0 !== follower }!
        simulation.inject(TimeoutNow.encoded(term: term), into: follower, from: third.server.address)
        #expect(follower.node?.currentTerm == term)
        simulation.inject(TimeoutNow.encoded(term: 0), into: follower, from: leader.server.address)
        #expect(follower.node?.currentTerm == term + 1)
    }

    @Test func `a leader whose messages come from another of its addresses hands over`() throws {
        let (simulation, leader, follower) = try formed()
        let term = leader.node!.currentTerm
        simulation.inject(TimeoutNow.encoded(term: term), into: follower, from: "10.7.7.7:4711")
        #expect(follower.node?.currentTerm == term)
        var entries = AppendEntriesRequest(term: term, leader: Array(leader.server.address.utf8), version: 3)
        (entries.previousIndex, entries.previousTerm) = (1, follower.node!.logTerm(at: 1)!)
        simulation.inject(entries.encoded, into: follower, from: "10.7.7.7:4711")
        simulation.inject(TimeoutNow.encoded(term: term), into: follower, from: "10.7.7.7:4712")
        #expect(follower.node?.currentTerm == term + 1)
    }

    @Test(arguments: ["duplicate id", "duplicate address", "no id", "no address", "no voter", "nobody", "staging"])
    func `a follower takes a configuration that its leader would not propose, and goes on`(_ what: String) throws {
        let (simulation, leader, follower) = try formed()
        let third = simulation.hosts.first { $0 !== leader && $0 !== follower }!
        for host in [leader, third] { simulation.crash(host, survival: .everything) }
        let node = follower.node!
        var servers = [follower.server, third.server].map { RaftServer(id: $0.id, address: $0.address) }
        switch what {
        case "duplicate id": servers.append(RaftServer(id: third.server.id, address: "10.0.9.9:8300"))
        case "duplicate address": servers.append(RaftServer(id: "x", address: third.server.address))
        case "no id": servers.append(RaftServer(id: "", address: "10.0.9.9:8300"))
        case "no address": servers.append(RaftServer(id: "x", address: ""))
        case "no voter": servers = servers.map { RaftServer(suffrage: .nonvoter, id: $0.id, address: $0.address) }
        case "nobody": servers = []
        default: servers.append(RaftServer(suffrage: .staging, id: "x", address: "10.0.9.9:8300"))
        }
        simulation.run(until: { node.leader == nil }, within: .seconds(1))
        let (last, term) = (node.lastLogIndex, node.currentTerm + 1)
        var request = AppendEntriesRequest(term: term, leader: Array(third.server.address.utf8), version: 3)
        (request.previousIndex, request.previousTerm) = (last, node.lastLogTerm)
        request.entries = [LogEntry(index: last + 1, term: term, kind: .configuration, data: RaftConfiguration(servers: servers).encoded)]
        simulation.inject(request.encoded, into: follower)
        #expect(node.lastLogIndex == last + 1 && node.latestConfigurationIndex == last + 1)
        // Elections without an answer.
        simulation.run(for: .seconds(3))
        #expect(follower.node != nil && follower.node?.role != .leader)
    }

    @Test func `an entry as large as a message is refused where it is decoded, and by its proposer`() throws {
        let entry = LogEntry(index: 1, term: 1, data: [UInt8](repeating: 7, count: RaftLimits.entryPayloadMax + 1))
        let request = AppendEntriesRequest(term: 1, leader: [], entries: [entry], version: 3)
        #expect(throws: MessagePackError.invalid("an entry is larger than 134217728 bytes")) { try RaftRequest(request.encoded) }
        let simulation = RaftSimulation(seed: 5, servers: 1, config: RaftSimulation.quick)
        simulation.config.uncommittedBytesMax = 1 << 40
        simulation.startAll()
        simulation.run(for: .seconds(1))
        var refused = false
        simulation.onEffect = { _, effect in if case .rejected(_, .overloaded) = effect { refused = true } }
        simulation.propose(simulation.leader!, entry.data)
        #expect(refused && simulation.violations == [])
    }

    @Test func `a term or an index on disk that no cluster reaches is refused at the start`() throws {
        let disk = TestDisk()
        var vote = VoteRecord()
        (vote.sequence, vote.term) = (1, .max)
        for operation in vote.operations(first: 0) { _ = try disk.apply(operation) }
        #expect(throws: RecoveryError.self) { try RaftRecovery.recover(disk) }
        do { _ = try RaftRecovery.recover(disk) } catch {
            #expect(error.what == "term 18446744073709551615 is beyond any that a cluster reaches")
        }
        for text in [#""Index":18446744073709551615,"Term":1"#, #""Index":1,"Term":9223372036854775808"#] {
            let json = #"{"Version":1,"ID":"x","# + text + #","Configuration":{"Servers":[]}}"#
            #expect(throws: RaftError.self) { try SnapshotMeta(encoded: Array(json.utf8)) }
        }
        var bytes: [UInt8] = []
        SegmentFormat.append(SegmentFormat.Header(first: 0, previousTerm: 0, salt: 1), to: &bytes)
        SegmentFormat.append(SegmentFormat.Header(first: 1, previousTerm: .max, salt: 1), to: &bytes)
        SegmentFormat.append(LogEntry(index: .max, term: 1), salt: 1, synced: 0, to: &bytes)
        #expect(SegmentFormat.header(bytes.span.bytes) == nil)
        let second = SegmentFormat.header(bytes.span.bytes.extracting(64..<bytes.count))
        #expect(second == nil)
        #expect(SegmentFormat.record(bytes.span.bytes, at: 128) == nil)
    }
}
