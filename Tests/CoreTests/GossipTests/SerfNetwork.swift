@testable import Core

/// A few Serfs that reach each other over a network without sockets, and a clock that jumps to the next thing to do.
final class SerfNetwork {
    /// One machine: a Serf that may be stopped and started again, and its files.
    final class Node {
        let name: String
        let address: NodeAddress
        var serf: Serf?
        var files: SortedMap<String, [UInt8]> = [:]
        /// What the Serf told, in order.
        var told: [SerfEffect] = []
        var failsWrites = false
        /// Nothing comes in or goes out.
        var isCut = false
        /// By the numbers that callers chose: who waits for the answer.
        var callers: [CallID: (caller: String, call: CallID)] = [:]

        init(_ name: String, _ address: NodeAddress) {
            self.name = name
            self.address = address
        }
    }

    private enum Action {
        case packet(to: Address, from: Address, [UInt8])
        case call(from: Address, CallID, to: Address, [UInt8])
        case answer(to: Address, CallID, [UInt8])
        case failure(to: Address, CallID, String)
        case disk(String, DiskBatch)
    }

    private(set) var now = Instant.zero
    private(set) var nodes: SortedMap<String, Node> = [:]
    private var queue: [(at: Instant, order: Int, action: Action)] = []
    private var order = 0
    private var nextCall: UInt64 = 1 << 32
    private var calls: [CallID: (from: Address, call: CallID)] = [:]
    private var random: Random
    /// Packets that are lost, of a hundred.
    var loss = 0
    var cipher: (any GossipCipher)?

    init(seed: UInt64 = 1) { random = Random(seed: seed) }

    /// `a`, `b`, … who know each other.
    static func pool(
        _ count: Int, seed: UInt64 = 1, keys: [[UInt8]] = [], _ change: (inout SerfConfig) -> Void = { _ in }
    ) -> SerfNetwork {
        let network = SerfNetwork(seed: seed)
        if !keys.isEmpty { network.cipher = MemberlistToyCipher() }
        let names = "abcdefgh".prefix(count).map(String.init)
        for name in names { network.start(name, keys: keys, change) }
        for name in names.dropFirst() { network.join(name, "a") }
        let isComplete = network.wait(for: .seconds(30)) { names.allSatisfy { network.serf($0).memberCount(.alive) == count } }
        precondition(isComplete, "a pool comes together")
        network.run(for: .seconds(2))
        return network
    }

    subscript(name: String) -> Node { nodes[name]! }
    func serf(_ name: String) -> Serf { nodes[name]!.serf! }

    /// Starts a member, or starts it again with the files that it had.
    @discardableResult
    func start(_ name: String, keys: [[UInt8]] = [], _ change: (inout SerfConfig) -> Void = { _ in }) -> Node {
        if nodes[name] == nil { nodes[name] = Node(name, NodeAddress("10.0.0.\(nodes.count + 1):8301")!) }
        let node = nodes[name]!
        var config = SerfConfig(memberlist: .lan(name: name, advertise: node.address), tags: ["role": "test", "id": name])
        config.snapshotFile = "serf/local.snapshot"
        change(&config)
        let snapshot = node.files[config.snapshotFile ?? ""].map {
            SerfSnapshot(parsing: $0, rejoinAfterLeave: config.rejoinAfterLeave)
        }
        var keyring = GossipKeyring()
        for key in keys { try! keyring.add(key) }
        let serf = Serf(config: config, snapshot: snapshot, keyring: keyring, cipher: cipher, seed: random.next(), at: now)
        node.serf = serf
        perform(node) { precondition(serf.start(at: self.now, into: &$0) == nil) }
        return node
    }

    /// Stops the member like a loss of power.
    func crash(_ name: String) { nodes[name]!.serf = nil }

    /// Performs `body` on a member's Serf.
    func perform(_ node: Node, _ body: (inout [SerfEffect]) -> Void) {
        var effects: [SerfEffect] = []
        body(&effects)
        for effect in effects { take(effect, of: node) }
    }

    func perform(_ name: String, _ body: (Serf, Instant, inout [SerfEffect]) -> Void) {
        let node = nodes[name]!
        perform(node) { body(node.serf!, now, &$0) }
    }

    func join(_ name: String, _ targets: String..., token: UInt64 = 1) {
        perform(name) { $0.join(targets.map { .address(nodes[$0]!.address) }, token: token, at: $1, into: &$2) }
    }

