/// Makes a `Configuration` of merged sources. Spec: config §1, §5-§9, §11.
///
/// Over 500 lines: one piece for each of some 200 keys, in extensions by subject, with hardly any state between them.
public struct ConfigBuilder {
    let environment: ConfigEnvironment
    let isDev: Bool
    var reader: ConfigReader
    /// What users wrote, without defaults.
    let userTree: DynamicValue
    var result = Configuration()

    /// Reads the sources in the order of config §1.
    ///
    /// - Parameters:
    ///   - listFlags, valueFlags: what the command line says (`AgentFlags`), around the files.
    ///   - fragments: the texts of `-hcl`.
    public static func build(
        files: [ConfigSource], listFlags: DynamicValue = .map([]), valueFlags: DynamicValue = .map([]), fragments: [String] = [],
        isDev: Bool = false, environment: ConfigEnvironment, warnings: [String] = []
    ) throws(TextError) -> Configuration {
        var warnings = warnings
        var user = listFlags
        for file in files where !file.text.isEmpty { user = ConfigMerge.merge(user, try file.decoded(warnings: &warnings)) }
        user = ConfigMerge.merge(user, valueFlags)
        for (index, fragment) in fragments.enumerated() {
            let source = ConfigSource(name: "flags-\(index).hcl", format: .hcl, text: Array(fragment.utf8))
            user = ConfigMerge.merge(user, try source.decoded(warnings: &warnings))
        }
        var tree = try builtIn(ConfigDefaults.common, "default")
        if isDev { tree = ConfigMerge.merge(tree, try builtIn(ConfigDefaults.dev, "dev")) }
        tree = ConfigMerge.merge(tree, user)
        tree = ConfigMerge.merge(tree, try builtIn(ConfigDefaults.nonUser, "non-user"))
        if isDev { tree = ConfigMerge.merge(tree, try builtIn(ConfigDefaults.nonUserDev, "consul-dev")) }
        var builder = ConfigBuilder(environment: environment, isDev: isDev, reader: ConfigReader(tree), userTree: user)
        builder.result.warnings = warnings
        try builder.build()
        return builder.result
    }

    private static func builtIn(_ text: String, _ name: String) throws(TextError) -> DynamicValue {
        var ignored: [String] = []
        return try ConfigSource(name: name, format: .hcl, text: Array(text.utf8)).decoded(warnings: &ignored)
    }

    private mutating func build() throws(TextError) {
        addEnterpriseWarnings()
        buildIdentity()
        try buildDefinitions()
        try buildAddresses()
        try buildServer()
        buildTimings()
        buildGossip()
        buildJoining()
        buildDNS()
        buildHTTP()
        buildChecks()
        buildProcess()
        try validate()
        result.agent.reloadable.logLevel = result.process.logging.level ?? .info
        result.unsupported = ConfigSupport.notes(on: userTree)
        result.startProblem = startProblem
        result.startFailure = startFailure
        disableWhatIsNotServed()
        result.agent.debugConfig = debugConfig()
    }

    /// Ports of protocols that this version does not serve count as disabled once they are validated, so that nobody is told otherwise.
    private mutating func disableWhatIsNotServed() {
        result.agent.addresses.httpsPort = -1
        result.agent.addresses.grpcPort = -1
        result.process.listeners.removeAll { $0.service == .https || $0.service == .grpc }
    }

    mutating func warn(_ text: String) { result.warnings.append(text) }

    // MARK: Identity (config §7.1)

