@testable import Core

// Bytes that are read without an agent around the reader: from disks, archives, files and bodies.

/// A server starts on a log whose last entries are the input's, each with its checksum right: a kind and its data.
struct LogTarget: Target {
    private let template: TestDisk
    private let file: String
    /// The segment up to its end, and what the next record follows.
    private let segment: [UInt8]
    private let last: (index: UInt64, term: UInt64, salt: UInt32)
    private let settings: AgentSettings
    private let now: Instant
    static var seeds: [[UInt8]] {
        CommandTarget.seeds.map { [0] + $0 } + [[5, 0x81, 0xA7] + "Servers".utf8 + [0x90], [1], [4], [2, 0x91, 0xA1, 0x78]]
    }

    init() {
        guard let cluster = try? AgentCluster(gossips: true), cluster.serves(0) else { fatalError("no server") }
        template = cluster.members[0].disk
        settings = cluster.members[0].settings
        now = cluster.now
        guard let names = try? template.list(SegmentFormat.folder), let name = names.last, let size = try? template.size(name),
            let bytes = try? template.read(name, offset: 0, count: size)
        else { fatalError("no log") }
        file = name
        var end = SegmentFormat.headerSize
        var found: SegmentFormat.Record?
        while let record = SegmentFormat.record(bytes.span.bytes, at: end) {
            found = record
            end = record.end
        }
        guard let found else { fatalError("no entries") }
        last = (found.index, found.term, found.salt)
        segment = Array(bytes[..<end])
    }

    mutating func run(_ input: [UInt8]) {
        var bytes = segment
        for (number, message) in messages(input, most: 16).enumerated() {
            guard let first = message.first, let kind = LogKind(rawValue: first & 7) else { continue }
            // What is longer than its first byte says are extensions.
            let extensions = first & 0x80 == 0 ? 0 : min(message.count - 1, Int(first >> 3 & 15))
            let entry = LogEntry(
                index: last.index + 1 + UInt64(number), term: last.term, kind: kind, data: Array(message[(1 + extensions)...]),
                extensions: Array(message[1..<(1 + extensions)]))
            SegmentFormat.append(entry, salt: last.salt, synced: 0, to: &bytes)
        }
        start(on: template.copy(with: [file: bytes]), settings, now, mustServe: false)
    }
}

/// A server starts, or refuses to start, on a disk of which some bytes are others: file, offset, and what it is combined with.
struct DiskTarget: Target {
    private let template: TestDisk
    private let names: [String]
    private let settings: AgentSettings
    private let now: Instant
    static var seeds: [[UInt8]] { (UInt8(0)..<24).map { [$0, 0, $0 &* 3, 1] } }

    init() {
        guard let cluster = try? AgentCluster(gossips: true), cluster.serves(0) else { fatalError("no server") }
        _ = cluster.ask(0, "PUT /v1/agent/service/register", body: "{\"Name\":\"web\",\"Check\":{\"TTL\":\"1m\"}}", within: .seconds(5))
        if let archive = cluster.ask(0, "GET /v1/snapshot", within: .seconds(5)) {
            let request = HTTPRequest(
                method: "PUT", target: Array("/v1/snapshot".utf8), body: archive.body, contentLength: archive.body.count)
            _ = cluster.ask(0, request, within: .seconds(5))
        }
        check(cluster.serves(0), "the server does not serve")
        template = cluster.members[0].disk
        names = (try? template.list("")) ?? []
        settings = cluster.members[0].settings
        now = cluster.now
    }

    mutating func run(_ input: [UInt8]) {
        var changed: [String: [UInt8]] = [:]
        for at in stride(from: 0, to: input.count - 3, by: 4) {
            let name = names[Int(input[at]) % names.count]
            guard var bytes = changed[name] ?? (try? template.read(name, offset: 0, count: 1 << 20)), !bytes.isEmpty else { continue }
            let offset = (Int(input[at + 1]) << 8 | Int(input[at + 2])) % bytes.count
            if input[at + 3] == 0 { bytes.removeLast(bytes.count - offset) } else { bytes[offset] ^= input[at + 3] }
            changed[name] = bytes
        }
        start(on: template.copy(with: changed), settings, now, mustServe: false)
    }
}

