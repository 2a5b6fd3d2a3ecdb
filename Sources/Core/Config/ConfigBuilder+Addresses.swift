/// Addresses, ports and listeners. Spec: config §5.
extension ConfigBuilder {
    private enum ConfiguredAddress: Equatable {
        case ip(IPAddress)
        case unix(String)

        var text: String {
            switch self {
            case .ip(let ip): ip.text
            case .unix(let path): path
            }
        }
    }

    mutating func buildAddresses() throws(TextError) {
        try buildPorts()
        let bind = try bindAddress()
        try buildAdvertised(bind)
        let clients = clientAddresses()
        result.process.clientAddresses = clients.map(\.text)
        result.agent.addresses.client = clients.first?.text ?? ""
        listen(.dns, "addresses.dns", clients, result.agent.addresses.dnsPort)
        listen(.http, "addresses.http", clients, result.agent.addresses.httpPort)
        listen(.https, "addresses.https", clients, result.agent.addresses.httpsPort)
        listen(.grpc, "addresses.grpc", clients, result.agent.addresses.grpcPort)
        result.agent.gossip.lan.bindAddress = (single("serf_lan") ?? bind).text
        result.agent.gossip.wan.bindAddress = (single("serf_wan") ?? bind).text
        try buildRecursors()
        result.agent.gossip.lan.startJoin = expandAll("start_join")
        result.agent.gossip.wan.startJoin = expandAll("start_join_wan")
        result.agent.gossip.lan.retryJoin = expandAll("retry_join")
        result.agent.gossip.wan.retryJoin = expandAll("retry_join_wan")
    }

    private mutating func buildPorts() throws(TextError) {
        result.agent.addresses.dnsPort = reader.port("dns")
        result.agent.addresses.httpPort = reader.port("http")
        result.agent.addresses.httpsPort = reader.port("https")
        result.agent.addresses.grpcPort = reader.port("grpc")
        result.agent.addresses.serverPort = reader.port("server")
        result.agent.gossip.lan.port = reader.port("serf_lan")
        result.agent.gossip.wan.port = reader.port("serf_wan")
        for name in ["proxy", "sidecar", "expose"] {
            let low = reader.port("\(name)_min_port"), high = reader.port("\(name)_max_port")
            if low > high {
                throw TextError("\(name)_min_port must be less than \(name)_max_port. To disable, set both to zero.")
            }
        }
        result.agent.addresses.sidecarMinPort = max(0, reader.port("sidecar_min_port"))
        result.agent.addresses.sidecarMaxPort = max(0, reader.port("sidecar_max_port"))
        result.process.rpcBindPort = result.agent.addresses.serverPort
    }

    private mutating func bindAddress() throws(TextError) -> IPAddress {
        let addresses = expand("bind_addr", reader.string("bind_addr"))
        guard let first = addresses.first else { throw TextError("bind_addr cannot be empty") }
        if addresses.count > 1 {
            throw TextError("bind_addr cannot contain multiple addresses. Use 'addresses.{dns,http,https}' instead.")
        }
        guard case .ip(let ip) = first else { throw TextError("bind_addr cannot be a unix socket") }
        result.agent.addresses.bind = ip.text
        result.process.rpcBindAddress = ip.text
        return ip
    }

    // MARK: Advertised addresses

    private mutating func buildAdvertised(_ bind: IPAddress) throws(TextError) {
        try refuseAny("advertise_addr", "Advertise address cannot be 0.0.0.0, :: or [::]")
        try refuseAny("advertise_addr_wan", "Advertise WAN address cannot be 0.0.0.0, :: or [::]")
        var lan = single("advertise_addr") ?? bind
        if lan.isAny { lan = try detected(like: lan) }
        let wan = single("advertise_addr_wan") ?? lan
        result.agent.addresses.advertise = lan.text
        result.agent.addresses.advertiseWAN = wan.text
        var tagged = reader.map("tagged_addresses")
        tagged["lan"] = lan.text
        tagged["wan"] = wan.text
        let families = [
            ("lan_ipv4", "advertise_addr_ipv4", true, lan), ("lan_ipv6", "advertise_addr_ipv6", false, lan),
            ("wan_ipv4", "advertise_addr_wan_ipv4", true, wan), ("wan_ipv6", "advertise_addr_wan_ipv6", false, wan),
        ]
        for (tag, key, isIPv4, main) in families {
            let explicit = single(key)
            if let explicit, explicit.isIPv4 != isIPv4 { throw TextError("\(key) must be an \(isIPv4 ? "ipv4" : "ipv6") address") }
            if let address = explicit ?? (main.isIPv4 == isIPv4 ? main : nil) { tagged[tag] = address.text }
        }
        result.agent.identity.taggedAddresses = tagged
    }

