// What filters do to whole results: those of this agent's clients and those that other agents ask for (http-1 §2).

extension QueryResult {
    /// Without the rows that do not match.
    func filtered(by filter: Filter) -> QueryResult {
        switch self {
        case .nodes(let rows): .nodes(rows.filter { filter.matches($0.value) })
        case .serviceNodes(let rows):
            .serviceNodes(rows.filter { filter.matches(ServiceNodeRow(node: $0.node.value, service: $0.service.value.service)) })
        case .nodeServices(let found?): .nodeServices((found.node, found.services.filter { filter.matches($0.value.service) }))
        case .checks(let rows): .checks(rows.filter { filter.matches($0.value) })
        case .healthNodes(let rows): .healthNodes(rows.filter { filter.matches($0) })
        case .nodeDump(let rows): .nodeDump(rows.filter { filter.matches($0) })
        default: self
        }
    }
}

extension ReadQuery {
    /// Of the rows that a filter is applied to; nil where it is ignored.
    var filterSchema: FilterSchema? {
        switch self {
        case .nodes: Node.filterSchema
        case .serviceNodes: ServiceNodeRow.filterSchema
        case .nodeServices, .nodeServiceList: NodeService.filterSchema
        case .nodeChecks, .serviceChecks, .checksInState: HealthCheck.filterSchema
        case .healthServiceNodes, .serviceDump: CheckServiceNode.filterSchema
        case .nodeDump(node: nil): NodeDump.filterSchema
        default: nil
        }
    }
}
