/// Instances of a service in random order, each looked at only when it is drawn: of a thousand instances a plain client gets three.
struct DNSInstances {
    private let store: Store
    private let authorizer: Authorizer
    private let onlyPassing: Bool
    private var rows: [Row<ServiceInstance>]
    private let tags: [ByteString]

    /// `tag` is empty for any; it does not count for `connect` and `ingress`.
    init(
        store: Store, authorizer: Authorizer, onlyPassing: Bool, service: String, tag: String = "", connect: Bool = false,
        ingress: Bool = false
    ) {
        self.store = store
        self.authorizer = authorizer
        self.onlyPassing = onlyPassing
        tags = tag.isEmpty || connect ? [] : [TableKey.lowerCased(tag)]
        if ingress {
            // Config entries are kept, not interpreted: no ingress gateway exposes a service yet.
            rows = []
        } else {
            rows = (connect ? store.servicesByConnect : store.servicesByName).values(withPrefix: TableKey.of(service))
        }
    }

    /// A random one of the usable instances that are left (dns §6 steps 2 and 4).
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
        guard let node = store.nodes[key] else { return nil }
        var checks: [Row<HealthCheck>] = []
        var isUsable = true
        func look(_ key: ByteString, _ check: Row<HealthCheck>) -> Bool {
            isUsable = check.value.status != CheckStatus.critical && (!onlyPassing || check.value.status == CheckStatus.passing)
            if isUsable { checks.append(check) }
            return isUsable
        }
        store.checksByInstance.scan(prefix: TableKey.join(key, Self.noService), look)
        if isUsable { store.checksByInstance.scan(prefix: TableKey.join(key, TableKey.of(row.value.service.id)), look) }
        guard isUsable,
            case .healthNodes(let visible) = authorizer.filter(.healthNodes([CheckServiceNode(node: node, service: row, checks: checks)]))
        else { return nil }
        return visible.first
    }

    private static let noService = TableKey.of("")
}
