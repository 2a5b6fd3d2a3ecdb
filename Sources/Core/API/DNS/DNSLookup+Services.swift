// Services: which instances are answered with, and by which records. Spec: dns §6, §7, §14.
extension DNSLookup {
    /// Instances of a service that may be answered with. `tag` is empty for any.
    func instances(
        _ service: String, tag: String = "", connect: Bool = false, ingress: Bool = false
    ) -> Result<[CheckServiceNode], QueryError> {
        let query = ReadQuery.healthServiceNodes(service: service, tags: tag.isEmpty ? [] : [tag], connect: connect, ingress: ingress)
        switch store.evaluate(query, options: QueryOptions()) {
        case .failure(let error): return .failure(error)
        case .success(let found):
            guard case .healthNodes(var nodes) = authorizer.filter(found.result) else { return .success([]) }
            let onlyPassing = zone.config.onlyPassing
            nodes.removeAll { node in
                node.checks.contains {
                    $0.value.status == CheckStatus.critical || (onlyPassing && $0.value.status != CheckStatus.passing)
                }
            }
            return .success(nodes)
        }
    }

    mutating func answerService(_ service: String, tag: String = "", connect: Bool = false, ingress: Bool = false) {
        guard readable, case .success(var found) = instances(service, tag: tag, connect: connect, ingress: ingress) else {
            return fail(DNSCode.serverFailure)
        }
        if found.isEmpty { return notFound() }
        let ttl = zone.serviceTTL(service)
        if type == DNSType.srv { addServiceRecords(&found, ttl) } else { addAddresses(&found, ttl) }
        let wasCut = truncate()
        if wasCut && zone.config.enableTruncate { flags |= DNSFlag.truncated }
        if answers.isEmpty && flags & DNSFlag.truncated == 0 { addAuthority() }
    }

    /// Takes a random one of those that are left: a shuffle that goes only as far as it is needed.
    private mutating func draw(_ nodes: inout [CheckServiceNode]) -> CheckServiceNode {
        if nodes.count > 1 { nodes.swapAt(nodes.count - 1, Int.random(in: 0..<nodes.count, using: &random)) }
        return nodes.removeLast()
    }

    /// Answers to all types but SRV (dns §6.1).
    private mutating func addAddresses(_ nodes: inout [CheckServiceNode], _ ttl: UInt32) {
        var seen = Seen<DNSAddress>()
        var alias: [DNSRecord] = []
        var contributed = 0
        while !nodes.isEmpty, answers.count < answersWanted {
            let node = draw(&nodes)
            switch target(of: node) {
            case .nothing: break
            case .address(let address, _):
                guard address.answers(type), seen.insert(address) else { break }
                add(address.data, ttl: ttl)
                contributed += 1
                if contributed == zone.config.aRecordLimit { return }
            case .host(let host):
                // Only the first alias counts, and only if there are no addresses.
                if alias.isEmpty { alias = [DNSRecord(owner: question.name, ttl: ttl, data: .cname(host))] + resolved(host, ttl) }
            }
        }
        if answers.isEmpty { answers = alias }
    }

    private struct Endpoint: Hashable {
        var node: String, address: String, port: Int
    }

    /// SRV records with the addresses of their targets (dns §6.2).
    private mutating func addServiceRecords(_ nodes: inout [CheckServiceNode], _ ttl: UInt32) {
        var seen = Seen<Endpoint>()
        while !nodes.isEmpty, answers.count < answersWanted {
            let instance = draw(&nodes)
            let node = instance.node.value.node
            let port = instance.service.value.service.port
            guard seen.insert(Endpoint(node: node, address: serviceAddress(of: instance), port: port)) else { continue }
            switch target(of: instance) {
            case .nothing: break
            case .address(let address, let isNodes):
                let name = isNodes ? DNSName(node, suffix: zone.nodeSuffix) : addressName(address)
                // A node whose name is no domain name cannot be pointed to.
                guard let name else { continue }
                addService(instance, port, name, ttl)
                additional.append(DNSRecord(owner: name, ttl: ttl, data: address.data))
            case .host(let host):
                addService(instance, port, host, ttl)
                additional += resolved(host, ttl)
            }
            if zone.config.nodeMetaTXT, instance.node.value.meta?.isEmpty == false, let owner = DNSName(node, suffix: zone.nodeSuffix) {
                additional += Self.metadata(of: instance.node, owner: owner, ttl: ttl)
            }
        }
    }

