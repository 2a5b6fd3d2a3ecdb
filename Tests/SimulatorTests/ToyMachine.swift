import Core

@testable import Simulator

/// A key/value store for testing the simulator: the first server keeps everything in one file, the others pass requests on to it.
///
/// It speaks enough of the HTTP API for registers and watched prefixes, loses nothing, and has no consensus.
final class ToyMachine: SimulatedMachine {
    /// What a toy does wrong on purpose, so that a checker has something to find.
    enum Flaw: Sendable {
        case none
        /// Answers writes before they are on the disk.
        case acknowledgesBeforeSync
        /// Compare-and-set writes whatever the index is.
        case ignoresIndexes
        /// Blocked queries are not woken by writes.
        case losesWakeUps
        /// Answers some requests twice.
        case answersTwice
        /// Asks to be woken at once, forever.
        case spins
        /// Refuses to start from a file that ends in a torn record.
        case trustsItsFile
        /// Once it was started again, it serves nobody.
        case givesUpServing
    }

    /// For the tests of one process, which run one after the other.
    nonisolated(unsafe) static var flaw = Flaw.none

    private struct Blocked {
        var waiter: ToyWaiter
        var request: HTTPRequest
        var index: UInt64
        var until: Instant
    }

    private static let file = "toy.log"

    private let isPrimary: Bool
    private let primary: Address
    private var store = ToyStore()
    private var size = 0
    private var nextToken: UInt64 = 1
    /// Writes whose record is on its way to the disk.
    private var writing: [(token: UInt64, waiter: ToyWaiter, record: [UInt8])] = []
    private var forwarded: [(id: CallID, request: RequestID)] = []
    private var blocked: [Blocked] = []
    private var answers = 0
    private var wasStartedAgain = false

    var raft: NoConsensus? { nil }

    init(_ settings: AgentSettings, disk: VirtualDisk, seed: UInt64, now: Instant) throws {
        primary = settings.raft.initialServers[0].address
        isPrimary = settings.identity.nodeName == settings.raft.initialServers[0].name
        guard isPrimary, try disk.list("").contains(Self.file) else { return }
        wasStartedAgain = true
        let bytes = try disk.read(Self.file, offset: 0, count: try disk.size(Self.file))
        while let (record, end) = Self.record(in: bytes, at: size) {
            _ = store.apply(record, at: store.index + 1)
            size = end
        }
        if size < bytes.count {
            if Self.flaw == .trustsItsFile { throw DiskError.failed("a torn record at \(size)") }
            try disk.perform([.truncate(file: Self.file, size: size)])
        }
    }

    static func frontEnd(_ settings: AgentSettings) -> ToyFrontEnd { ToyFrontEnd() }

    // MARK: - Events

    func handle(_ event: AgentEvent, at now: Instant, into effects: inout [AgentEffect]) {
        switch event {
        case .request(let id, let request): serve(request, .client(id), now, &effects)
        case .call(let id, _, _, let bytes):
            if let request = ToyAnswer.request(bytes) { serve(request, .server(id), now, &effects) }
        case .answered(let id, let bytes): passOn(id, ToyAnswer.response(bytes), &effects)
        case .callFailed(let id, let text): passOn(id, HTTPResponse(status: 500, body: Array(text.utf8)), &effects)
        case .disk(let completion): synced(completion, &effects)
        case .cancelled(let id):
            blocked.removeAll { if case .client(id) = $0.waiter { true } else { false } }
        case .wake: expire(now, &effects)
        default: break
        }
    }

    func flush(at now: Instant, into effects: inout [AgentEffect]) {}

    var deadline: Instant? {
        if Self.flaw == .spins { return .zero }
        return blocked.map(\.until).min()
    }

    private func serve(_ request: HTTPRequest, _ waiter: ToyWaiter, _ now: Instant, _ effects: inout [AgentEffect]) {
        guard isPrimary else {
            guard case .client(let id) = waiter else { return }
            nextToken += 1
            forwarded.append((CallID(incoming: nextToken), id))
            effects.append(.call(CallID(incoming: nextToken), to: primary, .rpc, ToyAnswer.bytes(request), timeout: .seconds(400)))
            return
        }
        if Self.flaw == .givesUpServing && wasStartedAgain { return answer(waiter, HTTPResponse(status: 500, body: []), &effects) }
        guard request.method == "GET" else { return write(request, waiter, &effects) }
        let (_, query) = ToyStore.target(request)
        let present = store.read(request)
        if let asked = query["index"].flatMap({ UInt64($0) }), ToyAnswer.index(present) <= asked {
            let seconds = query["wait"].flatMap { Int($0.dropLast()) } ?? 300
            blocked.append(Blocked(waiter: waiter, request: request, index: asked, until: now + .seconds(seconds)))
        } else {
            answer(waiter, present, &effects)
        }
    }

