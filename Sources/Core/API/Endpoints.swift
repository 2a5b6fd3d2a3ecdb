/// The methods that an endpoint declares, in the order of its `Allow` header.
struct AllowedMethods: Hashable, Sendable {
    /// `OPTIONS,GET,PUT`; nil: none declared, the handler decides.
    let header: String?
    private let set: UInt8

    private init(_ methods: String?) {
        header = methods.map { "OPTIONS," + $0 }
        set = (methods ?? "").split(separator: ",").reduce(0) { $0 | AllowedMethods.bit(String($1)) }
    }

    static let none = AllowedMethods(nil)
    static let get = AllowedMethods("GET")
    static let put = AllowedMethods("PUT")
    static let post = AllowedMethods("POST")
    static let delete = AllowedMethods("DELETE")
    static let getPut = AllowedMethods("GET,PUT")
    static let getPost = AllowedMethods("GET,POST")
    static let getDelete = AllowedMethods("GET,DELETE")
    static let getPutDelete = AllowedMethods("GET,PUT,DELETE")
    static let getPostPutDelete = AllowedMethods("GET,POST,PUT,DELETE")

    func contains(_ method: String) -> Bool { set & AllowedMethods.bit(method) != 0 }

    private static func bit(_ method: String) -> UInt8 {
        switch method {
        case "GET": 1
        case "PUT": 2
        case "POST": 4
        case "DELETE": 8
        default: 0
        }
    }
}

/// Who answers a path.
enum Endpoint: Hashable, Sendable {
    case kv, txn
    case sessionCreate, sessionDestroy, sessionRenew, sessionInfo, sessionNode, sessionList
    case uiNodes, uiNode, uiServices, uiGatewayServices
    case statusLeader, statusPeers
    case catalogRegister, catalogDeregister, catalogDatacenters, catalogNodes, catalogServices, catalogService, catalogConnect
    case catalogNode, catalogNodeServices, catalogGatewayServices
    case healthNode, healthChecks, healthState, healthService, healthConnect, healthIngress
    case raftConfiguration, raftPeer, keyring, autopilotConfiguration, autopilotHealth
    case coordinateDatacenters, coordinateNodes, coordinateNode, coordinateUpdate
    case agent
    case eventFire, eventList
    case snapshot
    case acl
    case profiling
    /// Known to the method table; answers 404 until it is built.
    case unavailable
}

/// A path, or with a final `/` everything below it.
struct EndpointPattern: Sendable {
    let path: [UInt8]
    let methods: AllowedMethods
    let endpoint: Endpoint
    /// The longest other pattern that this one lies below; -1 for none.
    var parent = -1
    /// Whether a pattern with a final `/` lies below this one.
    var hasSubtrees = false
    /// Its place in the table.
    var number = 0

    init(_ path: String, _ methods: AllowedMethods, _ endpoint: Endpoint) {
        self.path = Array(path.utf8)
        self.methods = methods
        self.endpoint = endpoint
    }

    var isSubtree: Bool { path.last == UInt8(ascii: "/") }

    func matches(_ candidate: ArraySlice<UInt8>) -> Bool {
        isSubtree ? candidate.starts(with: path) : candidate.elementsEqual(path)
    }
}

/// All endpoints and their methods (http-1 §1.3). The longest pattern that matches wins.
struct EndpointTable: Sendable {
    static let shared = EndpointTable(acl + agent + catalog + connect + serving + operating)

    /// Sorted by path.
    private let patterns: [EndpointPattern]
    /// Where among them those stand whose fifth byte is that one: what nearly all have in common, `/v1/`, says nothing.
    private let places: [Range<Int>]
    private static let common = Array("/v1/".utf8)

    private init(_ all: [EndpointPattern]) {
        var sorted = all.sorted { $0.path.lexicographicallyPrecedes($1.path) }
        for at in sorted.indices {
            sorted[at].number = at
            guard let parent = sorted[..<at].lastIndex(where: { $0.isSubtree && sorted[at].path.starts(with: $0.path) }) else { continue }
            sorted[at].parent = parent
            if sorted[at].isSubtree { sorted[parent].hasSubtrees = true }
        }
        var places = Array(repeating: 0..<0, count: 256)
        for (at, pattern) in sorted.enumerated() where pattern.path.starts(with: Self.common) {
            let byte = Int(pattern.path[Self.common.count])
            places[byte] = (places[byte].isEmpty ? at : places[byte].lowerBound)..<(at + 1)
        }
        patterns = sorted
        self.places = places
    }

