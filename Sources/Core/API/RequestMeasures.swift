/// What the time of a request or question is measured under. Spec: config §24.
public struct MeasuredSubject: Hashable, Sendable {
    /// Neither an endpoint nor a question that is measured.
    public static let none = MeasuredSubject(number: -1)
    static let domainQuery = MeasuredSubject(number: -2)
    static let pointerQuery = MeasuredSubject(number: -3)

    fileprivate let number: Int
    private static let methods = ["GET", "PUT", "POST", "DELETE"]

    private init(number: Int) { self.number = number }

    /// The endpoint that the request goes to. O(log n) in the number of endpoints.
    init(_ request: borrowing HTTPRequest) {
        guard let method = Self.methods.firstIndex(of: request.method) else {
            self = .none
            return
        }
        let end = request.target.firstIndex(of: UInt8(ascii: "?")) ?? request.target.endIndex
        guard let found = RouteTable.shared.find(request.target[..<end]) else {
            self = .none
            return
        }
        number = found.number * Self.methods.count + method
    }

    /// How many numbers of endpoints and methods there are.
    fileprivate static var count: Int { RouteTable.shared.count * methods.count }

    /// `http.GET.v1.kv._`: a final slash has become `_`.
    fileprivate static func name(_ number: Int) -> String {
        let parts = RouteTable.shared.path(number / methods.count).split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        let texts = parts.dropFirst().map { $0.isEmpty ? "_" : String(decoding: $0, as: UTF8.self) }
        return (["http", methods[number % methods.count]] + texts).joined(separator: ".")
    }
}

/// What an I/O thread has measured since it last told the core loop.
public struct RequestMeasures: Sendable {
    /// In milliseconds, by what was asked.
    private var requests: [MetricAggregate] = []
    private var touched: [Int] = []
    private var domainQueries = MetricAggregate()
    private var pointerQueries = MetricAggregate()
    /// Questions answered from a state that had been current more than five seconds before.
    var staleQuestions = 0
    /// Reads answered from the published state.
    var reads = 0
    /// Those of them that were to be consistent, in milliseconds.
    private(set) var consistentReads = MetricAggregate()
    /// Whose instances they looked up.
    var lookups: [(lookup: MeasuredLookup, times: Int)] = []
    /// Accepted on the server port.
    var connections = 0

    public init(connections: Int = 0) { self.connections = connections }

    var isEmpty: Bool { touched.isEmpty && domainQueries.count == 0 && pointerQueries.count == 0 && reads == 0 }

    /// Nanoseconds, since making a `Duration` and taking it apart costs more than all the rest.
    mutating func add(_ subject: MeasuredSubject, nanoseconds: Int64) {
        let milliseconds = Double(nanoseconds) / 1e6
        switch subject {
        case .none: return
        case .domainQuery: domainQueries.add(milliseconds)
        case .pointerQuery: pointerQueries.add(milliseconds)
        default:
            if requests.isEmpty { requests = Array(repeating: MetricAggregate(), count: MeasuredSubject.count) }
            if requests[subject.number].count == 0 { touched.append(subject.number) }
            requests[subject.number].add(milliseconds)
        }
    }

    mutating func addConsistentRead(nanoseconds: Int64) { consistentReads.add(Double(nanoseconds) / 1e6) }

    /// The samples, by their names without prefix; those of DNS are the ones with a label.
    var samples: [(name: String, isQuestion: Bool, values: MetricAggregate)] {
        var samples = touched.map { (name: MeasuredSubject.name($0), isQuestion: false, values: requests[$0]) }
        if domainQueries.count > 0 { samples.append(("dns.domain_query", true, domainQueries)) }
        if pointerQueries.count > 0 { samples.append(("dns.ptr_query", true, pointerQueries)) }
        return samples
    }
}
