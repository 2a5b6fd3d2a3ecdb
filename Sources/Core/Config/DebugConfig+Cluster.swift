/// What concerns the cluster in the dump of the configuration.
extension ConfigBuilder {
    func addClusterDebug(_ add: (String, DynamicValue) -> Void) {
        let agent = result.agent
        for (pool, tuning) in [("LAN", agent.gossipLAN), ("WAN", agent.gossipWAN)] {
            add("Gossip\(pool)GossipInterval", .string(GoDuration.format(tuning.gossipInterval)))
            add("Gossip\(pool)GossipNodes", .int(Int64(tuning.gossipNodes)))
            add("Gossip\(pool)ProbeInterval", .string(GoDuration.format(tuning.probeInterval)))
            add("Gossip\(pool)ProbeTimeout", .string(GoDuration.format(tuning.probeTimeout)))
            add("Gossip\(pool)RetransmitMult", .int(Int64(tuning.retransmitMult)))
            add("Gossip\(pool)SuspicionMult", .int(Int64(tuning.suspicionMult)))
        }
        addAutopilotDebug(add)
        for (name, flag) in [
            ("EncryptVerifyIncoming", agent.encryptVerifyIncoming), ("EncryptVerifyOutgoing", agent.encryptVerifyOutgoing),
            ("NonVotingServer", agent.nonVotingServer),
        ] { add(name, .bool(flag)) }
        let durations: [(String, Duration)] = [
            ("ReconnectTimeoutLAN", agent.reconnectTimeoutLAN), ("ReconnectTimeoutWAN", agent.reconnectTimeoutWAN),
            ("RetryJoinIntervalLAN", agent.retryJoinInterval), ("RetryJoinIntervalWAN", agent.retryJoinIntervalWAN),
            ("ConsulCoordinateUpdatePeriod", agent.coordinateUpdatePeriod), ("ConsulServerHealthInterval", agent.serverHealthInterval),
            ("RPCHandshakeTimeout", agent.rpcHandshakeTimeout), ("SyncCoordinateIntervalMin", agent.syncCoordinateIntervalMin),
        ]
        for (name, duration) in durations { add(name, .string(GoDuration.format(duration))) }
        let numbers: [(String, Int)] = [
            ("RPCMaxBurst", agent.rpcMaxBurst), ("RetryJoinMaxAttemptsLAN", agent.retryJoinMaxAttempts),
            ("RetryJoinMaxAttemptsWAN", agent.retryJoinMaxAttemptsWAN),
            ("ConsulCoordinateUpdateBatchSize", agent.coordinateUpdateBatchSize),
            ("ConsulCoordinateUpdateMaxBatches", agent.coordinateUpdateMaxBatches),
        ]
        for (name, number) in numbers { add(name, .int(Int64(number))) }
        let lists: [(String, [String])] = [
            ("StartJoinAddrsLAN", agent.startJoinLAN), ("StartJoinAddrsWAN", agent.startJoinWAN), ("RetryJoinLAN", agent.retryJoinLAN),
            ("RetryJoinWAN", agent.retryJoinWAN), ("SerfAllowedCIDRsLAN", agent.serfAllowedCIDRsLAN),
            ("SerfAllowedCIDRsWAN", agent.serfAllowedCIDRsWAN),
        ]
        for (name, texts) in lists { add(name, .array(texts.map { .string($0) })) }
        add("RPCRateLimit", .double(agent.rpcRate ?? -1))
        add("SyncCoordinateRateTarget", .double(agent.syncCoordinateRateTarget))
    }

    private func addAutopilotDebug(_ add: (String, DynamicValue) -> Void) {
        let autopilot = result.agent.autopilot
        add("AutopilotCleanupDeadServers", .bool(autopilot.cleanupDeadServers))
        add("AutopilotDisableUpgradeMigration", .bool(autopilot.disableUpgradeMigration))
        add("AutopilotLastContactThreshold", .string(GoDuration.format(autopilot.lastContactThreshold)))
        add("AutopilotMaxTrailingLogs", .uint(autopilot.maxTrailingLogs))
        add("AutopilotMinQuorum", .uint(autopilot.minQuorum))
        add("AutopilotRedundancyZoneTag", .string(autopilot.redundancyZoneTag))
        add("AutopilotServerStabilizationTime", .string(GoDuration.format(autopilot.serverStabilizationTime)))
        add("AutopilotUpgradeVersionTag", .string(autopilot.upgradeVersionTag))
    }
}
