/// The rules among settings, in the reference's order: the first violation is reported. Spec: config §11.2.
extension ConfigBuilder {
    mutating func validate() throws(TextError) {
        try validateGeneral()
        try validateNetwork()
        try validateBootstrap()
        try validateLimits()
        try validateFederation()
        try validateUniqueAddresses()
        if !reader.errors.isEmpty { throw TextError(MultipleErrors.text(reader.errors)) }
        for service in result.agent.reloadable.services {
            let problems = DefinitionRules.structure(service)
            if !problems.isEmpty { throw TextError("service \(GoQuote.quote(service.name)): " + MultipleErrors.text(problems)) }
        }
        try validateEncryption()
        addWarnings()
    }

    private func validateGeneral() throws(TextError) {
        let agent = result.agent
        if agent.identity.datacenter.isEmpty { throw TextError("datacenter cannot be empty") }
        if !Self.isDatacenter(agent.identity.datacenter) {
            throw TextError("datacenter cannot be \(GoQuote.quote(agent.identity.datacenter)). Please use only [a-z0-9-_]")
        }
        if !isDev, result.process.dataDirectory.isEmpty { throw TextError("data_dir cannot be empty") }
        let path = agent.http.uiContentPath
        if !path.utf8.allSatisfy({ Self.isWordByte($0) || $0 == UInt8(ascii: "/") }) {
            throw TextError("ui-content-path can only contain alphanumeric, -, _, or /. received: \(path)")
        }
        if path.hasPrefix("/v"), path.count > 3, path.utf8.dropFirst(2).dropLast().allSatisfy({ $0 >= 48 && $0 <= 57 }) {
            throw TextError("ui-content-path cannot have 'v[0-9]'. received: \(path)")
        }
        let directory = result.process.dataDirectory
        if !directory.isEmpty {
            switch environment.fileStatus(directory) {
            case .failed(let error): throw TextError("Error getting info on data_dir: \(error)")
            case .file: throw TextError("data_dir \(GoQuote.quote(directory)) is not a directory")
            case .missing, .directory: break
            }
        }
        if agent.identity.nodeName.isEmpty { throw TextError("node_name cannot be empty") }
    }

    private func validateNetwork() throws(TextError) {
        if IPAddress(result.agent.addresses.advertise)?.isAny ?? false {
            throw TextError("Advertise address cannot be 0.0.0.0, :: or [::]")
        }
        if IPAddress(result.agent.addresses.advertiseWAN)?.isAny ?? false {
            throw TextError("Advertise WAN address cannot be 0.0.0.0, :: or [::]")
        }
        if !reader.string("segment").isEmpty || !reader.list("segments").isEmpty {
            throw TextError("Network segments are not supported in this version of Consul")
        }
        for listener in result.process.listeners where listener.service == .dns {
            if case .unix = listener.endpoint { throw TextError("DNS address cannot be a unix socket") }
        }
        for recursor in result.agent.reloadable.dns.recursors where recursor == "[::]" || (IPAddress(recursor)?.isAny ?? false) {
            throw TextError("DNS recursor address cannot be 0.0.0.0, :: or [::]")
        }
        let labels = ["service", "connect", "node", "query", "addr", result.agent.identity.datacenter]
        if labels.contains(where: { result.agent.reloadable.dns.altDomain.hasPrefix($0 + ".") }) {
            throw TextError("alt_domain cannot start with {\(labels.joined(separator: ","))}")
        }
    }

    private func validateBootstrap() throws(TextError) {
        let agent = result.agent, bootstrap = result.process.showsBootstrap
        if bootstrap, !agent.identity.isServer { throw TextError("'bootstrap = true' requires 'server = true'") }
        if agent.raft.bootstrapExpect < 0 {
            throw TextError("bootstrap_expect cannot be \(agent.raft.bootstrapExpect). Must be greater than or equal to zero")
        }
        guard agent.raft.bootstrapExpect > 0 else { return }
        if !agent.identity.isServer { throw TextError("'bootstrap_expect > 0' requires 'server = true'") }
        if isDev { throw TextError("'bootstrap_expect > 0' not allowed in dev mode") }
        if bootstrap { throw TextError("'bootstrap_expect > 0' and 'bootstrap = true' are mutually exclusive") }
    }

