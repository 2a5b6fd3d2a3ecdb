// What is believed of whom (gossip §8).

extension Memberlist {
    /// Queues a message about a node for gossip; what was queued under the same name is out of date.
    private mutating func broadcast(_ message: some MemberlistMessage, about name: String, token: UInt64 = 0) {
        let bytes = message.encoded
        broadcasts.enqueue(pool?.shared(bytes) ?? bytes, name: name, token: token)
    }

    // MARK: alive

    /// Gossip §8.2. `isOwn`: this node announces itself.
    mutating func apply(_ alive: AliveMessage, isOwn: Bool = false, token: UInt64 = 0) {
        let isAboutSelf = alive.node == config.name
        if isLeaving, isAboutSelf { return }
        guard let address = NodeAddress(alive.address, port: alive.port) else {
            return log(.warn, "Ignoring an alive message for '\(alive.node)' because its address has \(alive.address.count) bytes")
        }
        guard let versions = usableVersions(alive, address) else { return }

        let known = table.slot(alive.node)
        // Before this node is in the table, nobody else can put it there.
        if isAboutSelf, known == nil, !isOwn { return }
        guard known != nil || table.count < MemberTable.limit, alive.node.utf8.count <= MemberTable.nameLimit,
            alive.meta.count <= MemberTable.metaLimit
        else { return log(.warn, "Ignoring an alive message (\(colonPort(address))) because it goes over a limit") }
        // Old news needs no veto: nothing would come of it.
        if let known, !isAboutSelf, table[known].address == address,
            alive.incarnation + (planted(.aliveOfOldIncarnation) ? 1 : 0) <= table[known].incarnation
        {
            return
        }
        var peer = MemberlistNode(
            name: alive.node, address: address, meta: Array(alive.meta), versions: versions, incarnation: alive.incarnation)
        if let reason = delegate.aliveVeto(peer) {
            return log(.warn, "ignoring alive message for '\(alive.node)': \(reason)")
        }
        if known.map({ table[$0].address != address }) ?? true, !isAllowed(address.ip) {
            return log(.warn, "Rejected node \(alive.node) (\(address.ipText)): \(address.ipText) is not allowed")
        }

        let slot: Int
        if let known {
            slot = known
            let movesNode = table[slot].address != address
            if movesNode, !canMove(slot, to: peer) { return }
            let isStale =
                isAboutSelf
                ? alive.incarnation < table[slot].incarnation
                : alive.incarnation + (planted(.aliveOfOldIncarnation) ? 1 : 0) <= table[slot].incarnation
            // This node's own word counts even where its incarnations begin anew.
            if isStale, !isOwn, isAboutSelf || !movesNode { return }
        } else {
            slot = table.insert(alive.node, address: address, at: now, &random)
            if isAboutSelf { ownSlot = slot }
        }
        if !planted(.suspicionNotRemoved) { suspicions.remove(slot) }
        if isAboutSelf, !isOwn { return refuteIfWrong(peer, slot) }

        if !planted(.aliveNotSpread) || isAboutSelf { broadcast(alive, about: alive.node, token: token) }
        counters.alive += 1
        peer.meta = table[slot].meta == peer.meta ? table[slot].meta : pool?.shared(peer.meta) ?? peer.meta
        adopt(peer, slot)
    }

    private mutating func usableVersions(_ alive: AliveMessage, _ address: NodeAddress) -> MemberVersions? {
        guard let versions = MemberVersions(alive.versions) else {
            log(.warn, "ignoring alive message for '\(alive.node)' (\(colonPort(address))) because Vsn is not present")
            return nil
        }
        let (least, most, current) = (versions.protocolMin, versions.protocolMax, versions.protocolCurrent)
        guard least > 0, most > 0, least <= most else {
            log(
                .warn,
                "Ignoring an alive message for '\(alive.node)' (\(colonPort(address))) because protocol version(s) are wrong: "
                    + "\(least) <= \(current) <= \(most) should be >0")
            return nil
        }
        return versions
    }

    private func colonPort(_ address: NodeAddress) -> String { "\(address.ipText):\(address.port)" }

    func isAllowed(_ ip: IPAddress) -> Bool { config.allowedNetworks?.contains { $0.contains(ip) } ?? true }

    /// Whether a known name may turn up at another address: its node left, or died long enough ago.
    private mutating func canMove(_ slot: Int, to peer: MemberlistNode) -> Bool {
        let entry = table[slot]
        let canReclaim = config.deadNodeReclaimTime > .zero && now - entry.changed > config.deadNodeReclaimTime
        if entry.state == .left || entry.state == .dead && canReclaim {
            log(
                .info,
                "Updating address for left or failed node \(entry.name) from \(colonPort(entry.address)) to \(colonPort(peer.address))")
            return true
        }
        log(
            .error,
            "Conflicting address for \(entry.name). Mine: \(colonPort(entry.address)) Theirs: \(colonPort(peer.address)) "
                + "Old state: \(entry.state.rawValue)")
        delegate.conflict(existing: entry.node, other: peer, at: now)
        return false
    }

    private mutating func adopt(_ peer: MemberlistNode, _ slot: Int) {
        let (oldState, oldMeta) = (table[slot].state, table[slot].meta)
        table[slot].versions = peer.versions
        if !planted(.incarnationNotAdopted) { table[slot].incarnation = peer.incarnation }
        if !planted(.metaNotUpdated) || oldState.isGone { table[slot].meta = peer.meta }
        table[slot].address = peer.address
        if oldState != .alive { table.set(slot, .alive, at: now) }
        if oldState.isGone {
            delegate.joined(table[slot].node, at: now)
        } else if oldMeta != peer.meta {
            delegate.updated(table[slot].node, at: now)
        }
    }

