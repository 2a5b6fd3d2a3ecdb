import Core

@testable import Simulator

/// The state of the toys: keys with values and indexes, and how HTTP requests read and write it.
struct ToyStore {
    struct Entry: Equatable {
        var value: [UInt8]
        var create: UInt64
        var modify: UInt64
    }

    private(set) var entries = SortedMap<String, Entry>()
    private(set) var index: UInt64 = 1

    /// What a write request does, as bytes for a log: key, kind, expected index, value.
    static func record(_ request: HTTPRequest) -> [UInt8] {
        let (key, query) = target(request)
        let expected = query["cas"].flatMap { UInt64($0) }
        let kind: UInt8 = (request.method == "DELETE" ? 1 : 0) | (expected != nil ? 2 : 0)
        return [kind, UInt8(key.utf8.count)] + (0..<8).map { UInt8(truncatingIfNeeded: (expected ?? 0) >> (8 * $0)) } + Array(key.utf8)
            + request.body
    }

    /// Applies a record at `index`; whether it did what was asked for.
    mutating func apply(_ record: [UInt8], at index: UInt64, ignoringIndexes: Bool = false) -> Bool {
        self.index = index
        let end = 10 + Int(record[1])
        let key = String(decoding: record[10..<end], as: UTF8.self)
        let isDelete = record[0] & 1 != 0
        if record[0] & 2 != 0, !ignoringIndexes {
            let expected = (0..<8).reduce(0) { $0 | UInt64(record[2 + $1]) << (8 * UInt64($1)) }
            let present = entries[key]?.modify ?? 0
            guard present == expected || (isDelete && present == 0) else { return false }
        }
        entries[key] = isDelete ? nil : Entry(value: Array(record[end...]), create: entries[key]?.create ?? index, modify: index)
        return true
    }

    func read(_ request: HTTPRequest) -> HTTPResponse {
        let (key, query) = Self.target(request)
        let isRecursive = query["recurse"] != nil
        let found = entries.filter { isRecursive ? $0.key.hasPrefix(key) : $0.key == key }
        let shown = isRecursive ? index : found.first?.value.modify ?? index
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

    static func target(_ request: HTTPRequest) -> (key: String, query: SortedMap<String, String>) {
        let text = String(decoding: request.target, as: UTF8.self)
        let parts = text.split(separator: "?", maxSplits: 1)
        var query = SortedMap<String, String>()
        for item in parts.dropFirst().first?.split(separator: "&") ?? [] {
            let pair = item.split(separator: "=", maxSplits: 1)
            query[String(pair[0])] = pair.count > 1 ? String(pair[1]) : ""
        }
        return (String(parts[0].dropFirst("/v1/kv/".count)), query)
    }

    // MARK: - Snapshots

    var encoded: [UInt8] {
        var out: [UInt8] = []
        func number(_ value: UInt64) { out += (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
        number(index)
        for (key, entry) in entries {
            number(UInt64(key.utf8.count))
            out += Array(key.utf8)
            number(UInt64(entry.value.count))
            out += entry.value
            number(entry.create)
            number(entry.modify)
        }
        return out
    }

    init() {}

    init(encoded bytes: [UInt8]) {
        var at = 0
        func number() -> UInt64 {
            defer { at += 8 }
            return (0..<8).reduce(0) { $0 | UInt64(bytes[at + $1]) << (8 * UInt64($1)) }
        }
        func string() -> [UInt8] {
            let count = Int(number())
            defer { at += count }
            return Array(bytes[at..<at + count])
        }
        index = number()
        while at < bytes.count {
            let key = String(decoding: string(), as: UTF8.self)
            entries[key] = Entry(value: string(), create: number(), modify: number())
        }
    }
}

/// How the toys put answers into calls between servers.
enum ToyAnswer {
    static func literal(_ value: Bool) -> HTTPResponse { HTTPResponse(status: 200, body: Array((value ? "true" : "false").utf8)) }

    static func index(_ response: HTTPResponse) -> UInt64 {
        response.headers.first { $0.name == "X-Consul-Index" }.flatMap { UInt64($0.value) } ?? 0
    }

    static func bytes(_ response: HTTPResponse) -> [UInt8] {
        Array("\(response.status) \(index(response)) ".utf8) + response.body
    }

    static func response(_ bytes: [UInt8]) -> HTTPResponse {
        let parts = bytes.split(separator: UInt8(ascii: " "), maxSplits: 2, omittingEmptySubsequences: false)
        let status = Int(String(decoding: parts[0], as: UTF8.self)) ?? 500
        let index = String(decoding: parts[1], as: UTF8.self)
        return HTTPResponse(status: status, headers: index == "0" ? [] : [("X-Consul-Index", index)], body: Array(parts[2]))
    }

    static func request(_ bytes: [UInt8]) -> HTTPRequest? {
        var parser = HTTPParser(remoteAddress: "", bodyLimit: 1 << 20)
        var at = 0
        if case .request(let request, _) = parser.parse(bytes, at: &at) { return request }
        return nil
    }

    static func bytes(_ request: HTTPRequest) -> [UInt8] {
        var bytes: [UInt8] = []
        HTTPSerializer.append(request, to: &bytes)
        return bytes
    }
}

/// The toys answer nothing outside their core loop.
struct ToyFrontEnd: RequestFrontEnd {
    mutating func answer(
        _ request: borrowing HTTPRequest, framing: HTTPFraming, state: PublishedState, now: Instant, date: [UInt8], into out: inout [UInt8]
    ) -> RequestAnswer { .handOver }
    mutating func answer(question: [UInt8], tcp: Bool, remote: String, state: PublishedState, now: Instant) -> QuestionAnswer { .drop }
}

/// Who waits for an answer of a toy.
enum ToyWaiter {
    case client(RequestID)
    case server(CallID)
}
