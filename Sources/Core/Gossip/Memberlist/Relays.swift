/// A ping that this node sent for another one.
struct Relay {
    /// Who asked, under its own sequence number.
    let requester: Address
    let sequence: UInt32
    let wantsNack: Bool
}

/// Pings for others that are not answered yet, by the sequence number that they went out under.
struct RelayTable {
    /// Further ones are not sent.
    static let limit = 4_096

    private var relays = LookupTable<UInt32, Relay>()
    private var deadlines = DeadlineQueue<UInt32>()

    var count: Int { deadlines.count }
    /// The first deadline of all.
    var deadline: Instant? { deadlines.first }

    mutating func add(_ relay: Relay, under sequence: UInt32, until deadline: Instant) {
        relays[sequence] = relay
        deadlines[sequence] = deadline
    }

    /// The relay that is answered; nil if there is none.
    mutating func remove(_ sequence: UInt32) -> Relay? {
        guard let relay = relays.removeValue(forKey: sequence) else { return nil }
        deadlines[sequence] = nil
        return relay
    }

    /// The next relay whose target did not answer in time.
    mutating func popExpired(at now: Instant) -> Relay? {
        guard let sequence = deadlines.popExpired(at: now) else { return nil }
        return relays.removeValue(forKey: sequence)
    }
}
