@testable import Core

/// A cluster of nodes with their disks on a network that loses, delays, repeats and reorders, everything drawn from one seed; and what must
/// hold at every step.
final class RaftSimulation {
    struct Faults {
        var drop = 0.0
        var duplicate = 0.0
        var delay: Range<Duration> = .microseconds(200)..<(.milliseconds(3))
        var disk: Range<Duration> = .microseconds(100)..<(.milliseconds(4))
        /// Clocks jump: leases mean nothing then.
        var clocksJump = false
        /// Servers of the reference: they do not know our extensions.
        var reference: Set<Int> = []
    }

    final class Host {
        let number: Int
        let server: RaftServer
        var disk = TestDisk()
        var node: RaftNode?
        /// Raised with every start; what was meant for an earlier one is lost.
        var incarnation = 0
        var machine = ToyMachine()
        /// The last index given out.
        var applied: UInt64 = 0
        var captured: [SnapshotID: [UInt8]] = [:]
        var decoding: [SnapshotID: [UInt8]] = [:]
        var decoded: [SnapshotID: ToyMachine] = [:]
        var brought: [UInt8]?
        var restoring: ToyMachine?
        /// How far the server's clock runs ahead.
        var skew = Duration.zero
        var diskIsBusyUntil = Instant.zero
        /// What waits for the disk.
        var batches: [DiskBatch] = []
        var wakeAt: Instant?
        var failure: String?

        init(_ number: Int) {
            self.number = number
            server = RaftServer(id: "s\(number)", address: "10.0.0.\(number):8300")
        }
    }

    enum Happening {
        case wake(Host, Int)
        case disk(Host, Int, DiskBatch)
        case request(from: Host, Int, CallID, to: Int, [UInt8])
        case answer(Host, Int, CallID, [UInt8])
        case failure(Host, Int, CallID)
        case action(() -> Void)
    }

    var random: Random
    var config: RaftConfig
    var faults = Faults()
    private(set) var now = Instant.zero
    var hosts: [Host] = []
    /// Pairs of numbers that cannot talk.
    var cuts: Set<[Int]> = []
    var violations: [String] = []

    private var heap: [(at: Instant, order: Int, what: Happening)] = []
    private var order = 0
    private var nextCall: UInt64 = 1
    private var open: [CallID: (Host, Int, CallID)] = [:]

    // What must hold.
    private var leaders: [UInt64: String] = [:]
    /// Per index: term and contents of the committed entry.
    private(set) var committed: [UInt64: LogEntry] = [:]
    private(set) var maxCommitted: UInt64 = 0
    private(set) var acknowledged: UInt64 = 0
    private(set) var acknowledgedCount = 0
    private var nextToken: UInt64 = 1
    private var proposals: Set<UInt64> = []
    private var reads: [UInt64: UInt64] = [:]
    private(set) var readCount = 0
    private(set) var installs = 0
    private(set) var startsOver = 0
    private(set) var restores = 0
    var onEffect: ((Host, RaftEffect) -> Void)?

    init(seed: UInt64, servers: Int, config: RaftConfig) {
        random = Random(seed: seed)
        self.config = config
        for number in 1...servers { hosts.append(Host(number)) }
    }

    static var quick: RaftConfig {
        var config = RaftConfig()
        config.heartbeatTimeout = .milliseconds(100)
        config.electionTimeout = .milliseconds(100)
        config.leaderLeaseTimeout = .milliseconds(50)
        config.commitTimeout = .milliseconds(5)
        config.snapshotInterval = .milliseconds(200)
        config.snapshotThreshold = 40
        config.trailingLogs = 20
        config.segmentSize = 4096
        config.cacheBytesMax = 3000
        config.readSize = 1500
        config.snapshotChunkSize = 700
        config.diskFullRetry = .milliseconds(50)
        return config
    }

    // MARK: Time

