/// What the routes and the renderer need to know of the agent's configuration. Cheap to copy.
public struct APIContext: Sendable {
    public var nodeName = "node"
    public var isServer = true
    public var datacenter = "dc1"
    /// `-dev`: every JSON answer is indented (http-1 §1.5).
    public var devMode = false
    /// In bytes, compared with Content-Length.
    public var kvMaxValueSize = 512 << 10
    public var txnMaxRequestLength = 512 << 10
    /// Path prefixes that answer 403.
    public var blockEndpoints: [[UInt8]] = []
    /// Networks from which writes are accepted; empty: everywhere.
    public var allowWriteFrom: [IPNetwork] = []
    public var discoveryMaxStale: Duration = .zero
    public var disableUnprintableFilter = false
    public var uiEnabled = false
    public var uiContentPath = "/ui/"
    public var useCache = true
    public var enableDebug = false
    public var disableCoordinates = false
    /// On every answer of a wrapped endpoint: `Vary`, the configured headers, address translation. Sorted by name, names canonical.
    public private(set) var commonHeaders: [(name: String, value: String)] = [("Vary", "Accept-Encoding")]

    public init() {}

    public init(from config: AgentConfig) {
        nodeName = config.nodeName
        isServer = config.server
        datacenter = config.datacenter
        devMode = config.devMode
        kvMaxValueSize = config.kvMaxValueSize
        txnMaxRequestLength = config.txnMaxRequestLength
        blockEndpoints = config.blockEndpoints.map { Array($0.utf8) }
        allowWriteFrom = config.allowWriteHTTPFrom.compactMap { IPNetwork($0) }
        discoveryMaxStale = config.discoveryMaxStale
        disableUnprintableFilter = config.disableUnprintableFilter
        uiEnabled = config.uiEnabled
        uiContentPath = config.uiContentPath
        useCache = config.httpUseCache
        enableDebug = config.enableDebug
        disableCoordinates = config.disableCoordinates
        setCommonHeaders(configured: config.responseHeaders, translates: config.translateWANAddresses)
    }

    private mutating func setCommonHeaders(configured: StringMap, translates: Bool) {
        var headers = configured.map { (name: HeaderName.canonical($0.key), value: $0.value) }
        // A configured value takes the place of this one.
        if !headers.contains(where: { $0.name == "Vary" }) { headers.append(("Vary", "Accept-Encoding")) }
        if translates { headers.append(("X-Consul-Translate-Addresses", "true")) }
        headers.sort { $0.name < $1.name }
        commonHeaders = headers
    }

    /// Adds what every answer of a wrapped endpoint carries; keeps the headers sorted. The answer's own headers win.
    public func finish(_ response: inout HTTPResponse) {
        guard response.wrapped else { return }
        if commonHeaders.count == 1 {
            let at = response.headers.firstIndex { $0.name >= "Vary" } ?? response.headers.endIndex
            if at < response.headers.endIndex, response.headers[at].name == "Vary" { return }
            response.headers.insert(commonHeaders[0], at: at)
            return
        }
        for header in commonHeaders where !response.headers.contains(where: { $0.name == header.name }) {
            response.headers.append(header)
        }
        response.headers.sort { $0.name < $1.name }
    }
}

enum HeaderName {
    /// The spelling on the wire: first letters and letters after `-` upper case, the rest lower case (http-1 §1.4).
    static func canonical(_ name: String) -> String {
        var upper = true
        var bytes: [UInt8] = []
        bytes.reserveCapacity(name.utf8.count)
        for byte in name.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z") where upper: bytes.append(byte - 32)
            case UInt8(ascii: "A")...UInt8(ascii: "Z") where !upper: bytes.append(byte + 32)
            default: bytes.append(byte)
            }
            upper = byte == UInt8(ascii: "-")
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
