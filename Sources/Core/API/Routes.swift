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

/// What a route needs of its caller (acl §13.1). Part of every route: there is none that says nothing.
///
/// Whoever carries the call out asks for the very permission, since only there it is known which key, node or service it is about; this
/// says which one that will be, and a test walks all routes to see that it is.
enum RoutePermission: Hashable, Sendable {
    case openToEverybody
    /// The right to read of a GET, to write of any other method; whoever lacks it is refused.
    case needs(Permission.Resource)
    /// The same right for all methods.
    case always(Permission.Resource, Permission.Level)
    /// The right to read rows: those that the caller must not see are left out.
    case filters(Permission.Resource)
    /// Nothing stands behind it yet: it answers everybody alike, without looking at any state.
    case answersNothing
}

/// A path, or with a final `/` everything below it.
struct Route: Sendable {
    typealias Handler = @Sendable (APIRequest) throws(Refusal) -> APICall

    let path: [UInt8]
    let methods: AllowedMethods
    let permission: RoutePermission
    /// What the request turns out to ask for, once its method and parameters have been looked at.
    let handler: Handler
    /// The longest other pattern that this one lies below; -1 for none.
    var parent = -1
    /// Whether a pattern with a final `/` lies below this one.
    var hasSubtrees = false
    /// Its place in the table.
    var number = 0

    init(_ path: String, _ methods: AllowedMethods, _ permission: RoutePermission, _ handler: @escaping Handler) {
        self.path = Array(path.utf8)
        self.methods = methods
        self.permission = permission
        self.handler = handler
    }

    /// Routes that differ in nothing but their paths.
    static func all(
        _ paths: [String], below prefix: String, _ methods: AllowedMethods, _ permission: RoutePermission, _ handler: @escaping Handler
    ) -> [Route] {
        paths.map { Route(prefix + $0, methods, permission, handler) }
    }

    var isSubtree: Bool { path.last == UInt8(ascii: "/") }

    func matches(_ candidate: ArraySlice<UInt8>) -> Bool {
        isSubtree ? candidate.starts(with: path) : candidate.elementsEqual(path)
    }
}

/// All routes (http-1 §1.3). The longest pattern that matches wins. Each feature declares its own beside its handlers.
struct RouteTable: Sendable {
    static let shared = RouteTable(
        unbuilt + agent + catalog + health + internalUI + coordinates + events + keys + sessions + status + transactions + operators)

    /// Sorted by path.
    private let patterns: [Route]
    /// Where among them those stand whose fifth byte is that one: what nearly all have in common, `/v1/`, says nothing.
    private let places: [Range<Int>]
    private static let common = Array("/v1/".utf8)

    private init(_ all: [Route]) {
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
    var routes: [Route] { patterns }

    /// Of the pattern of that number.
    func path(_ number: Int) -> [UInt8] { patterns[number].path }

    func find(_ path: [UInt8]) -> Route? { find(path[...]) }

    /// O(log n) in the number of endpoints.
    func find(_ path: ArraySlice<UInt8>) -> Route? {
        // Every pattern that is a prefix of `path` is also a prefix of the last pattern that does not sort after `path`, or is it.
        var at = lastNotAfter(path)
        while at >= 0 {
            if patterns[at].matches(path) { return patterns[at] }
            at = patterns[at].parent
        }
        return nil
    }

    /// Whether a path for which `find` gave `found` lacks nothing but the final `/` of a pattern, and is no pattern itself.
    func lacksSlash(_ path: [UInt8], _ found: Route?) -> Bool {
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
}