/// Starts a lone server on the disk and lets time pass. It may refuse to start, with a reason.
private func start(on disk: TestDisk, _ settings: AgentSettings, _ began: Instant, mustServe: Bool) {
    guard let agent = try? Agent(settings: settings, disk: disk, archives: PlainArchives(), seed: 9, at: began, md5Hex: { _ in "x" }) else {
        return
    }
    var now = began
    var events: [AgentEvent] = [.wake]
    let end = began + .seconds(5)
    while true {
        var effects: [AgentEffect] = []
        for event in events { agent.handle(event, at: now, into: &effects) }
        agent.flush(at: now, into: &effects)
        events = []
        for effect in effects {
            if case .disk(let batch) = effect { events.append(.disk(disk.perform(batch))) }
            if case .exit = effect { return }
        }
        if events.isEmpty {
            guard let deadline = agent.deadline, deadline <= end else { return }
            now = max(now, deadline)
            events = [.wake]
        }
    }
}

extension TestDisk {
    /// A disk with the same files, some of them with other contents.
    func copy(with changed: [String: [UInt8]]) -> TestDisk {
        let disk = TestDisk()
        for name in (try? list("")) ?? [] {
            let bytes = changed[name] ?? (try? read(name, offset: 0, count: 1 << 30)) ?? []
            _ = try? disk.apply(.write(file: name, offset: 0, bytes: bytes))
        }
        try? disk.perform([])
        return disk
    }
}

/// The state in a snapshot.
struct StateTarget: Target {
    static var seeds: [[UInt8]] {
        var store = Store()
        var changes = ChangeSet()
        for (number, command) in CommandTarget.seeds.enumerated() { _ = store.apply(command, index: UInt64(number + 1), changes: &changes) }
        var encoder = SnapshotEncoder(store)
        var bytes: [UInt8] = []
        while let piece = encoder.next(maxBytes: 1 << 16) { bytes += piece }
        return [bytes]
    }

    mutating func run(_ input: [UInt8]) {
        var decoder = SnapshotDecoder()
        let half = input.count / 2
        guard (try? decoder.feed(input[..<half])) != nil, (try? decoder.feed(input[half...])) != nil, let store = try? decoder.finish()
        else { return }
        var encoder = SnapshotEncoder(store)
        while encoder.next(maxBytes: 1 << 16) != nil {}
        _ = store.digest
    }
}

/// Commands of the log, applied to a state one after the other.
struct CommandTarget: Target {
    private var store = Store()
    private var index: UInt64 = 1
    var isFresh: Bool { index == 1 }
    static var seeds: [[UInt8]] {
        let texts: [(UInt8, [UInt8])] = [
            (0, map([("Node", text("n")), ("Address", text("1.2.3.4"))])),
            (
                2,
                map([
                    ("Op", text("set")),
                    ("DirEnt", map([("Key", text("a")), ("Value", text("b")), ("Flags", [0xCF] + [UInt8](repeating: 255, count: 8))])),
                ])
            ),
            (
                3,
                map([
                    ("Op", text("create")), ("Session", map([("ID", text("11111111-2222-3333-4444-555555555555")), ("Node", text("n"))])),
                ])
            ),
            (5, map([("Op", text("reap")), ("ReapIndex", [9])])), (1, map([("Node", text("n"))])),
            (6, [0x91] + map([("Node", text("n")), ("Coord", map([("Vec", [0x91, 0xCB, 0, 0, 0, 0, 0, 0, 0, 0])]))])),
            (8, map([("Ops", [0x91] + map([("KV", map([("Verb", text("set")), ("DirEnt", map([("Key", text("k"))]))]))]))])),
        ]
        return texts.map { [$0.0] + $0.1 }
    }

