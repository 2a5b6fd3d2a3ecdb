/// What may be registered, and the reference's words for what may not. Spec: http-1 §3.7, §3.8, §4.4; config §8, §9.
///
/// Every function returns the first problem (or all of them where the reference collects), nil (or nothing) for none.
public enum DefinitionRules {
    public static func weights(_ weights: Weights) -> String? {
        if weights.passing < 1 { return "Passing must be greater than 0" }
        if weights.warning < 0 { return "Warning must be greater or equal than 0" }
        if weights.passing > 65535 || weights.warning > 65535 { return "DNS Weight must be between 0 and 65535" }
        return nil
    }

    // MARK: Metadata

    static let metadataPairLimit = 64
    static let metadataKeyLimit = 128
    static let metadataValueLimit = 512

    /// Metadata of a node or service; mesh gateways may use one of the reserved keys.
    public static func metadata(_ meta: StringMap, ofMeshGateway: Bool = false) -> String? {
        if meta.count > metadataPairLimit { return "Node metadata cannot contain more than \(metadataPairLimit) key/value pairs" }
        for (key, value) in meta {
            if let reason = metadataPair(key, value, allowed: ofMeshGateway ? "consul-wan-federation" : nil) {
                return "Couldn't load metadata pair ('\(key)', '\(value)'): \(reason)"
            }
        }
        return nil
    }

    private static func metadataPair(_ key: String, _ value: String, allowed: String?) -> String? {
        if key.isEmpty { return "Key cannot be blank" }
        if !key.utf8.allSatisfy(isMetadataKeyByte) { return "Key contains invalid characters" }
        if key.utf8.count > metadataKeyLimit { return "Key is too long (limit: \(metadataKeyLimit) characters)" }
        if key.utf8.starts(with: "consul-".utf8) && key != allowed { return "Key prefix 'consul-' is reserved for internal use" }
        if value.utf8.count > metadataValueLimit { return "Value is too long (limit: \(metadataValueLimit) characters)" }
        return nil
    }

    private static func isMetadataKeyByte(_ byte: UInt8) -> Bool {
        isAlphanumeric(byte) || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: false
        }
    }

    // MARK: Names in DNS

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

    /// All that is wrong with how proxies, gateways and sidecars are put together, on a definition with its defaults filled in.
    public static func structure(_ definition: ServiceDefinition) -> [String] {
        var errors: [String] = []
        let proxy = definition.proxy ?? ConnectProxyConfig()
        if definition.kind == ServiceKind.connectProxy {
            if proxy.destinationServiceName.utf8.allSatisfy({ $0 == 0x20 || (0x09...0x0D).contains($0) }) {
                errors.append("Proxy.DestinationServiceName must be non-empty for Connect proxy services")
            }
            if definition.port == 0 { errors.append("Port must be set for a Connect proxy") }
            if definition.connectNative { errors.append("A Proxy cannot also be Connect Native, only typical services") }
            upstreams(proxy.upstreams ?? [], into: &errors)
            exposedPaths(proxy.expose.paths ?? [], into: &errors)
        }
        if ServiceKind.isGateway(definition.kind) { gateway(definition, proxy, into: &errors) }
        if let sidecar = definition.sidecar?.definition {
            if !sidecar.id.isEmpty { errors.append("A SidecarService cannot specify an ID as this is managed by the agent") }
            if sidecar.sidecar != nil { errors.append("A SidecarService cannot have a nested SidecarService") }
        }
        return errors
    }

    private static func upstreams(_ upstreams: [Upstream], into errors: inout [String]) {
        var keys = LookupSet<String>(), addresses = LookupSet<String>()
        for upstream in upstreams {
            if upstream.destinationType != "service" && upstream.destinationType != "prepared_query" {
                errors.append("unknown upstream destination type: \(GoQuote.quote(upstream.destinationType))")
            } else if upstream.destinationName.isEmpty {
                errors.append("upstream destination name cannot be empty")
            } else if upstream.localBindPort == 0 {
                errors.append("upstream local bind port cannot be zero")
            } else if !keys.insert(key(of: upstream)) {
                errors.append("upstreams cannot contain duplicates of \(key(of: upstream))")
            } else {
                let host = upstream.localBindAddress.isEmpty ? "127.0.0.1" : upstream.localBindAddress
                let address = hostAndPort(host, upstream.localBindPort)
                if !addresses.insert(address) {
                    errors.append(
                        "upstreams cannot contain duplicates by local bind address and port; \(GoQuote.quote(address)) is specified twice")
                }
            }
        }
    }

    private static func key(of upstream: Upstream) -> String {
        "[type=\(GoQuote.quote(upstream.destinationType)), name=\(GoQuote.quote(upstream.destinationName)), "
            + "namespace=\(GoQuote.quote(upstream.destinationNamespace)), datacenter=\(GoQuote.quote(upstream.datacenter))]"
    }

    private static func exposedPaths(_ paths: [ExposePath], into errors: inout [String]) {
        var names = LookupSet<String>(), listeners = LookupSet<Int>()
        for path in paths {
            if path.path.isEmpty { errors.append("expose.paths: empty path exposed") }
            if !names.insert(path.path) { errors.append("expose.paths: duplicate paths exposed") }
            if !listeners.insert(path.listenerPort) { errors.append("expose.paths: duplicate listener ports exposed") }
            if !(1...65535).contains(path.listenerPort) { errors.append("expose.paths: invalid listener port: \(path.listenerPort)") }
            let name = path.protocol.lowercased()
            if !name.isEmpty && name != "http" && name != "http2" {
                errors.append("protocol '\(name)' not supported for path: \(path.path), must be in: [http http2]")
            }
        }
    }

    private static func gateway(_ definition: ServiceDefinition, _ proxy: ConnectProxyConfig, into errors: inout [String]) {
        let kind = definition.kind
        if definition.port == 0 && kind != ServiceKind.ingressGateway { errors.append("Port must be non-zero for a \(kind)") }
        if definition.sidecar != nil { errors.append("A \(kind) cannot have a sidecar service defined") }
        let settings: [(name: StaticString, isSet: Bool)] = [
            ("DestinationServiceName", !proxy.destinationServiceName.isEmpty),
            ("DestinationServiceID", !proxy.destinationServiceID.isEmpty),
            ("LocalServiceAddress", !proxy.localServiceAddress.isEmpty),
            ("LocalServicePort", proxy.localServicePort != 0),
            ("Upstreams", !(proxy.upstreams ?? []).isEmpty),
        ]
        for setting in settings where setting.isSet {
            errors.append("The Proxy.\(setting.name) configuration is invalid for a \(kind)")
        }
    }

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

    /// Several errors as one text: a count, and a line for each.
    public static func combined(_ errors: [String]) -> String {
        var text = errors.count == 1 ? "1 error occurred:\n" : "\(errors.count) errors occurred:\n"
        for error in errors { text += "\t* \(error)\n" }
        return text + "\n"
    }

    /// `host:port`, with brackets around an IPv6 address.
    static func hostAndPort(_ host: String, _ port: Int) -> String {
        host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
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
