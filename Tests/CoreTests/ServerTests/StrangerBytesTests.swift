import Testing

@testable import Core

/// MessagePack with one value exchanged for another that no client sends.
struct MessagePackMutation {
    /// Where a header stands, and the bytes of it: an integer whole, of texts, lists and maps the length only.
    private struct Place {
        var range: Range<Int>
        var isInteger: Bool
        var replacements: [[UInt8]]
    }

    private let bytes: [UInt8]
    private var places: [Place] = []

    static let integers: [UInt64] = [
        0, 1, 2, 0x7F, 0x80, 0xFFFF, 0x10000, 0x7FFF_FFFE, 0x7FFF_FFFF, 0x8000_0000, 0x8000_0001, 0xFFFF_FFFF, 0x1_0000_0000, 1 << 53,
        (1 << 63) - 1, 1 << 63, (1 << 63) + 1, .max - 1, .max,
    ]
    static let negatives: [Int64] = [-1, -2, -129, Int64(Int32.min), Int64(Int32.min) - 1, .min + 1, .min]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        var at = 0
        while at < bytes.count, let next = place(at) { at = next }
    }

    private static func big(_ value: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).reversed().map { UInt8(value >> (8 * UInt64($0)) & 0xFF) }
    }

    private mutating func integer(_ at: Int, _ length: Int) -> Int {
        let wide = Self.integers.map { [0xCF] + Self.big($0, 8) } + Self.negatives.map { [0xD3] + Self.big(UInt64(bitPattern: $0), 8) }
        places.append(
            Place(range: at..<at + length, isInteger: true, replacements: wide + [[0xC0], [0xC3], [0xCB, 0x7F, 0xF8, 0, 0, 0, 0, 0, 0]]))
        return at + length
    }

    /// A length of `count`, whose content (if it is a text) follows.
    private mutating func length(_ at: Int, header: Int, _ wide: UInt8, content: Int) -> Int {
        let counts: [UInt64] = [0, 1, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF]
        places.append(Place(range: at..<at + header, isInteger: false, replacements: counts.map { [wide] + Self.big($0, 4) }))
        return at + header + content
    }

    private func number(_ at: Int, _ count: Int) -> Int {
        (0..<count).reduce(0) { at + $1 < bytes.count ? $0 << 8 | Int(bytes[at + $1]) : $0 }
    }

    private mutating func place(_ at: Int) -> Int? {
        switch bytes[at] {
        case 0x00...0x7F, 0xE0...0xFF: integer(at, 1)
        case 0xCC, 0xD0: integer(at, min(2, bytes.count - at))
        case 0xCD, 0xD1: integer(at, min(3, bytes.count - at))
        case 0xCE, 0xD2: integer(at, min(5, bytes.count - at))
        case 0xCF, 0xD3: integer(at, min(9, bytes.count - at))
        case 0x80...0x8F: length(at, header: 1, 0xDF, content: 0)
        case 0x90...0x9F: length(at, header: 1, 0xDD, content: 0)
        case 0xA0...0xBF: length(at, header: 1, 0xDB, content: Int(bytes[at] & 31))
        case 0xC4, 0xD9: length(at, header: 2, 0xDB, content: number(at + 1, 1))
        case 0xC5, 0xDA: length(at, header: 3, 0xDB, content: number(at + 1, 2))
        case 0xDC: length(at, header: 3, 0xDD, content: 0)
        case 0xDE: length(at, header: 3, 0xDF, content: 0)
        case 0xCA: at + 5
        case 0xCB: at + 9
        case 0xC0, 0xC2, 0xC3: at + 1
        default: nil
        }
    }

    /// Every header exchanged for every replacement, one at a time; then every prefix.
    func forEach(_ body: ([UInt8]) throws -> Void) rethrows {
        for place in places where place.range.upperBound <= bytes.count {
            for replacement in place.replacements {
                try body(bytes[..<place.range.lowerBound] + replacement + bytes[place.range.upperBound...])
            }
        }
        for end in 0..<bytes.count { try body(Array(bytes[..<end])) }
    }
}