    // MARK: Refuting

    /// Others say that we are alive: right unless they know us otherwise, from before a restart.
    private mutating func refuteIfWrong(_ claim: MemberlistNode, _ slot: Int) {
        let own = table[slot]
        if claim.incarnation == own.incarnation, claim.meta == own.meta, claim.versions == own.versions { return }
        refute(claim.incarnation)
        log(
            .warn,
            "Refuting an alive message for '\(own.name)' (\(colonPort(claim.address))) meta:(\(goText(claim.meta)) VS \(goText(own.meta))), "
                + "vsn:(\(goText(claim.versions.bytes)) VS \(goText(own.versions.bytes)))")
    }

    private func goText(_ bytes: [UInt8]) -> String { "[" + bytes.map(String.init).joined(separator: " ") + "]" }

    /// Gossip §8.5. An incarnation beyond the accused one; to be accused is a sign of bad health.
    private mutating func refute(_ accused: UInt32) {
        guard let ownSlot else { return }
        incarnation = nextIncarnation(beyond: accused)
        table[ownSlot].incarnation = incarnation
        awareness.apply(1)
        let own = table[ownSlot]
        let alive = AliveMessage(
            incarnation: incarnation, node: own.name, address: own.address.bytes[...], port: own.address.port, meta: own.meta[...],
            versions: own.versions.bytes[...])
        // Under the address, as the reference does: it does not replace what is queued under the name.
        if !planted(.refutationNotSpread) { broadcast(alive, about: own.address.ipText) }
    }

    // MARK: suspect

    /// Gossip §8.3.
    mutating func apply(_ suspect: SuspectMessage) {
        let claim = suspect.accusation
        guard let slot = table.slot(claim.node),
            planted(.suspectNeedsNewer)
                ? claim.incarnation > table[slot].incarnation
                : claim.incarnation >= table[slot].incarnation || planted(.suspectOfOldIncarnation)
        else { return }
        if suspicions.contains(slot) {
            if suspicions.confirm(slot, by: claim.from, notBefore: minimumSuspicionEnd) { broadcast(suspect, about: claim.node) }
            return
        }
        guard table[slot].state == .alive else { return }
        if slot == ownSlot {
            if planted(.suspicionNotRefuted) { return }
            refute(claim.incarnation)
            return log(.warn, "Refuting a suspect message (from: \(claim.from))")
        }
        if !planted(.suspectNotSpread) { broadcast(suspect, about: claim.node) }
        counters.suspect += 1
        table[slot].incarnation = claim.incarnation
        table.set(slot, .suspect, at: now)
        startSuspicion(of: slot, from: claim.from)
    }

    /// Until when a suspicion lasts at least once others confirm it. A member with a bad awareness score may have missed refutations, and
    /// so may the members that confirm: the suspected member gets one probe interval to refute. (Lifeguard leaves this out; members that
    /// recover together then declare others dead together.)
    private var minimumSuspicionEnd: Instant {
        config.usesAwareness && awareness.score > 0 ? now + awareness.scale(config.probeInterval) : .zero
    }

    private mutating func startSuspicion(of slot: Int, from accuser: String) {
        let n = table.count
        var needed = config.usesDynamicSuspicion ? max(0, config.suspicionMult - 2) : 0
        // Neither this node nor the suspected one confirms.
        if n - 2 < needed { needed = 0 }
        let least =
            GossipMath.suspicionTimeout(mult: config.suspicionMult, nodes: n, interval: config.probeInterval)
            / (planted(.suspicionTooShort) ? 10 : 1)
        let suspicion = Suspicion(
            from: accuser, needed: needed, least: least, longest: least * config.suspicionMaxTimeoutMult, at: now)
        suspicions.add(suspicion, of: slot)
    }

    /// Nobody spoke for the node in time.
    mutating func suspicionEnded(of slot: Int, _ suspicion: Suspicion) {
        guard table[slot].state == .suspect || planted(.suspicionNotRemoved) else { return }
        if suspicion.confirmations < suspicion.needed { counters.degradedTimeout += 1 }
        let (name, incarnation) = (table[slot].name, table[slot].incarnation)
        log(.info, "Marking \(name) as failed, suspect timeout reached (\(suspicion.confirmations) peer confirmations)")
        apply(DeadMessage(accusation: Accusation(incarnation: incarnation, node: name, from: config.name)))
    }

    // MARK: dead

    /// Gossip §8.4.
    mutating func apply(_ dead: DeadMessage, token: UInt64 = 0) {
        let claim = dead.accusation
        guard let slot = table.slot(claim.node), claim.incarnation >= table[slot].incarnation || planted(.deadOfOldIncarnation) else {
            return
        }
        suspicions.remove(slot)
        if table[slot].state.isGone { return }
        if slot == ownSlot, !isLeaving, !planted(.deathNotRefuted) {
            refute(claim.incarnation)
            return log(.warn, "Refuting a dead message (from: \(claim.from))")
        }
        if !planted(.deadNotSpread) || slot == ownSlot { broadcast(dead, about: claim.node, token: token) }
        counters.dead += 1
        table[slot].incarnation = claim.incarnation
        let state: NodeState = claim.node == claim.from && !planted(.leftTakenForDead) || planted(.deadTakenForLeft) ? .left : .dead
        table.set(slot, state, at: now)
        if state == .dead { lastDeath = now }
        delegate.left(table[slot].node, at: now)
    }
}
