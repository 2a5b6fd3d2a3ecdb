// Reverse look-ups and name servers. Spec: dns §10, §4.4.
extension DNSLookup {
    /// The node with that address, else a service with it. The type of the question does not matter.
    mutating func answerReverse() {
        guard readable, let target = reverseTarget() else {
            // What would be the recursors' business: the failure of recursion, even where there are none.
            flags = DNSFlag.recursionAvailable | DNSCode.serverFailure
            return
        }
        add(.ptr(target), ttl: 0)
        if type == DNSType.soa { addAuthority() }
    }

    private func reverseTarget() -> DNSName? {
        guard let address = DNSAddress(reverse: question.name.lowercased) else { return nil }
        let text = address.text
        if let node = node(at: address, text), let name = DNSName(node.value.node, suffix: zone.nodeSuffix) { return name }
        guard case .success(let found) = store.evaluate(.serviceByAddress(text), options: QueryOptions()),
            case .serviceNodes(let rows) = authorizer.filter(found.result), let row = rows.first
        else { return nil }
        return DNSName(row.service.value.service.service, suffix: zone.serviceSuffix)
    }

    private func node(at address: DNSAddress, _ text: String) -> Row<Node>? {
        var found: Row<Node>?
        store.nodes.scan(from: ByteString([])) { _, node in
            // IPv6 addresses may be spelled in more than one way.
            if node.value.address == text
                || (node.value.address.utf8.contains(UInt8(ascii: ":")) && DNSAddress(node.value.address) == address),
                case .nodes(let visible) = authorizer.filter(.nodes([node])), !visible.isEmpty
            {
                found = node
                return false
            }
            return true
        }
        return found
    }

    /// NS records of up to three servers, and their addresses.
    mutating func nameServers() -> (servers: [DNSRecord], glue: [DNSRecord]) {
        var servers: [DNSRecord] = [], glue: [DNSRecord] = []
        if !readable { return ([], []) }
        let ttl = zone.nodeTTL
        var found = DNSInstances(store: store, authorizer: authorizer, onlyPassing: zone.config.onlyPassing, service: "consul")
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