    private func refuseAny(_ key: String, _ message: String) throws(TextError) {
        let text = reader.string(key)
        if text == "[::]" || (IPAddress(text)?.isAny ?? false) { throw TextError(message) }
    }

    /// The one address by which others can reach a machine that listens everywhere.
    private func detected(like any: IPAddress) throws(TextError) -> IPAddress {
        let up = environment.interfaces.filter(\.isUp)
        let outside = up.filter { !$0.isLoopback }
        // A machine without a network is its own.
        let candidates = (outside.isEmpty ? up : outside).compactMap(\.ip).filter { $0.isIPv4 == any.isIPv4 }
        let found = candidates.filter { $0.isForwardable != any.isIPv4 }
        let kind = any.isIPv4 ? "private IPv4" : "public IPv6"
        guard let first = found.first else { throw TextError("No \(kind) address found") }
        if found.count > 1 {
            throw TextError("Multiple \(kind) addresses found. Please configure one with 'bind' and/or 'advertise'.")
        }
        return first
    }

    // MARK: Listeners

    private mutating func clientAddresses() -> [ConfiguredAddress] {
        expand("client_addr", reader.string("client_addr")).filter { address in
            if case .ip = address { return true }
            reader.errors.append("client_addr cannot be a unix socket")
            return false
        }
    }

    private mutating func listen(_ service: ListenerConfig.Service, _ key: String, _ clients: [ConfiguredAddress], _ port: Int) {
        let own = expand(key, reader.string(key))
        guard port > 0 else { return }
        for address in own.isEmpty ? clients : own {
            switch address {
            case .ip(let ip): result.process.listeners.append(ListenerConfig(service: service, endpoint: .tcp(ip: ip.text, port: port)))
            case .unix(let path): result.process.listeners.append(ListenerConfig(service: service, endpoint: .unix(path: path)))
            }
        }
    }

    private mutating func buildRecursors() throws(TextError) {
        for recursor in reader.strings("recursors") {
            let expanded: String
            do {
                expanded = try AddressTemplate(interfaces: environment.interfaces).expand(recursor)
            } catch {
                throw TextError("Invalid DNS recursor template \(GoQuote.quote(recursor)): \(error.text)")
            }
            for address in Self.fields(expanded) {
                if address.hasPrefix("unix://") { throw TextError("DNS Recursors cannot be unix sockets: \(address)") }
                result.agent.reloadable.dns.recursors.append(address)
            }
        }
    }

    // MARK: Templates

    private static func fields(_ text: String) -> [String] { text.split { $0.isWhitespace }.map(String.init) }

    /// The words of a text after its templates are replaced; nothing if a template is wrong.
    private mutating func expandText(_ key: String, _ text: String) -> [String] {
        do {
            return Self.fields(try AddressTemplate(interfaces: environment.interfaces).expand(text))
        } catch {
            reader.errors.append("\(key): error parsing \(GoQuote.quote(text)): \(error.text)")
            return []
        }
    }

    private mutating func expandAll(_ key: String) -> [String] {
        var result: [String] = []
        for text in reader.strings(key) {
            // What describes a discovery is one entry, blanks and all.
            if JoinDiscovery.refusal(text) == nil { result += expandText(key, text) } else { result.append(text) }
        }
        return result
    }

    /// IP addresses and sockets; nothing if any of them is wrong.
    private mutating func expand(_ key: String, _ text: String) -> [ConfiguredAddress] {
        var addresses: [ConfiguredAddress] = []
        for word in expandText(key, text) {
            if word.hasPrefix("unix://") {
                addresses.append(.unix(String(word.dropFirst("unix://".count))))
            } else if let ip = IPAddress(word == "[::]" ? "::" : word) {
                addresses.append(.ip(ip))
            } else {
                reader.errors.append("\(key): invalid ip address: \(word)")
                return []
            }
        }
        return addresses
    }

    private mutating func single(_ key: String) -> IPAddress? {
        let addresses = expand(key, reader.string(key))
        guard let first = addresses.first else { return nil }
        if addresses.count > 1 {
            reader.errors.append("\(key): multiple addresses found: \(addresses.map(\.text).joined(separator: " "))")
            return nil
        }
        guard case .ip(let ip) = first else {
            reader.errors.append("\(key) cannot be a unix socket")
            return nil
        }
        return ip
    }
}
