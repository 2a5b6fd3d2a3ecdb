/// The dump of the configuration in `/v1/agent/self`. Spec: http-1 §3.3, §4.25.
extension ConfigBuilder {
    func debugConfig() -> DynamicValue {
        var members: [DynamicMember] = []
        func add(_ name: String, _ value: DynamicValue) { members.append(DynamicMember(name, value)) }
        addAgent(add)
        addDNS(add)
        addAddresses(add)
        addClusterDebug(add)
        addProcess(add)
        for name in ["ACLAgentMasterToken", "ACLAgentToken", "ACLMasterToken", "ACLReplicationToken", "ACLToken", "EncryptKey", "KeyFile"] {
            add(name, .string("hidden"))
        }
        return .map(members.sorted { ByteString($0.name) < ByteString($1.name) })
    }

    private typealias Add = (String, DynamicValue) -> Void

    private func addAgent(_ add: Add) {
        let agent = result.agent
        for (name, flag) in [
            ("Bootstrap", result.process.showsBootstrap), ("ServerMode", agent.identity.isServer), ("DevMode", agent.identity.devMode),
            ("EnableDebug", agent.http.enableDebug), ("EnableUI", agent.http.uiEnabled),
            ("EnableRemoteScriptChecks", agent.checks.enableScripts),
            ("EnableLocalScriptChecks", agent.checks.enableLocalScripts), ("DiscardCheckOutput", agent.reloadable.discardCheckOutput),
            ("LeaveOnTerm", agent.leaving.onTerminate), ("SkipLeaveOnInt", agent.leaving.skipsOnInterrupt),
            ("TranslateWANAddrs", agent.http.translateWANAddresses), ("HTTPUseCache", agent.http.useCache),
            ("DisableHTTPUnprintableCharFilter", agent.http.disableUnprintableFilter),
            ("ACLsEnabled", false), ("ConnectEnabled", false), ("DisableRemoteExec", agent.gossip.disableRemoteExec),
            ("DisableCoordinates", agent.coordinates.disabled), ("DisableUpdateCheck", true),
            ("DisableHostNodeID", result.process.disableHostNodeID), ("DisableKeyringFile", agent.gossip.disableKeyringFile),
            ("RejoinAfterLeave", agent.gossip.rejoinAfterLeave), ("VerifyIncoming", false), ("VerifyOutgoing", false),
            ("VerifyServerHostname", false),
        ] { add(name, .bool(flag)) }
        for (name, text) in [
            ("Datacenter", agent.identity.datacenter), ("PrimaryDatacenter", agent.identity.primaryDatacenter),
            ("NodeName", agent.identity.nodeName),
            ("NodeID", result.process.nodeID), ("UIContentPath", agent.http.uiContentPath), ("UIDir", agent.http.uiDirectory),
            ("Version", AgentSettings.compatibilityVersion), ("VersionPrerelease", ""), ("Revision", AgentSettings.revision),
            ("DataDir", result.process.dataDirectory), ("PidFile", result.process.pidFile),
        ] { add(name, .string(text)) }
        for (name, duration) in [
            ("AEInterval", agent.checks.antiEntropyInterval), ("CheckReapInterval", agent.checks.reapInterval),
            ("CheckUpdateInterval", agent.checks.updateInterval), ("ConsulRaftElectionTimeout", agent.raft.electionTimeout),
            ("ConsulRaftHeartbeatTimeout", agent.raft.heartbeatTimeout), ("ConsulRaftLeaderLeaseTimeout", agent.raft.leaderLeaseTimeout),
            ("DefaultQueryTime", agent.servers.defaultQueryTime), ("MaxQueryTime", agent.servers.maxQueryTime),
            ("DiscoveryMaxStale", agent.http.discoveryMaxStale), ("LeaveDrainTime", agent.leaving.drainTime),
            ("RPCHoldTimeout", agent.servers.rpcHoldTimeout), ("RaftSnapshotInterval", agent.raft.snapshotInterval),
        ] { add(name, .string(GoDuration.format(duration))) }
        for (name, number) in [
            ("BootstrapExpect", agent.raft.bootstrapExpect), ("CheckOutputMaxSize", agent.checks.outputMaxSize),
            ("HTTPMaxConnsPerClient", agent.reloadable.httpMaxConnectionsPerClient), ("KVMaxValueSize", agent.http.kvMaxValueSize),
            ("TxnMaxReqLen", agent.http.txnMaxRequestLength), ("RPCMaxConnsPerClient", agent.servers.rpcMaxConnectionsPerClient),
            ("RPCProtocol", reader.int("protocol")), ("RaftProtocol", reader.int("raft_protocol")),
            ("RaftSnapshotThreshold", Int(agent.raft.snapshotThreshold)), ("RaftTrailingLogs", Int(agent.raft.trailingLogs)),
            ("ConnectSidecarMinPort", agent.addresses.sidecarMinPort), ("ConnectSidecarMaxPort", agent.addresses.sidecarMaxPort),
        ] { add(name, .int(Int64(number))) }
        add("SessionTTLMin", .string(reader.string("session_ttl_min", default: "0s")))
        add("NodeMeta", Self.map(agent.reloadable.nodeMeta))
        add("TaggedAddresses", Self.map(agent.identity.taggedAddresses))
        add("HTTPResponseHeaders", Self.map(agent.http.responseHeaders))
        add("HTTPBlockEndpoints", Self.list(agent.http.blockEndpoints))
        add("AllowWriteHTTPFrom", Self.list(agent.http.allowWriteFrom))
    }

