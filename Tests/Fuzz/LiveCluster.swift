@testable import Core

/// Whole agents in one thread, with disks in memory and a clock that jumps to what happens next, to which strangers send bytes.
///
/// Three servers form a Raft group without gossip; a lone server gossips with itself and has a client agent beside it.
final class LiveCluster {
    final class Member {
        let agent: Agent
        let disk = TestDisk()
        let settings: AgentSettings
        var frontEnd: FrontEnd<NoGzip>
        var published: PublishedState?
        var responses: [RequestID: HTTPResponse] = [:]
        var answers: [RequestID: [UInt8]] = [:]
        var replies: [CallID: [UInt8]] = [:]
        var refused: Set<CallID> = []

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
    private(set) var members: [Member] = []
    /// A member ended: nil after a graceful leave, otherwise the reason.
    private(set) var exits: [String?] = []
    /// What the members send each other, as seeds for mutation: raft and rpc calls, gossip packets and streams.
    private let record: ((Channel?, [UInt8]) -> Void)?
    private var queue: [(member: Int, event: AgentEvent)] = []
    private var head = 0
    private var callers: [CallID: (member: Int, id: CallID)] = [:]
    private var nextID: UInt64 = 1

    init(servers: Int, clients: Int = 0, record: ((Channel?, [UInt8]) -> Void)? = nil) throws {
        self.record = record
        let gossips = servers == 1
        let identities = (1...servers).map {
            ServerIdentity(id: "00000000-0000-4000-8000-00000000000\($0)", name: "s\($0)", address: "10.0.0.\($0):8300")
        }
        for number in 1...(servers + clients) {
            var settings = AgentSettings()
            settings.identity.isServer = number <= servers
            settings.identity.nodeName = (settings.identity.isServer ? "s" : "c") + "\(number)"
            settings.identity.nodeID = "00000000-0000-4000-8000-00000000000\(number)"
            let host = "10.0.0.\(number)"
            settings.addresses.bind = host
            settings.addresses.advertise = host
            settings.addresses.advertiseWAN = host
            settings.gossip.lan.bindAddress = host
            settings.gossip.wan.bindAddress = host
            settings.raft.bootstrap = settings.identity.isServer && gossips
            settings.raft.heartbeatTimeout = .milliseconds(500)
            settings.raft.electionTimeout = .milliseconds(500)
            settings.raft.leaderLeaseTimeout = .milliseconds(250)
            if gossips {
                if number > 1 { settings.gossip.lan.retryJoin = ["10.0.0.1"] }
            } else {
                settings.raft.initialServers = identities
                settings.servers.autopilot.cleanupDeadServers = false
            }
            members.append(try Member(settings, at: now))
        }
        for at in members.indices { handle(.wake, at) }
        run(for: .seconds(10))
    }

    // MARK: - Strangers

    /// A call from somebody; the answer, if there is one, is in the member's `replies`.
    func call(_ member: Int, _ channel: Channel, _ bytes: [UInt8], from: Address) -> CallID {
        let id = CallID(incoming: takeID())
        tell(member, .call(id, from: from, channel, bytes))
        return id
    }

    func tell(_ member: Int, _ event: AgentEvent) {
        queue.append((member, event))
        run(for: .zero)
    }

    // MARK: - Clients

    func ask(_ member: Int, _ request: HTTPRequest, within limit: Duration) -> HTTPResponse? {
        let id = RequestID(takeID())
        tell(member, .request(id, request))
        run(for: limit) { self.members[member].responses[id] != nil }
        defer { members[member].responses.removeAll(keepingCapacity: true) }
        guard let response = members[member].responses[id] else {
            tell(member, .cancelled(id))
            return nil
        }
        return response
    }

    func ask(_ member: Int, _ method: String, _ target: String, _ body: String = "", within limit: Duration) -> HTTPResponse? {
        let bytes = Array(body.utf8)
        let request = HTTPRequest(method: method, target: Array(target.utf8), body: bytes, contentLength: bytes.isEmpty ? nil : bytes.count)
        return ask(member, request, within: limit)
    }

    func question(_ member: Int, _ bytes: [UInt8], tcp: Bool) {
        let member = (at: member, agent: members[member])
        if let state = member.agent.published {
            let answer = member.agent.frontEnd.answer(question: bytes, tcp: tcp, remote: "127.0.0.1", state: state, now: now)
            guard case .handOver = answer else { return }
        }
        tell(member.at, .question(RequestID(takeID()), bytes, tcp: tcp, from: "127.0.0.1"))
    }

    /// Whether a write and a consistent read succeed at that member within the time, however often they have to be tried.
    func serves(_ member: Int, within limit: Duration = .seconds(60)) -> Bool {
        let end = now + limit
        while now < end {
            if ask(member, "PUT", "/v1/kv/fuzz", "value", within: end - now)?.status == 200,
                let read = ask(member, "GET", "/v1/kv/fuzz?consistent&raw", within: end - now), read.status == 200,
                read.body == Array("value".utf8)
            {
                return true
            }
            run(for: .milliseconds(200))
        }
        return false
    }

    // MARK: - Running

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
                handle(event, member)
                continue
            }
            queue.removeAll(keepingCapacity: true)
            head = 0
            var next: (at: Instant, member: Int)?
            for (at, member) in members.enumerated() {
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
        return members.firstIndex { $0.settings.addresses.advertise == host }
    }

    private func perform(_ effect: AgentEffect, _ at: Int) {
        let member = members[at]
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
            queue.append((callee, .call(incoming, from: member.settings.addresses.advertise + ":9000", channel, bytes)))
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
            queue.append((to, .packet(pool, from: member.settings.addresses.advertise + (pool == .lan ? ":8301" : ":8302"), bytes)))
        case .resolve(let id, let host):
            let found = members.first { $0.settings.identity.nodeName == host || $0.settings.addresses.advertise == host }
            let result: Result<[String], Complaint> =
                found.map { .success([$0.settings.addresses.advertise]) } ?? .failure(Complaint("lookup \(host): no such host"))
            queue.append((at, .resolved(id, result)))
        case .exit(let reason): exits.append(reason)
        default: break
        }
    }

    private func takeID() -> UInt64 {
        defer { nextID += 1 }
        return nextID
    }
}