/// A server refuses or carries out whatever others send, and goes on.
@Suite struct StrangerBytesTests {
    private func single() throws -> ServerCluster {
        let cluster = ServerCluster()
        try cluster.start(cluster.settings("s1", bootstrap: true))
        cluster.run(upTo: .seconds(30)) { cluster.leader != nil }
        return cluster
    }

    /// Everything that can be read of a state is read, and the state goes through a snapshot.
    private func readAll(_ store: Store) throws {
        var options = QueryOptions()
        options.sourceNode = "n1"
        let queries: [ReadQuery] = [
            .catalog(.nodes), .catalog(.services), .catalog(.serviceNodes(service: "web", tags: [], connect: false)),
            .health(.checksInState(state: "any")), .coordinate(.nodes), .session(.list),
            .health(.serviceNodes(service: "web", tags: [], connect: false, ingress: false)), .kv(.list(prefix: "")),
            .internal(.nodeDump(node: nil)), .internal(.serviceDump(kind: nil)), .operator(.autopilotConfiguration),
        ]
        for query in queries {
            guard case .success((let result, let index)) = store.evaluate(query, options: options) else { continue }
            var meta = QueryMeta()
            meta.index = index
            let reply = query.encodeReply(result, meta)
            _ = try query.decodeReply(reply[...])
        }
        var encoder = SnapshotEncoder(store), decoder = SnapshotDecoder()
        while let bytes = encoder.next(maxBytes: 1 << 20) { try decoder.feed(bytes) }
        #expect(try decoder.finish().digest == store.digest)
    }

    @Test func `a command of the log with any value in any place is applied or refused, and what it leaves can be read`() throws {
        var base = StateKeeper(Store(), of: nil), changes = ChangeSet()
        let commands = try StoreCodecTests.vectors().log_commands.filter { $0.log_type == 0 }.compactMap { $0.data_hex.map(hex) }
        for command in commands {
            _ = base.apply(LogEntry(index: base.applied.index + 1, term: 1, data: command), changes: &changes)
        }
        try readAll(base.store)
        var seen = LookupSet<ByteString>(), tried = 0
        for command in commands where seen.insert(ByteString(command.prefix(24))) {
            var keeper = base
            try MessagePackMutation(Array(command.dropFirst())).forEach { body in
                tried += 1
                _ = keeper.apply(LogEntry(index: keeper.applied.index + 1, term: 1, data: [command[0]] + body), changes: &changes)
                changes.removeAll()
                if tried % 64 == 0 { try readAll(keeper.store) }
            }
            try readAll(keeper.store)
        }
        #expect(tried > 5_000)
    }

    @Test func `a snapshot with any value in any place is refused or installed, and what it leaves can be read and changed`() throws {
        var keeper = StateKeeper(Store(), of: nil), changes = ChangeSet()
        var node = RegisterRequest()
        (node.node, node.address, node.id) = ("n", "10.0.0.9", "adf4238a-882b-9ddc-4a9d-5b6758e4159e")
        var service = NodeService()
        (service.service, service.id, service.port) = ("web", "web", 80)
        node.service = service
        var session = SessionRequest()
        (session.op, session.session.id, session.session.node, session.session.behavior) = (
            .create, "8b6dda82-3103-11e7-93ae-92361f002671", "n", "release"
        )
        var kv = KVSRequest(), gone = KVSRequest(), deletion = KVSRequest()
        (kv.op, kv.dirEnt) = (.set, DirEntry(key: "a"))
        (gone.op, gone.dirEnt) = (.set, DirEntry(key: "b"))
        (deletion.op, deletion.dirEnt) = (.delete, DirEntry(key: "b"))
        let requests: [WriteRequest] = [
            .register(node), .session(session), .kv(kv), .kv(gone), .kv(deletion), .autopilot(AutopilotRequest()),
            .coordinates([NodeCoordinate(node: "n", coordinate: .origin)]),
        ]
        func apply(_ request: WriteRequest, to keeper: inout StateKeeper) {
            _ = keeper.apply(LogEntry(index: keeper.applied.index + 1, term: 1, data: request.logCommand), changes: &changes)
            changes.removeAll()
        }
        for request in requests { apply(request, to: &keeper) }
        var encoder = SnapshotEncoder(keeper.store), snapshot: [UInt8] = []
        while let bytes = encoder.next(maxBytes: 1 << 20) { snapshot += bytes }
        var tried = 0, installed = 0
        try MessagePackMutation(snapshot).forEach { bytes in
            tried += 1
            if tried % 3 != 0 { return }
            var decoder = SnapshotDecoder()
            guard let _ = try? decoder.feed(bytes), let store = try? decoder.finish() else { return }
            installed += 1
            var other = StateKeeper(store, of: nil)
            try readAll(other.store)
            for request in requests { apply(request, to: &other) }
            try readAll(other.store)
        }
        #expect(tried > 1_000 && installed > 100)
    }