    private func answer(_ waiter: ToyWaiter, _ response: HTTPResponse, _ effects: inout [AgentEffect]) {
        answers += 1
        switch waiter {
        case .client(let id):
            effects.append(.respond(id, response))
            if Self.flaw == .answersTwice && answers % 50 == 0 { effects.append(.respond(id, response)) }
        case .server(let id): effects.append(.reply(id, ToyAnswer.bytes(response)))
        }
    }

    private func passOn(_ id: CallID, _ response: HTTPResponse, _ effects: inout [AgentEffect]) {
        guard let at = forwarded.firstIndex(where: { $0.id == id }) else { return }
        answer(.client(forwarded.remove(at: at).request), response, &effects)
    }

    // MARK: - Writing

    private func write(_ request: HTTPRequest, _ waiter: ToyWaiter, _ effects: inout [AgentEffect]) {
        var record = ToyStore.record(request)
        if Self.flaw == .ignoresIndexes { record[0] &= 1 }
        let framed = Self.frame(record)
        nextToken += 1
        let operations: [DiskOperation] = [
            .write(file: Self.file, offset: size, bytes: framed), .sync(file: Self.file), .syncDirectory(""),
        ]
        size += framed.count
        writing.append((nextToken, waiter, record))
        effects.append(.disk(DiskBatch(of: .raft, token: nextToken, operations: operations)))
        if Self.flaw == .acknowledgesBeforeSync { finishWrite(nextToken, &effects) }
    }

    private func synced(_ completion: DiskCompletion, _ effects: inout [AgentEffect]) {
        guard case .success = completion.result else {
            // What was asked for and what is on the disk differ: start again from there.
            effects.append(.exit("the disk failed"))
            return
        }
        finishWrite(completion.token, &effects)
    }

    /// Nobody sees a write before it is durable.
    private func finishWrite(_ token: UInt64, _ effects: inout [AgentEffect]) {
        guard let at = writing.firstIndex(where: { $0.token == token }) else { return }
        let done = writing.remove(at: at)
        answer(done.waiter, ToyAnswer.literal(store.apply(done.record, at: store.index + 1)), &effects)
        wakeBlocked(&effects)
    }

    private func wakeBlocked(_ effects: inout [AgentEffect]) {
        guard Self.flaw != .losesWakeUps else { return }
        var waiting: [Blocked] = []
        for query in blocked {
            let present = store.read(query.request)
            if ToyAnswer.index(present) > query.index { answer(query.waiter, present, &effects) } else { waiting.append(query) }
        }
        blocked = waiting
    }

    private func expire(_ now: Instant, _ effects: inout [AgentEffect]) {
        for query in blocked where query.until <= now { answer(query.waiter, store.read(query.request), &effects) }
        blocked.removeAll { $0.until <= now }
    }

    // MARK: - The file

    private static func frame(_ record: [UInt8]) -> [UInt8] {
        var digest = EventDigest()
        digest.mix(record)
        let sum = digest.value
        return [UInt8(record.count & 0xFF), UInt8(record.count >> 8)] + (0..<8).map { UInt8(truncatingIfNeeded: sum >> (8 * $0)) } + record
    }

    private static func record(in bytes: [UInt8], at start: Int) -> (record: [UInt8], end: Int)? {
        guard start + 10 <= bytes.count else { return nil }
        let end = start + 10 + Int(bytes[start]) + Int(bytes[start + 1]) << 8
        guard end <= bytes.count, end > start + 20 else { return nil }
        let record = Array(bytes[(start + 10)..<end])
        return frame(record) == Array(bytes[start..<end]) ? (record, end) : nil
    }
}

/// The view of a machine that has no consensus to look at.
struct NoConsensus: RaftView {
    var isLeader: Bool { false }
    var term: UInt64 { 0 }
    var commitIndex: UInt64 { 0 }
    var appliedIndex: UInt64 { 0 }
    var firstLogIndex: UInt64 { 1 }
    var lastLogIndex: UInt64 { 0 }
    func logTerm(at index: UInt64) -> UInt64? { nil }
    var appliedDigest: UInt64 { 0 }
}
