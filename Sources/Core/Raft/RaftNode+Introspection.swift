// What operators, autopilot and the simulator's checkers look at.

extension RaftNode {
    public var currentTerm: UInt64 { term }

    public var role: RaftRole {
        switch state {
        case .follower: .follower
        case .preCandidate: .preCandidate
        case .candidate: .candidate
        case .leader: .leader
        }
    }

    public var firstIndex: UInt64 { log.firstIndex }
    public var lastLogIndex: UInt64 { log.lastIndex }
    public var lastLogTerm: UInt64 { log.lastTerm }
    /// The last entry that is on disk with all before it.
    public var durableIndex: UInt64 { storage.durableIndex }
    public var leaderAddress: Address? { leader?.address }
    public var leaderID: String? { leader?.id }
    public var latestConfigurationIndex: UInt64 { configurationIndex }
    public var isConfigurationCommitted: Bool { configurationIndex <= commitIndex }
    /// The newest durable snapshot.
    public var lastSnapshot: SnapshotMeta? { snapshots.last }

    /// The term of the entry at `index`; nil if the log does not have it (any more).
    public func logTerm(at index: UInt64) -> UInt64? { log.term(at: index) }

    /// The entry at `index` if it is in memory.
    public func cachedEntry(at index: UInt64) -> LogEntry? {
        index >= log.cache.first && index < log.cache.end ? log.cache[index] : nil
    }

    /// When another server last answered; nil unless this node leads and replicates to it.
    public func lastContact(with server: String) -> Instant? {
        if case .leader(let leadership) = state { leadership.peer(server)?.contact.last } else { nil }
    }

    /// A number that differs, most likely, when any of the state above does; the same in every process.
    public var digest: UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func mix(_ value: UInt64) {
            hash = (hash ^ value) &* 0x0000_0100_0000_01B3
            hash ^= hash >> 29
        }
        for value in [
            term, storage.vote.votedTerm, log.baseIndex, log.lastIndex, log.lastTerm, commitIndex, lastApplied, storage.durableIndex,
        ] {
            mix(value)
        }
        for byte in storage.vote.candidate { mix(UInt64(byte)) }
        for byte in role.rawValue.utf8 { mix(UInt64(byte)) }
        for byte in (leader?.address ?? "").utf8 { mix(UInt64(byte)) }
        mix(configurationIndex)
        for server in configuration.servers {
            mix(UInt64(server.suffrage.rawValue))
            for byte in server.id.utf8 { mix(UInt64(byte)) }
        }
        mix(snapshots.last?.index ?? 0)
        return hash
    }
}
