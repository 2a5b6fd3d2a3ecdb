/// What concerns the cluster that an agent is part of: gossip, joining, autopilot. Spec: config §7.7-§7.10, §7.14, §15.
extension ConfigBuilder {
    mutating func buildGossip() {
        let agent = result.agent
        // Whether it is base64 is told in its turn, by the validation.
        let key = reader.string("encrypt")
        result.agent.gossip.encryptKey = key.isEmpty ? nil : try? Base64.decode(key)
        result.agent.gossip.verifyIncoming = reader.bool("encrypt_verify_incoming")
        result.agent.gossip.verifyOutgoing = reader.bool("encrypt_verify_outgoing")
        result.agent.gossip.disableKeyringFile = reader.bool("disable_keyring_file")
        result.agent.gossip.lan.allowedCIDRs = reader.strings("serf_lan_allowed_cidrs")
        result.agent.gossip.wan.allowedCIDRs = reader.strings("serf_wan_allowed_cidrs")
        result.agent.gossip.lan.tuning = tuning("gossip_lan", agent.gossip.lan.tuning)
        result.agent.gossip.wan.tuning = tuning("gossip_wan", agent.gossip.wan.tuning)
        result.agent.gossip.lan.reconnectTimeout = positive("reconnect_timeout", else: agent.gossip.lan.reconnectTimeout)
        result.agent.gossip.wan.reconnectTimeout = positive("reconnect_timeout_wan", else: agent.gossip.wan.reconnectTimeout)
        result.agent.gossip.protocolVersion = reader.int("protocol")
        result.agent.coordinates.disabled = reader.bool("disable_coordinates")
        result.agent.coordinates.updatePeriod = reader.duration("consul.coordinate.update_period")
        result.agent.coordinates.updateBatchSize = reader.int("consul.coordinate.update_batch_size")
        result.agent.coordinates.updateMaxBatches = reader.int("consul.coordinate.update_max_batches")
        result.agent.coordinates.sendRateTarget = reader.double("sync_coordinate_rate_target", default: agent.coordinates.sendRateTarget)
        result.agent.coordinates.sendIntervalMin = reader.duration("sync_coordinate_interval_min")
        buildAutopilot()
    }

    private mutating func tuning(_ block: String, _ initial: GossipTuning) -> GossipTuning {
        var tuning = initial
        tuning.gossipNodes = reader.int("\(block).gossip_nodes")
        tuning.gossipInterval = reader.duration("\(block).gossip_interval")
        tuning.probeInterval = reader.duration("\(block).probe_interval")
        tuning.probeTimeout = reader.duration("\(block).probe_timeout")
        tuning.retransmitMult = reader.int("\(block).retransmit_mult")
        tuning.suspicionMult = reader.int("\(block).suspicion_mult")
        return tuning
    }

    private mutating func positive(_ path: String, else other: Duration) -> Duration {
        let value = reader.duration(path)
        return value > .zero ? value : other
    }

    private mutating func buildAutopilot() {
        var autopilot = AutopilotConfiguration()
        autopilot.cleanupDeadServers = reader.bool("autopilot.cleanup_dead_servers")
        autopilot.lastContactThreshold = reader.duration("autopilot.last_contact_threshold")
        autopilot.maxTrailingLogs = UInt64(clamping: reader.int("autopilot.max_trailing_logs"))
        autopilot.minQuorum = UInt64(clamping: reader.int("autopilot.min_quorum"))
        autopilot.serverStabilizationTime = reader.duration("autopilot.server_stabilization_time")
        autopilot.redundancyZoneTag = reader.string("autopilot.redundancy_zone_tag")
        autopilot.disableUpgradeMigration = reader.bool("autopilot.disable_upgrade_migration")
        autopilot.upgradeVersionTag = reader.string("autopilot.upgrade_version_tag")
        result.agent.servers.autopilot = autopilot
        result.agent.servers.healthInterval = reader.duration("consul.server.health_interval")
        result.agent.raft.nonVotingServer = reader.bool("non_voting_server")
        let raftProtocol = reader.int("raft_protocol")
        if raftProtocol != 0 { result.agent.raft.protocolVersion = raftProtocol }
    }

    mutating func buildJoining() {
        result.agent.gossip.lan.retryJoinInterval = reader.duration("retry_interval")
        result.agent.gossip.wan.retryJoinInterval = reader.duration("retry_interval_wan")
        result.agent.gossip.lan.retryJoinMaxAttempts = max(0, reader.int("retry_max"))
        result.agent.gossip.wan.retryJoinMaxAttempts = max(0, reader.int("retry_max_wan"))
        let rate = reader.double("limits.rpc_rate", default: -1)
        result.agent.reloadable.rpcRate = rate > 0 ? rate : nil
        result.agent.reloadable.rpcMaxBurst = reader.int("limits.rpc_max_burst")
    }
}