    private func addDNS(_ add: Add) {
        let dns = result.agent.reloadable.dns
        add("DNSARecordLimit", .int(Int64(dns.aRecordLimit)))
        add("DNSAllowStale", .bool(dns.allowStale))
        add("DNSAltDomain", .string(reader.string("alt_domain")))
        add("DNSCacheMaxAge", .string(GoDuration.format(dns.cacheMaxAge)))
        add("DNSDisableCompression", .bool(dns.disableCompression))
        add("DNSDomain", .string(reader.string("domain")))
        add("DNSEnableTruncate", .bool(dns.enableTruncate))
        add("DNSMaxStale", .string(GoDuration.format(dns.maxStale)))
        add("DNSNodeMetaTXT", .bool(dns.nodeMetaTXT))
        add("DNSNodeTTL", .string(GoDuration.format(dns.nodeTTL)))
        add("DNSOnlyPassing", .bool(dns.onlyPassing))
        add("DNSRecursorTimeout", .string(GoDuration.format(dns.recursorTimeout)))
        add("DNSRecursors", Self.list(dns.recursors))
        let fields = [("Expire", dns.soaExpire), ("Minttl", dns.soaMinTTL), ("Refresh", dns.soaRefresh), ("Retry", dns.soaRetry)]
        add("DNSSOA", .map(fields.map { DynamicMember($0.0, .int(Int64($0.1))) }))
        add("DNSServiceTTL", .map(dns.serviceTTL.map { DynamicMember($0.key, .string(GoDuration.format($0.value))) }))
        add("DNSUDPAnswerLimit", .int(Int64(dns.udpAnswerLimit)))
        add("DNSUseCache", .bool(dns.useCache))
    }

    private func addAddresses(_ add: Add) {
        let agent = result.agent
        for (name, port) in [
            ("DNSPort", agent.addresses.dnsPort), ("HTTPPort", agent.addresses.httpPort), ("HTTPSPort", agent.addresses.httpsPort),
            ("GRPCPort", agent.addresses.grpcPort),
            ("ServerPort", agent.addresses.serverPort), ("SerfPortLAN", agent.gossip.lan.port), ("SerfPortWAN", agent.gossip.wan.port),
        ] { add(name, .int(Int64(port))) }
        add("AdvertiseAddrLAN", .string(agent.addresses.advertise))
        add("AdvertiseAddrWAN", .string(agent.addresses.advertiseWAN))
        add("BindAddr", .string(agent.addresses.bind))
        add("ClientAddrs", Self.list(result.process.clientAddresses))
        add("DNSAddrs", Self.list(urls(.dns, "tcp") + urls(.dns, "udp")))
        add("HTTPAddrs", Self.list(urls(.http, "tcp")))
        add("HTTPSAddrs", Self.list(urls(.https, "tcp")))
        add("GRPCAddrs", Self.list(urls(.grpc, "tcp")))
        add("RPCAdvertiseAddr", .string("tcp://\(HostPort.join(agent.addresses.advertise, agent.addresses.serverPort))"))
        add("RPCBindAddr", .string("tcp://\(HostPort.join(agent.addresses.bind, agent.addresses.serverPort))"))
        add("SerfAdvertiseAddrLAN", .string("tcp://\(HostPort.join(agent.addresses.advertise, agent.gossip.lan.port))"))
        add("SerfBindAddrLAN", .string("tcp://\(HostPort.join(agent.gossip.lan.bindAddress, agent.gossip.lan.port))"))
        guard agent.gossip.wan.port > 0 else { return }
        add("SerfAdvertiseAddrWAN", .string("tcp://\(HostPort.join(agent.addresses.advertiseWAN, agent.gossip.wan.port))"))
        add("SerfBindAddrWAN", .string("tcp://\(HostPort.join(agent.gossip.wan.bindAddress, agent.gossip.wan.port))"))
    }

    private func urls(_ service: ListenerConfig.Service, _ network: String) -> [String] {
        result.process.listeners.filter { $0.service == service }.map { listener in
            if case .unix(let path) = listener.endpoint { "unix://\(path)" } else { "\(network)://\(listener.address)" }
        }
    }

    private func addProcess(_ add: Add) {
        let logging = result.process.logging
        add(
            "Logging",
            .map([
                DynamicMember("EnableSyslog", .bool(logging.syslog)), DynamicMember("LogFilePath", .string(logging.file)),
                DynamicMember("LogJSON", .bool(logging.json)), DynamicMember("LogLevel", .string(logging.levelName)),
                DynamicMember("LogRotateBytes", .int(Int64(logging.rotateBytes))),
                DynamicMember("LogRotateDuration", .string(GoDuration.format(logging.rotateDuration))),
                DynamicMember("LogRotateMaxFiles", .int(Int64(logging.rotateFilesMax))), DynamicMember("Name", .string("agent")),
                DynamicMember("SyslogFacility", .string(logging.syslogFacility)),
            ]))
        add(
            "Telemetry",
            .map([
                DynamicMember("Disable", .bool(false)), DynamicMember("DisableHostname", .bool(reader.bool("telemetry.disable_hostname"))),
                DynamicMember("FilterDefault", .bool(reader.bool("telemetry.filter_default"))),
                DynamicMember("MetricsPrefix", .string(reader.string("telemetry.metrics_prefix"))),
            ]))
        add("UnixSocketUser", .string(result.process.unixSockets.user))
        add("UnixSocketGroup", .string(result.process.unixSockets.group))
        add("UnixSocketMode", .string(result.process.unixSockets.mode))
    }

    private static func list(_ texts: [String]) -> DynamicValue { .array(texts.map { .string($0) }) }
    private static func map(_ map: StringMap) -> DynamicValue { .map(map.map { DynamicMember($0.key, .string($0.value)) }) }
}
