import Foundation
import Testing

@testable import Core

@Suite struct StoreCodecTests {
    struct Vectors: Decodable {
        struct Command: Decodable {
            var name: String
            var log_type: Int
            var index: UInt64?
            var data_hex: String?
        }
        struct Call: Decodable {
            var name: String
            var method: String
            var request_body_hex: String
            var response_body_hex: String
        }
        var log_commands: [Command]
        var rpc: [Call]
    }

    static func vectors() throws -> Vectors { try JSONDecoder().decode(Vectors.self, from: try vectorFile("rpc-raft.json")) }

    /// With sorted maps; what wraps another value is left alone.
    static func value(_ bytes: [UInt8]) throws -> DynamicValue {
        var reader = MessagePackReader(bytes)
        return try sorted(reader.dynamic())
    }

    @Test func `captured log commands are written again byte by byte`() throws {
        var seen = 0
        for command in try Self.vectors().log_commands {
            guard command.log_type == 0, let bytes = command.data_hex.map(hex), let request = try WriteRequest(logCommand: bytes[...])
            else {
                continue
            }
            seen += 1
            let again = request.logCommand
            #expect(again.first == bytes.first)
            #expect(again.count == bytes.count)
            #expect(try Self.value(Array(again.dropFirst())) == Self.value(Array(bytes.dropFirst())), "\(command.name)")
        }
        #expect(seen == 12)
    }

    @Test func `every captured command can be applied`() throws {
        var store = Store()
        var changes = ChangeSet()
        for command in try Self.vectors().log_commands {
            guard command.log_type == 0, let bytes = command.data_hex.map(hex) else { continue }
            let result = store.apply(bytes, index: command.index ?? 100, changes: &changes)
            switch (command.name, result) {
            case ("KVS lock", .error(let text)): #expect(text == "failed session lookup: index error: UUID must be 36 characters")
            // Registered elsewhere.
            case ("Session create", .error(let text)): #expect(text == "Missing node registration")
            case (_, .error(let text)): Issue.record("\(command.name): \(text)")
            default: break
            }
        }
    }

    private static let calls: [String] = [
        "Catalog.NodeServiceList", "Catalog.ListNodes", "Catalog.ListServices", "Catalog.NodeServices", "Health.NodeChecks",
        "Health.ServiceNodes", "Health.ChecksInState", "KVS.Get", "KVS.List", "KVS.ListKeys", "Session.List", "Txn.Read",
    ]

    @Test func `captured reads are written again byte by byte`() throws {
        var seen: [String] = []
        for call in try Self.vectors().rpc where Self.calls.contains(call.method) {
            seen.append(call.method)
            let request = hex(call.request_body_hex), reply = hex(call.response_body_hex)
            let (query, options) = try #require(try ReadQuery.decodeRequest(method: call.method, body: request[...]))
            #expect(query.rpcMethod == call.method)
            #expect(Self.withoutSource(try Self.value(query.encodeRequest(options))) == Self.withoutSource(try Self.value(request)))
            let (result, meta) = try query.decodeReply(reply[...])
            let again = query.encodeReply(result, meta)
            #expect(again.count == reply.count, "\(call.name)")
            #expect(try Self.value(again) == Self.value(reply), "\(call.name)")
        }
        #expect(Self.calls.allSatisfy(seen.contains))
    }

    /// Requests do not carry the address of the client, which only prepared queries use.
    private static func withoutSource(_ value: DynamicValue) -> DynamicValue {
        guard case .map(let members) = value else { return value }
        return .map(members.filter { $0.name != "Source" })
    }

    @Test func `captured writes are written again byte by byte`() throws {
        var seen = 0
        for call in try Self.vectors().rpc {
            let body = hex(call.request_body_hex), reply = hex(call.response_body_hex)
            guard let request = try WriteRequest.decodeRequest(method: call.method, body: body[...]) else { continue }
            seen += 1
            #expect(request.rpcMethod == call.method)
            #expect(try Self.value(request.encodeRequest()) == Self.value(body))
            // The refused lock is answered in the header.
            if call.name == "KVS.Apply:lock" { continue }
            let result = try request.decodeReply(reply[...])
            #expect(request.encodeReply(result) == reply, "\(call.name)")
        }
        #expect(seen == 7)
    }

