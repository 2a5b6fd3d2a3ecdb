@testable import Core

// Bytes that reach a whole agent: after each input time passes, and the agents must serve.

private let stranger: Address = "10.9.9.9:5555"

/// Raft messages from strangers to each of three servers. The first byte of a message says to whom, the rest is what follows the byte 1
/// of a connection.
struct RaftTarget: Target {
    private var owner = ClusterOwner(servers: 3)
    var isFresh: Bool { owner.isFresh }
    static var seeds: [[UInt8]] {
        let real: [[UInt8]] = recorded(servers: 3) { $0 == .raft }.enumerated().map { at, bytes in [UInt8(at % 3)] + bytes }
        let leader: [UInt8] = [0xA6] + Array("Leader".utf8) + [0xA1, 0x78]
        let numbers: [UInt8] = encoded("Term", 1 << 63) + encoded("LastLogIndex", .max) + encoded("PrevLogEntry", 1)
        return real + (UInt8(0)...6).map { type in [0, type, 0x84] + numbers + leader }
    }
    private static func encoded(_ key: String, _ value: UInt64) -> [UInt8] {
        [0xA0 | UInt8(key.utf8.count)] + key.utf8 + [0xCF] + (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * $0)) }
    }

    mutating func run(_ input: [UInt8]) {
        for message in messages(input) {
            guard let first = message.first else { continue }
            _ = owner.cluster.deliver(Int(first % 3), .raft, Array(message[1...]), from: stranger)
        }
        owner.settle()
    }
}

/// Calls of RPC, header and body, at a lone server.
struct RPCTarget: Target {
    /// Of the methods that the server carries out; the corpus and mutation add others.
    private static let methods = [
        "Status.Leader", "Status.Ping", "Status.Peers", "Status.RaftStats", "KVS.Get", "KVS.List", "KVS.ListKeys", "KVS.Apply", "Txn.Apply",
        "Txn.Read",
        "Session.Apply", "Session.Get", "Session.List", "Session.NodeSessions", "Session.Renew", "Catalog.Register", "Catalog.Deregister",
        "Catalog.ListDatacenters", "Catalog.ListNodes", "Catalog.ListServices", "Catalog.ServiceNodes", "Catalog.NodeServices",
        "Catalog.NodeServiceList", "Health.ChecksInState", "Health.NodeChecks", "Health.ServiceChecks", "Health.ServiceNodes",
        "Coordinate.Update", "Coordinate.ListDatacenters", "Coordinate.ListNodes", "Coordinate.Node", "Internal.NodeInfo",
        "Internal.NodeDump",
        "Internal.ServiceDump", "Internal.EventFire", "Internal.KeyringOperation", "Operator.RaftGetConfiguration",
        "Operator.AutopilotGetConfiguration", "Operator.AutopilotSetConfiguration", "Operator.ServerHealth",
    ]

    private var owner = ClusterOwner(servers: 1)
    var isFresh: Bool { owner.isFresh }
    static var seeds: [[UInt8]] {
        let datacenter: [UInt8] = [0x81, 0xAA] + Array("Datacenter".utf8) + [0xA3] + Array("dc1".utf8)
        let real: [[UInt8]] = recorded(servers: 3) { $0 == .rpc } + recorded(servers: 1, clients: 1) { $0 == .rpc }
        return real + methods.map { RPCRequest.encode(sequence: 1, method: $0, body: datacenter) }
    }

    mutating func run(_ input: [UInt8]) {
        for message in messages(input) { _ = owner.cluster.deliver(0, .rpc, message, from: stranger) }
        // An operator may take a server out of its cluster.
        owner.settle(mayAsk: contains(input, "RaftRemovePeer") ? .configuration : [])
    }
}

/// Requests of snapshots as they go over the server port: saving, and restoring what follows.
struct SnapshotTarget: Target {
    private var owner = ClusterOwner(servers: 1, most: 100)
    var isFresh: Bool { owner.isFresh }
    static var seeds: [[UInt8]] {
        guard let cluster = try? AgentCluster(gossips: true), let archive = cluster.ask(0, "GET /v1/snapshot", within: .seconds(5)) else {
            return []
        }
        return [[0] + archive.body, [1] + archive.body]
    }