    private mutating func validateLimits() throws(TextError) {
        if result.agent.checks.outputMaxSize < 1 {
            throw TextError("check_output_max_size must be positive, to discard check output use the discard_check_output flag")
        }
        let trailing = reader.int("autopilot.max_trailing_logs")
        if trailing < 0 {
            throw TextError("autopilot.max_trailing_logs cannot be \(trailing). Must be greater than or equal to zero")
        }
        if !Self.isDatacenter(result.agent.identity.primaryDatacenter) {
            throw TextError(
                "acl_datacenter cannot be \(GoQuote.quote(result.agent.identity.primaryDatacenter)). Please use only [a-z0-9-_]")
        }
        if result.agent.http.uiEnabled, !result.agent.http.uiDirectory.isEmpty, !isDev {
            throw TextError(
                "Both the ui and ui-dir flags were specified, please provide only one.\n"
                    + "If trying to use your own web UI resources, use the ui-dir flag.\n"
                    + "The web UI is included in the binary so use ui to enable it")
        }
        for (key, limit) in [
            ("udp_answer_limit", result.agent.reloadable.dns.udpAnswerLimit), ("a_record_limit", result.agent.reloadable.dns.aRecordLimit),
        ]
        where limit < 0 {
            throw TextError("dns_config.\(key) cannot be \(limit). Must be greater than or equal to zero")
        }
        if let problem = DefinitionRules.metadata(result.agent.reloadable.nodeMeta) { throw TextError("node_meta invalid: \(problem)") }
        do {
            _ = try Base64.decode(reader.string("encrypt"))
        } catch {
            throw TextError("encrypt has invalid key: illegal base64 data at input byte \(error.offset)")
        }
    }

    private func validateFederation() throws(TextError) {
        let agent = result.agent
        if reader.bool("connect.enable_mesh_gateway_wan_federation") {
            let option = "connect.enable_mesh_gateway_wan_federation = true"
            if !agent.identity.isServer { throw TextError("'\(option)' requires 'server = true'") }
            if agent.identity.nodeName.utf8.contains(UInt8(ascii: "/")) {
                throw TextError("'\(option)' requires that 'node_name' not contain '/' characters")
            }
            for key in ["start_join_wan", "retry_join_wan"] where !reader.strings(key).isEmpty {
                throw TextError("'\(key)' is incompatible with '\(option)'")
            }
        }
        if !reader.strings("primary_gateways").isEmpty {
            if !agent.identity.isServer { throw TextError("'primary_gateways' requires 'server = true'") }
            if agent.identity.primaryDatacenter == agent.identity.datacenter {
                throw TextError("'primary_gateways' should only be configured in a secondary datacenter")
            }
        }
        if agent.identity.isServer, !result.process.dataDirectory.isEmpty {
            let old = result.process.dataDirectory + "/mdb"
            if environment.fileStatus(old) == .directory || environment.fileStatus(old) == .file {
                throw TextError(
                    "CRITICAL: Deprecated data folder found at \(GoQuote.quote(old))!\nConsul will refuse to boot with this directory "
                        + "present.\nSee https://www.consul.io/docs/upgrade-specific.html for more information.")
            }
        }
        for (name, port) in [("server", agent.addresses.serverPort), ("serf_lan", agent.gossip.lan.port)] where port <= 0 {
            throw TextError("ports.\(name) cannot be disabled")
        }
    }

    /// Addresses for the same protocol must differ (config §5.2).
    private func validateUniqueAddresses() throws(TextError) {
        var owners = LookupTable<String, String>()
        for listener in result.process.listeners where listener.service != .grpc {
            let networks =
                switch listener.endpoint {
                case .unix: ["unix"]
                case .tcp: listener.service == .dns ? ["tcp", "udp"] : ["tcp"]
                }
            for network in networks { try claim(network, listener.address, listener.service.rawValue, &owners) }
        }
        let agent = result.agent
        try claim("tcp", HostPort.join(agent.addresses.advertise, agent.addresses.serverPort), "RPC Advertise", &owners)
        try claim("tcp", HostPort.join(agent.addresses.advertise, agent.gossip.lan.port), "Serf Advertise LAN", &owners)
        if agent.gossip.wan.port > 0 {
            try claim("tcp", HostPort.join(agent.addresses.advertiseWAN, agent.gossip.wan.port), "Serf Advertise WAN", &owners)
        }
    }

