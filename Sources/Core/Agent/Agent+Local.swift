// The agent's own services and checks, and what is asked of the agent itself.

extension Agent {
    func perform(_ effect: LocalEffect, at now: Instant, into effects: inout [AgentEffect]) {
        switch effect {
        case .read(let token, let query, let options):
            backend.execute(.read(query, options), ownContext(options.token), for: .local(token), at: now)
        case .write(let token, let request):
            backend.execute(.write(request), ownContext(request.token), for: .local(token), at: now)
        case .probe(let token, let probe, let timeout, let limit):
            effects.append(.probe(token, probe, timeout: timeout, outputLimit: limit))
        case .cancelProbe(let token): effects.append(.cancelProbe(token))
        case .disk(let token, let operations):
            effects.append(.disk(DiskBatch(of: .registrations, token: token, operations: operations)))
        case .respond(let id, let answer):
            guard case .local(let pretty) = requests.remove(id) else { return }
            var response = AgentJSON.response(answer, pretty: pretty)
            context.finish(&response)
            effects.append(.respond(id, response))
        case .log(let level, let subsystem, let text): effects.append(.log(level, subsystem, text))
        }
    }

    /// Of what the agent asks the servers for itself, with the token of a registration or its own.
    func ownContext(_ token: String) -> RequestContext { settings.access.context(token: token, source: "") }

    // MARK: /v1/agent

    func execute(
        _ request: AgentRequest, _ caller: RequestContext, pretty: Bool, for id: RequestID, at now: Instant,
        into effects: inout [AgentEffect]
    ) {
        guard caller.authorizer.allows(request.permission(node: settings.identity.nodeName)) else {
            return effects.append(.respond(id, Renderer.error(Denied().text, context: context)))
        }
        switch request {
        case .local(let local):
            requests.add(id, .local(pretty: pretty))
            self.local.handle(.request(id, local, caller.authorizer), at: now, into: &localEffects)
        case .leave:
            requests.add(id, .leave)
            lifecycle.awaitDeparture(id)
            leave(at: now, into: &effects)
        case .reload: askForReload(id, into: &effects)
        case .selfDescription, .members: effects.append(.respond(id, describe(request, caller, pretty: pretty, at: now)))
        case .join, .forceLeave, .fireEvent, .events: executeInPools(request, caller, pretty: pretty, for: id, at: now, into: &effects)
        case .metrics(let prometheus):
            showMetrics(prometheus: prometheus, pretty: pretty || settings.identity.devMode, for: id, at: now, into: &effects)
        case .monitor(let level, let json):
            requests.add(id, .log)
            telemetry.followers.add(id, LogStream(level: level, json: json))
            effects.append(.respondInPieces(id, finished(HTTPResponse(status: 200))))
        case .host:
            requests.add(id, .host(pretty: pretty))
            effects.append(.examineHost(id.raw))
        }
    }

    /// For Prometheus, the driver is asked about the process first.
    private func showMetrics(prometheus: Bool, pretty: Bool, for id: RequestID, at now: Instant, into effects: inout [AgentEffect]) {
        if prometheus, telemetry.metrics.keepsForPrometheus {
            requests.add(id, .prometheus)
            effects.append(.examineHost(id.raw))
        } else {
            let snapshot = telemetry.snapshot(of: measuredParts, at: now)
            let response =
                prometheus ? Renderer.prometheus(nil, context: context) : Renderer.metrics(snapshot, pretty: pretty, context: context)
            effects.append(.respond(id, response))
        }
    }

    private func prometheusResponse(_ process: HostFacts.Process?, at now: Instant) -> HTTPResponse {
        _ = telemetry.snapshot(of: measuredParts, at: now)
        return Renderer.prometheus(telemetry.metrics.prometheusSnapshot(at: now), process: process, context: context)
    }

    func describeHost(_ token: UInt64, _ facts: HostFacts, at now: Instant, into effects: inout [AgentEffect]) {
        let id = RequestID(token)
        switch requests.remove(id) {
        case .host(let pretty): effects.append(.respond(id, finished(AgentRenderer.host(facts, pretty: pretty))))
        case .prometheus: effects.append(.respond(id, prometheusResponse(facts.process, at: now)))
        default: break
        }
    }

    func finished(_ response: HTTPResponse) -> HTTPResponse {
        var response = response
        context.finish(&response)
        return response
    }

    // MARK: Datacenters

    func answerDatacenters(
        _ cache: CacheOptions?, _ caller: RequestContext, pretty: Bool, for id: RequestID, at now: Instant,
        into effects: inout [AgentEffect]
    ) {
        if let cache, let response = requests.cachedDatacenters(cache, pretty: pretty, at: now) {
            return effects.append(.respond(id, response))
        }
        requests.add(id, .datacenters(isCached: cache != nil, pretty: pretty))
        backend.execute(.operation(.datacenters, QueryOptions()), caller, for: .client(id), at: now)
    }
}

extension Server {
    /// Known to be the leader's, nil without one.
    public var leaderAddress: Address? { raft.isLeader ? raft.identity.address : raft.leaderAddress }
}
