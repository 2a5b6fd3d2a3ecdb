/// Bodies of `/v1/catalog/` and `/v1/health/` reads. Spec: http-1 §5, §6.
extension Renderer {
    static func catalog(_ result: QueryResult, _ shape: ReadShape, _ response: inout HTTPResponse) {
        let pretty = shape.pretty, filter = shape.filter
        switch result {
        case .nodes(let rows):
            response.setRows(rows, pretty: pretty, size: { _ in 320 }) { json, row in
                if filter?.matches(row.value) ?? true { json.node(row.value) }
            }
        case .services(let services):
            response.setMembers(services, pretty: pretty, size: { _ in 64 }) { json, service in json.service(service) }
        case .serviceNodes(let rows):
            response.setRows(rows, pretty: pretty, size: { _ in 640 }) { json, row in
                let (node, service) = (row.node.value, row.service.value.service)
                if filter?.matches(ServiceNodeRow(node: node, service: service)) ?? true { json.serviceNode(node, service) }
            }
        case .checks(let rows):
            response.setRows(rows, pretty: pretty, size: { _ in 320 }) { json, row in
                if filter?.matches(row.value) ?? true { json.healthCheck(row.value) }
            }
        case .healthNodes(let rows) where shape.form == .healthNodes(.on):
            // Which rows stay decides on the order of those behind them.
            var rows = filter.map { filter in rows.filter { filter.matches($0) } } ?? rows
            keepPassing(&rows)
            response.setRows(rows, pretty: pretty, size: { _ in 1280 }, { json, row in json.healthNode(row) })
        case .healthNodes(let rows) where shape.form != .serviceSummaries:
            response.setRows(rows, pretty: pretty, size: { _ in 1280 }) { json, row in
                if filter?.matches(row) ?? true { json.healthNode(row) }
            }
        default: response.body = smallCatalog(filter.map { result.filtered(by: $0) } ?? result, shape)
        }
    }

    /// What is about one node, or a summary of all.
    private static func smallCatalog(_ result: QueryResult, _ shape: ReadShape) -> [UInt8] {
        var json = JSONWriter(pretty: shape.pretty, reservingCapacity: 2048)
        switch result {
        case .nodeServices(let found): nodeServices(found, shape, &json)
        case .gatewayServices where shape.form == .serviceSummaries:
            // Nothing is bound to a gateway: there are no config entries that would say so.
            json.beginArray()
            json.endArray()
        case .gatewayServices(let rows): gatewayServices(rows, &json)
        case .healthNodes(let rows):
            json.beginArray()
            for summary in ServiceSummary.all(of: rows) { json.summary(summary) }
            json.endArray()
        case .nodes, .services, .serviceNodes, .checks, .entries, .keys, .sessions, .serviceList, .nodeDump, .txn, .coordinates, .autopilot:
            json.null()
        }
        return json.finish()
    }

    private static func nodeServices(
        _ found: (node: Row<Node>, services: [Row<ServiceInstance>])?, _ shape: ReadShape, _ json: inout JSONWriter
    ) {
        let isList = shape.form == .nodeServiceList
        guard let found else {
            guard isList else { return json.null() }
            json.beginObject()
            json.key("Node")
            json.null()
            json.key("Services")
            json.null()
            return json.endObject()
        }
        json.beginObject()
        json.key("Node")
        json.node(found.node.value)
        json.key("Services")
        if isList {
            // A list that the filter emptied differs from one of a node without services.
            if found.services.isEmpty, shape.filter == nil { json.null() } else { json.services(found.services) }
        } else {
            json.beginObject()
            // Sorted by ID: the order of the table, whose keys are the IDs in lower case, may differ.
            for row in found.services.sorted(by: { ByteString($0.value.service.id) < ByteString($1.value.service.id) }) {
                json.key(row.value.service.id)
                json.nodeService(row.value.service)
            }
            json.endObject()
        }
        json.endObject()
    }

    /// Removes the instances with any check that is not passing, in the reference's way: the last one takes the place of each.
    private static func keepPassing(_ rows: inout [CheckServiceNode]) {
        var at = 0
        while at < rows.count {
            if rows[at].checks.allSatisfy({ $0.value.status == CheckStatus.passing }) {
                at += 1
            } else {
                rows.swapAt(at, rows.count - 1)
                rows.removeLast()
            }
        }
    }

    /// Members in the order of §5.9; a list of none is `null`.
    private static func gatewayServices(_ rows: [DynamicValue], _ json: inout JSONWriter) {
        if rows.isEmpty { return json.null() }
        json.beginArray()
        for row in rows {
            json.beginObject()
            for name in ["Gateway", "Service"] {
                json.key(name)
                json.beginObject()
                json.key("Name")
                json.dynamic(row[name]?["ID"] ?? row[name]?["Name"] ?? .string(""))
                json.endObject()
            }
            json.key("GatewayKind")
            json.dynamic(row["GatewayKind"] ?? .string(""))
            for name in ["Port", "Protocol", "Hosts", "CAFile", "CertFile", "KeyFile", "SNI", "FromWildcard"] {
                guard let value = row[name], !isZero(value) else { continue }
                json.key(name)
                json.dynamic(value)
            }
            for name in ["CreateIndex", "ModifyIndex"] {
                json.key(name)
                json.dynamic(row[name] ?? .int(0))
            }
            json.endObject()
        }
        json.endArray()
    }

    private static func isZero(_ value: DynamicValue) -> Bool {
        switch value {
        case .null, .bool(false), .int(0), .uint(0), .string(""): true
        case .array(let values): values.isEmpty
        case .bytes(let bytes): bytes.isEmpty
        case .map(let members): members.isEmpty
        default: false
        }
    }
}

extension JSONWriter {
    fileprivate mutating func services(_ rows: [Row<ServiceInstance>]) {
        beginArray()
        for row in rows { nodeService(row.value.service) }
        endArray()
    }
}

extension ReadShape.Form {
    /// Of the rows that `?filter` is applied to; nil where it is ignored.
    var filterSchema: FilterSchema? {
        switch self {
        case .nodes: Node.filterSchema
        case .serviceNodes: ServiceNodeRow.filterSchema
        case .nodeServices, .nodeServiceList: NodeService.filterSchema
        case .checks: HealthCheck.filterSchema
        case .healthNodes, .serviceSummaries: CheckServiceNode.filterSchema
        case .nodeDump(single: false): NodeDump.filterSchema
        case .kvEntries, .kvRaw, .kvKeys, .sessions, .services, .gatewayServices, .nodeDump, .coordinates, .autopilotConfiguration: nil
        }
    }
}
