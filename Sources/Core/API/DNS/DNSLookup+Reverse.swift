// Reverse look-ups and name servers. Spec: dns §10, §4.4.
extension DNSLookup {
    /// The node with that address, else a service with it. The type of the question does not matter.
    mutating func answerReverse() {
        guard let target = try? reverseTarget() else {
            // What would be the recursors' business: the failure of recursion, even where there are none.
            flags = DNSFlag.recursionAvailable | DNSCode.serverFailure
            return
        }
        add(.ptr(target), ttl: 0)
        if type == DNSType.soa { addAuthority() }
    }

    private mutating func reverseTarget() throws(DNSUnreadable) -> DNSName? {
        guard let address = DNSAddress(reverse: question.name.lowercased) else { return nil }
        let text = address.text
        if let node = try source.node(at: address, text), let name = DNSName(node.value.node, suffix: zone.nodeSuffix) { return name }
        return try source.service(at: text).flatMap { DNSName($0, suffix: zone.serviceSuffix) }
    }

    /// NS records of up to three servers, and their addresses.
    mutating func nameServers() -> (servers: [DNSRecord], glue: [DNSRecord]) {
        var servers: [DNSRecord] = [], glue: [DNSRecord] = []
        guard var found = try? source.instances(of: DNSServiceQuestion(service: "consul")) else { return ([], []) }
        let ttl = zone.nodeTTL
        while servers.count < 3, let node = found.draw(&random)?.node {
            guard Self.isHostName(node.value.node), let name = DNSName(node.value.node, suffix: zone.nodeSuffix)?.lowercased else {
                continue
            }
            servers.append(DNSRecord(owner: zone.domain, ttl: ttl, data: .ns(name)))
            glue += nodeRecords(node, owner: name, type: DNSType.any, ttl: ttl)
        }
        return (servers, glue)
    }

    /// Letters, digits, hyphens; a backslash passes too, as it does in the reference.
    private static func isHostName(_ name: String) -> Bool {
        name.utf8.allSatisfy { byte in
            switch ASCII.lowercased(byte) {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "\\"): true
            default: false
            }
        }
    }
}
