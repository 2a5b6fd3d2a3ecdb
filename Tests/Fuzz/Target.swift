@testable import Core

/// What one kind of input does to what reads it. `run` traps if something is wrong: then the input is written to a file.
protocol Target {
    init()
    /// Valid inputs from which mutation starts; more of them lie in the corpus.
    static var seeds: [[UInt8]] { get }
    mutating func run(_ input: [UInt8])
    /// True once what the inputs have left behind is thrown away: the next input meets a new machine.
    var isFresh: Bool { get }
}

extension Target {
    static var seeds: [[UInt8]] { [] }
    var isFresh: Bool { true }
}

/// By the names of the command line.
let targets: [(name: String, type: any Target.Type)] = [
    ("raft", RaftTarget.self), ("rpc", RPCTarget.self), ("snapshot", SnapshotTarget.self), ("packet", PacketTarget.self),
    ("stream", StreamTarget.self), ("serf", SerfTarget.self), ("port", PortTarget.self), ("http", HTTPTarget.self),
    ("dns", DNSTarget.self), ("client", ClientTarget.self), ("log", LogTarget.self), ("disk", DiskTarget.self), ("state", StateTarget.self),
    ("command", CommandTarget.self), ("messagepack", MessagePackTarget.self), ("json", JSONTarget.self), ("hcl", HCLTarget.self),
    ("config", ConfigTarget.self), ("filter", FilterTarget.self), ("regex", RegexTarget.self), ("lzw", LZWTarget.self),
    ("response", ResponseTarget.self),
]

func check(_ condition: Bool, _ text: @autoclosure () -> String) {
    if !condition { fatalError(text()) }
}

/// An input that is several messages: they stand between these bytes, which no MessagePack message has.
let messageSeparator: [UInt8] = [0xF5, 0xF5, 0xF5]

func messages(_ input: [UInt8], most: Int = 64) -> [[UInt8]] {
    var found: [[UInt8]] = []
    var start = 0
    var at = 0
    while at + 3 <= input.count, found.count < most {
        if input[at] == 0xF5, input[at + 1] == 0xF5, input[at + 2] == 0xF5 {
            found.append(Array(input[start..<at]))
            at += 3
            start = at
        } else {
            at += 1
        }
    }
    found.append(Array(input[start...]))
    return found
}

/// A cluster that is renewed after some inputs, and at once after one that has ended a member on purpose (a leave that was asked for).
struct ClusterOwner {
    private(set) var cluster: LiveCluster
    private let servers: Int
    private let clients: Int
    private let most: Int
    private var count = 0
    private(set) var isFresh = true

    init(servers: Int, clients: Int = 0, most: Int = 500) {
        self.servers = servers
        self.clients = clients
        self.most = most
        cluster = Self.make(servers, clients)
    }

    private static func make(_ servers: Int, _ clients: Int) -> LiveCluster {
        guard let cluster = try? LiveCluster(servers: servers, clients: clients) else { fatalError("the cluster does not start") }
        check((0..<(servers + clients)).allSatisfy { cluster.serves($0) }, "the cluster does not serve at its start")
        return cluster
    }

    /// Time passes every timeout of an election, then every member must serve. `mayLeave`: the input can have asked a member to go.
    mutating func settle(mayLeave: Bool = false) {
        cluster.run(for: .seconds(2))
        for reason in cluster.exits { check(mayLeave && reason == nil, "a member ends: \(reason ?? "it leaves")") }
        let serves = cluster.exits.isEmpty && cluster.members.indices.allSatisfy { cluster.serves($0) }
        check(serves || mayLeave, "a member does not serve any more")
        count += 1
        isFresh = !serves || count == most
        if isFresh {
            cluster = Self.make(servers, clients)
            count = 0
        }
    }
}

/// What a new cluster sends around until it serves, chosen by `channel`.
func recorded(servers: Int, clients: Int = 0, _ matches: @escaping (Channel?) -> Bool) -> [[UInt8]] {
    var found: [[UInt8]] = []
    var shapes: Set<[UInt8]> = []
    func keep(_ channel: Channel?, _ bytes: [UInt8]) {
        // One of each size and beginning.
        guard found.count < 40, matches(channel), bytes.count < 4_000 else { return }
        if shapes.insert(Array(bytes.prefix(24)) + [UInt8(bytes.count & 0xFF)]).inserted { found.append(bytes) }
    }
    guard let cluster = try? LiveCluster(servers: servers, clients: clients, record: keep) else { return [] }
    _ = cluster.ask(0, "PUT", "/v1/kv/a", "b", within: .seconds(5))
    _ = cluster.ask(cluster.members.count - 1, "PUT", "/v1/kv/a", "c", within: .seconds(5))
    _ = cluster.ask(cluster.members.count - 1, "GET", "/v1/kv/a?consistent", within: .seconds(5))
    _ = cluster.ask(cluster.members.count - 1, "GET", "/v1/catalog/nodes", within: .seconds(5))
    _ = cluster.ask(cluster.members.count - 1, "PUT", "/v1/event/fire/deploy", "x", within: .seconds(5))
    cluster.run(for: .seconds(20))
    return found
}