    mutating func run(_ input: [UInt8]) {
        guard let first = input.first else { return }
        let rest = Array(input[1...])
        if first & 1 == 0 {
            _ = owner.cluster.ask(
                0, HTTPRequest(method: "PUT", target: Array("/v1/snapshot".utf8), body: rest, contentLength: rest.count),
                within: .seconds(5))
        } else {
            _ = owner.cluster.deliver(0, .snapshot, rest, from: stranger)
        }
        owner.settle()
    }
}

/// Datagrams of gossip at a server with a client agent in its pool.
struct PacketTarget: Target {
    private var owner = ClusterOwner(servers: 1, clients: 1)
    var isFresh: Bool { owner.isFresh }
    static var seeds: [[UInt8]] { recorded(servers: 1, clients: 2) { $0 == nil }.map { [0] + $0 } }

    mutating func run(_ input: [UInt8]) {
        for message in messages(input) {
            guard let first = message.first else { continue }
            owner.cluster.tell(Int(first & 1), .packet(first & 2 == 0 ? .lan : .wan, from: stranger, Array(message[1...])))
        }
        owner.settle(mayAsk: .configuration)
    }
}

/// Streams of gossip: push/pull, pings and user messages.
struct StreamTarget: Target {
    private var owner = ClusterOwner(servers: 1, clients: 1)
    var isFresh: Bool { owner.isFresh }
    static var seeds: [[UInt8]] { recorded(servers: 1, clients: 2) { $0 == .lan || $0 == .wan }.map { [0] + $0 } }

    mutating func run(_ input: [UInt8]) {
        for message in messages(input) {
            guard let first = message.first else { continue }
            _ = owner.cluster.deliver(Int(first & 1), first & 2 == 0 ? .lan : .wan, Array(message[1...]), from: stranger)
        }
        owner.settle(mayAsk: .configuration)
    }
}

/// Messages of Serf inside of memberlist's user messages: intents, events, queries and their answers.
struct SerfTarget: Target {
    private var owner = ClusterOwner(servers: 1, clients: 1)
    var isFresh: Bool { owner.isFresh }
    static var seeds: [[UInt8]] {
        let fields: [(String, [UInt8])] = [
            ("LTime", [5]), ("Name", [0xA2, 0x73, 0x31]), ("Node", [0xA2, 0x63, 0x32]), ("Payload", [0xA1, 0x78]),
        ]
        let body: [UInt8] = [0x84] + fields.flatMap { name, value in [0xA0 | UInt8(name.utf8.count)] + Array(name.utf8) + value }
        return (UInt8(0)...11).map { [$0] + body }
    }

    mutating func run(_ input: [UInt8]) {
        for message in messages(input) {
            owner.cluster.tell(message.count & 1, .packet(.lan, from: stranger, [8] + message))
        }
        // A leave intent that names a member makes it refute.
        owner.settle(mayAsk: .configuration)
    }
}

/// What somebody sends over a connection of the server port, in pieces: RPC, Raft, yamux and snapshots, with a server behind it.
struct PortTarget: Target {
    private var owner = ClusterOwner(servers: 1)
    var isFresh: Bool { owner.isFresh }
    static var seeds: [[UInt8]] {
        let rpc = RPCRequest.encode(sequence: 1, method: "Status.Leader", body: [0x80])
        let header: [UInt8] = [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, UInt8(rpc.count)]
        let window: [UInt8] = [0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0]
        let ping: [UInt8] = [0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7]
        let stream: [UInt8] = [0, 4] + window + header + rpc + ping
        let raft: [[UInt8]] = recorded(servers: 3) { $0 == .raft }.prefix(8).map { [0, 1] + $0 }
        return [[0, 0] + rpc, stream, [0, 5, 0x82], [1, 0]] + raft
    }

    mutating func run(_ input: [UInt8]) {
        guard let first = input.first else { return }
        let cluster = owner.cluster
        let port = first & 7 == 1 ? InboundConnection.Port.gossip(.lan) : .server
        let connection = InboundConnection(port, limits: .server, at: cluster.now)
        let piece = first & 0x80 == 0 ? Int.max : Int(first & 0x70) + 1
        var at = 1
        var calls: [InboundCall] = []
        while at < input.count, connection.end == .open {
            let end = min(input.count, at + min(piece, input.count))
            connection.receive(input.span.extracting(at..<end), at: cluster.now, into: &calls)
            at = end
            answer(&calls, connection, cluster)
        }
        connection.receivedEnd(at: cluster.now, into: &calls)
        answer(&calls, connection, cluster)
        connection.tick(at: cluster.now + .seconds(30))
        owner.settle(mayAsk: contains(input, "RaftRemovePeer") ? .configuration : [])
    }