    private static func text(_ text: String) -> [UInt8] { [0xA0 | UInt8(min(31, text.utf8.count))] + text.utf8.prefix(31) }
    private static func map(_ members: [(String, [UInt8])]) -> [UInt8] {
        [0x80 | UInt8(members.count)] + members.flatMap { text($0.0) + $0.1 }
    }

    mutating func run(_ input: [UInt8]) {
        for message in messages(input) where !message.isEmpty {
            var changes = ChangeSet()
            _ = store.apply(message, index: index, changes: &changes)
            index += 1
        }
        if index > 2_000 {
            _ = store.digest
            store = Store()
            index = 1
        }
    }
}

/// MessagePack: what the scanner takes for a whole value the reader passes over to the same end.
struct MessagePackTarget: Target {
    static var seeds: [[UInt8]] {
        [
            [0x82, 0xA1, 0x61, 0xCF, 255, 255, 255, 255, 255, 255, 255, 255, 0xA1, 0x62, 0x92, 0xC0, 0xD9, 1, 0x78],
            [0xDD, 0, 0, 0, 1, 0xC4, 1, 9],
        ]
    }

    mutating func run(_ input: [UInt8]) {
        var scanner = MessagePackScanner()
        var end = 0
        let whole = try? scanner.scan(input.span, &end, sizeMax: 1 << 20)
        var reader = MessagePackReader(input)
        let passed = (try? reader.skip()) != nil
        check(whole != true || !passed || end <= input.count, "the scanner ends behind the input")
        for read: (inout MessagePackReader) throws -> Void in [
            { _ = try $0.int64() }, { _ = try $0.uint64() }, { _ = try $0.double() }, { _ = try $0.string() }, { _ = try $0.time() },
            { _ = try $0.strings() }, { _ = try $0.stringMap() }, { _ = try $0.duration() }, { _ = try $0.bytes() }, { _ = try $0.bool() },
        ] {
            var reader = MessagePackReader(input)
            try? read(&reader)
        }
    }
}

/// JSON: what is parsed is written, and that parsed again is the same.
struct JSONTarget: Target {
    static var seeds: [[UInt8]] {
        [
            "{\"a\": [1, -2.5e3, true, null, \"\\ud83d\\ude00\\n\"]}", "18446744073709551615",
            "[1e400, 9223372036854775808, -9223372036854775809]",
        ].map { Array($0.utf8) }
    }

    mutating func run(_ input: [UInt8]) {
        _ = try? JSON.parse(input)
        _ = try? JSON.parseDocument(input)
        _ = try? JSON.parsePrefix(input)
    }
}

struct HCLTarget: Target {
    static var seeds: [[UInt8]] {
        [
            "a = 1\nb { c = [\"x\", 0x1F, 1.5e3] }", "service \"web\" { port = 80 }\n# c\n/* d */ x = <<EOF\nhello\nEOF\n",
            "a = \"${b(\"c\")}\\u00e9\"",
        ].map { Array($0.utf8) }
    }

    mutating func run(_ input: [UInt8]) { _ = try? HCL.parse(input) }
}

/// A configuration file, HCL or JSON, up to the agent's configuration, templates of addresses included.
struct ConfigTarget: Target {
    static var seeds: [[UInt8]] {
        [
            "\"data_dir\" = \"/d\" bind_addr = \"127.0.0.1\" server = true bootstrap_expect = 3 retry_join = [\"10.0.0.1:8301\"]",
            "data_dir = \"/d\" bind_addr = \"{{ GetPrivateIP }}\" advertise_addr = \"{{ GetInterfaceIP \\\"eth0\\\" }}\" ports { http = 8500 dns = -1 }",
            "{\"data_dir\": \"/d\", \"bind_addr\": \"127.0.0.1\", \"services\": [{\"name\": \"web\", \"port\": 80, \"check\": {\"ttl\": \"10s\"}}]}",
            "data_dir = \"/d\" bind_addr = \"127.0.0.1\" dns_config { soa { min_ttl = 9 } service_ttl { \"*\" = \"5s\" } } performance { raft_multiplier = 3 } limits { rpc_rate = 5 }",
            "data_dir = \"/d\" bind_addr = \"127.0.0.1\" gossip_lan { gossip_interval = \"1s\" } autopilot { max_trailing_logs = 250 } telemetry { prefix_filter = [\"+a\"] }",
        ].map { Array($0.utf8) }
    }

