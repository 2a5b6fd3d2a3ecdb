import Core

/// The production agent in the simulated world.
final class SimulatedAgent: SimulatedMachine {
    private let agent: Agent

    init(_ settings: AgentSettings, disk: VirtualDisk, seed: UInt64, now: Instant) throws {
        agent = try Agent(settings: settings, disk: disk, archives: PlainArchives(), seed: seed, at: now, md5Hex: Self.fileName)
    }

    func handle(_ event: AgentEvent, at now: Instant, into effects: inout [AgentEffect]) { agent.handle(event, at: now, into: &effects) }
    func flush(at now: Instant, into effects: inout [AgentEffect]) { agent.flush(at: now, into: &effects) }
    var deadline: Instant? { agent.deadline }

    static func frontEnd(_ settings: AgentSettings) -> Core.FrontEnd<NoCompression> {
        Core.FrontEnd(settings: settings, gzip: NoCompression(), seed: 1)
    }

    var settledVoters: [String]? {
        guard let raft = agent.server?.raft, raft.isLeader, raft.isConfigurationCommitted else { return nil }
        return raft.configuration.voters.map(\.id)
    }

    var poolMembers: [PoolChecker.Sighting]? {
        agent.poolMembers.map { members in members.map { PoolChecker.Sighting(name: $0.name, status: $0.status) } }
    }

    func change(_ change: MembershipChange, at now: Instant) { agent.server?.changeMembership(change, at: now) }

    var raft: AgentRaftView? { agent.server.map(AgentRaftView.init) }

    /// Names files of registrations where production uses MD5: any digest will do.
    @Sendable private static func fileName(_ bytes: [UInt8]) -> String {
        var digest = EventDigest()
        digest.mix(bytes)
        return hexadecimal(digest.value) + hexadecimal(digest.value &* 31)
    }
}

/// Simulated clients do not ask for compressed answers.
struct NoCompression: Compressor {
    mutating func gzip(_ bytes: [UInt8], into out: inout [UInt8]) { preconditionFailure("nobody accepts gzip") }
    func stream() -> any CompressionStream { preconditionFailure("nobody accepts gzip") }
}

/// An agent's consensus and state as the checkers look at them.
struct AgentRaftView: RaftView {
    let server: Core.Server

    var isLeader: Bool { server.raft.isLeader }
    var term: UInt64 { server.raft.currentTerm }
    var commitIndex: UInt64 { server.raft.commitIndex }
    var appliedIndex: UInt64 { server.appliedIndex }
    var firstLogIndex: UInt64 { server.raft.firstIndex }
    var lastLogIndex: UInt64 { server.raft.lastLogIndex }
    var configurationIndex: UInt64 { server.raft.latestConfigurationIndex }
    func logTerm(at index: UInt64) -> UInt64? { server.raft.logTerm(at: index) }
    var appliedDigest: UInt64 { server.store.digest }
    var isProvisional: Bool { server.raft.isProvisional }
    var restoredIndex: UInt64 { server.raft.lastSnapshot.map { $0.isRestored ? $0.index : 0 } ?? 0 }
    func entry(at index: UInt64) -> LogEntry? { server.raft.cachedEntry(at: index) }
}

/// What `consul-sim` runs.
typealias Product = SimulatedAgent
