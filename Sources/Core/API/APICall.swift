/// What a request turned out to ask for. Executed by the agent, answered through `Renderer`.
public enum APICall: Sendable {
    /// Answered without looking at any state: errors, redirects, 404, 405, OPTIONS.
    case immediate(HTTPResponse)
    /// Replicated state; may block.
    case read(ReadQuery, QueryOptions, ReadShape)
    /// Goes through the log.
    case write(WriteRequest, WriteShape)
    /// Restarts the leader's timer of a session; answered by `Renderer.renewed`.
    case sessionRenew(id: String, QueryOptions, pretty: Bool)
    /// A transaction; one without writes makes no log entry and obeys the consistency options. Answered by `Renderer.txn`.
    case txn(TxnRequest, readOnly: Bool, QueryOptions, pretty: Bool)
    /// About the servers themselves, or of them as a whole; answered by `Renderer.render(_:of:)`.
    case operation(ServerOperation, QueryOptions, pretty: Bool)
    /// `/v1/catalog/datacenters`
    case datacenters(CacheOptions?, pretty: Bool)
    /// Below `/v1/agent/`: this agent itself, not the catalog.
    indirect case agent(AgentRequest, pretty: Bool)
}

extension APICall {
    /// The secret that it names, empty for none; nil where that is left to the request.
    var token: String? {
        switch self {
        case .immediate, .datacenters: ""
        case .read(_, let options, _), .sessionRenew(_, let options, _), .operation(_, let options, _): options.token
        case .write(let request, _): request.token
        case .txn(let request, _, _, _): request.token
        case .agent(.fireEvent(_, let options), _): options.token
        case .agent: nil
        }
    }
}

/// A call with who made it.
public struct RoutedCall: Sendable {
    public let call: APICall
    public let context: RequestContext
    public init(_ call: APICall, _ context: RequestContext) {
        self.call = call
        self.context = context
    }
}

/// `?cached` on an endpoint that honours it (http-1 §1.12).
public struct CacheOptions: Hashable, Sendable {
    /// `Cache-Control: max-age`, in seconds.
    public var maxAge: Int?
    public var mustRevalidate = false
    public init() {}
}

/// How the agent cache served a read: headers `X-Cache` and `Age`.
public enum CacheState: Hashable, Sendable {
    case miss
    /// Since the value was fetched, or since contact was lost.
    case hit(age: Duration)
}

/// How the result of a read becomes an answer.
public struct ReadShape: Sendable {
    public enum Form: Hashable, Sendable {
        /// A single entry or, with `recurse`, all below a prefix: 404 when there are none.
        case kvEntries
        /// The bytes of one entry.
        case kvRaw
        /// 404 when there are none, unless the prefix is empty.
        case kvKeys(emptyPrefix: Bool)
        case sessions
        case nodes
        case services
        case serviceNodes
        case nodeServices
        case nodeServiceList
        case gatewayServices
        case checks
        case healthNodes(PassingFilter)
        /// Nodes with all they have: of one node as an object, 404 for an unknown one.
        case nodeDump(single: Bool)
        /// One row for each service name, made of all instances.
        case serviceSummaries
        /// Of one segment, or of all for nil. Those of one node: 404 when there are none.
        case coordinates(segment: String?, ofNode: Bool)
        /// Without metadata.
        case autopilotConfiguration
    }

    public var form: Form
    public var pretty: Bool
    public var cache: CacheOptions?
    /// `?filter`, on the endpoints that have it.
    public var filter: Filter?
    /// Why it is none. Whoever carries out the read says so: if that is another server, the error comes from there.
    public var filterError: FilterError?

    public init(_ form: Form, pretty: Bool = false, cache: CacheOptions? = nil, filter: Filter? = nil) {
        self.form = form
        self.pretty = pretty
        self.cache = cache
        self.filter = filter
    }
}

/// Equal shapes make equal answers of equal results, so that one encoding can serve many.
extension ReadShape: Hashable {
    public static func == (a: ReadShape, b: ReadShape) -> Bool {
        a.form == b.form && a.pretty == b.pretty && a.cache == b.cache && a.filter?.text == b.filter?.text
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(form)
        hasher.combine(pretty)
        hasher.combine(cache)
        hasher.combine(filter?.text)
    }
}

/// `?passing` of the health endpoints.
public enum PassingFilter: Hashable, Sendable {
    case off
    case on
    /// Neither empty nor a bool: 400 once the query has run.
    case invalid
}

/// How the outcome of a write becomes an answer.
public struct WriteShape: Hashable, Sendable {
    public enum Form: Hashable, Sendable {
        /// `true`, or the boolean that the log command came to.
        case outcome
        /// `true` whatever the command came to.
        case done
        /// `{"ID": ...}` of the created session.
        case sessionID
    }

    public var form: Form
    public var pretty: Bool

    public init(_ form: Form, pretty: Bool = false) {
        self.form = form
        self.pretty = pretty
    }
}
