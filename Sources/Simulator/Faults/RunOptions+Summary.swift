import Core

extension RunOptions {
    /// One line for people, printed with the seed.
    var summary: String {
        var parts = ["\(servers) servers" + (spares > 0 ? " and \(spares) spares" : ""), "faults until \(duration.brief)"]
        if isStorm { parts.insert("storm", at: 0) }
        if gossip { parts.append("gossip" + (agents > 0 ? " with \(agents) agents" : "")) }
        if packetNetwork.drop > 0 { parts.append("packet loss \(probability(packetNetwork.drop))") }
        parts.append("delay \(network.delay.lowerBound.brief)..\(network.delay.upperBound.brief)")
        if network.drop > 0 { parts.append("drop \(probability(network.drop))") }
        if network.duplicate > 0 { parts.append("duplicate \(probability(network.duplicate))") }
        if network.reorders { parts.append("reorder") }
        if clientNetwork.drop > 0 { parts.append("client drop \(probability(clientNetwork.drop))") }
        if linkSpread > 1 { parts.append("link spread \(linkSpread)") }
        parts.append("sync ..\(disk.sync.upperBound.brief)")
        if disk.spikeChance > 0 { parts.append("disk spikes \(probability(disk.spikeChance)) x\(disk.spikeFactor)") }
        if crashDuringStart > 0 { parts.append("crash during start \(probability(crashDuringStart))") }
        for fault in faults { parts.append("\(fault.kind.name) every \(fault.interval.brief)") }
        if leaderBias > 0 && !faults.isEmpty { parts.append("leader bias \(probability(leaderBias))") }
        if driftPPM > 0 { parts.append("drift \(driftPPM)ppm") }
        parts.append("raft \(raft.electionTimeout.brief)")
        if raft.snapshotThreshold < 16384 { parts.append("snapshot every \(raft.snapshotThreshold), trailing \(raft.trailingLogs)") }
        if healsOnlyMajority { parts.append("heals only a majority") }
        for workload in workloads {
            parts.append(
                "\(workload.kind.name) \(workload.clients) clients \(decimal(workload.rate, digits: 1))/s \(workload.objects) keys")
        }
        return parts.joined(separator: ", ")
    }
}
