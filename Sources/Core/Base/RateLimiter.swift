/// A token bucket: so many events a second on average, and a burst after a pause (behaviour §9.3).
///
/// Kept in nanoseconds of credit, so that no rounding adds up.
struct RateLimiter {
    /// What one event costs; nil when nothing is ever added to the bucket.
    private let cost: Int64?
    private let creditMax: Int64
    private var credit: Int64
    private var refilledAt: Instant

    /// `rate` is in events a second. The bucket is full at first.
    init(rate: Double, burst: Int, at now: Instant) {
        let nanoseconds = rate > 0 ? 1_000_000_000 / rate : .infinity
        cost = nanoseconds < 9e18 ? max(1, Int64(nanoseconds)) : nil
        let (most, overflow) = Int64(max(0, burst)).multipliedReportingOverflow(by: cost ?? 1)
        creditMax = overflow ? .max : most
        credit = creditMax
        refilledAt = now
    }

    /// Takes a token if there is one.
    mutating func allows(at now: Instant) -> Bool {
        if cost != nil, now > refilledAt {
            let (sum, overflow) = credit.addingReportingOverflow((now - refilledAt).nanoseconds)
            credit = overflow ? creditMax : min(creditMax, sum)
        }
        refilledAt = max(refilledAt, now)
        let price = cost ?? 1
        guard credit >= price else { return false }
        credit -= price
        return true
    }
}
