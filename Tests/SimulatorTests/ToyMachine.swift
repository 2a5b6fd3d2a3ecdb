import Core

@testable import Simulator

/// What a toy does wrong on purpose, so that a checker has something to find.
enum Flaw: Sendable {
    case none
    /// Answers writes before they are on the disk.
    case acknowledgesBeforeSync
    /// Answers reads on other servers from a copy that is a few writes old.
    case readsFromOldCopy
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
}

/// A key/value store for testing the simulator: the first server keeps everything in one file, the others pass requests on to it.
///
/// It speaks enough of the HTTP API for registers and watched prefixes, loses nothing, and has no consensus.
final class ToyMachine: SimulatedMachine {
    /// For the tests of one process, which run one after the other.
    nonisolated(unsafe) static var flaw = Flaw.none

    struct FrontEnd: RequestFrontEnd {
        mutating func answer(
            _ request: borrowing HTTPRequest, keepAlive: Bool, state: PublishedState, now: Instant, date: borrowing [UInt8],
            into out: inout [UInt8]
        ) -> Bool { false }
        mutating func answer(question: [UInt8], tcp: Bool, remote: String, state: PublishedState, now: Instant) -> [UInt8]? { nil }
    }

    struct Entry {
        var value: [UInt8]
        var create: UInt64
        var modify: UInt64
    }

    enum Waiter {
        case client(RequestID)
        case server(CallID)
    }

    private struct Blocked {
        var waiter: Waiter
        var request: HTTPRequest
        var index: UInt64
        var until: Instant
    }

    private static let file = "toy.log"

    private let isPrimary: Bool
    private let primary: Address
    private var entries = SortedMap<String, Entry>()
    private var index: UInt64 = 1
    private var size = 0
    private var nextToken: UInt64 = 1
    /// Writes whose record is on its way to the disk.
    private var writing: [(token: UInt64, waiter: Waiter, answer: HTTPResponse)] = []
    private var forwarded: [(id: CallID, request: RequestID)] = []
    private var blocked: [Blocked] = []
    private var oldCopies: [SortedMap<String, Entry>] = []
    private var answers = 0

    var raft: NoConsensus? { nil }

    init(_ config: AgentConfig, disk: VirtualDisk, seed: UInt64, now: Instant) throws {
        primary = config.initialServers[0].address
        isPrimary = config.nodeName == config.initialServers[0].name
        guard isPrimary, try disk.list("").contains(Self.file) else { return }
        let bytes = try disk.read(Self.file, offset: 0, count: try disk.size(Self.file))
        while let (record, end) = Self.record(in: bytes, at: size) {
            apply(record)
            size = end
        }
        if size < bytes.count {
            if Self.flaw == .trustsItsFile { throw DiskError.failed("a torn record at \(size)") }
            try disk.perform([.truncate(file: Self.file, size: size)])
        }
    }

    static func frontEnd(_ config: AgentConfig) -> FrontEnd { FrontEnd() }

    // MARK: - Events