    private mutating func addService(_ instance: CheckServiceNode, _ port: Int, _ target: DNSName, _ ttl: UInt32) {
        let weight = UInt16(truncatingIfNeeded: Self.weight(of: instance))
        add(.srv(priority: 1, weight: weight, port: UInt16(truncatingIfNeeded: port), target: target), ttl: ttl)
    }

    /// `<hex>.addr.<datacenter>.<domain>`
    private func addressName(_ address: DNSAddress) -> DNSName? {
        let wire = address.hexLabel + zone.addressSuffix.wire
        return wire.count <= DNSName.lengthLimit ? DNSName(unchecked: wire) : nil
    }

    // MARK: One instance (dns §6.3)

    private enum Target {
        case nothing
        /// `isNodes`: it is the node's own address, so the node's name stands for it.
        case address(DNSAddress, isNodes: Bool)
        case host(DNSName)
    }

    private func serviceAddress(of instance: CheckServiceNode) -> String {
        let plain = instance.service.value.service.address
        guard let tagged = instance.service.value.service.taggedAddresses, !tagged.isEmpty else { return plain }
        return Self.select(plain, type, v4: tagged["lan_ipv4"]?.address, v6: tagged["lan_ipv6"]?.address)
    }

    private func target(of instance: CheckServiceNode) -> Target {
        let service = serviceAddress(of: instance)
        if !service.isEmpty, let address = DNSAddress(service) { return .address(address, isNodes: false) }
        let node = Self.address(of: instance.node, for: type)
        if service.isEmpty {
            if let address = DNSAddress(node) { return .address(address, isNodes: node == instance.node.value.address) }
            return host(node)
        }
        // A service that is known by the very name asked for would lead in a circle.
        if let name = DNSName(service), name == question.name, let address = DNSAddress(node) { return .address(address, isNodes: true) }
        return host(service)
    }

    private func host(_ text: String) -> Target {
        guard let name = DNSName(text), !name.isRoot else { return .nothing }
        return .host(name)
    }

    /// What a host name leads to, with the service's TTL; at most five records for clients without EDNS.
    private mutating func resolved(_ host: DNSName, _ ttl: UInt32) -> [DNSRecord] {
        var records: [DNSRecord] = []
        for var record in resolve(host) {
            switch record.data {
            case .a, .aaaa, .cname: break
            default: continue
            }
            record.ttl = ttl
            records.append(record)
            if records.count == 5 && !hasOptions { break }
        }
        return records
    }

    /// The weight for its state of health (dns §14.2).
    static func weight(of instance: CheckServiceNode) -> Int {
        let weights = instance.service.value.service.weights ?? Weights()
        var isWarning = false
        for check in instance.checks {
            let name = check.value.serviceName
            guard name.isEmpty || name == instance.service.value.service.service else { continue }
            switch check.value.status {
            case CheckStatus.passing: break
            case CheckStatus.warning: isWarning = true
            case CheckStatus.critical: return 0
            default: return 1
            }
        }
        return isWarning ? weights.warning : weights.passing
    }
}

/// What has occurred before: a list while it is short.
private struct Seen<Element: Hashable> {
    private var few: [Element] = []
    private var many: LookupSet<Element>?

    /// Whether the element is new.
    mutating func insert(_ element: Element) -> Bool {
        if many != nil { return many?.insert(element) ?? false }
        if few.contains(element) { return false }
        few.append(element)
        if few.count == 32 {
            var set = LookupSet<Element>()
            for element in few { set.insert(element) }
            many = set
        }
        return true
    }
}
