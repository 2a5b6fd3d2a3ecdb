// The exchange of whole states (gossip §6.2, §6.3, §9.4).

extension Memberlist {
    var pushPullInterval: Duration { GossipMath.pushPullInterval(config.pushPullInterval, nodes: table.count) }

    /// With one random member.
    mutating func pushPullWithAny() {
        if planted(.pushPullNever) { return }
        let own = ownSlot
        guard let slot = table.choose(1, &random, where: { slot, entry in slot != own && entry.state == .alive }).first else { return }
        let (name, address) = (table[slot].name, table[slot].address.text)
        log(.debug, "Initiating push/pull sync with: \(name) \(address)")
        call(.pushPull(name), to: address, localState(join: false), timeout: config.tcpTimeout)
    }

    /// All that is known, this node included.
    func localState(join: Bool) -> [UInt8] {
        let userState = delegate.localState(join: join)
        var writer = MessagePackWriter(reservingCapacity: 64 + userState.count + 160 * table.count)
        writer.bytes.append(MessageType.pushPull.rawValue)
        PushPullHeader(nodes: table.count, userStateLength: userState.count, join: join).write(to: &writer)
        for slot in table.allSlots {
            let entry = table[slot]
            PushPullNode(
                name: entry.name, address: entry.address.bytes[...], port: entry.address.port, meta: entry.meta[...],
                incarnation: entry.incarnation, state: Int(entry.state.rawValue), versions: entry.versions.bytes[...]
            ).write(to: &writer)
        }
        writer.encoded(userState)
        return writer.bytes
    }

    /// Takes over what the other side knows; returns why not.
    mutating func merge(_ remote: PushPull, join: Bool) -> String? {
        var nodes = remote.nodes
        for index in nodes.indices where nodes[index].port == 0 { nodes[index].port = config.bindPort }
        if let reason = versionVeto(nodes) ?? (join ? mergeVeto(nodes) : nil) { return reason }
        for node in nodes where !planted(.pushPullOneWay) || node.state == Int(NodeState.alive.rawValue) { apply(node) }
        if !remote.userState.isEmpty { delegate.merge(remoteState: remote.userState, join: join, at: now) }
        return nil
    }

    private mutating func apply(_ node: PushPullNode) {
        switch node.state {
        case Int(NodeState.alive.rawValue):
            apply(
                AliveMessage(
                    incarnation: node.incarnation, node: node.name, address: node.address, port: node.port, meta: node.meta,
                    versions: node.versions))
        case Int(NodeState.left.rawValue):
            apply(DeadMessage(accusation: Accusation(incarnation: node.incarnation, node: node.name, from: node.name)))
        case Int(NodeState.dead.rawValue) where planted(.deadBelievedAtOnce):
            apply(DeadMessage(accusation: Accusation(incarnation: node.incarnation, node: node.name, from: config.name)))
        case Int(NodeState.suspect.rawValue), Int(NodeState.dead.rawValue):
            // That somebody is dead is nothing to believe at once: it may still refute.
            apply(SuspectMessage(accusation: Accusation(incarnation: node.incarnation, node: node.name, from: config.name)))
        default:
            break
        }
    }

    private mutating func mergeVeto(_ nodes: [PushPullNode]) -> String? {
        var peers: [MemberlistNode] = []
        peers.reserveCapacity(nodes.count)
        for node in nodes {
            guard let versions = MemberVersions(node.versions) else { return "Node '\(node.name)' tells no protocol versions" }
            guard let address = NodeAddress(node.address, port: node.port) else { return "Node '\(node.name)' has no valid address" }
            let state = UInt8(exactly: node.state).flatMap { NodeState(rawValue: $0) } ?? .dead
            peers.append(
                MemberlistNode(
                    name: node.name, address: address, meta: Array(node.meta), versions: versions, state: state,
                    incarnation: node.incarnation))
        }
        return delegate.mergeVeto(peers)
    }

    /// Everybody must speak what everybody who is alive understands (§6.3).
    private func versionVeto(_ nodes: [PushPullNode]) -> String? {
        var range = VersionRange()
        for node in nodes where node.state == Int(NodeState.alive.rawValue) {
            if let versions = MemberVersions(node.versions) { range.narrow(to: versions) }
        }
        for slot in table.allSlots where table[slot].state == .alive { range.narrow(to: table[slot].versions) }
        for node in nodes {
            if let reason = range.veto(node.name, MemberVersions(node.versions) ?? MemberVersions()) { return reason }
        }
        for slot in table.allSlots {
            if let reason = range.veto(table[slot].name, table[slot].versions) { return reason }
        }
        return nil
    }
}

/// The versions that all of some nodes understand.
private struct VersionRange {
    private var protocolMin: UInt8 = 0
    private var protocolMax = UInt8.max
    private var delegateMin: UInt8 = 0
    private var delegateMax = UInt8.max

    mutating func narrow(to versions: MemberVersions) {
        protocolMin = max(protocolMin, versions.protocolMin)
        protocolMax = min(protocolMax, versions.protocolMax)
        delegateMin = max(delegateMin, versions.delegateMin)
        delegateMax = min(delegateMax, versions.delegateMax)
    }

    func veto(_ name: String, _ versions: MemberVersions) -> String? {
        if versions.protocolCurrent < protocolMin || versions.protocolCurrent > protocolMax {
            return "Node '\(name)' protocol version (\(versions.protocolCurrent)) is incompatible: [\(protocolMin), \(protocolMax)]"
        }
        if versions.delegateCurrent < delegateMin || versions.delegateCurrent > delegateMax {
            return "Node '\(name)' delegate protocol version (\(versions.delegateCurrent)) is incompatible: "
                + "[\(delegateMin), \(delegateMax)]"
        }
        return nil
    }
}
