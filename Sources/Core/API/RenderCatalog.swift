/// Bodies of `/v1/catalog/` and `/v1/health/` reads. Spec: http-1 §5, §6.
extension Renderer {
    static func catalog(_ result: QueryResult, _ shape: ReadShape) -> [UInt8] {
        let result = shape.filter.map { result.filtered(by: $0) } ?? result
        var json = JSONWriter(pretty: shape.pretty, reservingCapacity: capacity(result, shape))
        switch result {
        case .nodes(let rows):
            json.beginArray()
            for row in rows { json.node(row.value) }
            json.endArray()
        case .services(let services):
            json.beginObject()
            for (name, tags) in services {
                json.key(name)
                json.strings(tags)
            }
            json.endObject()
        case .serviceNodes(let rows):
            json.beginArray()
            for row in rows { json.serviceNode(row.node.value, row.service.value.service) }
            json.endArray()
        case .nodeServices(let found): nodeServices(found, shape, &json)
        case .gatewayServices where shape.form == .serviceSummaries:
            // Nothing is bound to a gateway: there are no config entries that would say so.
            json.beginArray()
            json.endArray()
        case .gatewayServices(let rows): gatewayServices(rows, &json)
        case .checks(let rows): json.checks(rows)
        case .healthNodes(let rows) where shape.form == .serviceSummaries:
            json.beginArray()
            for summary in ServiceSummary.all(of: rows) { json.summary(summary) }
            json.endArray()
        case .healthNodes(let rows): healthNodes(rows, shape, &json)
        case .entries, .keys, .sessions, .serviceList, .nodeDump, .txn, .coordinates, .autopilot: json.null()
        }
        return json.finish()
    }

    /// About the length of the body, so that it is not copied while it grows.
    private static func capacity(_ result: QueryResult, _ shape: ReadShape) -> Int {
        let size =
            switch result {
            case .nodes(let rows): rows.count * 320
            case .services(let services): services.count * 64
            case .serviceNodes(let rows): rows.count * 640
            case .nodeServices(let found): (found?.services.count ?? 0) * 320
            case .checks(let rows): rows.count * 320
            case .healthNodes(let rows): rows.count * 1280
            default: 0
            }
        return 256 + (shape.pretty ? size * 2 : size)
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

    private static func healthNodes(_ rows: [CheckServiceNode], _ shape: ReadShape, _ json: inout JSONWriter) {
        var rows = rows
        if shape.form == .healthNodes(.on) { keepPassing(&rows) }
        json.beginArray()
        for row in rows { json.healthNode(row) }
        json.endArray()
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
