@testable import Core

/// Pools that note what their server does in them.
final class RecordedGossip: PoolOperations {
    private(set) var announcements = 0
    var expelled: [String] = []
    private(set) var events: [String] = []
    private(set) var keyWork: [Requester] = []
    var datacenters = ["dc1", "dc2"]
    var datacenterCoordinates: [DatacenterCoordinates] = []
    /// The error of whatever the server wants sent or begun in the pools.
    var problem: ServerError?

    func announceLeader(at now: Instant) { announcements += 1 }
    func forceLeave(_ member: String, prune: Bool, at now: Instant) { expelled.append(member) }

    func fireEvent(_ name: String, _ payload: [UInt8], at now: Instant) -> ServerError? {
        if problem == nil { events.append(name) }
        return problem
    }

    func manageKeys(_ request: KeyringRequest, for requester: Requester, at now: Instant) -> ServerError? {
        if problem == nil { keyWork.append(requester) }
        return problem
    }
}

/// Servers with disks in memory, a network without loss, and a pool whose members the test moves about.
final class ServerCluster {
    final class Machine {
        let settings: AgentSettings
        let disk = TestDisk()
        let gossip = RecordedGossip()
        var server: Server?
        init(_ settings: AgentSettings) { self.settings = settings }
    }

    private struct Happening: Comparable {
        var at: Instant
        var number: Int
        var name: String
        var event: Event
        static func < (a: Self, b: Self) -> Bool { (a.at, a.number) < (b.at, b.number) }
        static func == (a: Self, b: Self) -> Bool { a.number == b.number }
    }

    private enum Event {
        case call(CallID, caller: String, Channel, [UInt8])
        case answered(CallID, [UInt8])
        case callFailed(CallID, String)
        case disk(DiskCompletion)
    }

    var now = Instant.zero + .seconds(1)
    private(set) var machines: [String: Machine] = [:]
    var pool: [Member] = []
    /// Machines that nothing reaches and that reach nobody.
    var isolated: Set<String> = []
    private var agenda: [Happening] = []
    private var counter = 0
    private var callers: [UInt64: (name: String, call: CallID)] = [:]
    private(set) var logs: [String] = []
    /// What readers at each machine answer from.
    private(set) var published: [String: PublishedState] = [:]
    private var answers: [UInt64: ServerAnswer] = [:]
    private var replies: [UInt64: [UInt8]] = [:]
    var latency: Duration = .microseconds(500)
    /// How many calls each machine has made.
    private(set) var callsMade: [String: Int] = [:]

    static func id(_ name: String) -> String {
        let number = name.utf8.reduce(0) { $0 * 31 + Int($1) }
        let hex = String(number, radix: 16)
        return "00000000-0000-4000-8000-" + String(repeating: "0", count: 12 - hex.count) + hex
    }

    static func address(_ name: String) -> String { "10.0.0." + String(name.drop { !$0.isNumber }) }

    // MARK: Machines

    func settings(_ name: String, expect: Int = 0, bootstrap: Bool = false) -> AgentSettings {
        var settings = AgentSettings()
        settings.identity.nodeName = name
        settings.identity.nodeID = Self.id(name)
        settings.addresses.advertise = Self.address(name)
        settings.raft.bootstrap = bootstrap
        settings.raft.bootstrapExpect = expect
        settings.raft.heartbeatTimeout = .milliseconds(1000)
        settings.raft.electionTimeout = .milliseconds(1000)
        settings.raft.leaderLeaseTimeout = .milliseconds(500)
        return settings
    }

    func member(_ settings: AgentSettings, status: MemberStatus = .alive) -> Member {
        var tags = AgentTags(datacenter: settings.identity.datacenter, nodeID: settings.identity.nodeID, build: "1.8.6:0123abcd")
        tags.server = AgentTags.Server(port: 8300, wanJoinPort: nil)
        tags.server?.bootstrap = settings.raft.bootstrap
        tags.server?.expect = settings.raft.bootstrapExpect
        let address = NodeAddress(settings.raftAddress)!
        return Member(name: settings.identity.nodeName, address: address.bytes, port: 8301, tags: tags.tags(in: .lan), status: status)
    }

    static func client(_ name: String, status: MemberStatus = .alive) -> Member {
        let tags = AgentTags(datacenter: "dc1", nodeID: id(name), build: "1.8.6:0123abcd")
        return Member(name: name, address: NodeAddress(address(name) + ":1")!.bytes, port: 8301, tags: tags.tags(in: .lan), status: status)
    }

