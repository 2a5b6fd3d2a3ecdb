/// How DNS questions are answered: the block `dns_config`, with its keys as stored variables. Spec: dns §18.
public struct DNSConfig: Hashable, Sendable {
    public var domain = "consul."
    public var altDomain = ""
    public var allowStale = true
    public var maxStale: Duration = .hours(87600)
    public var onlyPassing = false
    public var nodeTTL: Duration = .zero
    /// Exact names, or a prefix followed by `*`.
    public var serviceTTL: SortedMap<String, Duration> = [:]
    public var enableTruncate = false
    public var udpAnswerLimit = 3
    public var aRecordLimit = 0
    public var nodeMetaTXT = true
    public var disableCompression = false
    public var recursors: [String] = []
    public var recursorTimeout: Duration = .seconds(2)
    public var soaRefresh: UInt32 = 3600
    public var soaRetry: UInt32 = 600
    public var soaExpire: UInt32 = 86400
    public var soaMinTTL: UInt32 = 0
    public var useCache = false
    public var cacheMaxAge: Duration = .zero
    public init() {}
}
