import Core

@testable import Simulator

/// The production `RaftNode` under a toy state machine: what a server is beside consensus, in as few lines as will do.
///
/// Its flaws break what consensus rests on, so that the checkers of Raft's properties have something to find.
final class RaftToy: SimulatedMachine {
    enum Flaw: Sendable {
        case none
        /// Says that data is on the disk when it is not: the disk is never asked to sync.
        case neverSyncs
        /// Forgets term and vote whenever it starts.
        case forgetsItsVote
        /// The third server leaves out every tenth command.
        case appliesAlmostEverything
        /// Every server answers default reads from what it has applied.
        case readsAnywhere
        /// A leader answers writes before they are committed.
        case answersBeforeCommit
    }

    nonisolated(unsafe) static var flaw = Flaw.none

    fileprivate let node: RaftNode
    private let isThird: Bool
    private var store = ToyStore()
    private var applied: UInt64
    private var out: [RaftEffect] = []
    private var proposals: [Proposal] = []
    private var writes = LookupTable<UInt64, ToyWaiter>()
    private var verifying = LookupTable<UInt64, (ToyWaiter, HTTPRequest)>()
    private var forwarded = LookupTable<CallID, RequestID>()
    private var captured = LookupTable<SnapshotID, (bytes: [UInt8], at: Int)>()
    private var decoding = LookupTable<SnapshotID, [UInt8]>()
    private var nextToken: UInt64 = 1
    /// Calls of consensus have small numbers.
    private var nextCall: UInt64 = 1 << 60

    init(_ settings: AgentSettings, disk: VirtualDisk, seed: UInt64, now: Instant) throws {
        if Self.flaw == .forgetsItsVote, try disk.list("raft").contains("raft/meta") {
            try disk.perform([.remove(file: "raft/meta")])
        }
        let recovered = try RaftRecovery.recover(disk)
        applied = recovered.snapshot?.index ?? 0
        if let snapshot = recovered.snapshot {
            var reader = SnapshotReader(snapshot)
            var bytes: [UInt8] = []
            while let piece = try reader.next(from: disk) { bytes += piece }
            store = ToyStore(encoded: bytes)
        }
        var raft = RaftConfig()
        raft.heartbeatTimeout = settings.raft.heartbeatTimeout
        raft.electionTimeout = settings.raft.electionTimeout
        raft.leaderLeaseTimeout = settings.raft.leaderLeaseTimeout
        raft.snapshotInterval = settings.raft.snapshotInterval
        raft.snapshotThreshold = settings.raft.snapshotThreshold
        raft.trailingLogs = settings.raft.trailingLogs
        raft.segmentSize = settings.raft.segmentSize
        raft.snapshotChunkSize = 200
        isThird = settings.identity.nodeName == "s3"
        let address = settings.raft.initialServers.first { $0.name == settings.identity.nodeName }!.address
        node = RaftNode(
            config: raft, identity: RaftIdentity(id: settings.identity.nodeID, address: address), recovered: recovered, seed: seed,
            now: now)
        if recovered.isPristine {
            let servers = settings.raft.initialServers.map { RaftServer(id: $0.id, address: $0.address) }
            drive(.bootstrap(token: takeToken(), RaftConfiguration(servers: servers)), now)
        }
    }

    static func frontEnd(_ settings: AgentSettings) -> ToyFrontEnd { ToyFrontEnd() }

    var raft: RaftToyView? { RaftToyView(toy: self) }

    fileprivate var stateDigest: UInt64 {
        var digest = EventDigest()
        digest.mix(store.encoded)
        return digest.value
    }

    private func takeToken() -> UInt64 {
        nextToken += 1
        return nextToken
    }

    private func drive(_ event: RaftEvent, _ now: Instant) { node.handle(event, at: now, into: &out) }

    // MARK: - Events

    func handle(_ event: AgentEvent, at now: Instant, into effects: inout [AgentEffect]) {
        switch event {
        case .request(let id, let request): serve(request, .client(id), now, &effects)
        case .call(let id, let from, .raft, let bytes): drive(.call(id, from: from, bytes), now)
        case .call(let id, _, _, let bytes):
            if let request = ToyAnswer.request(bytes) { serve(request, .server(id), now, &effects) }
        case .answered(let id, let bytes):
            if let request = forwarded.removeValue(forKey: id) {
                effects.append(.respond(request, ToyAnswer.response(bytes)))
            } else {
                drive(.answered(id, bytes), now)
            }
        case .callFailed(let id, let text):
            if let request = forwarded.removeValue(forKey: id) {
                effects.append(.respond(request, failure(text)))
            } else {
                drive(.callFailed(id, text), now)
            }
        case .disk(let completion): drive(.disk(completion), now)
        case .wake: drive(.wake, now)
        default: break
        }
        perform(now, &effects)
    }

    func flush(at now: Instant, into effects: inout [AgentEffect]) {
        if !proposals.isEmpty {
            drive(.propose(proposals), now)
            proposals = []
        }
        node.flush(at: now, into: &out)
        perform(now, &effects)
    }

    var deadline: Instant? { node.deadline }

    private func failure(_ text: String) -> HTTPResponse { HTTPResponse(status: 500, body: Array(text.utf8)) }

