// `/v1/catalog/`. Spec: http-1 §5.

extension RouteTable {
    static let catalog: [Route] = [
        Route("/v1/catalog/register", .put, .needs(.node)) { (call) throws(Refusal) in try call.catalogRegister() },
        Route("/v1/catalog/deregister", .put, .needs(.node)) { (call) throws(Refusal) in try call.catalogDeregister() },
        Route("/v1/catalog/connect/", .get, .filters(.service)) { (call) throws(Refusal) in try call.catalogService(connect: true) },
        Route("/v1/catalog/nodes", .get, .filters(.node)) { (call) throws(Refusal) in try call.catalogNodes() },
        Route("/v1/catalog/services", .get, .filters(.service)) { (call) throws(Refusal) in try call.catalogServices() },
        Route("/v1/catalog/service/", .get, .filters(.node)) { (call) throws(Refusal) in try call.catalogService(connect: false) },
        Route("/v1/catalog/node/", .get, .filters(.node)) { (call) throws(Refusal) in try call.catalogNode(.nodeServices) },
        Route("/v1/catalog/node-services/", .get, .filters(.node)) { (call) throws(Refusal) in try call.catalogNode(.nodeServiceList) },
        Route("/v1/catalog/gateway-services/", .get, .needs(.service)) { (call) throws(Refusal) in try call.catalogGatewayServices() },
    ]
}

extension APIRequest {
    func catalogNodes() throws(Refusal) -> APICall {
        var options = try readOptions()
        parseNear(&options)
        parseNodeMeta(&options)
        return try read(.catalog(.nodes), options, .nodes)
    }

    func catalogServices() throws(Refusal) -> APICall {
        try refuseNamespaces()
        var (options, cache) = try readOptionsAndCache()
        options.filter = ""
        parseNodeMeta(&options)
        return try read(.catalog(.services), options, .services, cache)
    }

    func catalogService(connect: Bool) throws(Refusal) -> APICall {
        try refuseNamespaces()
        var (options, cache) = try readOptionsAndCache()
        parseNear(&options)
        parseNodeMeta(&options)
        let service = try requiredArgument("Missing service name")
        return try read(
            .catalog(.serviceNodes(service: service, tags: connect ? [] : tags, connect: connect)), options, .serviceNodes, cache)
    }

    func catalogNode(_ form: ReadShape.Form) throws(Refusal) -> APICall {
        try refuseNamespaces()
        let options = try readOptions()
        let node = try requiredArgument("Missing node name")
        return try read(.catalog(form == .nodeServices ? .nodeServices(node: node) : .nodeServiceList(node: node)), options, form)
    }

    func catalogGatewayServices() throws(Refusal) -> APICall {
        try refuseNamespaces()
        var options = try readOptions()
        options.filter = ""
        return try read(.catalog(.gatewayServices(gateway: try requiredArgument("Missing gateway name"))), options, .gatewayServices)
    }

    /// `?tag`, in lower case, as they are compared; none: no tag is asked for.
    var tags: [String] { parameters.values("tag").map { $0.lowercased() } }

    /// Compiles the filter, unless another datacenter is to answer.
    func read(_ query: ReadQuery, _ options: QueryOptions, _ form: ReadShape.Form, _ cache: CacheOptions? = nil) throws(Refusal) -> APICall
    {
        var shape = ReadShape(form, pretty: pretty, cache: cache)
        var options = options
        if !options.filter.isEmpty, let schema = form.filterSchema, options.datacenter == context.datacenter {
            do {
                shape.filter = try Filter.compile(options.filter, schema)
            } catch {
                shape.filterError = error
                options.minQueryIndex = 0
            }
        }
        return .read(query, options, shape)
    }

    func catalogRegister() throws(Refusal) -> APICall {
        try refuseNamespaces()
        var write = try decodeBody(type: "structs.RegisterRequest", rewordsNamespace: true, RegisterRequest.init(json:))
        if write.datacenter.isEmpty { write.datacenter = context.datacenter }
        write.token = token
        return .write(.register(write), WriteShape(.outcome, pretty: pretty))
    }

    func catalogDeregister() throws(Refusal) -> APICall {
        try refuseNamespaces()
        var write = try decodeBody(type: "structs.DeregisterRequest", rewordsNamespace: true, DeregisterRequest.init(json:))
        if write.datacenter.isEmpty { write.datacenter = context.datacenter }
        write.token = token
        return .write(.deregister(write), WriteShape(.done, pretty: pretty))
    }
}
