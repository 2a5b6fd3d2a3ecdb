/// A catalog that is with the servers: what has been fetched of it for one question.
///
/// A look-up that finds something missing says what, comes to nothing, and is made again when that has been fetched.
struct FetchedCatalog: DNSSource {
    private let authorizer: Authorizer
    private let onlyPassing: Bool
    private var fetched: [(query: ReadQuery, result: QueryResult?)] = []
    /// What must be fetched before the look-up makes sense.
    private(set) var missing: ReadQuery?

    /// A question that needs more than this many look-ups does without the rest.
    static let fetchesMax = 64

    private let fetchesMax: Int

    /// `refusesAll`: nothing shall be fetched, so that the question fails if it needs anything.
    init(authorizer: Authorizer, onlyPassing: Bool, refusesAll: Bool = false) {
        self.authorizer = authorizer
        self.onlyPassing = onlyPassing
        fetchesMax = refusesAll ? 0 : Self.fetchesMax
    }

    /// What was missing has been fetched, or could not be (nil).
    mutating func add(_ result: QueryResult?) {
        guard let query = missing else { preconditionFailure("only what is missing is fetched") }
        missing = nil
        fetched.append((query, result))
    }

    private mutating func result(of query: ReadQuery) throws(DNSUnreadable) -> QueryResult {
        if let known = fetched.first(where: { $0.query == query }) {
            guard let result = known.result else { throw DNSUnreadable() }
            var visible = result
            do throws(Denied) {
                try query.authorize(authorizer, &visible)
            } catch {
                throw DNSUnreadable()
            }
            return visible
        }
        if missing == nil && fetched.count < fetchesMax { missing = query }
        throw DNSUnreadable()
    }

    mutating func node(named name: String) throws(DNSUnreadable) -> Row<Node>? {
        guard case .nodeServices(let found) = try result(of: .catalog(.nodeServices(node: name))) else { throw DNSUnreadable() }
        return found?.node
    }

    mutating func node(at address: DNSAddress, _ text: String) throws(DNSUnreadable) -> Row<Node>? {
        guard case .nodes(let nodes) = try result(of: .catalog(.nodes)) else { throw DNSUnreadable() }
        return nodes.first { address.isAddress(of: $0.value, text) }
    }

    mutating func service(at text: String) throws(DNSUnreadable) -> String? {
        guard case .serviceNodes(let rows) = try result(of: .catalog(.serviceByAddress(text))) else { throw DNSUnreadable() }
        return rows.first?.service.value.service.service
    }

    mutating func instances(of question: DNSServiceQuestion) throws(DNSUnreadable) -> FetchedInstances {
        let tags = question.tag.isEmpty || question.connect ? [] : [question.tag]
        let query = ReadQuery.health(
            .serviceNodes(
                service: question.service, tags: tags, connect: question.connect, ingress: question.ingress))
        guard case .healthNodes(let rows) = try result(of: query) else { throw DNSUnreadable() }
        return FetchedInstances(rows: rows, onlyPassing: onlyPassing)
    }
}

struct FetchedInstances: DNSInstances {
    fileprivate var rows: [CheckServiceNode]
    fileprivate let onlyPassing: Bool

    mutating func draw(_ random: inout Random) -> CheckServiceNode? {
        while let last = rows.indices.last {
            if last > 0 { rows.swapAt(last, Int.random(in: 0...last, using: &random)) }
            let row = rows.removeLast()
            let isUsable = row.checks.allSatisfy { check in
                check.value.status != CheckStatus.critical && (!onlyPassing || check.value.status == CheckStatus.passing)
            }
            if isUsable || planted(.dnsFetchedShowsCritical) { return row }
        }
        return nil
    }
}