    @Test func `requests know the names from before`() throws {
        var writer = MessagePackWriter()
        writer.mapHeader(3)
        writer.field("ServiceName", "web")
        writer.field("ServiceTag", "a")
        writer.field("TagFilter", true)
        let service = try ReadQuery.decodeRequest(method: "Health.ServiceNodes", body: writer.bytes[...])
        #expect(service?.query == .health(.serviceNodes(service: "web", tags: ["a"], connect: false, ingress: false)))
        writer = MessagePackWriter()
        writer.mapHeader(2)
        writer.field("Session", "old")
        writer.field("Nonsense", 1)
        #expect(try ReadQuery.decodeRequest(method: "Session.Get", body: writer.bytes[...])?.query == .session(.get(id: "old")))
        var reader = MessagePackReader(writer.bytes)
        #expect(try SessionRenewal.decode(&reader).id == "old")
        #expect(try ReadQuery.decodeRequest(method: "Status.Ping", body: [0x80]) == nil)
    }

    @Test func `every read survives its request`() throws {
        var options = QueryOptions()
        options.datacenter = "dc2"
        options.token = "t"
        options.allowStale = true
        options.minQueryIndex = 300
        options.maxQueryTime = .seconds(5)
        options.filter = "f"
        options.sourceNode = "n"
        options.sourceDatacenter = "dc3"
        options.nodeMetaFilters = ["k": "v"]
        let filtered: [ReadQuery] = [
            .catalog(.nodes), .catalog(.services), .catalog(.serviceNodes(service: "s", tags: ["a", "B"], connect: true)),
            .health(.serviceChecks(service: "s")),
            .health(.checksInState(state: "any")), .health(.serviceNodes(service: "s", tags: [], connect: true, ingress: true)),
            .catalog(.gatewayServices(gateway: "g")), .internal(.nodeDump(node: nil)), .catalog(.serviceByAddress("1.2.3.4")),
            .coordinate(.nodes), .operator(.autopilotConfiguration),
        ]
        let plain: [ReadQuery] = [
            .kv(.get(key: "k")), .kv(.list(prefix: "p")), .kv(.keys(prefix: "p", separator: "/")), .session(.get(id: "i")), .session(.list),
            .session(.ofNode("n")), .catalog(.nodeServices(node: "n")), .catalog(.nodeServiceList(node: "n")),
            .health(.nodeChecks(node: "n")), .internal(.nodeDump(node: "n")),
            .txn(TxnQuery([.kv(verb: .get, DirEntry(key: "k"))])), .coordinate(.node("n")), .internal(.serviceDump(kind: nil)),
            .internal(.serviceDump(kind: "")), .internal(.serviceDump(kind: "mesh-gateway")),
        ]
        for query in filtered {
            let decoded = try #require(try ReadQuery.decodeRequest(method: query.rpcMethod, body: query.encodeRequest(options)[...]))
            #expect(decoded.query == query && decoded.options == options)
        }
        options.sourceNode = ""
        options.sourceDatacenter = ""
        options.nodeMetaFilters = [:]
        for query in plain {
            let decoded = try #require(try ReadQuery.decodeRequest(method: query.rpcMethod, body: query.encodeRequest(options)[...]))
            #expect(decoded.query == query && decoded.options == options)
        }
    }

    @Test(arguments: 0..<20)
    func `every answer survives its reply`(seed: UInt64) throws {
        var commands = RandomCommands(seed: 5_000 + seed)
        var h = Harness()
        for _ in 0..<120 { h.apply(commands.command()) }
        var meta = QueryMeta()
        meta.index = 300
        meta.knownLeader = true
        meta.lastContact = .milliseconds(20)
        for _ in 0..<60 {
            let query = commands.query()
            let result = h.find(query).0
            let reply = query.encodeReply(result, meta)
            let decoded = try query.decodeReply(reply[...])
            #expect(decoded.meta == meta)
            #expect(query.encodeReply(decoded.result, decoded.meta) == reply)
        }
    }

