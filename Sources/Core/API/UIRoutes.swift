// `/v1/internal/ui/`: what the web page of the reference shows. Spec: http-2 §13.

extension RouteTable {
    static let internalUI: [Route] = [
        Route("/v1/internal/ui/nodes", .get, .filters(.node)) { (call) throws(Refusal) in try call.uiNodes() },
        Route("/v1/internal/ui/node/", .get, .filters(.node)) { (call) throws(Refusal) in try call.uiNode() },
        Route("/v1/internal/ui/services", .get, .filters(.node)) { (call) throws(Refusal) in try call.uiServices() },
        Route("/v1/internal/ui/gateway-services-nodes/", .get, .needs(.service)) { (call) throws(Refusal) in try call.uiGatewayServices() },
    ]
}

extension APIRequest {
    func uiNodes() throws(Refusal) -> APICall {
        try refuseNamespaces()
        return try read(.internal(.nodeDump(node: nil)), try readOptions(), .nodeDump(single: false))
    }

    func uiServices() throws(Refusal) -> APICall {
        try refuseNamespaces()
        return try read(.internal(.serviceDump(kind: nil)), try readOptions(), .serviceSummaries)
    }

    func uiNode() throws(Refusal) -> APICall {
        try refuseNamespaces()
        let options = try readOptions()
        let node = try requiredArgument("Missing node name")
        return .read(.internal(.nodeDump(node: node)), options, ReadShape(.nodeDump(single: true), pretty: pretty))
    }

    func uiGatewayServices() throws(Refusal) -> APICall {
        try refuseNamespaces()
        var options = try readOptions()
        options.filter = ""
        return try read(.catalog(.gatewayServices(gateway: try requiredArgument("Missing gateway name"))), options, .serviceSummaries)
    }
}

extension Renderer {
    static func nodeDump(_ rows: [NodeDump], _ shape: ReadShape, _ response: inout HTTPResponse) {
        if case .nodeDump(single: true) = shape.form {
            var json = JSONWriter(pretty: shape.pretty, reservingCapacity: 2048)
            if let row = rows.first { json.nodeDump(row) }
            response.body = json.finish()
            return
        }
        let filter = shape.filter
        response.setRows(rows, pretty: shape.pretty, size: { _ in 1024 }) { json, row in
            if filter?.matches(row) ?? true { json.nodeDump(row) }
        }
    }
}

extension JSONWriter {
    fileprivate mutating func nodeDump(_ row: NodeDump) {
        let node = row.node.value
        beginObject()
        member("ID", node.id)
        member("Node", node.node)
        member("Address", node.address)
        key("TaggedAddresses")
        stringMap(node.taggedAddresses)
        key("Meta")
        stringMap(node.meta)
        key("Services")
        beginArray()
        for service in row.services { nodeService(service.value.service, absentTags: true) }
        endArray()
        key("Checks")
        beginArray()
        for check in row.checks { healthCheck(check.value, absentTags: true) }
        endArray()
        endObject()
    }
}
