@testable import Core

/// Whole agents that reach each other at once, in one thread, with a clock that jumps to what happens next.
final class AgentCluster {
    final class Member {
        let agent: Agent
        let disk = TestDisk()
        let config: AgentConfig
        var frontEnd: FrontEnd<NoGzip>
        var published: PublishedState?
        var responses: [RequestID: HTTPResponse] = [:]
        var replies: [RequestID: [UInt8]] = [:]
        var isDown = false

        init(_ config: AgentConfig, at now: Instant) throws {
            self.config = config
            frontEnd = FrontEnd(config: config, gzip: NoGzip(), seed: 1)
            agent = try Agent(config: config, disk: disk, seed: 5, at: now) { bytes in bytes.map { String($0, radix: 16) }.joined() }
        }
    }

    struct NoGzip: Compressor {
        mutating func gzip(_ bytes: [UInt8], into out: inout [UInt8]) {}
        func stream() -> any CompressionStream { preconditionFailure("nobody accepts gzip") }
    }

    private(set) var now = Instant(nanoseconds: 1_000_000_000)
    private(set) var members: [Member] = []
    private(set) var logs: [String] = []
    private var queue: [(member: Int, event: AgentEvent)] = []
    private var callers: [CallID: (member: Int, id: CallID)] = [:]
    /// Calls of nobody in the cluster, and their answers.
    private var foreign: [CallID: [UInt8]?] = [:]
    private var nextID: UInt64 = 1

    /// One server, the first member, and clients that know it. There is no gossip.
    init(clients: Int, _ change: (inout AgentConfig) -> Void = { _ in }) throws {
        var config = AgentConfig()
        config.nodeName = "s1"
        config.nodeID = "00000000-0000-4000-8000-000000000001"
        config.advertiseAddress = "10.0.0.1"
        config.raftHeartbeatTimeout = .milliseconds(500)
        config.raftElectionTimeout = .milliseconds(500)
        config.raftLeaderLeaseTimeout = .milliseconds(250)
        config.initialServers = [ServerIdentity(id: config.nodeID, name: config.nodeName, address: config.raftAddress)]
        change(&config)
        members.append(try Member(config, at: now))
        for number in 0..<clients {
            var own = config
            own.server = false
            own.nodeName = "c\(number + 1)"
            own.nodeID = "00000000-0000-4000-8000-0000000000c\(number + 1)"
            own.advertiseAddress = "10.0.1.\(number + 1)"
            members.append(try Member(own, at: now))
        }
        // As every driver begins.
        for at in members.indices { handle(.wake, at) }
        run(for: .seconds(5))
    }

    // MARK: Asking

    /// The answer to a request; nil if there is none within the time.
    func ask(_ member: Int, _ line: String, body: String = "", within limit: Duration = .seconds(30)) -> HTTPResponse? {
        let id = start(member, line, body: body)
        run(for: limit) { self.members[member].responses[id] != nil }
        return members[member].responses[id]
    }

    func start(_ member: Int, _ line: String, body: String = "") -> RequestID {
        let id = RequestID(takeID())
        queue.append((member, .request(id, request(line, body: body))))
        run(for: .zero)
        return id
    }

    func response(_ member: Int, _ id: RequestID) -> HTTPResponse? { members[member].responses[id] }

    func cancel(_ member: Int, _ id: RequestID) {
        queue.append((member, .cancelled(id)))
        run(for: .zero)
    }

    /// The answer to a DNS question: from the front end, or where that cannot tell, from the agent.
    func ask(_ member: Int, question: [UInt8], tcp: Bool = false) -> [UInt8]? {
        let id = RequestID(takeID())
        if let state = members[member].published {
            switch members[member].frontEnd.answer(question: question, tcp: tcp, remote: "127.0.0.1", state: state, now: now) {
            case .reply(let bytes): return bytes
            case .drop: return nil
            case .handOver: break
            }
        }
        queue.append((member, .question(id, question, tcp: tcp, from: "127.0.0.1")))
        run(for: .seconds(30)) { self.members[member].replies[id] != nil }
        return members[member].replies[id]
    }

    /// The answer to a call from elsewhere; nil if there is none.
    func call(_ member: Int, _ channel: Channel, _ bytes: [UInt8]) -> [UInt8]? {
        let id = CallID(incoming: takeID())
        foreign[id] = .some(nil)
        queue.append((member, .call(id, from: "10.0.9.9:1", channel, bytes)))
        run(for: .seconds(30)) { self.foreign[id] != .some(nil) }
        return foreign.removeValue(forKey: id) ?? nil
    }

    func tell(_ member: Int, _ event: AgentEvent) {
        queue.append((member, event))
        run(for: .zero)
    }

    // MARK: Running

    func run(for duration: Duration, until isDone: () -> Bool = { false }) {
        let end = now + duration
        while !isDone() {
            if !queue.isEmpty {
                let (member, event) = queue.removeFirst()
                if !members[member].isDown { handle(event, member) }
                continue
            }
            let deadlines = members.indices.compactMap { at in members[at].isDown ? nil : members[at].agent.deadline.map { ($0, at) } }
            guard let next = deadlines.min(by: { $0 < $1 }), next.0 <= end else {
                now = max(now, end)
                return
            }
            now = max(now, next.0)
            handle(.wake, next.1)
        }
    }

    private func handle(_ event: AgentEvent, _ at: Int) {
        var effects: [AgentEffect] = []
        members[at].agent.handle(event, at: now, into: &effects)
        members[at].agent.flush(at: now, into: &effects)
        for effect in effects { perform(effect, at) }
    }

    private func perform(_ effect: AgentEffect, _ at: Int) {
        let member = members[at]
        switch effect {
        case .respond(let id, let response): member.responses[id] = response
        case .answer(let id, let bytes): member.replies[id] = bytes
        case .publish(let state): member.published = state
        case .disk(let batch): queue.append((at, .disk(member.disk.perform(batch))))
        case .call(let id, let address, let channel, let bytes, _):
            guard let callee = members.firstIndex(where: { $0.config.raftAddress == address && !$0.isDown }) else {
                queue.append((at, .callFailed(id, "dial tcp 127.0.0.1:0->\(address): connect: connection refused")))
                return
            }
            let incoming = CallID(incoming: takeID())
            callers[incoming] = (at, id)
            queue.append((callee, .call(incoming, from: member.config.raftAddress, channel, bytes)))
        case .reply(let id, let bytes):
            if let caller = callers.removeValue(forKey: id) { queue.append((caller.member, .answered(caller.id, bytes))) }
            if foreign[id] != nil { foreign[id] = bytes }
        case .refuse(let id):
            if let caller = callers.removeValue(forKey: id) { queue.append((caller.member, .callFailed(caller.id, "EOF"))) }
        case .log(_, _, let text): logs.append(text)
        case .packet, .resolve, .probe, .cancelProbe, .respondInPieces, .piece, .readConfiguration, .exit, .followLog, .show, .report,
            .examineHost,
            .configure:
            break
        }
    }

    private func takeID() -> UInt64 {
        defer { nextID += 1 }
        return nextID
    }
}