    @Test func `outcomes of writes survive their replies`() throws {
        var kv = KVSRequest()
        kv.op = .cas
        var session = SessionRequest()
        session.op = .create
        let response = TxnResponse(results: [], errors: [TxnError(opIndex: 1, what: "x")])
        let cases: [(WriteRequest, ApplyResult)] = [
            (.kv(kv), .bool(true)), (.session(session), .string("id")), (.txn(TxnRequest()), .txn(response)),
            (.register(RegisterRequest()), .none), (.deregister(DeregisterRequest()), .none),
        ]
        for (request, result) in cases { #expect(try request.decodeReply(request.encodeReply(result)![...]) == result) }
        kv.op = .set
        #expect(WriteRequest.kv(kv).encodeReply(.none) == [0xC2])
        #expect(try WriteRequest.kv(kv).decodeReply([0xC2]) == .none)
        session.op = .destroy
        #expect(WriteRequest.session(session).encodeReply(.none) == [0xA0])
        #expect(try WriteRequest.session(session).decodeReply([0xA0]) == .none)
        #expect(WriteRequest.kv(kv).encodeReply(.error("x")) == nil)
    }

    @Test(arguments: 0..<400)
    func `damaged commands and bodies never trap`(seed: UInt64) throws {
        var random = Random(seed: seed)
        let vectors = try Self.vectors()
        var store = Store()
        var changes = ChangeSet()
        for command in vectors.log_commands where command.log_type == 0 {
            guard let bytes = command.data_hex.map(hex) else { continue }
            let digest = store.digest
            if case .error = store.apply(mutated(bytes, &random), index: 7, changes: &changes) { #expect(store.digest == digest) }
        }
        let call = vectors.rpc[Int.random(in: 0..<vectors.rpc.count, using: &random)]
        let request = hex(call.request_body_hex), reply = hex(call.response_body_hex)
        _ = try? WriteRequest.decodeRequest(method: call.method, body: mutated(request, &random)[...])
        if let (query, _) = try? ReadQuery.decodeRequest(method: call.method, body: mutated(request, &random)[...]) {
            _ = try? query.decodeReply(mutated(reply, &random)[...])
        }
    }

    @Test func `a command of an unknown type is ignored if its type byte allows it, else refused`() {
        var h = Harness()
        #expect(h.apply([0x80 | 40, 0x80]) == .none)
        #expect(h.apply([40, 0x80]) == .error("unknown log command type 40"))
        #expect(h.apply([]) == .error("failed to decode request: EOF"))
    }
}

@Suite struct ChunkTests {
    private static func command() -> [UInt8] {
        var request = KVSRequest()
        request.op = .set
        request.dirEnt = DirEntry(key: "big")
        request.dirEnt.entry.value = [UInt8](repeating: 0x5A, count: 600_000)
        return WriteRequest.kv(request).logCommand
    }

    private static func pieces(_ operation: UInt64) -> [(extensions: [UInt8], data: [UInt8])] {
        ChunkInfo.proposals(token: 1, command: command(), operation: operation).map { ($0.extensions, $0.data) }
    }

    @Test func `the last piece applies the command at its index`() {
        var h = Harness()
        let pieces = Self.pieces(9)
        #expect(pieces.count == 2)
        #expect(h.store.applyChunk(pieces[0].extensions, pieces[0].data, term: 2, index: 44, changes: &h.changes) == nil)
        #expect(h.entry("big") == nil)
        #expect(h.store.applyChunk(pieces[1].extensions, pieces[1].data, term: 2, index: 45, changes: &h.changes) == ApplyResult.none)
        #expect(h.entry("big")?.value.count == 600_000 && h.entry("big")?.index == RaftIndex(create: 45, modify: 45))
        #expect(h.store.chunks.operations.isEmpty)
    }

    @Test func `a new term forgets the pieces of the old one`() {
        var h = Harness()
        let pieces = Self.pieces(9)
        #expect(h.store.applyChunk(pieces[0].extensions, pieces[0].data, term: 2, index: 44, changes: &h.changes) == nil)
        #expect(h.store.applyChunk(pieces[1].extensions, pieces[1].data, term: 3, index: 45, changes: &h.changes) == nil)
        #expect(h.entry("big") == nil)
    }

    @Test func `pieces survive a snapshot`() throws {
        var h = Harness()
        let one = Self.pieces(9), other = Self.pieces(10)
        #expect(h.store.applyChunk(one[0].extensions, one[0].data, term: 2, index: 44, changes: &h.changes) == nil)
        #expect(h.store.applyChunk(other[1].extensions, other[1].data, term: 2, index: 45, changes: &h.changes) == nil)
        let digest = h.store.digest
        h.store = try restore(h.store) { 10_000 }
        #expect(h.store.digest == digest)
        #expect(h.store.applyChunk(one[1].extensions, one[1].data, term: 2, index: 46, changes: &h.changes) == ApplyResult.none)
        #expect(h.entry("big")?.value.count == 600_000)
    }

    @Test func `malformed pieces of a command are refused`() {
        var h = Harness()
        let bad = ChunkInfo(operation: 1, sequence: 2, count: 2).encoded,
            many = ChunkInfo(operation: 1, sequence: 0, count: 1 << 30).encoded
        for extensions in [[0xFF], bad, many] {
            #expect(h.store.applyChunk(extensions, [], term: 1, index: 1, changes: &h.changes) == .error("malformed chunk of a command"))
        }
    }
}
