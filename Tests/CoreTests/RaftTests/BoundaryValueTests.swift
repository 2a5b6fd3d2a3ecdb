import Testing

@testable import Core

/// Every integer field, length and count of every message of Raft at the values at which arithmetic goes wrong, handed to a live node in
/// every role. The cluster goes on afterwards.
@Suite struct BoundaryValueTests {
    enum Role: CaseIterable { case follower, candidate, leader }
    enum Sender: CaseIterable { case member, stranger }

    private func cluster(seed: UInt64) throws -> RaftSimulation {
        let simulation = RaftSimulation(seed: seed, servers: 3, config: RaftSimulation.quick)
        simulation.startAll()
        try #require(simulation.run(until: { simulation.leader?.node?.isEstablished == true }, within: .seconds(5)))
        for number in 0..<5 { simulation.propose(simulation.leader!, [UInt8(number)]) }
        simulation.run(for: .milliseconds(30))
        return simulation
    }

    private func host(_ role: Role, _ simulation: RaftSimulation) throws -> RaftSimulation.Host {
        _ = simulation.run(until: { simulation.leader != nil }, within: .seconds(5))
        let leader = try #require(simulation.leader)
        if role == .leader { return leader }
        let other = simulation.hosts.first { $0 !== leader }!
        guard role == .candidate else { return other }
        for host in simulation.hosts where host !== other {
            simulation.cuts.insert([min(host.number, other.number), max(host.number, other.number)])
        }
        simulation.run(until: { other.node?.role != .follower }, within: .seconds(1))
        simulation.cuts = []
        return other
    }

    /// One message of each kind, as a peer with that address would send it to a node in that state.
    private func messages(_ node: RaftNode, from address: Address) -> [(name: String, bytes: [UInt8])] {
        let sender = Array(address.utf8)
        let (term, last, lastTerm) = (node.currentTerm, node.lastLogIndex, node.lastLogTerm)
        var heartbeat = AppendEntriesRequest(term: term, leader: sender, version: 3)
        heartbeat.isHeartbeat = true
        var append = AppendEntriesRequest(term: term, leader: sender, previousIndex: last, previousTerm: lastTerm, version: 3)
        append.commitIndex = node.commitIndex
        let vote = VoteRequest(term: term, candidate: sender, lastIndex: last, lastTerm: lastTerm, isTransfer: true)
        var install = InstallSnapshotRequest()
        (install.term, install.leader, install.lastIndex, install.lastTerm) = (term, sender, last + 1, lastTerm)
        (install.configuration, install.configurationIndex, install.size) = (node.configuration, 1, 3)
        var chunk = install
        (chunk.snapshotID, chunk.checksum, chunk.size, chunk.data) = (Array("1-2-3".utf8), 7, 6, [1, 2, 3])
        return [
            ("heartbeat", heartbeat.encoded), ("append", append.encoded), ("vote", vote.encoded(.requestVote)),
            ("pre-vote", vote.encoded(.requestPreVote)), ("install", install.encoded + [1, 2, 3]), ("chunk", chunk.encodedChunk),
            ("time out", TimeoutNow.encoded(term: term)),
        ]
    }

    /// All servers run, a leader is found, and a proposal is committed everywhere.
    private func expectProgress(_ simulation: RaftSimulation, _ what: String) {
        simulation.cuts = []
        var token: UInt64?
        let isDone = simulation.run(
            until: {
                guard let leader = simulation.leader, leader.node?.isEstablished == true else { return false }
                if let token, !simulation.isOpen(token) {
                    return simulation.hosts.allSatisfy { $0.node?.commitIndex == leader.node?.lastLogIndex }
                }
                if token == nil { token = simulation.propose(leader, Array(what.utf8)) }
                return false
            }, within: .seconds(20))
        #expect(isDone && simulation.violations == [], "\(what)")
        for host in simulation.hosts {
            #expect(host.failure == nil, "\(what)")
            guard let node = host.node else { continue }
            let size = host.disk.files.values.reduce(0) { $0 + $1.contents.count }
            #expect(node.log.cache.weight < 100_000 && node.disk.waitingCount < 100 && size < 1 << 20, "\(what)")
        }
    }

    @Test(arguments: Role.allCases, Sender.allCases)
    func `no number, length or count in a request stops a node or its cluster`(role: Role, sender: Sender) throws {
        let kinds = messages(try cluster(seed: 1).leader!.node!, from: "x").count
        for kind in 0..<kinds {
            let simulation = try cluster(seed: UInt64(kind) + 1)
            for round in 0..<40 {
                let host = try host(role, simulation)
                let node = try #require(host.node)
                let other = simulation.hosts.first { $0 !== host && $0 !== simulation.leader }!.server.address
                let (name, bytes) = messages(node, from: sender == .member ? other : "10.9.9.9:8300")[kind]
                let message = BoundaryValues(bytes, from: 1)
                guard round < message.sites.count else { break }
                for own in [node.currentTerm, node.lastLogIndex] {
                    for variant in message.variants(of: message.sites[round], own: own) {
                        simulation.inject(variant, into: host)
                        simulation.run(for: .microseconds(100))
                    }
                }
                expectProgress(simulation, "\(name) to a \(role) from a \(sender), field \(round)")
                if !simulation.violations.isEmpty { return }
            }
        }
    }