    func handle(_ event: AgentEvent, at now: Instant, into effects: inout [AgentEffect]) {
        switch event {
        case .request(let id, let request): serve(request, .client(id), now, &effects)
        case .call(let id, _, _, let bytes):
            var parser = HTTPParser(remoteAddress: "", bodyLimit: 1 << 20)
            var at = 0
            if case .request(let request, _) = parser.parse(bytes, at: &at) { serve(request, .server(id), now, &effects) }
        case .answered(let id, let bytes): passOn(id, Self.response(bytes), &effects)
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

    private func serve(_ request: HTTPRequest, _ waiter: Waiter, _ now: Instant, _ effects: inout [AgentEffect]) {
        guard isPrimary else {
            guard case .client(let id) = waiter else { return }
            if Self.flaw == .readsFromOldCopy, request.method == "GET", let old = oldCopies.first {
                return answer(waiter, read(request, old), &effects)
            }
            var bytes: [UInt8] = []
            HTTPSerializer.append(request, to: &bytes)
            nextToken += 1
            forwarded.append((CallID(nextToken), id))
            effects.append(.call(CallID(nextToken), to: primary, .rpc, bytes, timeout: .seconds(400)))
            return
        }
        if request.method == "GET" {
            let (_, query) = Self.target(request)
            let present = read(request, entries)
            if let asked = query["index"].flatMap({ UInt64($0) }), Self.index(present) <= asked {
                let seconds = query["wait"].flatMap { Int($0.dropLast()) } ?? 300
                blocked.append(Blocked(waiter: waiter, request: request, index: asked, until: now + .seconds(seconds)))
            } else {
                answer(waiter, present, &effects)
            }
        } else {
            write(request, waiter, &effects)
        }
    }

    private func answer(_ waiter: Waiter, _ response: HTTPResponse, _ effects: inout [AgentEffect]) {
        answers += 1
        switch waiter {
        case .client(let id):
            effects.append(.respond(id, response))
            if Self.flaw == .answersTwice && answers % 50 == 0 { effects.append(.respond(id, response)) }
        case .server(let id): effects.append(.reply(id, Self.bytes(response)))
        }
    }

    private func passOn(_ id: CallID, _ response: HTTPResponse, _ effects: inout [AgentEffect]) {
        guard let at = forwarded.firstIndex(where: { $0.id == id }) else { return }
        answer(.client(forwarded.remove(at: at).request), response, &effects)
    }

    // MARK: - Reading and writing

    private func read(_ request: HTTPRequest, _ entries: SortedMap<String, Entry>) -> HTTPResponse {
        let (key, query) = Self.target(request)
        let found = entries.filter { query["recurse"] != nil ? $0.key.hasPrefix(key) : $0.key == key }
        let newest = found.map(\.value.modify).max()
        let shown = query["recurse"] != nil ? index : newest ?? index
        let headers = [("X-Consul-Index", String(shown))]
        if found.isEmpty { return HTTPResponse(status: 404, headers: headers) }
        var json = JSONWriter()
        json.beginArray()
        for (key, entry) in found {
            json.beginObject()
            json.key("LockIndex")
            json.int(0)
            json.key("Key")
            json.string(key)
            json.key("Value")
            json.base64(entry.value)
            json.key("CreateIndex")
            json.uint(entry.create)
            json.key("ModifyIndex")
            json.uint(entry.modify)
            json.endObject()
        }
        json.endArray()
        return HTTPResponse(status: 200, headers: headers, body: json.finish())
    }

    private func write(_ request: HTTPRequest, _ waiter: Waiter, _ effects: inout [AgentEffect]) {
        let (key, query) = Self.target(request)
        if let expected = query["cas"].flatMap({ UInt64($0) }), Self.flaw != .ignoresIndexes {
            let present = entries[key]?.modify ?? 0
            let isDone = request.method == "DELETE" && present == 0
            guard present == expected || isDone else { return answer(waiter, Self.literal(false), &effects) }
        }
        let record = [request.method == "DELETE" ? 1 : 0, UInt8(key.utf8.count)] + Array(key.utf8) + request.body
        apply(record)
        let framed = Self.frame(record)
        nextToken += 1
        let operations: [DiskOperation] = [
            .write(file: Self.file, offset: size, bytes: framed), .sync(file: Self.file), .syncDirectory(""),
        ]
        size += framed.count
        effects.append(.disk(DiskBatch(token: nextToken, operations: operations)))
        if Self.flaw == .acknowledgesBeforeSync {
            answer(waiter, Self.literal(true), &effects)
        } else {
            writing.append((nextToken, waiter, Self.literal(true)))
        }
        wakeBlocked(&effects)
    }

    private func synced(_ completion: DiskCompletion, _ effects: inout [AgentEffect]) {
        guard let at = writing.firstIndex(where: { $0.token == completion.token }) else { return }
        let done = writing.remove(at: at)
        guard case .success = completion.result else {
            // What is in memory is not on the disk: start again from there.
            effects.append(.exit("the disk failed"))
            return
        }
        answer(done.waiter, done.answer, &effects)
    }

    private func wakeBlocked(_ effects: inout [AgentEffect]) {
        guard Self.flaw != .losesWakeUps else { return }
        var waiting: [Blocked] = []
        for query in blocked {
            let present = read(query.request, entries)
            if Self.index(present) > query.index { answer(query.waiter, present, &effects) } else { waiting.append(query) }
        }
        blocked = waiting
    }

    private func expire(_ now: Instant, _ effects: inout [AgentEffect]) {
        for query in blocked where query.until <= now { answer(query.waiter, read(query.request, entries), &effects) }
        blocked.removeAll { $0.until <= now }
    }

    private func apply(_ record: [UInt8]) {
        index += 1
        let length = Int(record[1])
        let key = String(decoding: record[2..<2 + length], as: UTF8.self)
        if record[0] == 1 {
            entries[key] = nil
        } else {
            entries[key] = Entry(value: Array(record[(2 + length)...]), create: entries[key]?.create ?? index, modify: index)
        }
    }

    // MARK: - Bytes

    private static func frame(_ record: [UInt8]) -> [UInt8] {
        var digest = EventDigest()
        digest.mix(record)
        let sum = digest.value
        return [UInt8(record.count & 0xFF), UInt8(record.count >> 8)] + (0..<8).map { UInt8(truncatingIfNeeded: sum >> (8 * $0)) } + record
    }

    private static func record(in bytes: [UInt8], at start: Int) -> (record: [UInt8], end: Int)? {
        guard start + 10 <= bytes.count else { return nil }
        let end = start + 10 + Int(bytes[start]) + Int(bytes[start + 1]) << 8
        guard end <= bytes.count, end > start + 11 else { return nil }
        let record = Array(bytes[(start + 10)..<end])
        return frame(record) == Array(bytes[start..<end]) ? (record, end) : nil
    }

    private static func target(_ request: HTTPRequest) -> (key: String, query: SortedMap<String, String>) {
        let text = String(decoding: request.target, as: UTF8.self)
        let parts = text.split(separator: "?", maxSplits: 1)
        var query = SortedMap<String, String>()
        for item in parts.dropFirst().first?.split(separator: "&") ?? [] {
            let pair = item.split(separator: "=", maxSplits: 1)
            query[String(pair[0])] = pair.count > 1 ? String(pair[1]) : ""
        }
        return (String(parts[0].dropFirst("/v1/kv/".count)), query)
    }

    private static func literal(_ value: Bool) -> HTTPResponse { HTTPResponse(status: 200, body: Array((value ? "true" : "false").utf8)) }

    private static func index(_ response: HTTPResponse) -> UInt64 {
        response.headers.first { $0.name == "X-Consul-Index" }.flatMap { UInt64($0.value) } ?? 0
    }

    private static func bytes(_ response: HTTPResponse) -> [UInt8] {
        Array("\(response.status) \(index(response)) ".utf8) + response.body
    }

    private static func response(_ bytes: [UInt8]) -> HTTPResponse {
        let parts = bytes.split(separator: UInt8(ascii: " "), maxSplits: 2, omittingEmptySubsequences: false)
        let status = Int(String(decoding: parts[0], as: UTF8.self)) ?? 500
        let index = String(decoding: parts[1], as: UTF8.self)
        return HTTPResponse(status: status, headers: index == "0" ? [] : [("X-Consul-Index", index)], body: Array(parts[2]))
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
