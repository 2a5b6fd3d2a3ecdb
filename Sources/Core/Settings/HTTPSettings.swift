/// What clients may ask over HTTP, and what goes with the answers.
public struct HTTPSettings: Sendable {
    /// In bytes.
    public var kvMaxValueSize = 512 << 10
    public var txnMaxRequestLength = 512 << 10
    public var responseHeaders: StringMap = [:]
    /// Path prefixes that answer 403.
    public var blockEndpoints: [String] = []
    /// Networks in CIDR form from which writes are accepted; empty: everywhere.
    public var allowWriteFrom: [String] = []
    public var translateWANAddresses = false
    public var discoveryMaxStale: Duration = .zero
    public var disableUnprintableFilter = false
    public var uiEnabled = false
    /// Where the files of the web page are; naming one turns it on, too.
    public var uiDirectory = ""
    public var uiContentPath = "/ui/"
    public var useCache = true
    public var enableDebug = false
}
