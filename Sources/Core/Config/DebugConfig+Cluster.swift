/// What concerns the cluster in the dump of the configuration.
extension ConfigBuilder {
    func addClusterDebug(_ add: (String, DynamicValue) -> Void) {
        let agent = result.agent
        for (pool, tuning) in [("LAN", agent.gossip.lan.tuning), ("WAN", agent.gossip.wan.tuning)] {
            add("Gossip\(pool)GossipInterval", .string(GoDuration.format(tuning.gossipInterval)))
            add("Gossip\(pool)GossipNodes", .int(Int64(tuning.gossipNodes)))
            add("Gossip\(pool)ProbeInterval", .string(GoDuration.format(tuning.probeInterval)))
            add("Gossip\(pool)ProbeTimeout", .string(GoDuration.format(tuning.probeTimeout)))
            add("Gossip\(pool)RetransmitMult", .int(Int64(tuning.retransmitMult)))
            add("Gossip\(pool)SuspicionMult", .int(Int64(tuning.suspicionMult)))
        }
        addAutopilotDebug(add)
        for (name, flag) in [
            ("EncryptVerifyIncoming", agent.gossip.verifyIncoming), ("EncryptVerifyOutgoing", agent.gossip.verifyOutgoing),
            ("NonVotingServer", agent.raft.nonVotingServer),
        ] { add(name, .bool(flag)) }
        let durations: [(String, Duration)] = [
            ("ReconnectTimeoutLAN", agent.gossip.lan.reconnectTimeout), ("ReconnectTimeoutWAN", agent.gossip.wan.reconnectTimeout),
            ("RetryJoinIntervalLAN", agent.gossip.lan.retryJoinInterval), ("RetryJoinIntervalWAN", agent.gossip.wan.retryJoinInterval),
            ("ConsulCoordinateUpdatePeriod", agent.coordinates.updatePeriod), ("ConsulServerHealthInterval", agent.servers.healthInterval),
            ("RPCHandshakeTimeout", agent.servers.rpcHandshakeTimeout), ("SyncCoordinateIntervalMin", agent.coordinates.sendIntervalMin),
        ]
        for (name, duration) in durations { add(name, .string(GoDuration.format(duration))) }
        let numbers: [(String, Int)] = [
            ("RPCMaxBurst", agent.reloadable.rpcMaxBurst), ("RetryJoinMaxAttemptsLAN", agent.gossip.lan.retryJoinMaxAttempts),
            ("RetryJoinMaxAttemptsWAN", agent.gossip.wan.retryJoinMaxAttempts),
            ("ConsulCoordinateUpdateBatchSize", agent.coordinates.updateBatchSize),
            ("ConsulCoordinateUpdateMaxBatches", agent.coordinates.updateMaxBatches),
        ]
        for (name, number) in numbers { add(name, .int(Int64(number))) }
        let lists: [(String, [String])] = [
            ("StartJoinAddrsLAN", agent.gossip.lan.startJoin), ("StartJoinAddrsWAN", agent.gossip.wan.startJoin),
            ("RetryJoinLAN", agent.gossip.lan.retryJoin),
            ("RetryJoinWAN", agent.gossip.wan.retryJoin), ("SerfAllowedCIDRsLAN", agent.gossip.lan.allowedCIDRs),
            ("SerfAllowedCIDRsWAN", agent.gossip.wan.allowedCIDRs),
        ]
        for (name, texts) in lists { add(name, .array(texts.map { .string($0) })) }
        add("RPCRateLimit", .double(agent.reloadable.rpcRate ?? -1))
        add("SyncCoordinateRateTarget", .double(agent.coordinates.sendRateTarget))
    }

    private func addAutopilotDebug(_ add: (String, DynamicValue) -> Void) {
        let autopilot = result.agent.servers.autopilot
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