    @Test func `a leader that appends commands that do not decode gets them applied as errors`() throws {
        var keeper = StateKeeper(Store(), of: nil), changes = ChangeSet()
        var random = Random(seed: 4711)
        for _ in 0..<20_000 {
            let count = Int(random.next() % 40)
            let data = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next() >> 13) }
            let extensions =
                random.next() % 4 == 0 ? (0..<Int(random.next() % 20)).map { _ in UInt8(truncatingIfNeeded: random.next() >> 7) } : []
            _ = keeper.apply(
                LogEntry(index: keeper.applied.index + 1, term: 1 + random.next() % 2, data: data, extensions: extensions),
                changes: &changes)
        }
        try readAll(keeper.store)
    }

    @Test func `a call with any value in any place is answered, and the server serves on`() throws {
        let cluster = try single(), server = cluster.server("s1")
        var number: UInt64 = 1 << 50
        var tried = 0
        func call(_ channel: Channel, _ bytes: [UInt8]) {
            number += 1
            tried += 1
            server.called(CallID(incoming: number), from: "10.0.0.7:4711", channel, bytes, at: cluster.now)
            if tried % 32 == 0 { cluster.run(for: .milliseconds(5)) }
        }
        var seen = LookupSet<String>()
        for sample in try StoreCodecTests.vectors().rpc where seen.insert(sample.method) {
            let body = hex(sample.request_body_hex)
            MessagePackMutation(body).forEach { call(.rpc, RPCRequest.encode(sequence: .max, method: sample.method, body: $0)) }
        }
        let request = RPCRequest.encode(sequence: 7, method: "Status.Ping", body: [0x80])
        MessagePackMutation(request).forEach { call(.rpc, $0) }
        var snapshot = MessagePackWriter(reservingCapacity: 64), restore = SnapshotRequest()
        (restore.operation, restore.datacenter) = (SnapshotRequest.restore, "dc1")
        restore.encode(into: &snapshot)
        MessagePackMutation(snapshot.bytes).forEach { call(.snapshot, $0) }
        cluster.run(for: .seconds(90))
        #expect(tried > 2_000 && cluster.put("after", at: "s1"))
        try readAll(server.store)
    }

    @Test func `a coordinate with any value in any place is refused or written, and the server serves on`() throws {
        let cluster = try single(), server = cluster.server("s1")
        let values = [0, -0.0, 1e308, -1e308, .infinity, -.infinity, .nan, .leastNonzeroMagnitude]
        for value in values {
            for place in 0..<4 {
                var coordinate = Coordinate.origin
                switch place {
                case 0: coordinate.vec[3] = value
                case 1: coordinate.error = value
                case 2: coordinate.adjustment = value
                default: coordinate.height = value
                }
                for name in ["s1", "n", ""] {
                    let body = ServerOperation.updateCoordinate(NodeCoordinate(node: name, coordinate: coordinate)).encodeRequest(options)
                    _ = try cluster.call("Coordinate.Update", body, at: "s1")
                }
            }
        }
        cluster.run(for: .seconds(10))
        // A command of the log comes from another server, which may have checked nothing.
        var request = RegisterRequest()
        (request.node, request.address) = ("n", "10.0.0.9")
        var keeper = StateKeeper(server.store, of: nil), changes = ChangeSet()
        _ = keeper.apply(LogEntry(index: 1, term: 1, data: WriteRequest.register(request).logCommand), changes: &changes)
        for vec in [[], [Double.nan], Array(repeating: 1e308, count: 8), Array(repeating: -1e308, count: 9)] {
            let updates = ["n", "s1"].map { name in
                NodeCoordinate(node: name, coordinate: Coordinate(vec: vec, error: .nan, adjustment: .infinity, height: -1))
            }
            _ = keeper.apply(
                LogEntry(index: keeper.applied.index + 1, term: 1, data: WriteRequest.coordinates(CoordinateBatch(updates)).logCommand),
                changes: &changes)
            try readAll(keeper.store)
        }
        #expect(cluster.put("after", at: "s1"))
    }

    private var options: QueryOptions {
        var options = QueryOptions()
        options.datacenter = "dc1"
        return options
    }

    @Test func `whatever the tags of a member say, the leader goes on`() throws {
        let numbers = [
            "", "-1", "0", "1", "65535", "65536", "2147483648", "9223372036854775807", "-9223372036854775808", "18446744073709551615", "x",
        ]
        let texts =
            numbers + ["\u{1B}[2J", "é", String(repeating: "a", count: 600), ServerCluster.id("s1"), "1.8.6:x", "99999999999999999999.1.1"]
        for tag in [
            "port", "vsn", "expect", "wan_join_port", "id", "build", "dc", "segment", "role", "ft_x", "sl_x", "nonvoter", "bootstrap",
            "acls",
        ] {
            let cluster = try single()
            for (at, text) in texts.enumerated() {
                var member = cluster.member(cluster.settings("s9"))
                member.name = "h\(at)"
                member.tags["id"] = ServerCluster.id(member.name)
                member.tags[tag] = text
                for address: [UInt8] in at == 0 ? [[], [1, 2, 3], Array(repeating: 255, count: 16)] : [[10, 0, 0, 9]] {
                    member.address = address
                    for (kind, status) in [
                        (MemberEventKind.joined, MemberStatus.alive), (.updated, .alive), (.failed, .failed), (.joined, .alive),
                        (.left, .left),
                        (.reaped, .left),
                    ] {
                        member.status = status
                        cluster.change(kind, member)
                        cluster.run(for: .milliseconds(20))
                    }
                }
            }
            cluster.run(for: .seconds(70))
            #expect(cluster.put("after", at: "s1"), "tag \(tag)")
            try readAll(cluster.server("s1").store)
        }
    }

    @Test func `members with the name of the leader, its id, its address or none of them take nothing from it`() throws {
        let cluster = try single()
        let own = cluster.member(cluster.settings("s1", bootstrap: true))
        var variants: [Member] = []
        for name in ["s1", "S1", "other", ""] {
            for id in [ServerCluster.id("s1"), "", "not a uuid"] {
                for address: [UInt8] in [own.address, [10, 0, 0, 77]] {
                    var member = own
                    (member.name, member.address) = (name, address)
                    member.tags["id"] = id
                    member.tags["bootstrap"] = nil
                    variants.append(member)
                }
            }
        }
        for member in variants {
            for (kind, status) in [(MemberEventKind.joined, MemberStatus.alive), (.failed, .failed), (.left, .left), (.reaped, .left)] {
                var member = member
                member.status = status
                cluster.change(kind, member)
                cluster.run(for: .milliseconds(500))
            }
        }
        cluster.change(.joined, own)
        cluster.run(for: .seconds(70))
        // Members of the pool may be believed; the process must not end.
        #expect(cluster.server("s1").raft.configuration.servers.contains { $0.id == ServerCluster.id("s1") })
    }
}