    /// Entries that a member of the cluster forges may well be appended, and are then a fork; the node goes on all the same.
    @Test(arguments: Role.allCases, Sender.allCases)
    func `no number, length or count in an entry stops a node`(role: Role, sender: Sender) throws {
        for round in 0..<40 {
            let simulation = try cluster(seed: 9)
            let host = try host(role, simulation)
            let node = try #require(host.node)
            let other = simulation.hosts.first { $0 !== host && $0 !== simulation.leader }!.server.address
            let address = sender == .member ? other : "10.9.9.9:8300"
            var request = AppendEntriesRequest(term: node.currentTerm + 1, leader: Array(address.utf8), version: 3)
            (request.previousIndex, request.previousTerm, request.commitIndex) = (node.lastLogIndex, node.lastLogTerm, node.commitIndex)
            request.entries = [
                LogEntry(index: node.lastLogIndex + 1, term: node.currentTerm, kind: .barrier, data: [1], extensions: [8, 1])
            ]
            let message = BoundaryValues(request.encoded, from: 1)
            guard round < message.sites.count else { break }
            for variant in message.variants(of: message.sites[round], own: node.lastLogIndex) { simulation.inject(variant, into: host) }
            simulation.run(for: .seconds(1))
            #expect(host.failure == nil, "field \(round)")
            if host.node == nil { Issue.record("stopped at field \(round): \(simulation.violations)") }
        }
    }

    @Test func `no number, length or count in an answer stops a leader or a candidate`() throws {
        let answers: [(kind: RaftMessageKind, bytes: (UInt64, UInt64) -> [UInt8])] = [
            (.appendEntries, { AppendEntriesResponse(term: $0, lastLog: $1).encoded }),
            (.requestVote, { term, _ in VoteResponse(term: term).encoded(.requestVote) }),
            (.requestPreVote, { term, _ in VoteResponse(term: term).encoded(.requestPreVote) }),
            (.installChunk, { term, _ in InstallSnapshotResponse(term: term, success: false, offset: 0).encoded }),
            (.installSnapshot, { term, _ in InstallSnapshotResponse(term: term, success: false).encoded }),
            (.timeoutNow, { _, _ in TimeoutNow.encodedResponse }),
        ]
        for (kind, encoded) in answers {
            let simulation = try cluster(seed: 4)
            let asked = Asked()
            simulation.onEffect = { host, effect in
                if case .call(let id, _, _, let bytes, _) = effect, bytes.first == kind.rawValue { asked.calls.append((host, id)) }
            }
            for field in 0..<20 {
                var variant = 0
                while true {
                    provoke(kind, simulation, asked)
                    guard let (host, id) = asked.calls.popLast(), let node = host.node else { break }
                    let message = BoundaryValues(encoded(node.currentTerm, node.lastLogIndex), from: 0, count: 2)
                    guard field < message.sites.count else { break }
                    let variants = message.variants(of: message.sites[field], own: node.currentTerm)
                    guard variant < variants.count else { break }
                    simulation.give(host, .answered(id, variants[variant]))
                    variant += 1
                }
                expectProgress(simulation, "answer of kind \(kind), field \(field)")
            }
        }
    }

    /// The calls of one kind that were made; they grow while the simulation runs.
    private final class Asked {
        var calls: [(RaftSimulation.Host, CallID)] = []
    }

    /// Runs until a server makes a call of that kind.
    private func provoke(_ kind: RaftMessageKind, _ simulation: RaftSimulation, _ asked: Asked) {
        asked.calls = []
        guard let leader = simulation.leader else { return simulation.run(for: .milliseconds(300)) }
        switch kind {
        case .appendEntries: simulation.propose(leader, [1])
        case .timeoutNow: simulation.give(leader, .transferLeadership(token: 99, to: nil))
        case .requestVote, .requestPreVote: simulation.crash(leader, survival: .everything)
        case .installSnapshot, .installChunk:
            if let node = leader.node, let peer = simulation.hosts.first(where: { $0 !== leader }),
                case .leader(let leadership) = node.state
            {
                if node.snapshots.isEmpty { simulation.give(leader, .snapshot(token: 98)) }
                simulation.run(for: .milliseconds(20))
                if let known = leadership.peer(peer.server.id), !node.snapshots.isEmpty {
                    node.peerKinds[peer.server.id] = kind == .installChunk ? .extended : .reference
                    var effects: [RaftEffect] = []
                    node.beginInstall(known, leadership, &effects)
                    simulation.give(leader, .wake)
                }
            }
        }
        for _ in 0..<500 where asked.calls.isEmpty { simulation.run(for: .milliseconds(1)) }
        for host in simulation.hosts { simulation.start(host) }
    }
}
