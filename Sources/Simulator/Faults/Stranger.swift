import Core

/// What somebody who is no part of the cluster sends to a port of an agent.
enum StrangerMessage {
    case call(Channel, [UInt8])
    case packet(GossipPool, [UInt8])
    /// Bytes of a connection to the HTTP port.
    case request([UInt8])
    case question([UInt8], tcp: Bool)
}

/// Makes the bytes that a stranger sends: random ones, real messages that were cut or torn, and well-formed ones with integers at which
/// arithmetic goes wrong.
///
/// What it makes may be refused or answered, but asks for nothing that would change what clients rely on: a real message is never whole,
/// and a well-formed one names nobody and touches no key of the workloads. So nothing that a stranger does excuses a failed checker.
struct Stranger {
    private var random: Random
    /// Real messages: the last ones of each kind, those of gossip packets under nil.
    private var seen: [(channel: Channel?, bytes: [[UInt8]])] = []
    private static let seenMax = 8
    private static let seenSizeMax = 4_096

    private static let boundaries: [UInt64] = {
        var found: [UInt64] = [0, 1, 2, 127, 255, 256, 65_535, 1 << 53, .max, .max - 1, .max - 20]
        for bit: UInt64 in [31, 32, 62, 63] { found += [(1 << bit) - 1, 1 << bit, (1 << bit) + 1] }
        return found
    }()

    init(seed: UInt64) { random = Random(seed: seed, stream: .strangers) }

    /// Keeps a real message to be torn later.
    mutating func overheard(_ channel: Channel?, _ bytes: [UInt8]) {
        guard bytes.count <= Self.seenSizeMax else { return }
        guard let at = seen.firstIndex(where: { $0.channel == channel }) else { return seen.append((channel, [bytes])) }
        if seen[at].bytes.count < Self.seenMax {
            seen[at].bytes.append(bytes)
        } else if random.chance(0.02) {
            seen[at].bytes[random.int(in: 0...Self.seenMax - 1)] = bytes
        }
    }

    mutating func pause() -> Duration { .milliseconds(random.int(in: 1...60)) }

    mutating func place(among count: Int) -> Int { random.int(in: 0...count - 1) }

    mutating func message(gossip: Bool) -> StrangerMessage {
        let raw = random.chance(0.3)
        switch random.int(in: 0...(gossip ? 7 : 5)) {
        case 0, 1: return .call(.raft, raw ? torn(.raft) : raftMessage())
        case 2: return .call(.rpc, raw ? torn(.rpc) : rpcRequest())
        case 3: return .call(.snapshot, random.chance(0.5) ? noise() : map(["Datacenter", "Op", "AllowStale", "Token"]) + noise())
        case 4: return .request(request())
        case 5: return .question(raw ? noise() : question(), tcp: random.chance(0.5))
        case 6: return .packet(.lan, raw ? torn(nil) : packet())
        default: return .call(.lan, raw ? torn(.lan) : packet())
        }
    }

    // MARK: - Bytes