    private func claim(_ network: String, _ address: String, _ name: String, _ owners: inout LookupTable<String, String>)
        throws(TextError)
    {
        if let other = owners["\(network):\(address)"] { throw TextError("\(name) address \(address) already configured for \(other)") }
        owners["\(network):\(address)"] = name
    }

    private mutating func validateEncryption() throws(TextError) {
        let provider = reader.string("connect.ca_provider")
        if !["", "consul", "vault", "aws-pca"].contains(provider) { throw TextError("\(provider) is not a valid CA provider") }
        if reader.bool("auto_encrypt.tls"), result.agent.identity.isServer {
            throw TextError("auto_encrypt.tls can only be used on a client.")
        }
        if reader.bool("auto_encrypt.allow_tls") {
            if !result.agent.identity.isServer { throw TextError("auto_encrypt.allow_tls can only be used on a server.") }
            if !reader.bool("verify_incoming"), !reader.bool("verify_incoming_rpc") {
                warn(
                    "if auto_encrypt.allow_tls is turned on, either verify_incoming or verify_incoming_rpc should be enabled. It is "
                        + "necessary to turn it off during a migration to TLS, but it should definitely be turned on afterwards.")
            }
        }
        let connections = result.agent.reloadable.httpMaxConnectionsPerClient
        if let most = environment.openFilesMax, connections > 0, connections > most - 20 {
            throw TextError(
                "system allows a max of \(most) file descriptors, but limits.http_max_conns_per_client: \(connections) "
                    + "needs at least \(connections + 20)")
        }
        if reader.bool("auto_encrypt.tls"), reader.bool("auto_config.enabled") {
            throw TextError("both auto_encrypt.tls and auto_config.enabled cannot be set to true.")
        }
        try validateAutoConfig()
    }

    /// Spec: config §18.4.
    private mutating func validateAutoConfig() throws(TextError) {
        let server = result.agent.identity.isServer
        if reader.bool("auto_config.enabled") {
            if !reader.bool("verify_outgoing"), !reader.bool("verify_server_hostname") {
                throw TextError("auto_config.enabled cannot be set without configuring TLS for server communications")
            }
            if server { throw TextError("auto_config.enabled cannot be set to true for server agents.") }
            let token = reader.string("auto_config.intro_token"), file = reader.string("auto_config.intro_token_file")
            if !token.isEmpty, !environment.introToken.isEmpty {
                warn(
                    "Both auto_config.intro_token and the CONSUL_INTRO_TOKEN environment variable are set. Using the value from the "
                        + "environment variable")
            }
            if token.isEmpty, file.isEmpty, environment.introToken.isEmpty {
                throw TextError(
                    "One of auto_config.intro_token, auto_config.intro_token_file or the CONSUL_INTRO_TOKEN environment variable must "
                        + "be set to enable auto_config")
            }
            if !token.isEmpty || !environment.introToken.isEmpty, !file.isEmpty {
                warn("Both an intro token and intro token file are set. The intro token will be used instead of the file")
            }
            if reader.strings("auto_config.server_addresses").isEmpty {
                throw TextError("auto_config.enabled is set without providing a list of addresses")
            }
        }
        guard reader.bool("auto_config.authorization.enabled") else { return }
        if result.agent.identity.primaryDatacenter != result.agent.identity.datacenter, reader.bool("acl.enabled"),
            !reader.bool("acl.enable_token_replication")
        {
            throw TextError(
                "Enabling auto-config authorization (auto_config.authorization.enabled) in non primary datacenters with ACLs enabled "
                    + "(acl.enabled) requires also enabling ACL token replication (acl.enable_token_replication)")
        }
        if !server { throw TextError("auto_config.authorization.enabled cannot be set to true for client agents") }
        if reader.string("cert_file").isEmpty {
            throw TextError("auto_config.authorization.enabled cannot be set without providing a TLS certificate for the server")
        }
    }

    // MARK: Warnings (config §11.4)

