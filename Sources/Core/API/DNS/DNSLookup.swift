/// Works out the answer to one question in one of our zones (dns §3, §4.4, §5, §9, §11.1). Over 500 lines: an extension for each
/// kind of question.
struct DNSLookup<Source: DNSSource> {
    let zone: DNSZone
    var source: Source
    let unixSeconds: Int64
    let question: DNSQuestion
    let transport: DNSTransport
    var random: Random
    /// How often host names may still be looked up.
    var depth = DNSTransport.depthLimit

    /// To be added to the header: authority, truncation, the response code.
    var flags = DNSFlag.authoritative
    var answers: [DNSRecord] = []
    var authority: [DNSRecord] = []
    var additional: [DNSRecord] = []
    /// The service that was asked for.
    var asked: DNSServiceQuestion?

    init(zone: DNSZone, source: Source, unixSeconds: Int64, question: DNSQuestion, transport: DNSTransport, random: Random) {
        self.zone = zone
        self.source = source
        self.unixSeconds = unixSeconds
        self.question = question
        self.transport = transport
        self.random = random
        if zone.hasRecursors { flags |= DNSFlag.recursionAvailable }
    }

    var type: UInt16 { question.type }

    // MARK: Outcomes

    mutating func fail(_ code: UInt16) { flags = flags & ~DNSFlag.codeMask | code }

    mutating func addAuthority() { authority.append(zone.authority(unixSeconds: unixSeconds)) }

    mutating func notFound() {
        fail(DNSCode.nameError)
        addAuthority()
    }

    mutating func add(_ data: DNSData, ttl: UInt32, owner: DNSName? = nil) {
        answers.append(DNSRecord(owner: owner ?? question.name, ttl: ttl, data: data))
    }

    // MARK: The zone's own names

    mutating func answer() {
        switch type {
        case DNSType.soa:
            answers.append(zone.authority(unixSeconds: unixSeconds))
            (authority, additional) = nameServers()
        case DNSType.ns: (answers, additional) = nameServers()
        case DNSType.axfr: fail(DNSCode.notImplemented)
        default: dispatch()
        }
    }

    /// By the rightmost label that is a kind (dns §3.1).
    mutating func dispatch() {
        let lower = question.name.lowercased
        let starts = labels(of: lower)
        func label(_ at: Int) -> ArraySlice<UInt8> { lower.wire[(starts[at] + 1)...(starts[at] + Int(lower.wire[starts[at]]))] }
        var kind = "", parts = 0, suffixes = 0
        for at in starts.indices.reversed() {
            let label = label(at)
            if let known = Self.kind(label) {
                kind = known
                parts = at
                suffixes = starts.count - at - 1
                break
            }
            // The label `service` may be left out of RFC 2782 names.
            if type == DNSType.srv && label.first == UInt8(ascii: "_") {
                kind = "service"
                parts = at + 1
                suffixes = starts.count - at - 1
                break
            }
        }
        if kind == "addr" { return parts == 1 ? answerAddress(label(0), lower) : notFound() }
        guard parts > 0, suffixes <= 1 else { return notFound() }
        // Only this datacenter's catalog is at hand: another one is a path that does not exist.
        if suffixes == 1 && !label(starts.count - 1).elementsEqual(zone.datacenter.utf8) { return unknownDatacenter(kind) }
        switch kind {
        case "node": answerNode(Self.joined(label, 0..<parts))
        case "service":
            let first = label(0), second = parts == 2 ? label(1) : []
            if parts == 2 && first.first == UInt8(ascii: "_") && second.first == UInt8(ascii: "_") {
                let tag = second.dropFirst().elementsEqual("tcp".utf8) ? "" : String(repairing: second.dropFirst())
                answerService(String(repairing: first.dropFirst()), tag: tag)
            } else {
                answerService(String(repairing: label(parts - 1)), tag: Self.joined(label, 0..<(parts - 1)))
            }
        case "connect": answerService(String(repairing: label(parts - 1)), connect: true)
        case "ingress": answerService(String(repairing: label(parts - 1)), ingress: true)
        // Prepared queries are kept, not executed: none is found.
        default: notFound()
        }
    }

    /// The starts of the labels before the domain.
    private func labels(of lower: DNSName) -> [Int] {
        var starts = lower.labelStarts
        guard let domain = zone.domains.first(where: { lower.isAtOrBelow($0) }) else { return starts }
        starts.removeAll { $0 >= lower.wire.count - domain.wire.count }
        return starts
    }

