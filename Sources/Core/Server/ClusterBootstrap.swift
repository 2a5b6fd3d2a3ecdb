/// Asks one server of a round whether it belongs to a cluster already.
struct BootstrapQuestion: Hashable {
    var round: UInt64
    /// Its index among the servers of the round.
    var server: Int
}

/// The first configuration of a cluster whose servers wait for each other: `bootstrap_expect` (behaviour §4.6). Owns how many are waited for, and
/// the round in which those that are there are asked whether they belong to a cluster already.
struct ClusterBootstrap {
    /// What is to be done next.
    enum Step {
        case log(LogLevel, String)
        /// Ask the server at that address for its peers; the answer goes to `answered`.
        case ask(BootstrapQuestion, Address)
        /// This is the configuration to begin with.
        case begin(RaftConfiguration)
    }

    private struct Round {
        let number: UInt64
        let servers: [ServerTags]
        /// Questions that are to be asked (again), by when; by the index of the server.
        var questions = DeadlineQueue<Int>()
        var attempts: [Int]
        var unanswered: Int

        init(_ number: UInt64, _ servers: [ServerTags]) {
            self.number = number
            self.servers = servers
            attempts = Array(repeating: 0, count: servers.count)
            unanswered = servers.count
        }
    }

    private let nodeName: String
    /// How many servers a new cluster waits for; 0: it does not, or not any more.
    private var expected: Int
    private var round: Round?
    /// When the next round begins after one that came to nothing.
    private var againAt: Instant?
    private var lastRound: UInt64 = 0

    static let attemptsMax = 6

    /// How long after the failure of that attempt the next one comes; after the last one, the next round.
    private static func pause(after attempt: Int) -> Duration { .seconds(1 << (attempt - 1)) }

    init(_ settings: AgentSettings) {
        nodeName = settings.identity.nodeName
        expected = settings.raft.initialServers.isEmpty && !settings.raft.bootstrap ? settings.raft.bootstrapExpect : 0
    }

    var deadline: Instant? { round?.questions.first ?? againAt }

    /// The pool has changed. A round begins when all the expected servers are there; none any more once this server has or knows of a
    /// configuration (`hasState`).
    mutating func poolChanged(_ pool: ServerPool, hasState: Bool, at now: Instant) -> [Step] {
        guard expected > 0, round == nil else { return [] }
        againAt = nil
        if hasState {
            expected = 0
            return []
        }
        var servers: [ServerTags] = []
        for server in pool.servers where server.status == .alive {
            let member = LogText.value(server.memberName)
            if server.expect != 0 && server.expect != expected {
                return [.log(.error, "Member has a conflicting expect value. All nodes should expect the same number.: member=\(member)")]
            }
            if server.bootstrap { return [.log(.error, "Member has bootstrap mode. Expect disabled.: member=\(member)")] }
            servers.append(server)
        }
        guard servers.count(where: { !$0.isNonVoter }) >= expected else { return [] }
        lastRound += 1
        var round = Round(lastRound, servers)
        for index in servers.indices {
            if servers[index].name == nodeName { round.unanswered -= 1 } else { round.questions[index] = now }
        }
        self.round = round
        return proceed(hasState: hasState, at: now)
    }

    /// What is to be asked by now; a new round with the servers that the pool has now, if the last one came to nothing.
    mutating func wake(_ pool: ServerPool, hasState: Bool, at now: Instant) -> [Step] {
        if let againAt, againAt <= now { return poolChanged(pool, hasState: hasState, at: now) }
        return proceed(hasState: hasState, at: now)
    }

    /// What is to be asked by now, and the configuration once everybody has answered.
    private mutating func proceed(hasState: Bool, at now: Instant) -> [Step] {
        guard round != nil else { return [] }
        var steps: [Step] = []
        while let index = round?.questions.popExpired(at: now), let server = round?.servers[index] {
            steps.append(.ask(BootstrapQuestion(round: lastRound, server: index), server.serverAddress))
        }
        if let round, round.unanswered == 0 { begin(round.servers, hasState: hasState, &steps) }
        return steps
    }

    /// An answer of an earlier round says nothing about the present one.
    mutating func answered(
        _ question: BootstrapQuestion, _ result: Result<ServerOperationResult, ServerError>, hasState: Bool, at now: Instant
    ) -> [Step] {
        guard var round, round.number == question.round else { return [] }
        let index = question.server
        var steps: [Step] = []
        let server = LogText.value(round.servers[index].name)
        switch result {
        case .success(.texts(let peers)) where !peers.isEmpty:
            expected = 0
            self.round = nil
            return [.log(.info, "Existing Raft peers reported by server, disabling bootstrap mode: server=\(server)")]
        case .success: round.unanswered -= 1
        case .failure(let error):
            round.attempts[index] += 1
            let text = "Failed to confirm peer status for server (will retry).: server=\(server) error=\(LogText.value(error.text))"
            steps.append(.log(.error, text))
            let next = now + Self.pause(after: round.attempts[index])
            guard round.attempts[index] < Self.attemptsMax else {
                // Who does not answer may know of a cluster: the reference begins one all the same. A change of the pool begins anew, too.
                self.round = nil
                againAt = next
                return steps
            }
            round.questions[index] = next
        }
        self.round = round
        return steps + proceed(hasState: hasState, at: now)
    }

    private mutating func begin(_ servers: [ServerTags], hasState: Bool, _ steps: inout [Step]) {
        round = nil
        expected = 0
        if hasState { return }
        let oldest = servers.map(\.raftVersion).min() ?? 3
        let peers = servers.map { server in
            RaftServer(
                suffrage: server.isNonVoter ? .nonvoter : .voter, id: oldest >= 3 ? server.id : server.serverAddress,
                address: server.serverAddress)
        }
        let addresses = peers.map(\.address).joined(separator: ",")
        steps.append(.log(.info, "Found expected number of peers, attempting bootstrap: peers=\(addresses)"))
        steps.append(.begin(RaftConfiguration(servers: peers)))
    }
}