    private func serve(_ request: HTTPRequest, _ waiter: ToyWaiter, _ now: Instant, _ effects: inout [AgentEffect]) {
        let (_, query) = ToyStore.target(request)
        let mayBeOld = query["stale"] != nil || (Self.flaw == .readsAnywhere && query["consistent"] == nil)
        if request.method == "GET" && mayBeOld { return answer(waiter, store.read(request), &effects) }
        guard node.isLeader else {
            guard case .client(let id) = waiter, let leader = node.leaderAddress else {
                return answer(waiter, failure("no leader"), &effects)
            }
            nextCall += 1
            forwarded[CallID(incoming: nextCall)] = id
            effects.append(.call(CallID(incoming: nextCall), to: leader, .rpc, ToyAnswer.bytes(request), timeout: .seconds(10)))
            return
        }
        let token = takeToken()
        if request.method != "GET" {
            writes[token] = waiter
            proposals.append(Proposal(token: token, data: ToyStore.record(request)))
            if Self.flaw == .answersBeforeCommit {
                var copy = store
                writes.removeValue(forKey: token)
                answer(waiter, ToyAnswer.literal(copy.apply(ToyStore.record(request), at: applied + 1)), &effects)
            }
        } else if query["consistent"] != nil {
            verifying[token] = (waiter, request)
            drive(.verifyLeader(token: token), now)
        } else if node.isEstablished && now < node.leaseExpiry ?? .zero {
            answer(waiter, store.read(request), &effects)
        } else {
            answer(waiter, failure("no lease"), &effects)
        }
    }

    private func answer(_ waiter: ToyWaiter, _ response: HTTPResponse, _ effects: inout [AgentEffect]) {
        switch waiter {
        case .client(let id): effects.append(.respond(id, response))
        case .server(let id): effects.append(.reply(id, ToyAnswer.bytes(response)))
        }
    }

    // MARK: - Effects

    private func perform(_ now: Instant, _ effects: inout [AgentEffect]) {
        while !out.isEmpty {
            let batch = out
            out = []
            for effect in batch { perform(effect, now, &effects) }
        }
    }

    private func perform(_ effect: RaftEffect, _ now: Instant, _ effects: inout [AgentEffect]) {
        switch effect {
        case .call(let id, _, let address, let bytes, let timeout): effects.append(.call(id, to: address, .raft, bytes, timeout: timeout))
        case .reply(let id, let bytes): effects.append(.reply(id, bytes))
        case .close(let id): effects.append(.refuse(id))
        case .disk(var batch):
            if Self.flaw == .neverSyncs {
                batch.operations.removeAll {
                    switch $0 {
                    case .sync, .syncDirectory: true
                    default: false
                    }
                }
            }
            effects.append(.disk(batch))
        case .committed(let entries): for entry in entries { apply(entry, &effects) }
        case .rejected(let token, let error):
            if let waiter = writes.removeValue(forKey: token) { answer(waiter, failure(error.text), &effects) }
        case .verified(let token, let result):
            guard let (waiter, request) = verifying.removeValue(forKey: token) else { return }
            if case .success = result {
                answer(waiter, store.read(request), &effects)
            } else {
                answer(waiter, failure("unverified"), &effects)
            }
        case .log(let level, let text): effects.append(.log(level, "raft", text))
        case .fatal(let text): effects.append(.exit(text))
        case .captureSnapshot(let id, _, _): captured[id] = (store.encoded, 0)
        case .provideSnapshot(let id, let count): provide(id, count, now)
        case .releaseSnapshot(let id): captured.removeValue(forKey: id)
        case .decodeSnapshot(let id, let bytes, let last):
            decoding[id, default: []] += bytes
            if last { drive(.snapshotDecoded(id, error: nil), now) }
        case .discardSnapshot(let id): decoding.removeValue(forKey: id)
        case .installSnapshot(let id, let index, _):
            store = ToyStore(encoded: decoding.removeValue(forKey: id)!)
            applied = index
        default: break
        }
    }

    private func provide(_ id: SnapshotID, _ count: Int, _ now: Instant) {
        guard let (bytes, at) = captured[id] else { return drive(.snapshotFailed(id, "gone"), now) }
        if at == bytes.count { return drive(.snapshotFinished(id), now) }
        let end = min(bytes.count, at + count)
        captured[id] = (bytes, end)
        drive(.snapshotChunk(id, Array(bytes[at..<end])), now)
    }

    private func apply(_ entry: LogEntry, _ effects: inout [AgentEffect]) {
        precondition(entry.index == applied + 1)
        applied = entry.index
        guard entry.kind == .command else { return }
        if Self.flaw == .appliesAlmostEverything && isThird && entry.index % 10 == 0 { return }
        let outcome = store.apply(entry.data, at: entry.index)
        if let waiter = writes.removeValue(forKey: entry.token) { answer(waiter, ToyAnswer.literal(outcome), &effects) }
    }
}

struct RaftToyView: RaftView {
    let toy: RaftToy
    private var node: RaftNode { toy.node }
    var appliedDigest: UInt64 { toy.stateDigest }
    var isLeader: Bool { node.isLeader }
    var term: UInt64 { node.currentTerm }
    var commitIndex: UInt64 { node.commitIndex }
    var appliedIndex: UInt64 { node.lastApplied }
    var firstLogIndex: UInt64 { node.firstIndex }
    var lastLogIndex: UInt64 { node.lastLogIndex }
    func logTerm(at index: UInt64) -> UInt64? { node.logTerm(at: index) }
}