    private mutating func addWarnings() {
        let name = result.agent.identity.nodeName
        if !name.utf8.allSatisfy({ Self.isWordByte($0) && $0 != UInt8(ascii: "_") }) {
            warn(
                "Node name \(GoQuote.quote(name)) will not be discoverable via DNS due to invalid characters. Valid characters include "
                    + "all alpha-numerics and dashes.")
        } else if name.utf8.count > 63 {
            warn(
                "Node name \(GoQuote.quote(name)) will not be discoverable via DNS due to it being too long. Valid lengths are between "
                    + "1 and 63 bytes.")
        }
        let expect = result.agent.raft.bootstrapExpect
        let deploymentTable = "See https://www.consul.io/docs/internals/consensus.html#deployment-table"
        if expect == 2 {
            warn("bootstrap_expect = 2: A cluster with 2 servers will provide no failure tolerance. \(deploymentTable)")
        } else if expect > 2, expect % 2 == 0 {
            warn(
                "bootstrap_expect is even number: A cluster with an even number of servers does not achieve optimum fault tolerance. "
                    + deploymentTable)
        }
        if result.process.showsBootstrap { warn("bootstrap = true: do not enable unless necessary") }
        if expect > 0 { warn("bootstrap_expect > 0: expecting \(expect) servers") }
        if result.agent.checks.enableScripts, !reader.bool("acl.enabled"), result.agent.http.allowWriteFrom.isEmpty {
            warn(
                "using enable-script-checks without ACLs and without allow_write_http_from is DANGEROUS, use enable-local-script-checks "
                    + "instead, see https://www.hashicorp.com/blog/protecting-consul-from-rce-risk-in-specific-configurations/")
        }
    }

    // MARK: Start (config §12)

    /// What `consul validate` accepts and an agent does not.
    var startProblem: String? {
        let level = result.process.logging
        if level.level == nil {
            return "Invalid log level: \(level.levelName). Valid log levels are: [TRACE DEBUG INFO WARN ERR ERROR]"
        }
        if !result.process.nodeID.isEmpty, let problem = NodeID.problem(result.process.nodeID) {
            return "failed to setup node ID: specified NodeID is invalid: \(problem)"
        }
        let version = reader.string("tls_min_version")
        if !["tls10", "tls11", "tls12", "tls13"].contains(version) {
            return "TLSMinVersion: value \(version) not supported, please specify one of [tls10, tls11, tls12, tls13]"
        }
        return nil
    }

    /// What an agent learns when it starts its server or client.
    var startFailure: String? {
        let start = "Failed to start Consul \(result.agent.identity.isServer ? "server" : "client"): "
        let version = result.agent.gossip.protocolVersion
        if !(2...3).contains(version) {
            return start + "Protocol version '\(version)' too \(version < 2 ? "low" : "high"). Must be in range: [2, 3]"
        }
        let raft = result.agent.raft.protocolVersion
        if result.agent.identity.isServer, !(1...3).contains(raft) {
            return start + "Failed to start Raft: Protocol version \(raft) must be >= 1 and <= 3"
        }
        if result.agent.identity.isServer, raft == 1 {
            return start + "Failed to start Raft: Protocol version 1 is not supported by this version"
        }
        return nil
    }

    // MARK: Characters

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    private static func isDatacenter(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.allSatisfy { isWordByte($0) && !(UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
    }
}

/// The identity of a node. Spec: config §19.
public enum NodeID {
    /// What is wrong with a text that should be a UUID; nil if nothing is.
    public static func problem(_ text: String) -> String? {
        let bytes = Array(text.utf8)
        if bytes.count != 36 { return "uuid string is wrong length" }
        for (index, byte) in bytes.enumerated() {
            let isValid = [8, 13, 18, 23].contains(index) ? byte == UInt8(ascii: "-") : hexValue(byte) != nil
            if !isValid { return "uuid string is improperly formatted" }
        }
        return nil
    }

    /// 16 bytes in the form 8-4-4-4-12.
    public static func text(_ bytes: some Collection<UInt8>) -> String {
        var text: [UInt8] = []
        for (index, byte) in bytes.prefix(16).enumerated() {
            if [4, 6, 8, 10].contains(index) { text.append(UInt8(ascii: "-")) }
            text.append(hex: byte)
        }
        return String(decoding: text, as: UTF8.self)
    }
}