    /// Starts a server, or starts one again from its disk, and lets it join the pool.
    func start(_ settings: AgentSettings) throws {
        let machine = machines[settings.identity.nodeName] ?? Machine(settings)
        machines[settings.identity.nodeName] = machine
        machine.server = try Server(
            settings: settings, disk: machine.disk, gossip: machine.gossip, archives: PlainArchives(),
            seed: UInt64(settings.identity.nodeName.utf8.last!), at: now)
        flush(settings.identity.nodeName)
        change(.joined, member(settings))
    }

    func kill(_ name: String) { machines[name]?.server = nil }

    func server(_ name: String) -> Server { machines[name]!.server! }

    var names: [String] { machines.keys.sorted().filter { machines[$0]?.server != nil } }

    var leader: String? {
        names.filter { server($0).isEstablished && !isolated.contains($0) }.max {
            server($0).raft.currentTerm < server($1).raft.currentTerm
        }
    }

    // MARK: The pool

    /// Every server learns of it at once.
    func change(_ kind: MemberEventKind, _ member: Member) {
        pool.removeAll { $0.name == member.name }
        if kind != .reaped { pool.append(member) }
        pool.sort { $0.name < $1.name }
        for name in names {
            server(name).lanMembers = pool
            server(name).memberEvent(kind, [member], at: now)
            flush(name)
        }
    }

    func setStatus(_ name: String, _ status: MemberStatus) {
        var member = pool.first { $0.name == name }!
        member.status = status
        change(status == .failed ? .failed : status == .left ? .left : .joined, member)
    }

    // MARK: Time

    private func schedule(_ name: String, after delay: Duration, _ event: Event) {
        counter += 1
        agenda.append(Happening(at: now + delay, number: counter, name: name, event: event))
    }

    func flush(_ name: String) {
        guard let server = machines[name]?.server else { return }
        server.flush(at: now)
        var effects: [ServerEffect] = []
        for answer in server.takeOutput(into: &effects) { take(answer, from: name) }
        for effect in effects { perform(effect, of: name) }
    }

    private func take(_ answer: ServerAnswer, from name: String) {
        switch answer {
        case .read(.client(let id), _), .write(.client(let id), _), .operation(.client(let id), _): answers[id.raw] = answer
        default: break
        }
    }

    private func perform(_ effect: ServerEffect, of name: String) {
        switch effect {
        case .call(let id, let to, let channel, let bytes, let timeout):
            let callee = machines.values.first { $0.settings.raftAddress == to }?.settings.identity.nodeName
            callsMade[name, default: 0] += 1
            guard let callee, !isolated.contains(name), !isolated.contains(callee) else {
                return schedule(name, after: timeout, .callFailed(id, "i/o timeout"))
            }
            guard machines[callee]?.server != nil else {
                return schedule(name, after: latency * 2, .callFailed(id, "dial tcp \(to): connect: connection refused"))
            }
            counter += 1
            callers[UInt64(counter)] = (name, id)
            let incoming = CallID(incoming: UInt64(counter))
            schedule(callee, after: latency, .call(incoming, caller: name, channel, bytes))
        case .reply(let id, let bytes):
            guard let caller = callers.removeValue(forKey: id.number) else {
                replies[id.number] = bytes
                return
            }
            if !isolated.contains(name), !isolated.contains(caller.name) {
                schedule(caller.name, after: latency, .answered(caller.call, bytes))
            }
        // The callee finds nobody to answer.
        case .giveUp(let id):
            if let number = callers.first(where: { $0.value.name == name && $0.value.call == id })?.key { callers[number] = nil }
        case .refuse(let id):
            guard let caller = callers.removeValue(forKey: id.number) else { return }
            schedule(caller.name, after: latency, .callFailed(caller.call, "EOF"))
        case .disk(let batch):
            if let machine = machines[name] { schedule(name, after: .microseconds(200), .disk(machine.disk.perform(batch))) }
        case .log(_, _, let text): logs.append("\(name): \(text)")
        case .publish(let state): published[name] = state
        case .exit(let text): logs.append("\(name): exit \(text)")
        }
    }

    private func step(until end: Instant) -> Bool {
        let next = agenda.min()
        let deadlines = names.compactMap { name in server(name).deadline.map { ($0, name) } }
        let wake = deadlines.min { ($0.0, $0.1) < ($1.0, $1.1) }
        guard let at = [next?.at, wake?.0].compactMap({ $0 }).min(), at <= end else {
            now = end
            return false
        }
        now = max(now, at)
        if let next, next.at == at {
            agenda.removeAll { $0.number == next.number }
            deliver(next)
        } else if let wake {
            server(wake.1).wake(at: now)
            flush(wake.1)
        }
        return true
    }

