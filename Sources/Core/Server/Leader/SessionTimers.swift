/// The leader's timers of sessions with a TTL (behaviour §5, http-2 §4.5): twice the TTL from creation or renewal.
///
/// They exist on the leader only; a new leader gives every session a fresh one.
struct SessionTimers {
    private var timers = DeadlineQueue<ByteString>()
    /// Sessions whose destruction was proposed and has failed so far; how often.
    private var attempts = LookupTable<ByteString, Int>()
    /// Sessions whose time is over and whose destruction is on its way through the log.
    private var ending = LookupSet<ByteString>()

    static let attemptsMax = 6
    static let retryBase: Duration = .seconds(10)

    var deadline: Instant? { timers.first }
    var count: Int { timers.count }

    /// Starts or restarts the timer; sessions without a TTL have none.
    mutating func arm(session id: String, ttl: String, at now: Instant) {
        guard let length = try? GoDuration.parse(ttl), length > .zero else { return }
        attempts.removeValue(forKey: ByteString(id))
        timers[ByteString(id)] =
            now + .nanoseconds(length.nanoseconds.multipliedReportingOverflow(by: planted(.sessionEndsAtTTL) ? 0 : 2).partialValue)
    }

    mutating func disarm(session id: String) {
        timers[ByteString(id)] = nil
        attempts.removeValue(forKey: ByteString(id))
        ending.remove(ByteString(id))
    }

    /// Whether it is too late to renew the session: it goes away as soon as the log has taken its destruction.
    func isEnding(session id: String) -> Bool { ending.contains(ByteString(id)) }

    mutating func popExpired(at now: Instant) -> String? {
        guard let id = timers.popExpired(at: now) else { return nil }
        ending.insert(id)
        return id.string
    }

    /// The destruction of an expired session failed: it is tried again after 10, 20, 40, ... s, six times in all.
    mutating func retry(session id: String, at now: Instant) {
        let key = ByteString(id)
        ending.remove(key)
        let attempt = attempts[key, default: 0] + 1
        guard attempt < Self.attemptsMax else {
            attempts.removeValue(forKey: key)
            return
        }
        attempts[key] = attempt
        timers[key] = now + Self.retryBase * (1 << (attempt - 1))
    }

    mutating func removeAll() {
        timers.removeAll()
        attempts.removeAll()
        ending.removeAll()
    }
}
