/// Answers DNS questions from the catalog. Pure: the same question, store and random numbers give the same answer. Spec: dns.
///
/// Names of other zones are not forwarded to recursors: with recursors configured they are refused.
public struct DNSResponder: Sendable {
    private(set) var zone: DNSZone

    public init(config: DNSConfig, datacenter: String) { zone = DNSZone(config, datacenter: datacenter) }

    public init(_ settings: AgentSettings) {
        self.init(config: settings.reloadable.dns, datacenter: settings.identity.datacenter)
    }

    /// Takes over all but the domains, which need a restart (dns §18).
    public mutating func reload(_ new: DNSConfig) {
        var config = new
        config.domain = zone.config.domain
        config.altDomain = zone.config.altDomain
        if config != zone.config { zone = DNSZone(config, datacenter: zone.datacenter) }
    }

    /// The answer to a packet; nil when it must be dropped.
    ///
    /// - Parameters:
    ///   - unixSeconds: the time, for the serial number of the zone.
    ///   - random: shuffles the instances of services.
    func answer<Source: DNSSource>(
        _ packet: [UInt8], tcp: Bool, from source: inout Source, unixSeconds: Int64, random: inout Random
    ) -> [UInt8]? {
        guard let (id, flags, counts) = DNSMessage.header(packet), flags & DNSFlag.response == 0 else { return nil }
        let opcode = (flags & DNSFlag.opcodeMask) >> 11
        if opcode != DNSZone.query && opcode != DNSZone.notify {
            let kept = flags & ~(DNSFlag.zero | DNSFlag.authoritative | DNSFlag.codeMask)
            return DNSMessage(id: id, flags: kept | DNSFlag.response | DNSCode.notImplemented, question: nil).encoded()
        }
        guard counts.questions == 1, counts.answers <= 1, counts.authority <= 1, counts.additional <= 2,
            let query = try? DNSMessage(decoding: packet)
        else {
            let kept = flags & ~(DNSFlag.opcodeMask | DNSFlag.authoritative | DNSFlag.codeMask)
            return DNSMessage(id: id, flags: kept | DNSFlag.response | DNSCode.formatError, question: nil).encoded()
        }
        var reply = DNSMessage(id: id, flags: DNSFlag.response | flags & DNSFlag.opcodeMask, question: query.question)
        // Only a plain query has these bits given back.
        if opcode == DNSZone.query { reply.flags |= flags & (DNSFlag.recursionDesired | DNSFlag.checkingDisabled) }
        guard let question = query.question else {
            reply.flags |= DNSCode.serverFailure
            return reply.encoded()
        }
        let kind = zone.kind(of: question.name.lowercased, type: question.type)
        if kind == .foreign {
            if zone.hasRecursors {
                reply.flags |= DNSFlag.recursionAvailable | DNSCode.refused
                reply.options = query.options.map(Self.givenBack)
            } else {
                reply.flags |= DNSCode.serverFailure
            }
            return reply.encoded(compressed: zone.compressing)
        }
        var lookup = DNSLookup(
            zone: zone, source: source, unixSeconds: unixSeconds, question: question,
            transport: DNSTransport(tcp: tcp, options: query.options), random: random)
        if kind == .reverse { lookup.answerReverse() } else { lookup.answer() }
        random = lookup.random
        source = lookup.source
        reply.flags |= lookup.flags
        reply.answers = lookup.answers
        reply.authority = lookup.authority
        reply.additional = lookup.additional
        reply.options = query.options.map(Self.givenBack)
        return reply.encoded(compressed: zone.compressing)
    }

    /// Prepares the answers to a datagram that has just been answered; nil where it cannot be done.
    func prepare<Source: DNSSource>(_ packet: [UInt8], from source: Source, random: Random) -> PreparedAnswer? {
        guard let (id, flags, counts) = DNSMessage.header(packet), flags & (DNSFlag.response | DNSFlag.opcodeMask) == 0,
            counts == DNSMessage.Counts(questions: 1, answers: 0, authority: 0, additional: counts.additional), counts.additional <= 1,
            let query = try? DNSMessage(decoding: packet), let question = query.question,
            zone.kind(of: question.name.lowercased, type: question.type) == .consul
        else { return nil }
        var lookup = DNSLookup(
            zone: zone, source: source, unixSeconds: 0, question: question, transport: DNSTransport(tcp: false, options: query.options),
            random: random)
        lookup.answer()
        var reply = DNSMessage(id: id, flags: DNSFlag.response, question: question)
        reply.flags |= flags & (DNSFlag.recursionDesired | DNSFlag.checkingDisabled) | lookup.flags
        (reply.answers, reply.authority, reply.additional) = (lookup.answers, lookup.authority, lookup.additional)
        reply.options = query.options.map(Self.givenBack)
        return lookup.prepared(reply)
    }

