@testable import Core

/// Whole agents in one thread, with disks in memory and a clock that jumps to what happens next; what one sends another is there at once.
/// Tests ask them as clients do; the fuzzer (Tests/Fuzz) sends them bytes of strangers.
final class AgentCluster {
    final class Member {
        let agent: Agent
        let disk = TestDisk()
        let settings: AgentSettings
        var frontEnd: FrontEnd<NoGzip>
        var published: PublishedState?
        var responses: [RequestID: HTTPResponse] = [:]
        /// Answers to DNS questions.
        var answers: [RequestID: [UInt8]] = [:]
        /// Answers to calls from outside of the cluster, and which of these calls were refused.
        var replies: [CallID: [UInt8]] = [:]
        var refused: Set<CallID> = []
        var isDown = false

        init(_ settings: AgentSettings, at now: Instant) throws {
            self.settings = settings
            frontEnd = FrontEnd(settings: settings, gzip: NoGzip(), seed: 1)
            agent = try Agent(settings: settings, disk: disk, archives: PlainArchives(), seed: 5, at: now) { bytes in
                var hash: UInt64 = 0xCBF2_9CE4_8422_2325
                for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
                return String(hash, radix: 16)
            }
        }
    }

    /// Passes bodies on as they are.
    struct NoGzip: Compressor {
        final class Stream: CompressionStream {
            func append(_ bytes: [UInt8], isLast: Bool, to out: inout [UInt8]) { out += bytes }
        }

        mutating func gzip(_ bytes: [UInt8], into out: inout [UInt8]) { out += bytes }
        func stream() -> any CompressionStream { Stream() }
    }

    private(set) var now = Instant(nanoseconds: 1_000_000_000)
    /// Servers first: s1, s2 and so on at 10.0.0.1 and on, then clients: c1 and so on at 10.0.1.1 and on.
    private(set) var members: [Member] = []
    /// A member ended: nil after a graceful leave, otherwise the reason.
    private(set) var exits: [String?] = []
    /// Is told what the members send each other: on a channel, or in packets of gossip (nil).
    private let record: ((Channel?, [UInt8]) -> Void)?
    private var queue: [(member: Int, event: AgentEvent)] = []
    private var head = 0
    private var callers: [CallID: (member: Int, id: CallID)] = [:]
    private var nextID: UInt64 = 1

    /// Without gossip all agents know the servers from their configuration. With it, one server starts a pool, which the others join.
    init(
        servers: Int = 1, clients: Int = 0, gossips: Bool = false, _ change: (inout AgentSettings) -> Void = { _ in },
        record: ((Channel?, [UInt8]) -> Void)? = nil
    ) throws {
        self.record = record
        let all = (1...(servers + clients)).map { number -> AgentSettings in
            let isServer = number <= servers, place = isServer ? number : number - servers
            var settings = AgentSettings()
            settings.identity.isServer = isServer
            settings.identity.nodeName = "\(isServer ? "s" : "c")\(place)"
            settings.identity.nodeID = "00000000-0000-4000-8000-0000000000\(isServer ? "0" : "c")\(place)"
            let host = "10.0.\(isServer ? 0 : 1).\(place)"
            (settings.addresses.bind, settings.addresses.advertise, settings.addresses.advertiseWAN) = (host, host, host)
            (settings.gossip.lan.bindAddress, settings.gossip.wan.bindAddress) = (host, host)
            settings.raft.heartbeatTimeout = .milliseconds(500)
            settings.raft.electionTimeout = .milliseconds(500)
            settings.raft.leaderLeaseTimeout = .milliseconds(250)
            settings.raft.bootstrap = gossips && number == 1
            if gossips, number > 1 { settings.gossip.lan.retryJoin = ["10.0.0.1"] }
            return settings
        }
        let identities = all.prefix(servers).map {
            ServerIdentity(id: $0.identity.nodeID, name: $0.identity.nodeName, address: $0.raftAddress)
        }
        for var settings in all {
            if !gossips {
                settings.raft.initialServers = identities
                // Without gossip, no agent hears that a server is alive.
                settings.servers.autopilot.cleanupDeadServers = false
            }
            change(&settings)
            members.append(try Member(settings, at: now))
        }
        // Every driver begins so.
        for at in members.indices { handle(.wake, at) }
        run(for: .seconds(gossips || servers > 1 ? 10 : 5))
    }

    // MARK: Asking

    /// The answer to a request; nil if there is none within the time. The client then goes away.
    func ask(_ member: Int, _ line: String, body: String = "", within limit: Duration = .seconds(30)) -> HTTPResponse? {
        ask(member, request(line, body: body), within: limit)
    }

    func ask(_ member: Int, _ request: HTTPRequest, within limit: Duration) -> HTTPResponse? {
        let id = start(member, request)
        run(for: limit) { self.members[member].responses[id] != nil }
        if members[member].responses[id] == nil { cancel(member, id) }
        return members[member].responses.removeValue(forKey: id)
    }

    func start(_ member: Int, _ line: String, body: String = "") -> RequestID { start(member, request(line, body: body)) }

    private func start(_ member: Int, _ request: HTTPRequest) -> RequestID {
        let id = RequestID(takeID())
        tell(member, .request(id, request))
        return id
    }

    func response(_ member: Int, _ id: RequestID) -> HTTPResponse? { members[member].responses[id] }
    func cancel(_ member: Int, _ id: RequestID) { tell(member, .cancelled(id)) }