    private mutating func noise() -> [UInt8] {
        (0..<random.int(in: 0...200)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }

    /// A real message without its end, or noise in its place.
    private mutating func torn(_ channel: Channel?) -> [UInt8] {
        guard let known = seen.first(where: { $0.channel == channel })?.bytes, random.chance(0.8) else { return noise() }
        let bytes = random.pick(known)
        guard bytes.count > 1 else { return noise() }
        return Array(bytes.prefix(random.int(in: 1...bytes.count - 1)))
    }

    private func word(_ value: UInt64, _ width: Int) -> [UInt8] {
        (0..<width).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * (width - 1 - $0))) }
    }

    private func text(_ text: String) -> [UInt8] { [0xA0 | UInt8(min(31, text.utf8.count))] + text.utf8.prefix(31) }

    /// Any value of MessagePack, most of the time an integer from the edges.
    private mutating func value(_ depth: Int = 0) -> [UInt8] {
        switch random.int(in: 0...9) {
        case 0...5: return [random.chance(0.2) ? 0xD3 : 0xCF] + word(random.pick(Self.boundaries), 8)
        case 6: return text("stranger")
        case 7: return [random.pick([0xC0, 0xC2, 0xC3])]
        case 8 where depth < 3:
            let count = random.int(in: 0...3)
            return [0x90 | UInt8(count)] + (0..<count).flatMap { _ in value(depth + 1) }
        // A length that promises more than there is.
        default: return [random.pick([0xDB, 0xDD, 0xDF])] + word(random.pick(Self.boundaries), 4)
        }
    }

    private mutating func map(_ names: [String]) -> [UInt8] {
        var members: [UInt8] = []
        var count = 0
        for name in names where random.chance(0.8) {
            members += text(name) + value()
            count += 1
        }
        return [0x80 | UInt8(count)] + members
    }

    // MARK: - Messages

    /// Of each type, from nobody: no member has this name, and nobody has voted for it.
    private mutating func raftMessage() -> [UInt8] {
        let type = UInt8(random.int(in: 0...6))
        var body = map([
            "Term", "PrevLogEntry", "PrevLogTerm", "LeaderCommitIndex", "LastLogIndex", "LastLogTerm", "SnapshotVersion", "Size",
            "Configuration",
            "ConfigurationIndex", "LeadershipTransfer",
        ])
        let (name, key) = random.pick([("Leader", "stranger"), ("Candidate", "stranger"), ("Leader", "10.255.0.1:8300")])
        body[0] += 1
        return [type] + body + text(name) + text(key)
    }

    private mutating func rpcRequest() -> [UInt8] {
        let method = random.pick([
            "KVS.Get", "KVS.List", "KVS.ListKeys", "Session.Get", "Session.List", "Session.Renew", "Catalog.ListNodes",
            "Catalog.ServiceNodes",
            "Health.ServiceNodes", "Health.ChecksInState", "Coordinate.ListNodes", "Status.RaftStats", "Operator.ServerHealth",
            "Internal.NodeDump",
            "Txn.Read", "KVS.Apply", "Session.Apply", "Coordinate.Update", "No.Such",
        ])
        let header = [0x82] + text("ServiceMethod") + text(method) + text("Seq") + [0xCF] + word(random.pick(Self.boundaries), 8)
        let body = map([
            "Datacenter", "Key", "MinQueryIndex", "MaxQueryTime", "MaxStaleDuration", "AllowStale", "RequireConsistent", "Session",
            "Node", "ServiceName", "Coord", "Ops", "State",
        ])
        return header + body
    }

    private mutating func packet() -> [UInt8] {
        let type = UInt8(random.int(in: 0...13))
        // Serf's messages are in those of memberlist for its user.
        let inner = type == 8 ? [UInt8(random.int(in: 0...11))] : []
        return [type] + inner
            + map([
                "SeqNo", "Incarnation", "LTime", "StatusLTime", "EventLTime", "QueryLTime", "Port", "Nack", "Target", "Timeout", "ID",
                "Flags",
                "RelayFactor", "Payload",
            ])
    }

    private mutating func request() -> [UInt8] {
        let number = String(random.pick(Self.boundaries))
        let path = random.pick([
            "/v1/kv/stranger?index=\(number)&wait=\(number)s", "/v1/kv/stranger?flags=\(number)", "/v1/kv/stranger?cas=\(number)",
            "/v1/health/service/x?near=_agent&index=\(number)", "/v1/catalog/nodes?max-age=\(number)", "/v1/txn", "/v1/session/create",
            "/v1/catalog/register", "/v1/coordinate/update", "/v1/snapshot", "/v1/agent/check/register", "/v1/agent/service/register",
            "/v1/%zz", "/v1/event/fire/stranger", "/v1/agent/metrics?format=prometheus",
        ])
        let body = random.pick([
            "", "{", "[\(number)]", "{\"TTL\": \(number)}", "{\"KV\": [\(number)]}", "{\"Check\": {\"Interval\": -\(number)}}",
            "\u{1F}\u{8B}",
        ])
        let method = random.pick(["GET", "PUT", "DELETE", "POST", "HEAD", "G\u{0}T"])
        let length = random.chance(0.9) ? String(body.utf8.count) : number
        let text = "\(method) \(path) HTTP/1.\(random.int(in: 0...2))\r\nHost: x\r\nContent-Length: \(length)\r\n\r\n\(body)"
        let bytes = Array(text.utf8)
        return random.chance(0.2) ? Array(bytes.prefix(random.int(in: 0...bytes.count - 1))) : bytes
    }

    private mutating func question() -> [UInt8] {
        var bytes = word(random.next(), 2) + [UInt8(random.pick([1, 0, 0x81])), 0]
        for _ in 0..<4 { bytes += [0, UInt8(random.pick([0, 1, 1, 2, 255]))] }
        let labels: [String] = random.pick([
            ["s1", "node", "consul"], ["x", "service", "consul"], ["1", "0", "0", "10", "in-addr", "arpa"], [],
        ])
        for label in labels { bytes += [UInt8(label.utf8.count)] + label.utf8 }
        bytes += random.chance(0.2) ? [0xC0, UInt8(random.int(in: 0...40))] : [0]
        bytes += [0, UInt8(random.pick([1, 28, 33, 255, 12, 41])), 0, 1]
        return bytes + (random.chance(0.3) ? noise() : [])
    }
}
