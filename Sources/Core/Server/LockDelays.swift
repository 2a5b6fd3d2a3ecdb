/// Keys that cannot be locked yet because the session that held them ended (behaviour §1.10, http-2 §4.3).
///
/// Kept by every server by its own clock from the moment it applied the end of the session; only the leader's counts.
struct LockDelays {
    private var delays = DeadlineQueue<ByteString>()

    static let limit: Duration = .seconds(60)

    mutating func start(_ key: ByteString, for delay: Duration, at now: Instant) {
        guard delay > .zero else { return }
        delays[key] = now + min(delay, Self.limit) / (planted(.lockDelayOnRelease) ? 10 : 1)
    }

    mutating func isDelayed(_ key: ByteString, at now: Instant) -> Bool {
        while delays.popExpired(at: now) != nil {}
        return delays[key] != nil
    }

    mutating func removeAll() { delays.removeAll() }
}
