// What clients ask of the pools: joining, forcing members out, user events (http-1 §4.15, http-2 §8).

extension Agent {
    func executeInPools(
        _ request: AgentRequest, _ caller: RequestContext, pretty: Bool, for id: RequestID, at now: Instant,
        into effects: inout [AgentEffect]
    ) {
        switch request {
        case .join(let address, let isWAN):
            guard let pool = isWAN ? wan : lan else {
                return effects.append(.respond(id, finished(AgentRenderer.failure(reasonForNoPool))))
            }
            effects.append(
                .log(.info, "agent", "(\(isWAN ? "WAN" : "LAN")) joining: \(isWAN ? "wan" : "lan")_addresses=\(LogText.list([address]))"))
            requests.add(id, .pool)
            pool.join(address, for: id, at: now, into: &effects)
        case .forceLeave(let node, let prune):
            guard membership.knows(node) else {
                return effects.append(.respond(id, finished(AgentRenderer.unknownMember(node))))
            }
            membership.forceLeave(node, prune: prune, at: now)
            effects.append(.respond(id, finished(AgentRenderer.done())))
        case .fireEvent(var message, let options):
            message.id = random.uuid()
            var payload = UserEventPayload(id: message.id, name: message.name, payload: message.payload)
            payload.nodeFilter = message.nodeFilter
            payload.serviceFilter = message.serviceFilter
            payload.tagFilter = message.tagFilter
            requests.add(id, .event(message, pretty: pretty))
            let operation = ServerOperation.fireEvent(name: message.name, payload: payload.encoded)
            backend.execute(.operation(operation, options), caller, for: .client(id), at: now)
        case .events(let name, let index, let wait):
            requests.add(id, .pool)
            if let answer = membership.events.list(id, caller.authorizer, name: name, index: index, wait: wait, pretty: pretty, at: now) {
                respond(answer, into: &effects)
            }
        default: preconditionFailure("no request for the pools")
        }
    }
}
