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
        case .catalog(.nodes): Node.filterSchema
        case .catalog(.serviceNodes): ServiceNodeRow.filterSchema
        case .catalog(.nodeServices), .catalog(.nodeServiceList): NodeService.filterSchema
        case .health(.nodeChecks), .health(.serviceChecks), .health(.checksInState): HealthCheck.filterSchema
        case .health(.serviceNodes), .internal(.serviceDump): CheckServiceNode.filterSchema
        case .internal(.nodeDump(node: nil)): NodeDump.filterSchema
        default: nil
        }
    }
}
