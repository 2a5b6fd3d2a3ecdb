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
            ("Bootstrap", result.process.showsBootstrap), ("ServerMode", agent.server), ("DevMode", agent.devMode),
            ("EnableDebug", agent.enableDebug), ("EnableUI", agent.uiEnabled), ("EnableRemoteScriptChecks", agent.enableScriptChecks),
            ("EnableLocalScriptChecks", agent.enableLocalScriptChecks), ("DiscardCheckOutput", agent.discardCheckOutput),
            ("LeaveOnTerm", agent.leaveOnTerminate), ("SkipLeaveOnInt", agent.skipLeaveOnInterrupt),
            ("TranslateWANAddrs", agent.translateWANAddresses), ("HTTPUseCache", agent.httpUseCache),
            ("DisableHTTPUnprintableCharFilter", agent.disableUnprintableFilter),
            ("ACLsEnabled", false), ("ConnectEnabled", false), ("DisableRemoteExec", agent.disableRemoteExec),
            ("DisableCoordinates", agent.disableCoordinates), ("DisableUpdateCheck", true),
            ("DisableHostNodeID", result.process.disableHostNodeID), ("DisableKeyringFile", agent.disableKeyringFile),
            ("RejoinAfterLeave", agent.rejoinAfterLeave), ("VerifyIncoming", false), ("VerifyOutgoing", false),
            ("VerifyServerHostname", false),
        ] { add(name, .bool(flag)) }
        for (name, text) in [
            ("Datacenter", agent.datacenter), ("PrimaryDatacenter", agent.primaryDatacenter), ("NodeName", agent.nodeName),
            ("NodeID", result.process.nodeID), ("UIContentPath", agent.uiContentPath), ("UIDir", agent.uiDirectory),
            ("Version", AgentConfig.compatibilityVersion), ("VersionPrerelease", ""), ("Revision", AgentConfig.revision),
            ("DataDir", result.process.dataDirectory), ("PidFile", result.process.pidFile),
        ] { add(name, .string(text)) }
        for (name, duration) in [
            ("AEInterval", agent.antiEntropyInterval), ("CheckReapInterval", agent.checkReapInterval),
            ("CheckUpdateInterval", agent.checkUpdateInterval), ("ConsulRaftElectionTimeout", agent.raftElectionTimeout),
            ("ConsulRaftHeartbeatTimeout", agent.raftHeartbeatTimeout), ("ConsulRaftLeaderLeaseTimeout", agent.raftLeaderLeaseTimeout),
            ("DefaultQueryTime", agent.defaultQueryTime), ("MaxQueryTime", agent.maxQueryTime),
            ("DiscoveryMaxStale", agent.discoveryMaxStale), ("LeaveDrainTime", agent.leaveDrainTime),
            ("RPCHoldTimeout", agent.rpcHoldTimeout), ("RaftSnapshotInterval", agent.raftSnapshotInterval),
        ] { add(name, .string(GoDuration.format(duration))) }
        for (name, number) in [
            ("BootstrapExpect", agent.bootstrapExpect), ("CheckOutputMaxSize", agent.checkOutputMaxSize),
            ("HTTPMaxConnsPerClient", agent.httpMaxConnectionsPerClient), ("KVMaxValueSize", agent.kvMaxValueSize),
            ("TxnMaxReqLen", agent.txnMaxRequestLength), ("RPCMaxConnsPerClient", agent.rpcMaxConnectionsPerClient),
            ("RPCProtocol", reader.int("protocol")), ("RaftProtocol", reader.int("raft_protocol")),
            ("RaftSnapshotThreshold", Int(agent.raftSnapshotThreshold)), ("RaftTrailingLogs", Int(agent.raftTrailingLogs)),
            ("ConnectSidecarMinPort", agent.sidecarMinPort), ("ConnectSidecarMaxPort", agent.sidecarMaxPort),
        ] { add(name, .int(Int64(number))) }
        add("SessionTTLMin", .string(reader.string("session_ttl_min", default: "0s")))
        add("NodeMeta", Self.map(agent.nodeMeta))
        add("TaggedAddresses", Self.map(agent.taggedAddresses))
        add("HTTPResponseHeaders", Self.map(agent.responseHeaders))
        add("HTTPBlockEndpoints", Self.list(agent.blockEndpoints))
        add("AllowWriteHTTPFrom", Self.list(agent.allowWriteHTTPFrom))
    }

    private func addDNS(_ add: Add) {
        let dns = result.agent.dns
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
            ("DNSPort", agent.dnsPort), ("HTTPPort", agent.httpPort), ("HTTPSPort", agent.httpsPort), ("GRPCPort", agent.grpcPort),
            ("ServerPort", agent.serverPort), ("SerfPortLAN", agent.serfLANPort), ("SerfPortWAN", agent.serfWANPort),
        ] { add(name, .int(Int64(port))) }
        add("AdvertiseAddrLAN", .string(agent.advertiseAddress))
        add("AdvertiseAddrWAN", .string(agent.advertiseAddressWAN))
        add("BindAddr", .string(agent.bindAddress))
        add("ClientAddrs", Self.list(result.process.clientAddresses))
        add("DNSAddrs", Self.list(urls(.dns, "tcp") + urls(.dns, "udp")))
        add("HTTPAddrs", Self.list(urls(.http, "tcp")))
        add("HTTPSAddrs", Self.list(urls(.https, "tcp")))
        add("GRPCAddrs", Self.list(urls(.grpc, "tcp")))
        add("RPCAdvertiseAddr", .string("tcp://\(HostPort.join(agent.advertiseAddress, agent.serverPort))"))
        add("RPCBindAddr", .string("tcp://\(HostPort.join(agent.bindAddress, agent.serverPort))"))
        add("SerfAdvertiseAddrLAN", .string("tcp://\(HostPort.join(agent.advertiseAddress, agent.serfLANPort))"))
        add("SerfBindAddrLAN", .string("tcp://\(HostPort.join(agent.serfBindAddressLAN, agent.serfLANPort))"))
        guard agent.serfWANPort > 0 else { return }
        add("SerfAdvertiseAddrWAN", .string("tcp://\(HostPort.join(agent.advertiseAddressWAN, agent.serfWANPort))"))
        add("SerfBindAddrWAN", .string("tcp://\(HostPort.join(agent.serfBindAddressWAN, agent.serfWANPort))"))
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