    /// The answer to a DNS question: from the front end, or where that cannot tell, from the agent.
    func ask(_ member: Int, question: [UInt8], tcp: Bool = false) -> [UInt8]? {
        let asked = members[member]
        if let state = asked.published {
            switch asked.frontEnd.answer(question: question, tcp: tcp, remote: "127.0.0.1", state: state, now: now) {
            case .reply(let bytes): return bytes
            case .drop: return nil
            case .handOver: break
            }
        }
        let id = RequestID(takeID())
        tell(member, .question(id, question, tcp: tcp, from: "127.0.0.1"))
        // A packet that is no question gets no answer.
        run(for: .seconds(30)) { asked.answers[id] != nil || asked.agent.questions.isEmpty }
        return asked.answers.removeValue(forKey: id)
    }

    /// The answer to a call from elsewhere; nil if there is none.
    func call(_ member: Int, _ channel: Channel, _ bytes: [UInt8]) -> [UInt8]? {
        let id = deliver(member, channel, bytes, from: "10.0.9.9:1"), called = members[member]
        run(for: .seconds(30)) { called.replies[id] != nil || called.refused.contains(id) }
        return called.replies.removeValue(forKey: id)
    }

    /// A call from outside of the cluster. Its answer, if there is one, is put into the member's `replies`.
    func deliver(_ member: Int, _ channel: Channel, _ bytes: [UInt8], from: Address) -> CallID {
        let id = CallID(incoming: takeID())
        tell(member, .call(id, from: from, channel, bytes))
        return id
    }

    func tell(_ member: Int, _ event: AgentEvent) {
        queue.append((member, event))
        run(for: .zero)
    }

    // MARK: Running

    func run(for duration: Duration, until isDone: () -> Bool = { false }) {
        let end = now + duration
        while !isDone() {
            if head < queue.count {
                let (member, event) = queue[head]
                head += 1
                if head > 1_000 {
                    queue.removeFirst(head)
                    head = 0
                }
                if !members[member].isDown { handle(event, member) }
                continue
            }
            queue.removeAll(keepingCapacity: true)
            head = 0
            var next: (at: Instant, member: Int)?
            for (at, member) in members.enumerated() where !member.isDown {
                if let deadline = member.agent.deadline, deadline < next?.at ?? end + .nanoseconds(1) { next = (deadline, at) }
            }
            guard let next else {
                now = max(now, end)
                return
            }
            now = max(now, next.at)
            handle(.wake, next.member)
        }
    }

    private func handle(_ event: AgentEvent, _ at: Int) {
        var effects: [AgentEffect] = []
        members[at].agent.handle(event, at: now, into: &effects)
        members[at].agent.flush(at: now, into: &effects)
        for effect in effects { perform(effect, at) }
    }

    private func member(at address: Address) -> Int? {
        let host = address.split(separator: ":").first.map(String.init)
        return members.firstIndex { $0.settings.addresses.advertise == host && !$0.isDown }
    }

    private func perform(_ effect: AgentEffect, _ at: Int) {
        let member = members[at], host = member.settings.addresses.advertise
        switch effect {
        case .respond(let id, let response): member.responses[id] = response
        case .answer(let id, let bytes): member.answers[id] = bytes
        case .publish(let state): member.published = state
        case .disk(let batch): queue.append((at, .disk(member.disk.perform(batch))))
        case .call(let id, let address, let channel, let bytes, _):
            record?(channel, bytes)
            guard let callee = self.member(at: address) else {
                queue.append((at, .callFailed(id, "dial tcp 127.0.0.1:0->\(address): connect: connection refused")))
                return
            }
            let incoming = CallID(incoming: takeID())
            callers[incoming] = (at, id)
            queue.append((callee, .call(incoming, from: host + ":9000", channel, bytes)))
        // The callee finds nobody to answer.
        case .giveUp(let id):
            if let incoming = callers.first(where: { $0.value.member == at && $0.value.id == id })?.key { callers[incoming] = nil }
        case .reply(let id, let bytes):
            if let caller = callers.removeValue(forKey: id) {
                queue.append((caller.member, .answered(caller.id, bytes)))
            } else {
                member.replies[id] = bytes
            }
        case .refuse(let id):
            if let caller = callers.removeValue(forKey: id) {
                queue.append((caller.member, .callFailed(caller.id, "EOF")))
            } else {
                member.refused.insert(id)
            }
        case .packet(let pool, let address, let bytes):
            record?(nil, bytes)
            guard let to = self.member(at: address), to != at else { return }
            queue.append((to, .packet(pool, from: host + (pool == .lan ? ":8301" : ":8302"), bytes)))
        case .resolve(let id, let name):
            let found = members.first { $0.settings.identity.nodeName == name || $0.settings.addresses.advertise == name }
            let result: Result<[String], TextError> =
                found.map { .success([$0.settings.addresses.advertise]) } ?? .failure(TextError("lookup \(name): no such host"))
            queue.append((at, .resolved(id, result)))
        case .exit(let reason): exits.append(reason)
        case .log, .probe, .cancelProbe, .respondInPieces, .piece, .readConfiguration, .followLog, .show, .report, .examineHost, .configure:
            break
        }
    }

    func takeID() -> UInt64 {
        defer { nextID += 1 }
        return nextID
    }
}