    private func deliver(_ happening: Happening) {
        guard let server = machines[happening.name]?.server else {
            if case .call(let id, let caller, _, _) = happening.event, let call = callers.removeValue(forKey: id.number) {
                schedule(caller, after: latency, .callFailed(call.call, "connection reset by peer"))
            }
            return
        }
        switch happening.event {
        case .call(let id, let caller, let channel, let bytes):
            server.called(id, from: machines[caller]!.settings.raftAddress, channel, bytes, at: now)
        case .answered(let id, let bytes): server.answered(id, bytes, at: now)
        case .callFailed(let id, let reason): server.callFailed(id, reason, at: now)
        case .disk(let completion): server.diskCompleted(completion, at: now)
        }
        flush(happening.name)
    }

    func run(for time: Duration) {
        let end = now + time
        while step(until: end) {}
    }

    /// Whether the condition came true in time.
    @discardableResult
    func run(upTo time: Duration, until condition: () -> Bool) -> Bool {
        let end = now + time
        while !condition() {
            if !step(until: end) { return condition() }
        }
        return true
    }

    // MARK: Clients

    func ask(_ work: ServerWork, at name: String, within time: Duration = .seconds(10)) -> ServerAnswer? {
        ask([work], at: name, within: time)[0]
    }

    /// Asks all of it in one batch of events.
    func ask(_ work: [ServerWork], at name: String, within time: Duration = .seconds(10)) -> [ServerAnswer?] {
        let ids = work.map { work in
            counter += 1
            server(name).execute(work, for: .client(RequestID(UInt64(counter))), at: now)
            return UInt64(counter)
        }
        flush(name)
        run(upTo: time) { ids.allSatisfy { answers[$0] != nil } }
        return ids.map { answers.removeValue(forKey: $0) }
    }

    func answer(to id: RequestID, within time: Duration) -> ServerAnswer? {
        run(upTo: time) { answers[id.raw] != nil }
        return answers.removeValue(forKey: id.raw)
    }

    /// What a client agent gets that calls `name`.
    func call(_ method: String, _ body: [UInt8], at name: String) throws -> RPCReply? {
        counter += 1
        let id = UInt64(counter)
        server(name).called(
            CallID(incoming: id), from: "10.0.9.9:1", .rpc, RPCRequest.encode(sequence: 7, method: method, body: body), at: now)
        flush(name)
        run(upTo: .seconds(10)) { replies[id] != nil }
        return try replies.removeValue(forKey: id).map { try RPCReply(decoding: $0) }
    }

    /// A call whose answer nobody waits for.
    func tell(_ name: String, _ channel: Channel, _ bytes: [UInt8]) {
        counter += 1
        server(name).called(CallID(incoming: UInt64(counter)), from: "10.0.9.9:1", channel, bytes, at: now)
        flush(name)
    }

    func operate(
        _ operation: ServerOperation, _ options: QueryOptions = QueryOptions(), at name: String
    ) -> Result<ServerOperationResult, ServerError>? {
        guard case .operation(_, let result) = ask(.operation(operation, options), at: name) else { return nil }
        return result
    }

    /// An archive of the state as that server provides it.
    func save(stale: Bool = false, at name: String) throws -> (archive: [UInt8], meta: QueryMeta)? {
        var options = QueryOptions()
        options.allowStale = stale
        guard case .snapshot(let archive, let meta)? = try operate(.saveSnapshot, options, at: name)?.get() else { return nil }
        return (archive, meta)
    }

    func read(_ query: ReadQuery, at name: String) -> QueryResult? {
        guard case .read(_, .success(let answer)) = ask(.read(query, QueryOptions()), at: name) else { return nil }
        return answer.result
    }

    @discardableResult
    func put(_ key: String, at name: String) -> Bool {
        var request = KVSRequest()
        request.op = .set
        request.dirEnt = DirEntry(key: ByteString(key))
        guard case .write(_, .success) = ask(.write(.kv(request)), at: name) else { return false }
        return true
    }

    /// Three servers (or as many as said) that have found each other and have a leader.
    static func formed(_ count: Int = 3) throws -> ServerCluster {
        let cluster = ServerCluster()
        for number in 1...count { try cluster.start(cluster.settings("s\(number)", expect: count)) }
        cluster.run(upTo: .seconds(30)) { cluster.leader != nil }
        return cluster
    }
}
