extension AgentConfig {
    /// This configuration with what of `new` takes effect while an agent runs (config §21). All the rest needs a restart, and would
    /// contradict what others know of the agent.
    func taking(over new: AgentConfig) -> AgentConfig {
        var config = self
        config.logLevel = new.logLevel
        config.services = new.services
        config.checks = new.checks
        config.discardCheckOutput = new.discardCheckOutput
        config.nodeMeta = new.nodeMeta
        config.rpcRate = new.rpcRate
        config.rpcMaxBurst = new.rpcMaxBurst
        config.httpMaxConnectionsPerClient = new.httpMaxConnectionsPerClient
        config.metricsFilter = new.metricsFilter
        config.dns = new.dns
        return config
    }
}