    private static func kind(_ label: ArraySlice<UInt8>) -> String? {
        switch label.count {
        case 4:
            if label.elementsEqual("node".utf8) { return "node" }
            return label.elementsEqual("addr".utf8) ? "addr" : nil
        case 5: return label.elementsEqual("query".utf8) ? "query" : nil
        case 7:
            if label.elementsEqual("service".utf8) { return "service" }
            if label.elementsEqual("connect".utf8) { return "connect" }
            return label.elementsEqual("ingress".utf8) ? "ingress" : nil
        default: return nil
        }
    }

    private static func joined(_ label: (Int) -> ArraySlice<UInt8>, _ range: Range<Int>) -> String {
        if range.count == 1 { return String(repairing: label(range.lowerBound)) }
        var bytes: [UInt8] = []
        for at in range {
            if at > range.lowerBound { bytes.append(UInt8(ascii: ".")) }
            bytes.append(contentsOf: label(at))
        }
        return String(repairing: bytes)
    }

    /// Types that node names do not have are answered before anything is looked up.
    private mutating func unknownDatacenter(_ kind: String) {
        if kind == "node" && !Self.isNodeType(type) { return }
        notFound()
    }

    // MARK: Addresses in names (dns §9)

    private mutating func answerAddress(_ label: ArraySlice<UInt8>, _ lower: DNSName) {
        guard label.count / 2 == 4 || label.count / 2 == 16 else { return }
        guard let address = DNSAddress(hexLabel: label) else { return notFound() }
        // The owner is always below the primary domain.
        let domain = zone.domains.first { lower.isAtOrBelow($0) } ?? zone.domain
        let owner = DNSName(unchecked: lower.wire.dropLast(domain.wire.count) + zone.domain.wire)
        add(address.data, ttl: zone.nodeTTL, owner: owner.wire.count <= DNSName.lengthLimit ? owner : lower)
    }

    // MARK: Nodes (dns §5)

    private static func isNodeType(_ type: UInt16) -> Bool {
        type == DNSType.a || type == DNSType.aaaa || type == DNSType.any || type == DNSType.txt
    }

    private mutating func answerNode(_ name: String) {
        if !Self.isNodeType(type) { return }
        let found: Row<Node>?
        do throws(DNSUnreadable) {
            found = try source.node(named: name)
        } catch {
            return fail(DNSCode.serverFailure)
        }
        guard let node = found else { return notFound() }
        let ttl = zone.nodeTTL
        if type != DNSType.txt { answers = nodeRecords(node, owner: question.name, type: type, ttl: ttl) }
        if type == DNSType.txt || type == DNSType.any {
            answers += Self.metadata(of: node, owner: question.name, ttl: ttl)
        } else if zone.config.nodeMetaTXT {
            additional = Self.metadata(of: node, owner: question.name, ttl: ttl)
        }
    }

    /// The address of a node, or the host name it has instead and what that leads to.
    mutating func nodeRecords(_ node: Row<Node>, owner: DNSName, type: UInt16, ttl: UInt32) -> [DNSRecord] {
        if let address = DNSAddress(Self.address(of: node, for: type)) {
            return address.answers(type) ? [DNSRecord(owner: owner, ttl: ttl, data: address.data)] : []
        }
        guard let target = DNSName(node.value.address), !target.isRoot else { return [] }
        return [DNSRecord(owner: owner, ttl: ttl, data: .cname(target))] + resolve(target)
    }

    /// The address that suits the question (dns §15).
    static func address(of node: Row<Node>, for type: UInt16) -> String {
        guard let tagged = node.value.taggedAddresses, !tagged.isEmpty else { return node.value.address }
        return select(node.value.address, type, v4: tagged["lan_ipv4"], v6: tagged["lan_ipv6"])
    }

    static func select(_ plain: String, _ type: UInt16, v4: String?, v6: String?) -> String {
        let v4 = v4?.isEmpty == false ? v4 : nil, v6 = v6?.isEmpty == false ? v6 : nil
        switch type {
        case DNSType.a: return v4 ?? plain
        case DNSType.aaaa: return v6 ?? plain
        default: return v6 ?? v4 ?? plain
        }
    }

    /// What a host name leads to, as far as it is one of ours; recursors are not asked.
    mutating func resolve(_ name: DNSName) -> [DNSRecord] {
        guard depth > 0, zone.resolves(name) else { return [] }
        var inner = DNSLookup(
            zone: zone, source: source, unixSeconds: unixSeconds, question: DNSQuestion(name: name, type: DNSType.any),
            transport: DNSTransport(tcp: false), random: random)
        inner.depth = depth - 1
        inner.dispatch()
        random = inner.random
        source = inner.source
        return inner.answers
    }
}

/// How a question came in, and what there is to hold the answer against.
struct DNSTransport {
    var tcp: Bool
    /// What the client says of itself, if it speaks EDNS.
    var options: DNSOptions?

    /// How often a host name that is itself a name of ours is looked up again.
    static let depthLimit = 3
}
