/// The rules that the parts of a service obey among each other: proxies, gateways, sidecars. Spec: http-1 §4.4.
extension NodeService {
    /// All violations as one text, or nil.
    public var structureProblem: String? {
        let problems = structureProblems
        return problems.isEmpty ? nil : MultipleErrors.text(problems)
    }

    /// Every violation.
    public var structureProblems: [String] {
        var problems: [String] = []
        if kind == "connect-proxy" { addProxyProblems(&problems) }
        if ["mesh-gateway", "terminating-gateway", "ingress-gateway"].contains(kind) { addGatewayProblems(&problems) }
        if let sidecar = connect.sidecarService { addSidecarProblems(sidecar, &problems) }
        return problems
    }

    private func addProxyProblems(_ problems: inout [String]) {
        if proxy.destinationServiceName.utf8[...].trimmed.isEmpty {
            problems.append("Proxy.DestinationServiceName must be non-empty for Connect proxy services")
        }
        if port == 0 { problems.append("Port must be set for a Connect proxy") }
        if connect.native { problems.append("A Proxy cannot also be Connect Native, only typical services") }
        addUpstreamProblems(&problems)
        addExposeProblems(&problems)
    }

    private func addUpstreamProblems(_ problems: inout [String]) {
        var keys: [String] = [], addresses: [String] = []
        for upstream in proxy.upstreams ?? [] {
            if let problem = upstream.problem {
                problems.append(problem)
            } else if keys.contains(upstream.key) {
                problems.append("upstreams cannot contain duplicates of \(upstream.key)")
            } else {
                keys.append(upstream.key)
                if addresses.contains(upstream.bindAddress) {
                    let address = GoQuote.quote(upstream.bindAddress)
                    problems.append("upstreams cannot contain duplicates by local bind address and port; \(address) is specified twice")
                } else {
                    addresses.append(upstream.bindAddress)
                }
            }
        }
    }

    private func addExposeProblems(_ problems: inout [String]) {
        var paths: [String] = [], listeners: [Int] = []
        for path in proxy.expose.paths ?? [] {
            if path.path.isEmpty { problems.append("expose.paths: empty path exposed") }
            if paths.contains(path.path) { problems.append("expose.paths: duplicate paths exposed") }
            paths.append(path.path)
            if listeners.contains(path.listenerPort) { problems.append("expose.paths: duplicate listener ports exposed") }
            listeners.append(path.listenerPort)
            if !(1...65535).contains(path.listenerPort) { problems.append("expose.paths: invalid listener port: \(path.listenerPort)") }
            let name = path.protocol.lowercased()
            if !["", "http", "http2"].contains(name) {
                problems.append("protocol '\(name)' not supported for path: \(path.path), must be in: [http http2]")
            }
        }
    }

    private func addGatewayProblems(_ problems: inout [String]) {
        if port == 0, kind != "ingress-gateway" { problems.append("Port must be non-zero for a \(kind)") }
        if connect.sidecarService != nil { problems.append("A \(kind) cannot have a sidecar service defined") }
        let present = [
            ("DestinationServiceName", !proxy.destinationServiceName.isEmpty),
            ("DestinationServiceID", !proxy.destinationServiceID.isEmpty),
            ("LocalServiceAddress", !proxy.localServiceAddress.isEmpty), ("LocalServicePort", proxy.localServicePort != 0),
            ("Upstreams", !(proxy.upstreams ?? []).isEmpty),
        ]
        for (name, isPresent) in present where isPresent { problems.append("The Proxy.\(name) configuration is invalid for a \(kind)") }
    }

    private func addSidecarProblems(_ sidecar: DynamicValue, _ problems: inout [String]) {
        if let id = sidecar[anyCase: "ID"], id != .string(""), id != .null {
            problems.append("A SidecarService cannot specify an ID as this is managed by the agent")
        }
        let inner = sidecar[anyCase: "Connect"]
        let nested = inner?[anyCase: "SidecarService"] ?? inner?[anyCase: "sidecar_service"]
        if let nested, nested != .null { problems.append("A SidecarService cannot have a nested SidecarService") }
    }
}

extension Upstream {
    fileprivate var problem: String? {
        if !["", "service", "prepared_query"].contains(destinationType) {
            return "unknown upstream destination type: \(GoQuote.quote(destinationType))"
        }
        if destinationName.isEmpty { return "upstream destination name cannot be empty" }
        return localBindPort == 0 ? "upstream local bind port cannot be zero" : nil
    }

    fileprivate var key: String {
        "[type=\(GoQuote.quote(destinationType)), name=\(GoQuote.quote(destinationName)), "
            + "namespace=\(GoQuote.quote(destinationNamespace)), datacenter=\(GoQuote.quote(datacenter))]"
    }

    fileprivate var bindAddress: String {
        HostPort.join(localBindAddress.isEmpty ? "127.0.0.1" : localBindAddress, localBindPort)
    }
}

extension DynamicValue {
    /// The first member whose name is `name` in any case.
    fileprivate subscript(anyCase name: String) -> DynamicValue? {
        guard case .map(let members) = self else { return nil }
        return members.first { $0.name.lowercased() == name.lowercased() }?.value
    }
}

/// Several errors as one text, in the reference's layout.
public enum MultipleErrors {
    public static func text(_ problems: [String]) -> String {
        let head = problems.count == 1 ? "1 error occurred:" : "\(problems.count) errors occurred:"
        return head + "\n" + problems.map { "\t* \($0)\n" }.joined() + "\n"
    }
}