    var count: Int { patterns.count }

    /// Of the pattern of that number.
    func path(_ number: Int) -> [UInt8] { patterns[number].path }

    func find(_ path: [UInt8]) -> EndpointPattern? { find(path[...]) }

    /// O(log n) in the number of endpoints.
    func find(_ path: ArraySlice<UInt8>) -> EndpointPattern? {
        // Every pattern that is a prefix of `path` is also a prefix of the last pattern that does not sort after `path`, or is it.
        var at = lastNotAfter(path)
        while at >= 0 {
            if patterns[at].matches(path) { return patterns[at] }
            at = patterns[at].parent
        }
        return nil
    }

    /// Whether a path for which `find` gave `found` lacks nothing but the final `/` of a pattern, and is no pattern itself.
    func lacksSlash(_ path: [UInt8], _ found: EndpointPattern?) -> Bool {
        guard path.last != UInt8(ascii: "/") else { return false }
        if let found, !found.hasSubtrees || found.path == path { return false }
        let slashed = path + [UInt8(ascii: "/")]
        return find(slashed)?.path == slashed
    }

    /// The place of the last pattern that does not sort after `path`, where that may be a prefix of it; otherwise a smaller one or -1.
    private func lastNotAfter(_ path: ArraySlice<UInt8>) -> Int {
        var (low, high) = (0, patterns.count)
        if path.count > Self.common.count, path.starts(with: Self.common) {
            let place = places[Int(path[path.startIndex + Self.common.count])]
            if place.isEmpty { return -1 }
            (low, high) = (place.lowerBound, place.upperBound)
        }
        while low < high {
            let middle = (low + high) / 2
            if path.lexicographicallyPrecedes(patterns[middle].path) { high = middle } else { low = middle + 1 }
        }
        return low - 1
    }

    private static func all(_ paths: [String], below prefix: String, _ methods: AllowedMethods, _ endpoint: Endpoint) -> [EndpointPattern] {
        paths.map { EndpointPattern(prefix + $0, methods, endpoint) }
    }

    private static let acl: [EndpointPattern] =
        all(
            ["bootstrap", "create", "update", "destroy/", "clone/", "policy", "role", "binding-rule", "auth-method", "token"],
            below: "/v1/acl/", .put, .acl)
        + all(
            [
                "info/", "list", "replication", "policies", "policy/name/", "roles", "role/name/", "binding-rules", "auth-methods",
                "tokens",
                "token/self", "rules/translate/",
            ], below: "/v1/acl/", .get, .acl)
        + all(["login", "logout", "rules/translate"], below: "/v1/acl/", .post, .acl)
        + all(["policy/", "role/", "binding-rule/", "auth-method/", "token/"], below: "/v1/acl/", .getPutDelete, .acl)
        + all(["/v1/internal/acl/authorize"], below: "", .post, .acl)

    private static let agent: [EndpointPattern] =
        all(
            [
                "self", "host", "monitor", "metrics", "services", "service/", "checks", "members", "health/service/id/",
                "health/service/name/", "connect/ca/roots", "connect/ca/leaf/",
            ], below: "/v1/agent/", .get, .agent)
        + all(
            [
                "token/", "maintenance", "reload", "join/", "leave", "force-leave/", "check/register", "check/deregister/", "check/pass/",
                "check/warn/", "check/fail/", "check/update/", "service/register", "service/deregister/", "service/maintenance/",
            ], below: "/v1/agent/", .put, .agent)
        + all(["connect/authorize"], below: "/v1/agent/", .post, .agent)