    private func take(_ effect: SerfEffect, of node: Node) {
        switch effect {
        case .gossip(.packet(let to, let bytes)):
            let isLost = Int.random(in: 0..<100, using: &random) < loss
            if !isLost { schedule(.packet(to: to, from: node.address.text, bytes)) }
        case .gossip(.call(let call, let to, let bytes, _)):
            schedule(.call(from: node.address.text, call, to: to, bytes))
        case .gossip(.reply(let call, let bytes)):
            if let (caller, number) = calls.removeValue(forKey: call) { schedule(.answer(to: caller, number, bytes)) }
        case .gossip(.refuse(let call)):
            if let (caller, number) = calls.removeValue(forKey: call) { schedule(.failure(to: caller, number, "EOF")) }
        case .disk(let batch):
            schedule(.disk(node.name, batch))
            node.told.append(effect)
        default:
            node.told.append(effect)
        }
    }

    private func schedule(_ action: Action) {
        order += 1
        let delay = Duration.microseconds(Int64.random(in: 200...2_000, using: &random))
        queue.append((now + delay, order, action))
    }

    private func running(_ address: Address) -> Node? {
        nodes.values.first { $0.address.text == address && $0.serf != nil && !$0.isCut }
    }

    /// Lets time pass.
    func run(for duration: Duration) {
        let end = now + duration
        while true {
            let next = queue.indices.min { (queue[$0].at, queue[$0].order) < (queue[$1].at, queue[$1].order) }
            let waking = nodes.values.filter { $0.serf?.deadline != nil }.min { $0.serf!.deadline! < $1.serf!.deadline! }
            let actionAt = next.map { queue[$0].at } ?? .distantFuture
            let wakeAt = waking?.serf?.deadline ?? .distantFuture
            if min(actionAt, wakeAt) > end { break }
            now = max(now, min(actionAt, wakeAt))
            if let next, actionAt <= wakeAt {
                deliver(queue.remove(at: next).action)
            } else if let waking {
                perform(waking) { waking.serf!.handle(.wake, at: now, into: &$0) }
            }
        }
        now = end
    }

    /// Whether `condition` becomes true in time.
    func wait(for duration: Duration, until condition: () -> Bool) -> Bool {
        let end = now + duration
        while now < end {
            if condition() { return true }
            run(for: .milliseconds(50))
        }
        return condition()
    }

    private func deliver(_ action: Action) {
        switch action {
        case .packet(let to, let from, let bytes):
            guard running(from) != nil, let node = running(to) else { return }
            perform(node) { node.serf!.handle(.packet(from: from, bytes), at: now, into: &$0) }
        case .call(let from, let call, let to, let bytes):
            guard running(from) != nil, let node = running(to) else {
                return schedule(.failure(to: from, call, "dial tcp \(to): connect: connection refused"))
            }
            nextCall += 1
            let number = CallID(incoming: nextCall)
            calls[number] = (from, call)
            perform(node) { node.serf!.handle(.call(number, from: from, bytes), at: now, into: &$0) }
        case .answer(let to, let call, let bytes):
            guard let node = running(to) else { return }
            perform(node) { node.serf!.handle(.answered(call, bytes), at: now, into: &$0) }
        case .failure(let to, let call, let text):
            guard let node = running(to) else { return }
            perform(node) { node.serf!.handle(.callFailed(call, text), at: now, into: &$0) }
        case .disk(let name, let batch):
            let node = nodes[name]!
            guard node.serf != nil else { return }
            var result: Result<[[UInt8]], DiskError> = .success([])
            if node.failsWrites { result = .failure(.noSpace) } else { for step in batch.operations { write(step, node) } }
            perform(node) { node.serf!.diskFinished(DiskCompletion(of: batch, result), at: now, into: &$0) }
        }
    }

    private func write(_ operation: DiskOperation, _ node: Node) {
        switch operation {
        case .write(let file, let offset, let bytes):
            var content = node.files[file] ?? []
            while content.count < offset { content.append(0) }
            content.replaceSubrange(offset..<min(content.count, offset + bytes.count), with: bytes)
            node.files[file] = content
        case .truncate(let file, let size): node.files[file] = Array((node.files[file] ?? []).prefix(size))
        case .rename(let from, let to): node.files[to] = node.files.removeValue(forKey: from)
        case .remove(let file): node.files[file] = nil
        case .sync, .syncDirectory, .read: break
        }
    }
}

extension SerfNetwork.Node {
    /// `joined:a`, `failed:b` and so on, in order.
    var memberEvents: [String] {
        told.flatMap { effect -> [String] in
            guard case .members(let kind, let members) = effect else { return [] }
            return members.map { "\(kind):\($0.name)" }
        }
    }

    var userEvents: [UserEvent] {
        told.compactMap { if case .userEvent(let event) = $0 { event } else { nil } }
    }

    var queries: [ReceivedQuery] {
        told.compactMap { if case .query(let query) = $0 { query } else { nil } }
    }

    func status(of name: String) -> MemberStatus? { serf?.member(named: name)?.status }

    var logs: [String] {
        told.compactMap { if case .gossip(.log(_, _, let text)) = $0 { text } else { nil } }
    }

    var snapshotText: String { String(decoding: files["serf/local.snapshot"] ?? [], as: UTF8.self) }
}
