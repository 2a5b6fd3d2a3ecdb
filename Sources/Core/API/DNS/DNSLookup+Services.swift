// Services: which instances are answered with, and by which records. Spec: dns §6, §7.
extension DNSLookup {
    mutating func answerService(_ service: String, tag: String = "", connect: Bool = false, ingress: Bool = false) {
        let question = DNSServiceQuestion(service: service, tag: tag, connect: connect, ingress: ingress)
        asked = question
        guard var instances = try? source.instances(of: question) else { return fail(DNSCode.serverFailure) }
        guard let first = instances.draw(&random) else { return notFound() }
        let ttl = zone.serviceTTL(service)
        let wasCut = type == DNSType.srv ? addServices(first, &instances, ttl) : addAddresses(first, &instances, ttl)
        if wasCut && zone.config.enableTruncate { flags |= DNSFlag.truncated }
        if answers.isEmpty && flags & DNSFlag.truncated == 0 { addAuthority() }
    }

    /// Answers to all types but SRV (dns §6.1). True if answers were cut.
    private mutating func addAddresses(_ first: CheckServiceNode, _ instances: inout Source.Instances, _ ttl: UInt32) -> Bool {
        var seen = Seen<DNSAddress>()
        var alias: [DNSRecord] = []
        var next: CheckServiceNode? = first
        let wanted = answersWanted
        while let instance = next, answers.count < wanted {
            switch target(of: instance) {
            case .nothing: break
            case .address(let address, _):
                if address.answers(type) && seen.insert(address) { add(address.data, ttl: ttl) }
            case .host(let host):
                // Only the first alias counts, and only if there are no addresses.
                if alias.isEmpty { alias = [DNSRecord(owner: question.name, ttl: ttl, data: .cname(host))] + resolved(host, ttl) }
            }
            if answers.count == zone.config.aRecordLimit && !answers.isEmpty { break }
            next = instances.draw(&random)
        }
        if answers.isEmpty { answers = alias }
        return truncate(isCut: false)
    }

    /// One SRV record to be.
    private struct Service {
        var instance: CheckServiceNode
        var target: DNSName
        /// nil when the target is a host name that is not ours to know the address of.
        var address: DNSAddress?
    }

    /// SRV records with the addresses of their targets (dns §6.2). True if answers were cut.
    private mutating func addServices(_ first: CheckServiceNode, _ instances: inout Source.Instances, _ ttl: UInt32) -> Bool {
        var seen = Seen<ServiceEndpoint>(), targets = Seen<DNSName>()
        var services: [Service] = []
        var next: CheckServiceNode? = first
        let wanted = answersWanted
        // What the message takes at least, however well it is compressed.
        var size = 12 + question.name.wire.count + 4
        while let instance = next, services.count < wanted, size <= sizeLimit {
            let port = instance.service.value.service.port
            let endpoint = ServiceEndpoint(node: instance.node.value.node, address: serviceAddress(of: instance), port: port)
            if seen.insert(endpoint), let service = service(instance) {
                services.append(service)
                size += 18 + service.target.wire.count
                if service.address != nil && targets.insert(service.target) { size += 16 }
            }
            next = instances.draw(&random)
        }
        // What is known to be cut is not made first, and metadata does not survive any cut.
        let limit = plainAnswerLimit
        let metadata = zone.config.nodeMetaTXT && services.count <= limit && size <= sizeLimit
        for service in services.prefix(limit) { add(service, ttl, metadata: metadata) }
        return truncate(isCut: services.count > limit)
    }

    private func service(_ instance: CheckServiceNode) -> Service? {
        switch target(of: instance) {
        case .nothing: return nil
        case .host(let host): return Service(instance: instance, target: host, address: nil)
        case .address(let address, let isNodes):
            // A node whose name is no domain name cannot be pointed to.
            let name = isNodes ? DNSName(instance.node.value.node, suffix: zone.nodeSuffix) : addressName(address)
            return name.map { Service(instance: instance, target: $0, address: address) }
        }
    }

    private mutating func add(_ service: Service, _ ttl: UInt32, metadata: Bool) {
        let node = service.instance.node
        add(serviceRecord(service.instance, service.target), ttl: ttl)
        if let address = service.address {
            additional.append(DNSRecord(owner: service.target, ttl: ttl, data: address.data))
        } else {
            additional += resolved(service.target, ttl)
        }
        if metadata, node.value.meta?.isEmpty == false, let owner = DNSName(node.value.node, suffix: zone.nodeSuffix) {
            additional += Self.metadata(of: node, owner: owner, ttl: ttl)
        }
    }

    func serviceRecord(_ instance: CheckServiceNode, _ target: DNSName) -> DNSData {
        .srv(
            priority: 1, weight: UInt16(truncatingIfNeeded: Self.weight(of: instance)),
            port: UInt16(truncatingIfNeeded: instance.service.value.service.port & (planted(.dnsPortTruncated) ? 0xFF : 0xFFFF)),
            target: target)
    }

    /// `<hex>.addr.<datacenter>.<domain>`
    func addressName(_ address: DNSAddress) -> DNSName? {
        let wire = address.hexLabel + zone.addressSuffix.wire
        return wire.count <= DNSName.lengthLimit ? DNSName(unchecked: wire) : nil
    }

    // MARK: One instance (dns §6.3)

    enum Target {
        case nothing
        /// `isNodes`: it is the node's own address, so the node's name stands for it.
        case address(DNSAddress, isNodes: Bool)
        case host(DNSName)
    }

    private func serviceAddress(of instance: CheckServiceNode) -> String {
        let plain = planted(.dnsNodeAddress) ? "" : instance.service.value.service.address
        guard let tagged = instance.service.value.service.taggedAddresses, !tagged.isEmpty else { return plain }
        return Self.select(plain, type, v4: tagged["lan_ipv4"]?.address, v6: tagged["lan_ipv6"]?.address)
    }

    func target(of instance: CheckServiceNode) -> Target {
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
        return isWarning && !planted(.dnsWeightOfWarning) ? weights.warning : weights.passing
    }
}

/// What makes two instances one SRV record.
private struct ServiceEndpoint: Hashable {
    var node: String, address: String, port: Int
}

/// What has occurred before: a list while it is short.
struct Seen<Element: Hashable> {
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