    private static let catalog: [EndpointPattern] = [
        EndpointPattern("/v1/catalog/register", .put, .catalogRegister),
        EndpointPattern("/v1/catalog/deregister", .put, .catalogDeregister),
        EndpointPattern("/v1/catalog/connect/", .get, .catalogConnect),
        EndpointPattern("/v1/catalog/datacenters", .get, .catalogDatacenters),
        EndpointPattern("/v1/catalog/nodes", .get, .catalogNodes),
        EndpointPattern("/v1/catalog/services", .get, .catalogServices),
        EndpointPattern("/v1/catalog/service/", .get, .catalogService),
        EndpointPattern("/v1/catalog/node/", .get, .catalogNode),
        EndpointPattern("/v1/catalog/node-services/", .get, .catalogNodeServices),
        EndpointPattern("/v1/catalog/gateway-services/", .get, .catalogGatewayServices),
        EndpointPattern("/v1/health/node/", .get, .healthNode),
        EndpointPattern("/v1/health/checks/", .get, .healthChecks),
        EndpointPattern("/v1/health/state/", .get, .healthState),
        EndpointPattern("/v1/health/service/", .get, .healthService),
        EndpointPattern("/v1/health/connect/", .get, .healthConnect),
        EndpointPattern("/v1/health/ingress/", .get, .healthIngress),
    ]

    private static let connect: [EndpointPattern] =
        all(["/v1/config/"], below: "", .getDelete, .unavailable)
        + all(["/v1/config"], below: "", .put, .unavailable)
        + all(["ca/configuration"], below: "/v1/connect/", .getPut, .unavailable)
        + all(["ca/roots", "intentions/match", "intentions/check"], below: "/v1/connect/", .get, .unavailable)
        + all(["intentions"], below: "/v1/connect/", .getPost, .unavailable)
        + all(["intentions/"], below: "/v1/connect/", .getPutDelete, .unavailable)
        + all(["/v1/discovery-chain/"], below: "", .getPost, .unavailable)
        + all(
            [
                "federation-states", "federation-states/mesh-gateways", "federation-state/",
            ], below: "/v1/internal/", .get, .unavailable)

    private static let serving: [EndpointPattern] =
        [
            EndpointPattern("/v1/internal/ui/nodes", .get, .uiNodes),
            EndpointPattern("/v1/internal/ui/node/", .get, .uiNode),
            EndpointPattern("/v1/internal/ui/services", .get, .uiServices),
            EndpointPattern("/v1/internal/ui/gateway-services-nodes/", .get, .uiGatewayServices),
            EndpointPattern("/v1/coordinate/datacenters", .get, .coordinateDatacenters),
            EndpointPattern("/v1/coordinate/nodes", .get, .coordinateNodes),
            EndpointPattern("/v1/coordinate/node/", .get, .coordinateNode),
            EndpointPattern("/v1/coordinate/update", .put, .coordinateUpdate),
            EndpointPattern("/v1/event/fire/", .put, .eventFire),
            EndpointPattern("/v1/event/list", .get, .eventList),
            EndpointPattern("/v1/kv/", .getPutDelete, .kv),
            EndpointPattern("/v1/session/create", .put, .sessionCreate),
            EndpointPattern("/v1/session/destroy/", .put, .sessionDestroy),
            EndpointPattern("/v1/session/renew/", .put, .sessionRenew),
            EndpointPattern("/v1/session/info/", .get, .sessionInfo),
            EndpointPattern("/v1/session/node/", .get, .sessionNode),
            EndpointPattern("/v1/session/list", .get, .sessionList),
            EndpointPattern("/v1/status/leader", .get, .statusLeader),
            EndpointPattern("/v1/status/peers", .get, .statusPeers),
            EndpointPattern("/v1/txn", .put, .txn),
        ]
        + all(["/v1/query"], below: "", .getPost, .unavailable)
        + all(["/v1/query/"], below: "", .none, .unavailable)

    private static let operating: [EndpointPattern] =
        [
            EndpointPattern("/v1/operator/raft/configuration", .get, .raftConfiguration),
            EndpointPattern("/v1/operator/raft/peer", .delete, .raftPeer),
            EndpointPattern("/v1/operator/keyring", .getPostPutDelete, .keyring),
            EndpointPattern("/v1/operator/autopilot/configuration", .getPut, .autopilotConfiguration),
            EndpointPattern("/v1/operator/autopilot/health", .get, .autopilotHealth),
            EndpointPattern("/v1/snapshot", .getPut, .snapshot),
        ]
        + all(["", "cmdline", "profile", "symbol", "trace"], below: "/debug/pprof/", .none, .profiling)
}
