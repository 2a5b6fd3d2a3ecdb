// How an agent gets its gossip pools: from its configuration and from what the data directory remembers (gossip §15.1, §15.10).

extension AgentSettings {
    func serfConfig(_ pool: GossipPool) throws(ServerError) -> SerfConfig {
        let isLAN = pool == .lan
        let host = isLAN ? addresses.advertise : addresses.advertiseWAN
        let own = gossip[pool]
        guard let ip = IPAddress(host) else { throw ServerError("Failed to parse advertise address: \(host)") }
        let advertise = NodeAddress(ip, port: UInt16(truncatingIfNeeded: own.port))
        let name = PoolNames.memberName(identity.nodeName, datacenter: identity.datacenter, pool: pool)
        var memberlist = isLAN ? MemberlistConfig.lan(name: name, advertise: advertise) : .wan(name: name, advertise: advertise)
        memberlist.apply(own.tuning)
        memberlist.verifyIncoming = gossip.verifyIncoming
        memberlist.verifyOutgoing = gossip.verifyOutgoing
        if !own.allowedCIDRs.isEmpty { memberlist.allowedNetworks = own.allowedCIDRs.compactMap { IPNetwork($0) } }
        var config = SerfConfig(memberlist: memberlist, tags: tags(in: pool))
        config.check =
            isLAN ? .lan(datacenter: identity.datacenter, segment: "", nodeID: identity.nodeID, nodeName: identity.nodeName) : .wan
        config.reconnectTimeout = own.reconnectTimeout
        config.rejoinAfterLeave = gossip.rejoinAfterLeave
        config.resolvesNameConflicts = !identity.isServer
        if checks.persistsRegistrations { config.snapshotFile = PoolNames.snapshotFile(pool) }
        return config
    }
}

extension MemberlistConfig {
    fileprivate mutating func apply(_ tuning: GossipTuning) {
        gossipNodes = tuning.gossipNodes
        gossipInterval = tuning.gossipInterval
        probeInterval = tuning.probeInterval
        probeTimeout = tuning.probeTimeout
        retransmitMult = tuning.retransmitMult
        suspicionMult = tuning.suspicionMult
    }
}

extension Agent {
    /// Becomes a member of the pool, alone at first; files that are to exist from now on, and packets, are in `startEffects`.
    func makePool(
        _ kind: GossipPool, _ disk: some Disk, _ cipher: (any GossipCipher)?, seed: UInt64, at now: Instant
    ) throws(ServerError) -> Pool {
        var config = try settings.serfConfig(kind)
        let keys = try keyring(kind, disk)
        if keys.usesFile { config.keyringFile = KeyringSetup.fileName(kind) }
        if let file = keys.newFile { startEffects.append(.disk(files.replace(KeyringSetup.fileName(kind), by: file))) }
        if let warning = keys.warning { startEffects.append(.log(.warn, "agent", warning)) }
        var ring = GossipKeyring()
        if let primary = keys.keys.first {
            guard cipher != nil else { throw ServerError("gossip cannot be encrypted here") }
            do throws(GossipKeyring.Failure) {
                ring = try GossipKeyring(keys.keys, primary: primary)
            } catch {
                throw ServerError("Failed to configure keyring: \(error.text)")
            }
        }
        let snapshot = try remembered(config, disk)
        let serf = Serf(config: config, snapshot: snapshot, keyring: ring, cipher: cipher, seed: seed, at: now)
        let pool = Pool(kind, serf: serf, settings: settings)
        if let problem = pool.start(at: now, into: &startEffects) {
            let names = settings.identity.isServer ? (role: "server", lan: "LAN Serf") : (role: "client", lan: "lan serf")
            throw ServerError(
                "Failed to start Consul \(names.role): Failed to start \(kind == .lan ? names.lan : "WAN Serf"): \(problem.text)")
        }
        return pool
    }

    private func keyring(_ kind: GossipPool, _ disk: some Disk) throws(ServerError) -> KeyringSetup {
        let path = KeyringSetup.fileName(kind)
        let isFileDisabled = settings.gossip.disableKeyringFile || !settings.checks.persistsRegistrations
        let file = isFileDisabled ? nil : try contents(path, disk)
        do throws(TextError) {
            return try KeyringSetup.decide(
                key: settings.gossip.encryptKey, file: file, isFileDisabled: isFileDisabled, pool: kind,
                path: "\(settings.identity.dataDirectory)/\(path)")
        } catch {
            throw ServerError("Failed to configure keyring: \(error.text)")
        }
    }

    private func remembered(_ config: SerfConfig, _ disk: some Disk) throws(ServerError) -> SerfSnapshot? {
        guard let file = config.snapshotFile, let bytes = try contents(file, disk) else { return nil }
        let snapshot = SerfSnapshot(parsing: bytes, rejoinAfterLeave: settings.gossip.rejoinAfterLeave)
        for warning in snapshot.warnings { startEffects.append(.log(.warn, "agent", "serf: \(warning)")) }
        return snapshot
    }

    /// nil: there is no such file.
    private func contents(_ file: String, _ disk: some Disk) throws(ServerError) -> [UInt8]? {
        do throws(DiskError) {
            guard try disk.list("serf").contains(file) else { return nil }
            return try disk.read(file, offset: 0, count: disk.size(file))
        } catch {
            throw ServerError("failed to read \(file): \(error)")
        }
    }
}
