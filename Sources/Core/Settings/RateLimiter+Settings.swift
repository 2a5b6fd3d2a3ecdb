extension RateLimiter {
    /// As configured (`limits.rpc_rate`, `limits.rpc_max_burst`); nil for no limit.
    init?(_ settings: Reloadable, at now: Instant) {
        guard let rate = settings.rpcRate else { return nil }
        self.init(rate: rate, burst: settings.rpcMaxBurst, at: now)
    }
}