    private mutating func buildIdentity() {
        if reader.has("acl_datacenter") {
            warn("The 'acl_datacenter' field is deprecated. Use the 'primary_datacenter' field instead.")
        }
        result.agent.identity.devMode = isDev
        result.agent.identity.isServer = reader.bool("server")
        result.agent.identity.datacenter = reader.string("datacenter").lowercased()
        let primary = reader.string("primary_datacenter", default: reader.string("acl_datacenter")).lowercased()
        result.agent.identity.primaryDatacenter = primary.isEmpty ? result.agent.identity.datacenter : primary
        let name = reader.string("node_name")
        result.agent.identity.nodeName = String(name.isEmpty ? environment.hostName : name).trimmingBlanks
        result.process.nodeID = reader.string("node_id").lowercased()
        result.process.disableHostNodeID = reader.bool("disable_host_node_id")
        result.agent.reloadable.nodeMeta = reader.map("node_meta")
        result.process.dataDirectory = isDev ? "" : reader.string("data_dir")
        result.agent.identity.dataDirectory = result.process.dataDirectory
        result.agent.checks.persistsRegistrations = !result.process.dataDirectory.isEmpty
        result.agent.leaving.onTerminate = reader.bool("leave_on_terminate", default: !result.agent.identity.isServer)
        result.agent.gossip.rejoinAfterLeave = reader.bool("rejoin_after_leave")
        result.agent.gossip.disableRemoteExec = reader.bool("disable_remote_exec")
        result.agent.leaving.skipsOnInterrupt = reader.bool("skip_leave_on_interrupt", default: result.agent.identity.isServer)
        result.agent.http.enableDebug = reader.bool("enable_debug")
        result.agent.telemetry.prefix = reader.string("telemetry.metrics_prefix")
        result.agent.http.translateWANAddresses = reader.bool("translate_wan_addrs")
        result.agent.http.disableUnprintableFilter = reader.bool("disable_http_unprintable_char_filter")
    }

    /// Spec: config §25.
    private mutating func addEnterpriseWarnings() {
        let keys = [
            "non_voting_server", "segment", "segments", "autopilot.redundancy_zone_tag", "autopilot.upgrade_version_tag",
            "autopilot.disable_upgrade_migration", "dns_config.prefer_namespace", "acl.msp_disable_bootstrap",
            "acl.tokens.managed_service_provider", "audit",
        ]
        for key in keys where reader.has(key) { warn("\"\(key)\" is a Consul Enterprise configuration and will have no effect") }
    }

    // MARK: Server (config §7.7, §16)

    private mutating func buildServer() throws(TextError) {
        var bootstrap = reader.bool("bootstrap")
        var expect = reader.int("bootstrap_expect")
        if expect == 1 {
            bootstrap = true
            expect = 0
            warn("BootstrapExpect is set to 1; this is the same as Bootstrap mode.")
        }
        result.agent.raft.bootstrap = bootstrap || isDev
        result.agent.raft.announcesBootstrap = bootstrap
        result.agent.raft.bootstrapExpect = expect
        result.process.showsBootstrap = bootstrap
        let multiplier = reader.int("performance.raft_multiplier")
        guard (1...10).contains(multiplier) else {
            throw TextError("performance.raft_multiplier cannot be \(multiplier). Must be between 1 and 10")
        }
        result.agent.raft.electionTimeout = reader.duration("consul.raft.election_timeout") * multiplier
        result.agent.raft.heartbeatTimeout = reader.duration("consul.raft.heartbeat_timeout") * multiplier
        result.agent.raft.leaderLeaseTimeout = reader.duration("consul.raft.leader_lease_timeout") * multiplier
        if reader.bool("connect.enable_mesh_gateway_wan_federation"), !reader.bool("connect.enabled") {
            throw TextError("'connect.enable_mesh_gateway_wan_federation=true' requires 'connect.enabled=true'")
        }
        for (index, entry) in reader.list("config_entries.bootstrap").enumerated() {
            if let problem = Self.problem(ofEntry: entry) { throw TextError("config_entries.bootstrap[\(index)]: \(problem)") }
        }
        for key in ["serf_lan_allowed_cidrs", "serf_wan_allowed_cidrs"] {
            let invalid = reader.strings(key).filter { IPNetwork($0) == nil }
            if !invalid.isEmpty { throw TextError("\(key): " + MultipleErrors.text(invalid.map { "invalid cidr: \($0)" })) }
        }
        let burst = reader.int("cache.entry_fetch_max_burst")
        if burst <= 0 { throw TextError("cache.entry_fetch_max_burst must be strictly positive, was: \(burst)") }
        let rate = reader.double("cache.entry_fetch_rate", default: .infinity)
        if rate <= 0 { throw TextError("cache.entry_fetch_rate must be strictly positive, was: \(rate)") }
    }

    private static func problem(ofEntry entry: DynamicValue) -> String? {
        let kinds = [
            "service-defaults", "proxy-defaults", "service-router", "service-splitter", "service-resolver", "ingress-gateway",
            "terminating-gateway",
        ]
        guard case .map(let members) = entry, let kind = members.last(where: { $0.name.lowercased() == "kind" })?.value else {
            return "Payload does not contain a kind/Kind key"
        }
        guard case .string(let name) = kind else { return "Kind value in payload is not a string" }
        return kinds.contains(name) ? nil : "invalid config entry kind: \(name)"
    }

