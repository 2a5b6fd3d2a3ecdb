/// A catalog that is at hand. It refers to the published state: a store is many references, too many to copy for each question.
struct StoredCatalog: DNSSource {
    let state: PublishedState
    let authorizer: Authorizer
    let onlyPassing: Bool
    /// False when what is at hand must not be answered from.
    let readable: Bool
    /// Whether something was asked for that must not be answered from here.
    private(set) var hasRefused = false

    init(_ state: PublishedState, authorizer: Authorizer, onlyPassing: Bool, readable: Bool) {
        self.state = state
        self.authorizer = authorizer
        self.onlyPassing = onlyPassing
        self.readable = readable
    }

    private mutating func check() throws(DNSUnreadable) {
        if readable { return }
        hasRefused = true
        throw DNSUnreadable()
    }

    mutating func node(named name: String) throws(DNSUnreadable) -> Row<Node>? {
        try check()
        guard let found = state.store.findNode(name), authorizer.sees(found.value) else { return nil }
        return found
    }

    mutating func node(at address: DNSAddress, _ text: String) throws(DNSUnreadable) -> Row<Node>? {
        try check()
        var found: Row<Node>?
        state.store.nodes.scan(from: ByteString([])) { _, node in
            if address.isAddress(of: node.value, text), authorizer.sees(node.value) {
                found = node
                return false
            }
            return true
        }
        return found
    }

    mutating func service(at text: String) throws(DNSUnreadable) -> String? {
        try check()
        guard
            case .success(let found) = state.store.evaluate(
                .catalog(.serviceByAddress(text)), options: QueryOptions(), authorizer: authorizer),
            case .serviceNodes(let rows) = found.result
        else { return nil }
        return rows.first?.service.value.service.service
    }

    mutating func instances(of question: DNSServiceQuestion) throws(DNSUnreadable) -> StoredInstances {
        try check()
        return StoredInstances(state, authorizer: authorizer, onlyPassing: onlyPassing, question)
    }
}

/// Of a thousand instances a plain client gets three: only those are put together.
struct StoredInstances: DNSInstances {
    private let state: PublishedState
    private let authorizer: Authorizer
    private let onlyPassing: Bool
    private var rows: [Row<ServiceInstance>]
    private let tags: [ByteString]

    init(_ state: PublishedState, authorizer: Authorizer, onlyPassing: Bool, _ question: DNSServiceQuestion) {
        self.state = state
        self.authorizer = authorizer
        self.onlyPassing = onlyPassing
        tags =
            question.tag.isEmpty || question.connect
            ? [] : [planted(.dnsCaseSensitive) ? ByteString(question.tag) : TableKey.lowerCased(question.tag)]
        if question.ingress {
            // Config entries are kept, not interpreted: no ingress gateway exposes a service yet.
            rows = []
        } else {
            let index = question.connect ? state.store.servicesByConnect : state.store.servicesByName
            rows = index.values(withPrefix: TableKey.of(question.service))
        }
    }

    mutating func draw(_ random: inout Random) -> CheckServiceNode? {
        while let last = rows.indices.last {
            if last > 0 { rows.swapAt(last, Int.random(in: 0...last, using: &random)) }
            let row = rows.removeLast()
            if !tags.isEmpty && !row.value.service.has(tags) { continue }
            if let instance = usable(row) { return instance }
        }
        return nil
    }

    /// With its node and checks, unless they or the access rules keep it from being answered with.
    private func usable(_ row: Row<ServiceInstance>) -> CheckServiceNode? {
        let key = TableKey.of(row.value.node)
        guard let node = state.store.nodes[key] else { return nil }
        var checks: [Row<HealthCheck>] = []
        var isUsable = true
        func look(_ key: ByteString, _ check: Row<HealthCheck>) -> Bool {
            isUsable =
                check.value.status != CheckStatus.critical
                && (!onlyPassing && !planted(.dnsHidesWarning) || check.value.status == CheckStatus.passing)
            if isUsable { checks.append(check) }
            return isUsable
        }
        if !planted(.dnsIgnoresNodeChecks) { state.store.checksByInstance.scan(prefix: TableKey.join(key, Self.noService), look) }
        if isUsable, !planted(.dnsShowsCritical) {
            state.store.checksByInstance.scan(prefix: TableKey.join(key, TableKey.of(row.value.service.id)), look)
        }
        guard isUsable, authorizer.sees(row.value) else { return nil }
        return CheckServiceNode(node: node, service: row, checks: checks)
    }

    private static let noService = TableKey.of("")
}
