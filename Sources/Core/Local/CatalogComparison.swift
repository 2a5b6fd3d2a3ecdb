// When a row of the catalog says the same as the local state. Spec: behaviour §1.5, §6.3.
// Absent and empty lists count as equal: servers do not keep them apart everywhere, and no client sees the difference.

extension NodeService {
    func isSame(as other: NodeService) -> Bool {
        sameBytes(id, other.id) && sameBytes(service, other.service) && (tags ?? []) == (other.tags ?? []) && address == other.address
            && (port == other.port || planted(.portNotCompared)) && (taggedAddresses ?? [:]) == (other.taggedAddresses ?? [:])
            && (weights ?? Weights()) == (other.weights ?? Weights()) && (meta ?? [:]) == (other.meta ?? [:])
            && enableTagOverride == other.enableTagOverride && kind == other.kind && proxy.isSame(as: other.proxy)
            && connect.native == other.connect.native
    }
}

extension HealthCheck {
    func isSame(as other: HealthCheck, ignoringOutput: Bool) -> Bool {
        node.lowercased() == other.node.lowercased() && sameBytes(checkID, other.checkID) && name == other.name
            && (status == other.status || planted(.statusNotCompared))
            && notes == other.notes && (ignoringOutput || sameBytes(output, other.output)) && sameBytes(serviceID, other.serviceID)
            && serviceName == other.serviceName && (serviceTags ?? []) == (other.serviceTags ?? []) && definition == other.definition
    }
}

extension ConnectProxyConfig {
    fileprivate func isSame(as other: ConnectProxyConfig) -> Bool {
        guard destinationServiceName == other.destinationServiceName, destinationServiceID == other.destinationServiceID,
            localServiceAddress == other.localServiceAddress, localServicePort == other.localServicePort, meshGateway == other.meshGateway,
            expose.checks == other.expose.checks, (expose.paths ?? []) == (other.expose.paths ?? [])
        else { return false }
        let mine = upstreams ?? [], theirs = other.upstreams ?? []
        return mine.count == theirs.count && zip(mine, theirs).allSatisfy { $0.isSame(as: $1) }
            && DynamicValue.isSame(config, other.config)
    }
}

extension Upstream {
    fileprivate func isSame(as other: Upstream) -> Bool {
        var mine = self, theirs = other
        mine.config = nil
        theirs.config = nil
        mine.ingressHosts = nil
        theirs.ingressHosts = nil
        return mine == theirs && DynamicValue.isSame(config, other.config)
    }
}

extension DynamicValue {
    /// Whether two settings mean the same, whatever order their maps are in and however their numbers were encoded.
    static func isSame(_ a: DynamicValue?, _ b: DynamicValue?) -> Bool {
        switch (a ?? .null, b ?? .null) {
        case (.null, .null): return true
        case (.null, .map(let members)), (.map(let members), .null): return members.isEmpty
        case (.map(let mine), .map(let theirs)):
            guard mine.count == theirs.count else { return false }
            let left = mine.sorted { ByteString($0.name) < ByteString($1.name) }
            let right = theirs.sorted { ByteString($0.name) < ByteString($1.name) }
            return zip(left, right).allSatisfy { sameBytes($0.name, $1.name) && isSame($0.value, $1.value) }
        case (.array(let mine), .array(let theirs)):
            return mine.count == theirs.count && zip(mine, theirs).allSatisfy { isSame($0, $1) }
        case (let left, let right):
            if let x = left.number, let y = right.number { return x == y }
            return left.textBytes.map { $0 == right.textBytes } ?? (left == right)
        }
    }

    private var number: Double? {
        switch self {
        case .int(let value): Double(value)
        case .uint(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }

    private var textBytes: [UInt8]? {
        switch self {
        case .string(let text): Array(text.utf8)
        case .bytes(let bytes): bytes
        default: nil
        }
    }
}