    // MARK: Timings and sizes

    private mutating func buildTimings() {
        result.agent.servers.rpcHoldTimeout = reader.duration("performance.rpc_hold_timeout")
        result.agent.leaving.drainTime = reader.duration("performance.leave_drain_time")
        result.agent.servers.defaultQueryTime = reader.duration("default_query_time")
        result.agent.servers.maxQueryTime = reader.duration("max_query_time")
        result.agent.http.discoveryMaxStale = reader.duration("discovery_max_stale")
        let sessionTTLMin = reader.duration("session_ttl_min")
        if sessionTTLMin > .zero { result.agent.servers.sessionTTLMin = sessionTTLMin }
        let snapshotInterval = reader.duration("raft_snapshot_interval")
        if snapshotInterval > .zero { result.agent.raft.snapshotInterval = snapshotInterval }
        let threshold = reader.int("raft_snapshot_threshold")
        if threshold > 0 { result.agent.raft.snapshotThreshold = UInt64(threshold) }
        let trailing = reader.int("raft_trailing_logs")
        if trailing > 0 { result.agent.raft.trailingLogs = UInt64(trailing) }
        result.agent.http.kvMaxValueSize = reader.int("limits.kv_max_value_size")
        result.agent.http.txnMaxRequestLength = reader.int("limits.txn_max_req_len")
        result.agent.reloadable.httpMaxConnectionsPerClient = reader.int("limits.http_max_conns_per_client")
        result.agent.servers.rpcMaxConnectionsPerClient = reader.int("limits.rpc_max_conns_per_client")
        result.agent.servers.rpcHandshakeTimeout = reader.duration("limits.rpc_handshake_timeout")
        result.agent.checks.antiEntropyInterval = reader.duration("ae_interval")
        result.agent.checks.reapInterval = reader.duration("check_reap_interval")
        result.agent.telemetry.prometheusRetention = reader.duration("telemetry.prometheus_retention_time")
        if !reader.bool("telemetry.disable_hostname"), hasMetricsSink() {
            result.agent.telemetry.hostName = environment.hostName.trimmingBlanks
        }
        // Only read so that what cannot be read is reported.
        let others = [
            "primary_gateways_interval", "limits.https_handshake_timeout", "acl.token_ttl", "acl.policy_ttl", "acl.role_ttl", "acl_ttl",
        ]
        for path in others { _ = reader.duration(path) }
    }

    /// Whether metrics are for anybody but those who ask the agent for them (config §24).
    private mutating func hasMetricsSink() -> Bool {
        if result.agent.telemetry.prometheusRetention > .zero { return true }
        for name in ["statsite_address", "statsd_address", "dogstatsd_addr", "circonus_api_token", "circonus_submission_url"]
        where !reader.string("telemetry.\(name)").isEmpty {
            return true
        }
        return false
    }

    // MARK: DNS (dns §18)

    private mutating func buildDNS() {
        var dns = DNSConfig()
        dns.domain = Self.zone(reader.string("domain"))
        let alternative = reader.string("alt_domain")
        dns.altDomain = alternative.isEmpty ? "" : Self.zone(alternative)
        dns.allowStale = reader.bool("dns_config.allow_stale")
        dns.maxStale = reader.duration("dns_config.max_stale")
        dns.onlyPassing = reader.bool("dns_config.only_passing")
        dns.nodeTTL = reader.duration("dns_config.node_ttl")
        for (service, text) in reader.map("dns_config.service_ttl") {
            dns.serviceTTL[service] =
                reader.duration(.string(text), named: "dns_config.service_ttl[\(GoQuote.quote(service))]") ?? .zero
        }
        dns.enableTruncate = reader.bool("dns_config.enable_truncate")
        dns.udpAnswerLimit = reader.int("dns_config.udp_answer_limit")
        dns.aRecordLimit = reader.int("dns_config.a_record_limit")
        dns.nodeMetaTXT = reader.bool("dns_config.enable_additional_node_meta_txt")
        dns.disableCompression = reader.bool("dns_config.disable_compression")
        dns.recursors = result.agent.reloadable.dns.recursors
        dns.recursorTimeout = reader.duration("dns_config.recursor_timeout")
        dns.soaRefresh = UInt32(clamping: reader.int("dns_config.soa.refresh"))
        dns.soaRetry = UInt32(clamping: reader.int("dns_config.soa.retry"))
        dns.soaExpire = UInt32(clamping: reader.int("dns_config.soa.expire"))
        dns.soaMinTTL = UInt32(clamping: reader.int("dns_config.soa.min_ttl"))
        dns.useCache = reader.bool("dns_config.use_cache")
        dns.cacheMaxAge = reader.duration("dns_config.cache_max_age")
        result.agent.reloadable.dns = dns
    }