    mutating func run(_ input: [UInt8]) {
        let environment = ConfigEnvironment(
            hostName: "host1",
            interfaces: [
                InterfaceAddress(interface: "lo", address: "127.0.0.1", prefixLength: 8, isLoopback: true),
                InterfaceAddress(interface: "eth0", address: "10.1.2.3", prefixLength: 24, isDefault: true),
                InterfaceAddress(interface: "eth0", address: "2001:470::5", prefixLength: 64, isDefault: true),
            ], fileStatus: { _ in .directory })
        let isJSON = input.first == 0x7B
        let source = ConfigSource(name: isJSON ? "0.json" : "0.hcl", format: isJSON ? .json : .hcl, text: input)
        _ = try? ConfigBuilder.build(files: [source], environment: environment)
    }
}

struct FilterTarget: Target {
    static var seeds: [[UInt8]] {
        [
            "Node == \"a\" and not Meta.rack contains `b`", "(Meta[\"x\"] is empty or ID != x) and Address matches \"a.*\"",
            "\"a\" in TaggedAddresses",
        ].map { Array($0.utf8) }
    }

    mutating func run(_ input: [UInt8]) {
        let text = String(decoding: input, as: UTF8.self)
        if let filter = try? Filter.compile(text, Node.filterSchema) { _ = filter.matches(Node()) }
        if let filter = try? Filter.compile(text, NodeService.filterSchema) { _ = filter.matches(NodeService()) }
    }
}

struct RegexTarget: Target {
    static var seeds: [[UInt8]] { ["a(b|c)*d{2,5}[^x-z]\\pL", "(?i)^[[:alpha:]]+$\\b", "(?P<n>a.)\\x{41}\\Qx\\E"].map { Array($0.utf8) } }

    mutating func run(_ input: [UInt8]) {
        // Counted repetitions nest: what they multiply to is bounded, and takes its time.
        guard input.count < 256, let expression = try? RegularExpression(String(decoding: input, as: UTF8.self)) else { return }
        _ = expression.matches("aab\né1")
    }
}

/// LZW: what is compressed comes back, and what is not is refused.
struct LZWTarget: Target {
    static var seeds: [[UInt8]] { ["aaaaaaaaaaaaaaaabababab", "hello world"].compactMap { LZW.compress(Array($0.utf8)) } }

    mutating func run(_ input: [UInt8]) {
        _ = try? LZW.decompress(input[...], limit: 1 << 20)
        if let packed = LZW.compress(input), let back = try? LZW.decompress(packed[...], limit: input.count + 1) {
            check(back == input, "LZW gives something else back")
        } else {
            check(false, "LZW does not read what it wrote")
        }
    }
}

/// Answers of HTTP that a check or a command gets.
struct ResponseTarget: Target {
    static var seeds: [[UInt8]] {
        [
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhi\r\n0\r\nA: b\r\n\r\n", "HTTP/1.0 404 Not Found\r\n\r\nx",
        ].map { Array($0.utf8) }
    }

    mutating func run(_ input: [UInt8]) {
        for piece in [input.count, 1] where input.count < 2_000 {
            var parser = HTTPResponseParser(bodyLimit: 4_096)
            parser.expect(method: "GET")
            var start = 0
            feeding: while start < input.count {
                let end = min(input.count, start + piece)
                let part = Array(input[start..<end])
                var at = 0
                while at < part.count {
                    let before = at
                    if case .failed = parser.parse(part, at: &at) { break feeding }
                    if at == before { break }
                }
                start = end
            }
            _ = parser.end()
        }
    }
}