    private func answer(_ calls: inout [InboundCall], _ connection: InboundConnection, _ cluster: AgentCluster) {
        var rounds = 0
        while !calls.isEmpty, rounds < 100 {
            rounds += 1
            let coming = calls
            calls = []
            for call in coming {
                let id = cluster.deliver(0, call.channel, call.bytes, from: stranger)
                if let reply = cluster.members[0].replies.removeValue(forKey: id) {
                    connection.reply(call.serial, reply, at: cluster.now, into: &calls)
                } else if cluster.members[0].refused.remove(id) != nil {
                    connection.refuse(call.serial)
                }
            }
            while let taken = connection.output.withFirst({ $0.count }), taken > 0 { connection.wrote(taken) }
        }
    }
}

/// Requests of HTTP as bytes of a connection, through the parser and the front end into a server.
struct HTTPTarget: Target {
    private var owner = ClusterOwner(servers: 1)
    var isFresh: Bool { owner.isFresh }
    static var seeds: [[UInt8]] {
        [
            "GET /v1/kv/a?recurse HTTP/1.1\r\nHost: x\r\n\r\n",
            "PUT /v1/kv/a?cas=0&flags=18446744073709551615 HTTP/1.1\r\nContent-Length: 1\r\n\r\nx",
            "PUT /v1/agent/service/register HTTP/1.1\r\nContent-Length: 62\r\n\r\n{\"Name\":\"web\",\"Port\":80,\"Check\":{\"TTL\":\"1m\",\"Status\":\"passing\"}}",
            "PUT /v1/catalog/register HTTP/1.1\r\nContent-Length: 62\r\n\r\n{\"Node\":\"n\",\"Address\":\"1.2.3.4\",\"Service\":{\"Service\":\"s\"}}    ",
            "PUT /v1/txn HTTP/1.1\r\nContent-Length: 55\r\n\r\n[{\"KV\":{\"Verb\":\"set\",\"Key\":\"a\",\"Value\":\"YQ==\"}}]       ",
            "PUT /v1/session/create HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\ne\r\n{\"TTL\": \"15s\"}\r\n0\r\n\r\n",
            "GET /v1/health/service/web?passing&filter=Service.Port%20%3D%3D%2080&index=1&wait=1s HTTP/1.1\r\nX-Consul-Token: x\r\n\r\n",
            "GET /v1/catalog/nodes?near=_agent&node-meta=a:b HTTP/1.0\r\n\r\n",
            "PUT /v1/event/fire/x HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
            "PUT /v1/operator/autopilot/configuration?cas=1 HTTP/1.1\r\nContent-Length: 26\r\n\r\n{\"MaxTrailingLogs\": 10}    ",
            "PUT /v1/coordinate/update HTTP/1.1\r\nContent-Length: 70\r\n\r\n{\"Node\":\"s1\",\"Coord\":{\"Adjustment\":0,\"Error\":1.5,\"Height\":0,\"Vec\":[0]}} ",
        ].map { Array($0.utf8) }
    }

    mutating func run(_ input: [UInt8]) {
        // An operator may send a server away, and spell that with escapes.
        var departures: Departures = []
        if contains(input, "leave") || contains(input, "%") { departures.insert(.leave) }
        if contains(input, "peer") || contains(input, "%") { departures.insert(.configuration) }
        let cluster = owner.cluster
        var parser = HTTPParser(remoteAddress: "127.0.0.1", bodyLimit: 512 << 10)
        var at = 0
        var out: [UInt8] = []
        parsing: while true {
            switch parser.parse(input, at: &at) {
            case .needsMore, .failed: break parsing
            case .expectsContinue: continue
            case .request(let request, let framing):
                out.removeAll(keepingCapacity: true)
                if let state = cluster.members[0].published {
                    let answer = cluster.members[0].frontEnd.answer(
                        request, framing: framing, state: state, now: cluster.now, date: [], into: &out)
                    if case .written = answer { continue }
                    if case .begun(var rest, _) = answer {
                        while rest.append(to: &out) { out.removeAll(keepingCapacity: true) }
                        continue
                    }
                }
                // Who waits longer goes away.
                _ = cluster.ask(0, request, within: .milliseconds(100))
            }
        }
        owner.settle(mayAsk: departures)
    }
}

