// A new configuration, and a new wall clock (config §21, http-1 §4.16).

extension Agent {
    /// Definitions of services and checks, metadata, limits and what DNS is told take effect at once; the rest needs a restart.
    func reload(_ new: Reloadable, at now: Instant, into effects: inout [AgentEffect]) {
        backend.reload(new, at: now)
        let complaint = local.reload(new, at: now, into: &localEffects)
        if let complaint {
            effects.append(.log(.error, "agent", "Failed to reload the configuration: error=\(LogText.value(complaint.text))"))
        } else {
            settings.reloadable = new
            questions.reload(new.dns)
            telemetry.metrics.filter.reload(new.metricsFilter)
            effects.append(.configure(new))
        }
        reloaded(complaint?.text, into: &effects)
    }

    /// Answered when the files have been read.
    func askForReload(_ id: RequestID, into effects: inout [AgentEffect]) {
        requests.add(id, .reload)
        lifecycle.awaitReload(id)
        effects.append(.readConfiguration)
    }

    /// Answers those who asked for it.
    func reloaded(_ problem: String?, into effects: inout [AgentEffect]) {
        for id in lifecycle.takeReloaders() where requests.remove(id) != nil {
            effects.append(.respond(id, finished(problem.map { AgentRenderer.failure($0) } ?? AgentRenderer.done())))
        }
    }

    func setWallClock(_ offset: Int64, at now: Instant) {
        wallClockOffset = offset
        server?.raft.wallClockOffset = offset
        local.handle(.wallClock(offset: offset), at: now, into: &localEffects)
    }
}
