// What an agent does before it says that it runs, and after (config §12, stages 10 and 11).

extension Agent {
    /// Joins what `start_join` names, then what `start_join_wan` names; then the agent is up. Called again after each.
    func joinAtStart(at now: Instant, into effects: inout [AgentEffect]) {
        guard let kind = lifecycle.nextStartJoin() else {
            effects.append(.log(.info, "agent", "started state syncer"))
            return effects.append(.show("Consul agent running!"))
        }
        effects.append(.show(kind == .lan ? "Joining cluster..." : "Joining -wan cluster..."))
        guard let pool = pool(kind) else { return effects.append(.exit(reasonForNoPool)) }
        pool.joinAtStart(at: now, into: &effects)
    }

    /// Why there is no WAN pool to join.
    var reasonForNoPool: String { settings.identity.isServer ? "WAN Federation is disabled" : "Must be a server to join WAN cluster" }

    /// The process ends, whether or not the cluster was left: what the pools remember is written down.
    func shutDown(at now: Instant, into effects: inout [AgentEffect]) {
        let role = settings.identity.isServer ? "server" : "client"
        effects.append(.log(.info, "agent.\(role)", "shutting down \(role)"))
        local.handle(.shutDown, at: now, into: &localEffects)
        lan?.shutDown(at: now, into: &effects)
        wan?.shutDown(at: now, into: &effects)
        effects.append(.log(.info, "agent", "consul \(role) down"))
        effects.append(.log(.info, "agent", "shutdown complete"))
    }
}
