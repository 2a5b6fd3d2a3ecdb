extension RateLimiter {
    /// As configured (`limits.rpc_rate`, `limits.rpc_max_burst`); nil for no limit.
    init?(_ config: AgentConfig, at now: Instant) {
        guard let rate = config.rpcRate else { return nil }
        self.init(rate: rate, burst: config.rpcMaxBurst, at: now)
    }
}
