import Testing

@testable import Core

/// A store that counts its log entries, and short forms of requests.
struct Harness {
    var store = Store()
    var index: UInt64 = 0
    /// Of the last request.
    var changes = ChangeSet()

    init(startingAt index: UInt64 = 0) { self.index = index }

    /// Applies the bytes of the log command, so that every test goes through the codec.
    @discardableResult
    mutating func apply(_ request: WriteRequest) -> ApplyResult { apply(request.logCommand) }

    @discardableResult
    mutating func apply(_ command: [UInt8]) -> ApplyResult {
        index += 1
        changes.removeAll()
        return store.apply(command, index: index, changes: &changes)
    }

    // MARK: Keys

    @discardableResult
    mutating func kv(
        _ op: String, _ key: ByteString, _ value: String = "", session: String = "", flags: UInt64 = 0, index: UInt64 = 0
    ) -> ApplyResult {
        var request = KVSRequest()
        request.op = KVOperation(op)
        request.dirEnt = DirEntry(key: key)
        request.dirEnt.entry.value = Array(value.utf8)
        request.dirEnt.entry.session = session
        request.dirEnt.entry.flags = flags
        request.dirEnt.entry.index.modify = index
        return apply(.kv(request))
    }

    @discardableResult
    mutating func set(_ key: ByteString, _ value: String = "v") -> ApplyResult { kv("set", key, value) }

    mutating func reap(upTo index: UInt64) -> ApplyResult {
        var request = TombstoneRequest()
        request.op = .reap
        request.reapIndex = index
        return apply(.tombstone(request))
    }

    func entry(_ key: ByteString) -> KVEntry? {
        guard case .entries(let entries) = find(.kv(.get(key: key))).0 else { return nil }
        return entries.first?.entry
    }

    // MARK: Catalog

    @discardableResult
    mutating func register(_ node: String, _ change: (inout RegisterRequest) -> Void = { _ in }) -> ApplyResult {
        var request = RegisterRequest()
        request.node = node
        request.address = "10.0.0.1"
        request.datacenter = "dc1"
        change(&request)
        return apply(.register(request))
    }

    @discardableResult
    mutating func service(
        _ name: String, id: String? = nil, on node: String, _ change: (inout NodeService) -> Void = { _ in }
    ) -> ApplyResult {
        register(node) {
            var service = NodeService()
            service.service = name
            service.id = id ?? name
            change(&service)
            $0.service = service
            $0.skipNodeUpdate = true
        }
    }

    @discardableResult
    mutating func check(
        _ id: String, on node: String, _ status: String = "passing", service: String = "", _ change: (inout HealthCheck) -> Void = { _ in }
    ) -> ApplyResult {
        register(node) {
            var check = HealthCheck()
            check.node = node
            check.checkID = id
            check.name = id
            check.status = status
            check.serviceID = service
            change(&check)
            $0.checks = [check]
            $0.skipNodeUpdate = true
        }
    }

    @discardableResult
    mutating func deregister(_ node: String, service: String = "", check: String = "") -> ApplyResult {
        var request = DeregisterRequest()
        request.node = node
        request.serviceID = service
        request.checkID = check
        return apply(.deregister(request))
    }

    // MARK: Sessions

    @discardableResult
    mutating func session(_ id: String, on node: String, _ change: (inout Session) -> Void = { _ in }) -> ApplyResult {
        var request = SessionRequest()
        request.op = .create
        request.session.id = id
        request.session.node = node
        change(&request.session)
        return apply(.session(request))
    }

    @discardableResult
    mutating func destroy(_ id: String) -> ApplyResult {
        var request = SessionRequest()
        request.op = .destroy
        request.session.id = id
        return apply(.session(request))
    }

    // MARK: Transactions

    mutating func txn(_ ops: [TxnOp]) -> TxnResponse {
        var request = TxnRequest()
        request.ops = ops
        guard case .txn(let response) = apply(.txn(request)) else { return TxnResponse() }
        return response
    }

    // MARK: Reading

    func find(_ query: ReadQuery, meta: StringMap = [:]) -> (QueryResult, UInt64) {
        var options = QueryOptions()
        options.nodeMetaFilters = meta
        switch store.evaluate(query, options: options) {
        case .success(let found): return (found.result, found.index)
        case .failure(let error):
            Issue.record("\(error.text)")
            return (.keys([]), 0)
        }
    }

    func index(_ query: ReadQuery, meta: StringMap = [:]) -> UInt64 { find(query, meta: meta).1 }

    func failure(_ query: ReadQuery) -> String? {
        guard case .failure(let error) = store.evaluate(query, options: QueryOptions()) else { return nil }
        return error.text
    }

    /// `node/id` of the instances that a catalog query finds.
    func instances(_ service: String, tags: [String] = [], connect: Bool = false, meta: StringMap = [:]) -> [String] {
        guard case .serviceNodes(let found) = find(.catalog(.serviceNodes(service: service, tags: tags, connect: connect)), meta: meta).0
        else {
            return []
        }
        return found.map { "\($0.service.value.node)/\($0.service.value.service.id)" }
    }

    /// `node/id: checks` of the instances that a health query finds.
    func health(_ service: String, tags: [String] = [], connect: Bool = false) -> [String] {
        let query = ReadQuery.health(.serviceNodes(service: service, tags: tags, connect: connect, ingress: false))
        guard case .healthNodes(let found) = find(query).0 else { return [] }
        return found.map {
            "\($0.node.value.node)/\($0.service.value.service.id): \($0.checks.map(\.value.checkID).joined(separator: " "))"
        }
    }

    func healthIndex(_ service: String, connect: Bool = false) -> UInt64 {
        index(.health(.serviceNodes(service: service, tags: [], connect: connect, ingress: false)))
    }

    func catalogIndex(_ service: String) -> UInt64 { index(.catalog(.serviceNodes(service: service, tags: [], connect: false))) }

    func keys(_ prefix: ByteString, separator: ByteString = "") -> [String] {
        guard case .keys(let keys) = find(.kv(.keys(prefix: prefix, separator: separator))).0 else { return [] }
        return keys.map(\.string)
    }

    func checks(_ query: ReadQuery, meta: StringMap = [:]) -> [String] {
        guard case .checks(let checks) = find(query, meta: meta).0 else { return [] }
        return checks.map { "\($0.value.node)/\($0.value.checkID)" }
    }

    /// Whether a reader that is blocked on this query is woken by `change`.
    mutating func wakes(_ query: ReadQuery, meta: StringMap = [:], _ change: (inout Harness) -> Void) -> Bool {
        var options = QueryOptions()
        options.nodeMetaFilters = meta
        var registry = WatchRegistry<Int>()
        registry.register(1, store.topics(of: query, options: options))
        change(&self)
        return registry.wake(changes) == [1]
    }
}

/// A session ID whose last digits are `n`.
func sessionID(_ n: Int) -> String {
    let digits = String(n)
    return "71202cee-2053-b496-1309-" + String(repeating: "0", count: 12 - digits.count) + digits
}
