/// What may be registered, and the reference's words for what may not. Spec: http-1 §3.7, §3.8, §4.4; config §8, §9.
///
/// Every function returns what is wrong; nil, or an empty list, for nothing.
public enum DefinitionRules {
    /// Metadata of a node or service; mesh gateways may use one of the reserved keys.
    public static func metadata(_ meta: StringMap, ofMeshGateway: Bool = false) -> String? {
        MetaRules.problem(in: meta, kind: ofMeshGateway ? ServiceKind.meshGateway : "")
    }

    // MARK: Names in DNS

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: false
        }
    }

    /// Why a service or tag cannot be found in DNS; it may be registered all the same, with this warning.
    static func undiscoverable(_ what: String, _ name: String) -> String? {
        if !name.utf8.allSatisfy({ isAlphanumeric($0) || $0 == UInt8(ascii: "-") }) || name.isEmpty {
            return "\(what) will not be discoverable via DNS due to invalid characters. "
                + "Valid characters include all alpha-numerics and dashes."
        }
        if name.utf8.count > 63 {
            return "\(what) will not be discoverable via DNS due to it being too long. Valid lengths are between 1 and 63 bytes."
        }
        return nil
    }

    // MARK: Checks

    public static func isStatus(_ status: String) -> Bool {
        status == CheckStatus.passing || status == CheckStatus.warning || status == CheckStatus.critical
    }

    public static func check(_ check: CheckDefinition) -> String? {
        let runsAtIntervals = check.isScript || !check.http.isEmpty || !check.tcp.isEmpty || !check.grpc.isEmpty
        if check.interval > .zero && check.ttl > .zero { return "Interval and TTL cannot both be specified" }
        if runsAtIntervals && check.interval <= .zero { return "Interval must be > 0 for Script, HTTP, or TCP checks" }
        if runsAtIntervals && check.isAlias { return "Interval cannot be set for Alias checks" }
        if check.isAlias && check.ttl > .zero { return "TTL must be not be set for Alias checks" }
        if !runsAtIntervals && !check.isAlias && check.ttl <= .zero { return "TTL must be > 0 for TTL checks" }
        if check.outputMaxSize < 0 { return "MaxOutputMaxSize must be positive" }
        return nil
    }

    // MARK: Services

    /// All that is wrong with how proxies, gateways and sidecars are put together.
    public static func structure(_ definition: ServiceDefinition) -> [String] {
        var service = definition.nodeService()
        if let sidecar = definition.sidecar?.definition {
            let inner = sidecar.sidecar == nil ? [] : [DynamicMember("SidecarService", .map([]))]
            service.connect.sidecarService = .map([DynamicMember("ID", .string(sidecar.id)), DynamicMember("Connect", .map(inner))])
        }
        return service.structureProblems
    }

    /// Several errors as one text: a count, and a line for each.
    public static func combined(_ errors: [String]) -> String { MultipleErrors.text(errors) }

    /// Tagged addresses named after an address family must be of it.
    public static func taggedAddresses(_ addresses: SortedMap<String, ServiceAddress>?) -> String? {
        guard let addresses else { return nil }
        let families: [(name: String, isIPv4: Bool)] = [("lan_ipv4", true), ("wan_ipv4", true), ("lan_ipv6", false)]
        for family in families {
            guard let given = addresses[family.name] else { continue }
            if IPAddress(given.address)?.isIPv4 != family.isIPv4 {
                return "Service tagged address \"\(family.name)\" must be a valid \(family.isIPv4 ? "ipv4" : "ipv6") address"
            }
        }
        return nil
    }
}

/// The kinds of services that are treated specially; any other text is an ordinary service.
public enum ServiceKind {
    public static let connectProxy = "connect-proxy"
    public static let meshGateway = "mesh-gateway"
    public static let terminatingGateway = "terminating-gateway"
    public static let ingressGateway = "ingress-gateway"

    public static func isGateway(_ kind: String) -> Bool { kind == meshGateway || kind == terminatingGateway || kind == ingressGateway }
    /// Proxies and gateways: the kinds whose proxy settings answers show.
    public static func isProxy(_ kind: String) -> Bool { kind == connectProxy || isGateway(kind) }
}

extension CheckDefinition {
    var isScript: Bool { !(scriptArgs ?? []).isEmpty }
    var isAlias: Bool { !aliasNode.isEmpty || !aliasService.isEmpty }

    /// The check's type as answers show it.
    public var typeName: String {
        if !grpc.isEmpty { return "grpc" }
        if !http.isEmpty { return "http" }
        if ttl > .zero { return "ttl" }
        if !tcp.isEmpty { return "tcp" }
        if isAlias { return "alias" }
        if !dockerContainerID.isEmpty && isScript { return "docker" }
        return isScript ? "script" : ""
    }
}
