// What the agent tells of itself (http-1 §4.12-4.17).

extension Agent {
    func describe(_ request: AgentRequest, _ caller: RequestContext, pretty: Bool, at now: Instant) -> HTTPResponse {
        switch request {
        case .selfDescription:
            let statistics = AgentStatistics.local(local.statistics) + backend.statistics(at: now) + poolStatistics + [runtimeStatistics]
            return finished(
                AgentRenderer.selfDescription(
                    settings, member: lan?.serf.localMember.map { AgentMember($0) } ?? AgentMember(of: settings), statistics: statistics,
                    coordinate: settings.coordinates.disabled ? nil : lan?.serf.coordinate ?? .origin,
                    pretty: pretty || settings.identity.devMode))
        case .members(let wan):
            return finished(AgentRenderer.members(members(wan: wan, caller.authorizer), pretty: pretty || settings.identity.devMode))
        default: preconditionFailure("answered elsewhere")
        }
    }

    /// Without gossip nobody but the agent itself.
    private func members(wan isWAN: Bool, _ authorizer: Authorizer) -> [AgentMember]? {
        let all = settings.gossips ? (isWAN ? wan : lan)?.serf.members.map { AgentMember($0) } : [AgentMember(of: settings, wan: isWAN)]
        guard var all else { return nil }
        authorizer.filter(&all) { authorizer.allows(.nodeRead($0.name)) }
        return all
    }

    private var poolStatistics: [AgentStatistics] {
        [lan.map { AgentStatistics("serf_lan", $0.serf.stats) }, wan.map { AgentStatistics("serf_wan", $0.serf.stats) }].compactMap { $0 }
    }

    private var runtimeStatistics: AgentStatistics {
        let cores = String(settings.identity.processorCount)
        return AgentStatistics(
            "runtime",
            [
                "arch": settings.identity.architecture, "cpu_count": cores, "goroutines": "0", "max_procs": cores, "os": "linux",
                "version": "swift6",
            ])
    }

    /// Registrations that the data directory and the configuration hold. A broken definition in the configuration stops the start.
    func loadLocalState(from disk: some Disk, at now: Instant) throws(ServerError) {
        var files: [LocalFile] = []
        do throws(DiskError) {
            for folder in ["checks", "services"] {
                for name in try disk.list(folder) {
                    files.append(LocalFile(name: name, bytes: try disk.read(name, offset: 0, count: disk.size(name))))
                }
            }
        } catch {
            throw ServerError("failed to read the registered services and checks: \(error)")
        }
        if let complaint = local.load(files, at: now, into: &localEffects) { throw ServerError(complaint.text) }
    }
}

extension Server {
    /// The sections `consul`, `raft`, `serf_lan` and `serf_wan` of `/v1/agent/self`.
    func statistics(at now: Instant) -> [AgentStatistics] {
        let consul: StringMap = [
            "acl": "disabled", "bootstrap": String(settings.raft.bootstrap), "known_datacenters": "1", "leader": String(raft.isLeader),
            "leader_addr": leaderAddress ?? "", "server": "true",
        ]
        return [
            AgentStatistics("consul", consul), AgentStatistics("raft", raftStatistics(at: now)),
        ]
    }

    private func raftStatistics(at now: Instant) -> StringMap {
        let servers = raft.configuration.servers.map { "{Suffrage:\($0.suffrage.name) ID:\($0.id) Address:\($0.address)}" }
        let contact = raft.isLeader ? "0" : raft.lastContact.map { GoDuration.format(now - $0) } ?? "never"
        let peers = raft.configuration.voters.count { $0.id != settings.raftID }
        return [
            "applied_index": String(appliedIndex), "commit_index": String(raft.commitIndex), "fsm_pending": "0", "last_contact": contact,
            "last_log_index": String(raft.lastLogIndex), "last_log_term": String(raft.lastLogTerm),
            "last_snapshot_index": String(raft.lastSnapshot?.index ?? 0), "last_snapshot_term": String(raft.lastSnapshot?.term ?? 0),
            "latest_configuration": "[\(servers.joined(separator: " "))]", "latest_configuration_index": "0", "num_peers": String(peers),
            "protocol_version": "3", "protocol_version_max": "3", "protocol_version_min": "0", "snapshot_version_max": "1",
            "snapshot_version_min": "0", "state": raft.isLeader ? "Leader" : raft.role == .follower ? "Follower" : "Candidate",
            "term": String(raft.currentTerm),
        ]
    }
}

extension AgentStatistics {
    /// What every agent tells: sections `agent` and `build`.
    public static func local(_ counts: LocalStatistics) -> [AgentStatistics] {
        [
            AgentStatistics(
                "agent",
                [
                    "check_monitors": String(counts.monitors), "check_ttls": String(counts.ttlChecks), "checks": String(counts.checks),
                    "services": String(counts.services),
                ]),
            AgentStatistics(
                "build",
                [
                    "prerelease": "", "revision": String(AgentSettings.revision.prefix(8)), "version": AgentSettings.compatibilityVersion,
                ]),
        ]
    }
}
