/// What the parts of the local state share: the configuration, chance, tokens and the form of log lines.
final class LocalContext {
    var settings: AgentSettings
    var random: Random
    /// Names the files of registrations: 32 lower-case hexadecimal digits (config §20).
    let md5Hex: @Sendable ([UInt8]) -> String
    let codec: any RegistrationCodec
    private var nextToken: UInt64 = 1

    init(settings: AgentSettings, random: Random, codec: any RegistrationCodec, md5Hex: @escaping @Sendable ([UInt8]) -> String) {
        self.settings = settings
        self.random = random
        self.codec = codec
        self.md5Hex = md5Hex
    }

    /// Identifies a read, a write, a probe or a batch of disk operations until its answer comes.
    func makeToken() -> UInt64 {
        defer { nextToken += 1 }
        return nextToken
    }

    /// Seconds since 1970.
    func unixSeconds(_ now: Instant) -> Int64 { (now.nanoseconds &+ settings.wallClockOffset) / 1_000_000_000 }

    /// A line in the reference's form: `Synced service: service=web`.
    func log(
        _ level: LogLevel, _ text: String, _ pairs: [(String, String)] = [], subsystem: String = "agent", _ effects: inout [LocalEffect]
    ) {
        guard level >= settings.reloadable.logLevel else { return }
        var line = text
        for (at, pair) in pairs.enumerated() {
            line += at == 0 ? ": " : " "
            line += "\(pair.0)=\(LogText.value(pair.1))"
        }
        effects.append(.log(level, subsystem, line))
    }

    // MARK: Rows of the catalog

    func nodeRequest() -> RegisterRequest {
        var request = RegisterRequest()
        request.datacenter = settings.identity.datacenter
        request.id = settings.identity.nodeID
        request.node = settings.identity.nodeName
        request.address = settings.addresses.advertise
        request.taggedAddresses = settings.nodeTaggedAddresses
        request.nodeMeta = settings.registeredNodeMeta
        return request
    }

    func deregisterRequest(token: String) -> DeregisterRequest {
        var request = DeregisterRequest()
        request.datacenter = settings.identity.datacenter
        request.node = settings.identity.nodeName
        request.token = token
        return request
    }
}

/// Text equality byte by byte: `String`'s own takes differently composed accents for equal.
func sameBytes(_ a: String, _ b: String) -> Bool { a.utf8.elementsEqual(b.utf8) }