/// Answers of a server to a client agent's calls: whoever sits at a server's address may say anything.
struct ClientTarget: Target {
    private var client: Agent?
    private var now = Instant(nanoseconds: 1_000_000_000)
    static var seeds: [[UInt8]] {
        var index = MessagePackWriter()
        index.raw([UInt8](repeating: 0xC0, count: 1))
        return [
            RPCReply.encode(sequence: 1, method: "KVS.Get", body: index.bytes),
            RPCReply.encode(sequence: 1, method: "Catalog.ListNodes", body: [0x80]),
        ]
    }

    init() {}

    mutating func run(_ input: [UInt8]) {
        var settings = AgentSettings()
        settings.identity.isServer = false
        settings.identity.nodeName = "c1"
        settings.identity.nodeID = "00000000-0000-4000-8000-000000000009"
        settings.raft.initialServers = [ServerIdentity(id: "00000000-0000-4000-8000-000000000001", name: "s1", address: "10.0.0.1:8300")]
        guard let agent = try? Agent(settings: settings, disk: TestDisk(), seed: 3, at: now, md5Hex: { _ in "x" }) else {
            fatalError("no client")
        }
        var effects: [AgentEffect] = []
        agent.handle(.wake, at: now, into: &effects)
        let paths = [
            "/v1/kv/a", "/v1/catalog/nodes", "/v1/health/service/web", "/v1/session/list", "/v1/catalog/services", "/v1/status/leader",
            "/v1/operator/raft/configuration", "/v1/coordinate/nodes",
        ]
        for (number, path) in paths.enumerated() {
            agent.handle(
                .request(RequestID(UInt64(number + 1)), HTTPRequest(method: "GET", target: Array(path.utf8))), at: now, into: &effects)
        }
        agent.flush(at: now, into: &effects)
        var rounds = 0
        let answers = messages(input)
        while !effects.isEmpty, rounds < 20 {
            let doing = effects
            effects = []
            for effect in doing {
                if case .call(let id, _, _, _, _) = effect {
                    agent.handle(.answered(id, answers[rounds % answers.count]), at: now, into: &effects)
                }
                if case .exit(let reason) = effect { fatalError("a client ends: \(reason ?? "")") }
            }
            agent.flush(at: now, into: &effects)
            rounds += 1
        }
        agent.handle(.wake, at: now + .seconds(60), into: &effects)
        agent.flush(at: now + .seconds(60), into: &effects)
    }
}

/// DNS questions, over UDP and TCP, at a server's front end and its core.
struct DNSTarget: Target {
    private var owner = ClusterOwner(servers: 1, clients: 1, most: 100_000)
    private var count = 0
    var isFresh: Bool { owner.isFresh }
    static var seeds: [[UInt8]] {
        let names = [
            "s1.node.consul", "consul.service.consul", "a.b.service.dc1.consul", "1.0.0.10.in-addr.arpa", "0a000001.addr.consul",
            "x.query.consul",
        ]
        let types: [UInt8] = [1, 28, 33, 255, 12, 6, 16]
        let head: [UInt8] = [0, 0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1]
        let options: [UInt8] = [0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0]
        var found: [[UInt8]] = []
        for name in names {
            let labels: [UInt8] = name.split(separator: ".").flatMap { label in [UInt8(label.utf8.count)] + Array(label.utf8) }
            for type in types { found.append(head + labels + [0, 0, type, 0, 1] + options) }
        }
        return found
    }

    mutating func run(_ input: [UInt8]) {
        guard let first = input.first else { return }
        _ = owner.cluster.ask(Int(first >> 1 & 1), question: Array(input[1...]), tcp: first & 1 == 1)
        // A question changes nothing: whether the agents serve is asked now and then.
        count += 1
        if count % 1_000 == 0 { owner.settle() }
    }
}

func contains(_ bytes: [UInt8], _ text: String) -> Bool {
    let wanted = Array(text.utf8)
    guard bytes.count >= wanted.count else { return false }
    for start in 0...(bytes.count - wanted.count)
    where bytes[start] == wanted[0] && bytes[start..<(start + wanted.count)].elementsEqual(wanted) { return true }
    return false
}