    /// The client's own payload size, and its subnet with a scope of nothing: no answer here depends on it.
    private static func givenBack(_ options: DNSOptions) -> DNSOptions {
        var options = options
        options.clientSubnet?.scopePrefix = 0
        return options
    }
}

/// What is the same for all answers of an agent, prepared once.
final class DNSZone: Sendable {
    static let query: UInt16 = 0
    static let notify: UInt16 = 4

    enum Kind {
        case consul
        case reverse
        case foreign
    }

    let config: DNSConfig
    let datacenter: String
    let domain: DNSName
    /// The primary and the alternative domain, the longer one first.
    let domains: [DNSName]
    /// `node.<datacenter>.<domain>` and its likes.
    let nodeSuffix: DNSName
    let serviceSuffix: DNSName
    let addressSuffix: DNSName
    private let arpa: DNSName
    /// TTLs of services whose names begin so, the longest first.
    private let ttlPrefixes: [(prefix: String, ttl: UInt32)]

    init(_ config: DNSConfig, datacenter: String) {
        func zone(_ text: String) -> DNSName { DNSName(text)?.lowercased ?? .root }
        func suffix(_ label: String, _ domain: DNSName) -> DNSName { DNSName("\(label).\(datacenter)", suffix: domain) ?? domain }
        self.config = config
        self.datacenter = datacenter
        domain = zone(config.domain)
        let alternative = config.altDomain.isEmpty ? [] : [zone(config.altDomain)]
        domains = ([domain] + alternative).sorted { $0.wire.count > $1.wire.count }
        nodeSuffix = suffix("node", domain)
        serviceSuffix = suffix("service", domain)
        addressSuffix = suffix("addr", domain)
        arpa = zone("arpa")
        ttlPrefixes = config.serviceTTL.filter { $0.key.utf8.last == UInt8(ascii: "*") }
            .map { (String($0.key.dropLast()), Self.seconds($0.value)) }
            .sorted { $0.0.utf8.count > $1.0.utf8.count }
    }

    /// Whether the name in a packet's question ends in the label `arpa`, without decoding the rest.
    static func isPointerQuery(_ packet: [UInt8]) -> Bool {
        var at = 12, last = 12
        while at < packet.count, packet[at] > 0, packet[at] < 64 {
            last = at
            at += 1 + Int(packet[at])
        }
        guard at < packet.count, packet[last] == 4, at == last + 5 else { return false }
        return zip(packet[(last + 1)..<at], "arpa".utf8).allSatisfy { $0 | 0x20 == $1 }
    }

    var hasRecursors: Bool { !config.recursors.isEmpty }
    var compressing: Bool { !config.disableCompression }
    var nodeTTL: UInt32 { Self.seconds(config.nodeTTL) }

    /// Whole seconds.
    private static func seconds(_ duration: Duration) -> UInt32 {
        UInt32(truncatingIfNeeded: max(0, min(duration.nanoseconds / 1_000_000_000, Int64(UInt32.max))))
    }

    /// The TTL of a service's records (dns §13): by its exact name, else by the longest prefix that is configured.
    func serviceTTL(_ name: String) -> UInt32 {
        if config.serviceTTL.isEmpty { return 0 }
        if let exact = config.serviceTTL[name] { return Self.seconds(exact) }
        return ttlPrefixes.first { name.hasPrefix($0.prefix) }?.ttl ?? 0
    }

    /// Which zone a name in lower case belongs to: that of the longest suffix. DS records are the parent zone's business.
    func kind(of name: DNSName, type: UInt16) -> Kind {
        if type == DNSType.ds && hasRecursors { return .foreign }
        if domains.contains(where: { name.isAtOrBelow($0) }) { return .consul }
        return name.isAtOrBelow(arpa) ? .reverse : .foreign
    }

    /// Whether a host name belongs to this zone (dns §11.1): only names below a domain do, not the domain itself.
    func resolves(_ name: DNSName) -> Bool {
        let lower = name.lowercased
        return domains.contains { lower.wire.count > $0.wire.count && lower.isAtOrBelow($0) }
    }

    /// The start of authority (dns §4.3).
    func authority(unixSeconds: Int64) -> DNSRecord {
        let soa = DNSStartOfAuthority(
            primary: DNSName("ns", suffix: domain) ?? domain, mailbox: DNSName("hostmaster", suffix: domain) ?? domain,
            serial: UInt32(truncatingIfNeeded: unixSeconds), refresh: config.soaRefresh, retry: config.soaRetry, expire: config.soaExpire,
            minimum: config.soaMinTTL)
        return DNSRecord(owner: domain, ttl: config.soaMinTTL, data: .soa(soa))
    }
}

extension DNSName {
    /// Whether the name ends with all the labels of `zone`. Both in lower case.
    func isAtOrBelow(_ zone: DNSName) -> Bool {
        let start = wire.count - zone.wire.count
        guard start >= 0, wire[start...].elementsEqual(zone.wire) else { return false }
        var at = 0
        while at < start { at += 1 + Int(wire[at]) }
        return at == start
    }
}
