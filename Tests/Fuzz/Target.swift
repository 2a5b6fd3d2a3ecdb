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

/// What an input may have asked for that takes a member out of service: nothing else excuses one that does not serve.
struct Departures: OptionSet {
    let rawValue: Int
    /// A graceful leave of the agent.
    static let leave = Departures(rawValue: 1)
    /// A Raft configuration with another voter, or without this server: an operator's, or that of who tells of servers in an open pool.
    static let configuration = Departures(rawValue: 2)
}

/// A cluster that strangers send inputs to. It is renewed after some of them, and at once after one that has taken a member out on purpose.
struct ClusterOwner {
    private(set) var cluster: AgentCluster
    private let servers: Int
    private let clients: Int
    private let most: Int
    private var count = 0
    private(set) var isFresh = true
    /// Of the whole process, with the new cluster.
    private var heapAtStart = 0

    init(servers: Int, clients: Int = 0, most: Int = 500) {
        self.servers = servers
        self.clients = clients
        self.most = most
        cluster = Self.make(servers, clients)
        heapAtStart = heapSize()
    }

    private static func make(_ servers: Int, _ clients: Int) -> AgentCluster {
        guard let cluster = try? AgentCluster(servers: servers, clients: clients, gossips: servers == 1) else {
            fatalError("the cluster does not start")
        }
        check((0..<(servers + clients)).allSatisfy { cluster.serves($0) }, "the cluster does not serve at its start")
        return cluster
    }

    /// Time passes the timeout of an election and of a probe. Then every member must answer a write and a consistent read, and hold no more
    /// than docs/limits.md says.
    mutating func settle(mayAsk departures: Departures = []) {
        cluster.run(for: .milliseconds(1_100))
        for reason in cluster.exits { check(departures.contains(.leave) && reason == nil, "a member ends: \(reason ?? "it leaves")") }
        let hasLeft = !cluster.exits.isEmpty
        // What a stranger makes of the configuration may show only while the members are asked.
        let silent = hasLeft ? nil : cluster.members.indices.first { !isExcused(departures) && !cluster.serves($0) }
        let excused = hasLeft || isExcused(departures)
        check(silent == nil || excused, "member \(silent ?? 0) does not serve any more")
        checkBounds()
        count += 1
        isFresh = excused || count == most
        if isFresh {
            cluster = Self.make(servers, clients)
            count = 0
            heapAtStart = heapSize()
        }
    }

    private func isExcused(_ departures: Departures) -> Bool { departures.contains(.configuration) && cluster.hasForeignConfiguration }

    /// The inputs between two renewals come to 6 MB at most; what they make an agent hold may be some times more.
    private static let heapGrowthMax = 256 << 20

    private func checkBounds() {
        let growth = heapSize() - heapAtStart
        check(growth < Self.heapGrowthMax, "the agents hold \(growth >> 20) MiB more than when they were new")
        for member in cluster.members { member.agent.checkBounds() }
    }
}

@_silgen_name("__sanitizer_get_current_allocated_bytes")
private func heapSize() -> Int

extension Agent {
    /// Queues and tables that strangers can fill (docs/limits.md).
    fileprivate func checkBounds() {
        if let server {
            check(server.calls.incomingCount <= CallRouter.incomingBySourceMax, "calls without an answer")
            check(server.blockedCount <= CallRouter.incomingBySourceMax, "blocked queries")
            let held = server.calls.held
            check(held.count <= WaitingQueue.countMax && held.weight <= WaitingQueue.weightMax, "work that waits")
            if case .leader(let leadership) = server.raft.state {
                check(leadership.uncommittedBytes <= server.raft.config.uncommittedBytesMax, "uncommitted entries")
            }
        }
        for pool in [lan, wan] {
            guard let serf = pool?.serf else { continue }
            let state = serf.state
            check(serf.memberlist.knownCount <= MemberTable.limit, "members")
            check(state.events.recent.byteCount <= SerfLimits.recentEventsSizeMax, "events")
            check(state.intents.byteCount <= SerfLimits.intentsSizeMax, "intents")
            check(state.queues.longest <= SerfLimits.queueGrowthMax * state.queueLimit, "broadcasts")
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
    guard let cluster = try? AgentCluster(servers: servers, clients: clients, gossips: servers == 1, record: keep) else { return [] }
    _ = cluster.ask(0, "PUT /v1/kv/a", body: "b", within: .seconds(5))
    _ = cluster.ask(cluster.members.count - 1, "PUT /v1/kv/a", body: "c", within: .seconds(5))
    _ = cluster.ask(cluster.members.count - 1, "GET /v1/kv/a?consistent", within: .seconds(5))
    _ = cluster.ask(cluster.members.count - 1, "GET /v1/catalog/nodes", within: .seconds(5))
    _ = cluster.ask(cluster.members.count - 1, "PUT /v1/event/fire/deploy", body: "x", within: .seconds(5))
    cluster.run(for: .seconds(20))
    return found
}