    func schedule(_ what: Happening, at: Instant) {
        order += 1
        heap.append((at, order, what))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            if precedes(parent, child) { break }
            heap.swapAt(parent, child)
            child = parent
        }
    }

    private func precedes(_ a: Int, _ b: Int) -> Bool {
        heap[a].at != heap[b].at ? heap[a].at < heap[b].at : heap[a].order < heap[b].order
    }

    private func next() -> Happening? {
        guard let first = heap.first else { return nil }
        now = max(now, first.at)
        heap[0] = heap[heap.count - 1]
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && precedes(child, least) { least = child }
            if least == parent { break }
            heap.swapAt(parent, least)
            parent = least
        }
        return first.what
    }

    func after(_ delay: Duration, _ action: @escaping () -> Void) { schedule(.action(action), at: now + delay) }

    func run(for duration: Duration) {
        let end = now + duration
        while let first = heap.first, first.at <= end, violations.isEmpty {
            guard let what = next() else { break }
            step(what)
        }
        now = max(now, end)
    }

    /// Runs until something holds; false if it does not within the time.
    @discardableResult
    func run(until condition: () -> Bool, within limit: Duration) -> Bool {
        let end = now + limit
        while violations.isEmpty {
            if condition() { return true }
            guard let first = heap.first, first.at <= end, let what = next() else { return false }
            step(what)
        }
        return false
    }

    private func step(_ what: Happening) {
        switch what {
        case .wake(let host, let incarnation):
            guard host.incarnation == incarnation, let wakeAt = host.wakeAt, wakeAt <= now else { return }
            host.wakeAt = nil
            give(host, .wake)
        case .disk(let host, let incarnation, let batch):
            guard host.incarnation == incarnation, host.node != nil else { return }
            host.batches.removeFirst()
            give(host, .disk(host.disk.perform(batch)))
        case .request(let from, let incarnation, let id, let to, let bytes):
            deliver(from, incarnation, id, to, bytes)
        case .answer(let host, let incarnation, let id, let bytes):
            if host.incarnation == incarnation { give(host, .answered(id, bytes)) }
        case .failure(let host, let incarnation, let id):
            if host.incarnation == incarnation { give(host, .callFailed(id, "i/o timeout")) }
        case .action(let action):
            action()
        }
    }

    // MARK: Network

    func canTalk(_ a: Int, _ b: Int) -> Bool { !cuts.contains([min(a, b), max(a, b)]) }

    private func deliver(_ from: Host, _ incarnation: Int, _ id: CallID, _ to: Int, _ bytes: [UInt8]) {
        let host = hosts[to - 1]
        guard host.node != nil, canTalk(from.number, to) else { return }
        if faults.reference.contains(to), bytes[0] >= RaftMessageKind.requestPreVote.rawValue {
            return schedule(.failure(from, incarnation, id), at: now + random.duration(in: faults.delay))
        }
        let local = CallID(incoming: nextCall)
        nextCall += 1
        open[local] = (from, incarnation, id)
        give(host, .call(local, from: from.server.address, bytes))
    }

    /// Hands a host a message from an unknown sender; the answer is lost.
    func inject(_ bytes: [UInt8], into host: Host, from address: Address = "10.9.9.9:1234") {
        let local = CallID(incoming: nextCall)
        nextCall += 1
        open[local] = (host, -1, local)
        give(host, .call(local, from: address, bytes))
    }

    private func sendBack(_ host: Host, _ call: CallID, _ bytes: [UInt8]?) {
        guard let (caller, incarnation, id) = open.removeValue(forKey: call) else {
            violations.append("\(host.server.id) answered a call twice")
            return
        }
        guard canTalk(caller.number, host.number), !random.chance(faults.drop) else { return }
        guard var bytes else { return schedule(.failure(caller, incarnation, id), at: now + random.duration(in: faults.delay)) }
        if faults.reference.contains(host.number) {
            var reader = MessagePackReader(bytes)
            if (try? RaftFailure.read(&reader)) == "", let vote = try? VoteResponse(from: &reader), vote.knowsPreVote {
                bytes = VoteResponse(term: vote.term).encoded(.requestVote)
            }
        }
        let copies = random.chance(faults.duplicate) ? 2 : 1
        for _ in 0..<copies { schedule(.answer(caller, incarnation, id, bytes), at: now + random.duration(in: faults.delay)) }
    }

    private func send(_ host: Host, _ id: CallID, _ address: Address, _ bytes: [UInt8], _ timeout: Duration) {
        schedule(.failure(host, host.incarnation, id), at: now + timeout)
        guard let target = hosts.first(where: { $0.server.address == address }), !random.chance(faults.drop) else { return }
        let copies = random.chance(faults.duplicate) ? 2 : 1
        for _ in 0..<copies {
            schedule(.request(from: host, host.incarnation, id, to: target.number, bytes), at: now + random.duration(in: faults.delay))
        }
    }

    // MARK: Hosts

    /// Writes the first configuration into every server's log and starts them.
    func startAll(voters: Int? = nil) {
        let servers = hosts.map(\.server).prefix(voters ?? hosts.count)
        firstConfiguration = RaftConfiguration(servers: Array(servers))
        for host in hosts { start(host) }
    }

    /// What every server is told when it finds nothing on its disk.
    private var firstConfiguration = RaftConfiguration()

    func start(_ host: Host) {
        guard host.node == nil else { return }
        host.incarnation += 1
        host.failure = nil
        host.disk.failsSync = false
        var isPristine = false
        do {
            let recovered = try RaftRecovery.recover(host.disk)
            isPristine = recovered.isPristine
            host.machine = ToyMachine()
            host.applied = recovered.snapshot?.index ?? 0
            if let meta = recovered.snapshot {
                var reader = SnapshotReader(meta)
                var bytes: [UInt8] = []
                while let piece = try reader.next(from: host.disk) { bytes += piece }
                guard let machine = ToyMachine(bytes) else {
                    violations.append("\(host.server.id) has a snapshot that is none")
                    return
                }
                host.machine = machine
            }
            let identity = RaftIdentity(id: host.server.id, address: host.server.address)
            host.node = RaftNode(config: config, identity: identity, recovered: recovered, seed: random.next(), now: now)
        } catch {
            violations.append("\(host.server.id) does not start: \(error)")
            return
        }
        host.diskIsBusyUntil = now
        host.wakeAt = nil
        rearm(host)
        if isPristine, firstConfiguration[host.server.id] != nil { give(host, .bootstrap(token: 0xB007, firstConfiguration)) }
    }

    func crash(_ host: Host, survival: TestDisk.Survival? = nil) {
        guard host.node != nil else { return }
        host.node = nil
        host.incarnation += 1
        host.captured = [:]
        host.brought = nil
        host.restoring = nil
        host.decoding = [:]
        host.decoded = [:]
        // Of the batch in progress some operations were performed.
        if let batch = host.batches.first {
            let count = Int(random.next() % UInt64(batch.operations.count + 1))
            for operation in batch.operations.prefix(count) { guard (try? host.disk.apply(operation)) != nil else { break } }
        }
        host.batches = []
        host.disk.crash(&random, survival)
    }

    func give(_ host: Host, _ event: RaftEvent) {
        guard let node = host.node else { return }
        var effects: [RaftEffect] = []
        node.handle(event, at: now + host.skew, into: &effects)
        node.flush(at: now + host.skew, into: &effects)
        perform(host, effects)
        rearm(host)
    }

    private func rearm(_ host: Host) {
        guard var deadline = host.node?.deadline else { return }
        if deadline != .distantFuture { deadline = deadline - host.skew }
        if let wakeAt = host.wakeAt, wakeAt <= deadline { return }
        host.wakeAt = max(now, deadline)
        schedule(.wake(host, host.incarnation), at: max(now, deadline))
    }

    private func perform(_ host: Host, _ effects: [RaftEffect]) {
        var events: [RaftEvent] = []
        for effect in effects {
            onEffect?(host, effect)
            switch effect {
            case .call(let id, _, let address, let bytes, let timeout): send(host, id, address, bytes, timeout)
            case .reply(let id, let bytes): sendBack(host, id, bytes)
            case .close(let id): sendBack(host, id, nil)
            case .disk(let batch):
                host.diskIsBusyUntil = max(now, host.diskIsBusyUntil) + random.duration(in: faults.disk)
                host.batches.append(batch)
                schedule(.disk(host, host.incarnation, batch), at: host.diskIsBusyUntil)
            case .committed(let entries): apply(host, entries)
            case .rejected(let token, _): end(token, host)
            case .verified(let token, let result): verified(token, result, host)
            case .becameLeader(let term): checkLeader(host, term)
            case .captureSnapshot(let id, let index, _):
                if host.applied < index { violations.append("\(host.server.id) is to freeze a state it has not reached") }
                host.captured[id] = host.machine.encoded
            case .provideSnapshot(let id, let count):
                let rest = host.captured[id] ?? host.brought ?? []
                events.append(rest.isEmpty ? .snapshotFinished(id) : .snapshotChunk(id, Array(rest.prefix(count))))
                if host.captured[id] != nil {
                    host.captured[id] = Array(rest.dropFirst(count))
                } else {
                    host.brought = Array(rest.dropFirst(count))
                }
            case .releaseSnapshot(let id): host.captured[id] = nil
            case .decodeSnapshot(let id, let bytes, let last):
                host.decoding[id, default: []] += bytes
                if last {
                    host.decoded[id] = ToyMachine(host.decoding[id] ?? [])
                    events.append(.snapshotDecoded(id, error: host.decoded[id] == nil ? "garbage" : nil))
                }
            case .discardSnapshot(let id):
                host.decoding[id] = nil
                host.decoded[id] = nil
            case .installSnapshot(let id, let index, _):
                installs += 1
                host.applied = index
                guard let machine = host.decoded[id] ?? host.restoring else { continue }
                host.restoring = nil
                host.machine = machine
                host.decoding[id] = nil
                if machine.index > index { violations.append("\(host.server.id) installed a state from the future") }
            case .resetState:
                host.machine = ToyMachine()
                host.applied = 0
                startsOver += 1
            case .fatal(let text):
                host.failure = text
            case .membershipDone, .transferred, .lostLeadership, .leaderChanged, .configurationChanged, .leaseChanged, .snapshotTaken, .log:
                break
            case .restored(_, let result):
                host.restoring = nil
                host.brought = nil
                if case .success = result { restores += 1 }
            }
        }
        if let failure = host.failure, host.node != nil {
            if !host.disk.failsSync { violations.append("\(host.server.id) stopped: \(failure)") }
            host.disk.failsSync = false
            crash(host)
        }
        for event in events { give(host, event) }
    }

    // MARK: Clients

    @discardableResult
    func propose(_ host: Host, _ data: [UInt8]) -> UInt64 {
        let token = nextToken
        nextToken += 1
        proposals.insert(token)
        give(host, .propose([Proposal(token: token, data: data)]))
        return token
    }

    func isOpen(_ token: UInt64) -> Bool { proposals.contains(token) }

    func restore(_ host: Host) {
        guard host.node?.isLeader == true, host.restoring == nil else { return }
        var machine = ToyMachine()
        machine.count = random.next() % 2000
        machine.digest = random.next()
        host.brought = machine.encoded
        host.restoring = machine
        give(host, .restore(token: 0xBEEF, index: 5))
    }

    func verify(_ host: Host) {
        let token = nextToken
        nextToken += 1
        reads[token] = acknowledged
        give(host, .verifyLeader(token: token))
    }

    var leader: Host? {
        hosts.filter { $0.node?.isLeader ?? false }.max { $0.node!.currentTerm < $1.node!.currentTerm }
    }

    // MARK: What must hold

    private func end(_ token: UInt64, _ host: Host) {
        if proposals.remove(token) == nil { violations.append("\(host.server.id) answered proposal \(token) twice") }
    }

    private func apply(_ host: Host, _ entries: [LogEntry]) {
        for entry in entries {
            if entry.index != host.applied + 1 { violations.append("\(host.server.id) gives out entries in the wrong order") }
            host.applied = entry.index
            var bare = entry
            bare.token = 0
            if let known = committed[entry.index] {
                if known != bare { violations.append("state machine safety: entry \(entry.index) differs at \(host.server.id)") }
            } else {
                committed[entry.index] = bare
                maxCommitted = max(maxCommitted, entry.index)
                checkLease(host, entry)
            }
            host.machine.apply(entry)
            if entry.token != 0 {
                end(entry.token, host)
                acknowledged = max(acknowledged, entry.index)
                acknowledgedCount += 1
            }
        }
    }

    private func verified(_ token: UInt64, _ result: Result<UInt64, RaftError>, _ host: Host) {
        guard let floor = reads.removeValue(forKey: token) else {
            violations.append("\(host.server.id) answered a verification twice")
            return
        }
        guard case .success = result else { return }
        readCount += 1
        if host.applied < floor { violations.append("stale read: \(host.server.id) has \(host.applied), acknowledged was \(floor)") }
    }

    /// While one server may answer reads under its lease, no other commits anything.
    private func checkLease(_ host: Host, _ entry: LogEntry) {
        if faults.clocksJump { return }
        for other in hosts where other !== host {
            guard let node = other.node, let expiry = node.leaseExpiry, expiry > now, node.currentTerm < entry.term else { continue }
            violations.append("lease: \(other.server.id) holds one while \(host.server.id) commits in term \(entry.term)")
        }
    }

    private func checkLeader(_ host: Host, _ term: UInt64) {
        if let other = leaders[term], other != host.server.id { violations.append("election safety: two leaders in term \(term)") }
        leaders[term] = host.server.id
        guard let node = host.node else { return }
        if node.lastLogIndex < maxCommitted { violations.append("leader completeness: \(host.server.id) lacks committed entries") }
        for (index, entry) in committed where index >= node.firstIndex {
            if node.logTerm(at: index) != entry.term {
                violations.append("leader completeness: \(host.server.id) has another entry \(index)")
            }
        }
    }

    /// Log matching: where two logs have the same term at an index, they are the same up to there.
    func checkLogs() {
        let nodes = hosts.compactMap { $0.node }
        for (at, a) in nodes.enumerated() {
            for b in nodes[(at + 1)...] {
                var isSame = false
                var index = min(a.lastLogIndex, b.lastLogIndex)
                while index >= max(a.firstIndex, b.firstIndex), index > 0 {
                    let agree = a.logTerm(at: index) == b.logTerm(at: index)
                    if isSame, !agree { violations.append("log matching: \(a.identity.id) and \(b.identity.id) differ at \(index)") }
                    if agree {
                        isSame = true
                        if let x = a.cachedEntry(at: index), let y = b.cachedEntry(at: index), x.data != y.data || x.kind != y.kind {
                            violations.append("log matching: entry \(index) differs")
                        }
                    }
                    index -= 1
                }
            }
        }
    }
}