    private static func zone(_ name: String) -> String {
        let name = name.lowercased()
        return name.utf8.last == UInt8(ascii: ".") ? name : name + "."
    }

    // MARK: HTTP (config §7.5)

    private mutating func buildHTTP() {
        result.agent.http.responseHeaders = reader.map("http_config.response_headers")
        result.agent.http.blockEndpoints = reader.strings("http_config.block_endpoints")
        result.agent.http.useCache = reader.bool("http_config.use_cache")
        for network in reader.strings("http_config.allow_write_http_from") {
            if IPNetwork(network) == nil { reader.errors.append("allow_write_http_from: invalid cidr: \(network)") }
            result.agent.http.allowWriteFrom.append(network)
        }
        result.agent.http.uiEnabled = reader.bool("ui")
        result.agent.http.uiDirectory = reader.string("ui_dir")
        let path = reader.string("ui_content_path").utf8[...].trimmingSlashes
        result.agent.http.uiContentPath = path.isEmpty ? "/" : "/\(path)/"
    }

    // MARK: Checks (config §7.15)

    private mutating func buildChecks() {
        result.agent.checks.enableScripts = reader.bool("enable_script_checks")
        result.agent.checks.enableLocalScripts = reader.bool("enable_local_script_checks", default: result.agent.checks.enableScripts)
        result.agent.checks.updateInterval = reader.duration("check_update_interval")
        result.agent.checks.outputMaxSize = reader.int("check_output_max_size")
        result.agent.reloadable.discardCheckOutput = reader.bool("discard_check_output")
    }

    // MARK: Process

    private mutating func buildProcess() {
        result.process.pidFile = reader.string("pid_file")
        result.process.logging.levelName = reader.string("log_level")
        result.process.logging.json = reader.bool("log_json")
        result.process.logging.file = reader.string("log_file")
        result.process.logging.rotateDuration = reader.duration("log_rotate_duration")
        result.process.logging.rotateBytes = reader.int("log_rotate_bytes")
        result.process.logging.rotateFilesMax = reader.int("log_rotate_max_files")
        result.process.logging.syslog = reader.bool("enable_syslog")
        result.process.logging.syslogFacility = reader.string("syslog_facility")
        result.process.unixSockets.user = reader.string("unix_sockets.user")
        result.process.unixSockets.group = reader.string("unix_sockets.group")
        result.process.unixSockets.mode = reader.string("unix_sockets.mode")
        result.process.watches = reader.list("watches")
        let rules = reader.strings("telemetry.prefix_filter")
        result.agent.reloadable.metricsFilter = MetricFilter(rules, allowsOthers: reader.bool("telemetry.filter_default"))
        for rule in rules {
            if rule.isEmpty {
                warn("Cannot have empty filter rule in prefix_filter")
            } else if rule.utf8.first != UInt8(ascii: "+") && rule.utf8.first != UInt8(ascii: "-") {
                warn("Filter rule must begin with either '+' or '-': \(GoQuote.quote(rule))")
            }
        }
        for (path, name) in [("auto_encrypt.ip_san", "AutoEncrypt.IPSAN"), ("auto_config.ip_sans", "auto_config.ip_sans")] {
            for text in reader.strings(path) where IPAddress(text) == nil { warn("Cannot parse ip \(GoQuote.quote(text)) from \(name)") }
        }
    }
}

extension String {
    var trimmingBlanks: String {
        var scalars = unicodeScalars[...]
        while scalars.first?.properties.isWhitespace ?? false { scalars = scalars.dropFirst() }
        while scalars.last?.properties.isWhitespace ?? false { scalars = scalars.dropLast() }
        return String(scalars)
    }
}

extension Substring.UTF8View {
    /// Without `/` at both ends.
    fileprivate var trimmingSlashes: String {
        var bytes = self[...]
        while bytes.first == UInt8(ascii: "/") { bytes = bytes.dropFirst() }
        while bytes.last == UInt8(ascii: "/") { bytes = bytes.dropLast() }
        return String(decoding: bytes, as: UTF8.self)
    }
}
