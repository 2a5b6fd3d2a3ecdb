// `/v1/health/`. Spec: http-1 §6.

extension RouteTable {
    static let health: [Route] = [
        Route("/v1/health/node/", .get, .filters(.node)) { (call) throws(Refusal) in try call.healthNode() },
        Route("/v1/health/checks/", .get, .filters(.node)) { (call) throws(Refusal) in try call.healthChecks() },
        Route("/v1/health/state/", .get, .filters(.node)) { (call) throws(Refusal) in try call.healthState() },
        Route("/v1/health/service/", .get, .filters(.node)) { (call) throws(Refusal) in try call.healthService() },
        Route("/v1/health/connect/", .get, .filters(.service)) { (call) throws(Refusal) in try call.healthService(connect: true) },
        Route("/v1/health/ingress/", .get, .filters(.service)) { (call) throws(Refusal) in try call.healthService(ingress: true) },
    ]
}

extension APIRequest {
    func healthNode() throws(Refusal) -> APICall {
        try refuseNamespaces()
        let options = try readOptions()
        return try read(.health(.nodeChecks(node: try requiredArgument("Missing node name"))), options, .checks)
    }

    func healthChecks() throws(Refusal) -> APICall {
        let options = try sortableOptions().options
        return try read(.health(.serviceChecks(service: try requiredArgument("Missing service name"))), options, .checks)
    }

    func healthState() throws(Refusal) -> APICall {
        let options = try sortableOptions().options
        return try read(.health(.checksInState(state: try requiredArgument("Missing check state"))), options, .checks)
    }

    /// `tag` makes an ordinary query of one for ingress gateways; queries for Connect do not know it.
    func healthService(connect: Bool = false, ingress: Bool = false) throws(Refusal) -> APICall {
        let (options, cache) = try sortableOptions()
        let service = try requiredArgument("Missing service name")
        let tags = connect ? [] : self.tags
        let query = ReadQuery.health(.serviceNodes(service: service, tags: tags, connect: connect, ingress: ingress && tags.isEmpty))
        return try read(query, options, .healthNodes(passing), cache)
    }

    private func sortableOptions() throws(Refusal) -> (options: QueryOptions, cache: CacheOptions?) {
        try refuseNamespaces()
        var (options, cache) = try readOptionsAndCache()
        parseNear(&options)
        parseNodeMeta(&options)
        return (options, cache)
    }

    private var passing: PassingFilter {
        guard let text = parameters.value("passing") else { return .off }
        if text.isEmpty { return .on }
        guard let wanted = try? GoNumber.parseBool(text) else { return .invalid }
        return wanted ? .on : .off
    }
}
