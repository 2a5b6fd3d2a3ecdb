/// What the routes and the renderer need to know of the agent's configuration. Every request is taken apart beside it, hence shared.
/// Over 15 stored variables: each is a setting, worked out once.
public final class APIContext: Sendable {
    public let nodeName: String
    public let isServer: Bool
    public let datacenter: String
    /// `-dev`: every JSON answer is indented (http-1 §1.5).
    public let devMode: Bool
    /// In bytes, compared with Content-Length.
    public let kvMaxValueSize: Int
    public let txnMaxRequestLength: Int
    /// Path prefixes that answer 403.
    public let blockEndpoints: [[UInt8]]
    /// Networks from which writes are accepted; empty: everywhere.
    public let allowWriteFrom: [IPNetwork]
    public let discoveryMaxStale: Duration
    public let disableUnprintableFilter: Bool
    public let uiEnabled: Bool
    public let uiContentPath: String
    public let useCache: Bool
    public let enableDebug: Bool
    public let access: AccessControl
    public let disableCoordinates: Bool
    /// `http_config.response_headers`, names canonical.
    public let configuredHeaders: [(name: String, value: String)]
    /// On every answer of a wrapped endpoint: `Vary`, the configured headers, address translation. Sorted by name, names canonical.
    public let commonHeaders: [(name: String, value: String)]

    public init(from settings: AgentSettings = AgentSettings()) {
        nodeName = settings.identity.nodeName
        isServer = settings.identity.isServer
        datacenter = settings.identity.datacenter
        devMode = settings.identity.devMode
        kvMaxValueSize = settings.http.kvMaxValueSize
        txnMaxRequestLength = settings.http.txnMaxRequestLength
        blockEndpoints = settings.http.blockEndpoints.map { Array($0.utf8) }
        allowWriteFrom = settings.http.allowWriteFrom.compactMap { IPNetwork($0) }
        discoveryMaxStale = settings.http.discoveryMaxStale
        disableUnprintableFilter = settings.http.disableUnprintableFilter
        uiEnabled = settings.http.uiEnabled || !settings.http.uiDirectory.isEmpty
        uiContentPath = settings.http.uiContentPath
        useCache = settings.http.useCache
        enableDebug = settings.http.enableDebug
        access = settings.access
        disableCoordinates = settings.coordinates.disabled
        configuredHeaders = settings.http.responseHeaders.map { (name: HeaderName.canonical($0.key), value: $0.value) }
        commonHeaders = Self.commonHeaders(configuredHeaders, translates: settings.http.translateWANAddresses)
    }

    private static func commonHeaders(
        _ configured: [(name: String, value: String)], translates: Bool
    ) -> [(name: String, value: String)] {
        var headers = configured
        // A configured value takes the place of this one.
        if !headers.contains(where: { $0.name == "Vary" }) { headers.append(("Vary", "Accept-Encoding")) }
        if translates { headers.append(("X-Consul-Translate-Addresses", "true")) }
        headers.sort { $0.name < $1.name }
        return headers
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
