// The coordinates of nodes, and sorting by the distance between them. Spec: http-2 §9, behaviour §9.10.
extension Store {
    /// Updates for nodes that are not registered are dropped; the index moves all the same.
    mutating func applyCoordinates(_ updates: [NodeCoordinate], _ index: UInt64, _ changes: inout ChangeSet) {
        for update in updates where update.coordinate != nil {
            if nodes.contains(TableKey.of(update.node)) { coordinates[TableKey.of(update.node, update.segment)] = Row(update) }
        }
        touchCoordinates(index, &changes)
    }

    mutating func deleteCoordinates(ofNode node: ByteString, _ index: UInt64, _ changes: inout ChangeSet) {
        let doomed = coordinates.values(withPrefix: node)
        if doomed.isEmpty { return }
        for row in doomed { coordinates.removeValue(forKey: TableKey.of(row.value.node, row.value.segment)) }
        touchCoordinates(index, &changes)
    }

    private mutating func touchCoordinates(_ index: UInt64, _ changes: inout ChangeSet) {
        raise(IndexName.coordinates, to: index)
        changes.add(.table(.coordinates))
    }

    /// By segment, under the name as it was asked for.
    func coordinates(ofNode name: String) -> [Row<NodeCoordinate>] {
        coordinates.values(withPrefix: TableKey.of(name)).map {
            $0.value.node.hasSameBytes(name)
                ? $0 : Row(NodeCoordinate(node: name, segment: $0.value.segment, coordinate: $0.value.coordinate))
        }
    }

    // MARK: Distance

    /// `result` with the rows nearest to `source` first, those of equal or unknown distance in their order. Unchanged when nothing is known
    /// about `source`, and for results that are not sorted by distance.
    func sorted(_ result: QueryResult, byDistanceFrom source: String) -> QueryResult {
        let sorter = DistanceSorter(self, from: source)
        guard let sorter else { return result }
        return switch result {
        case .nodes(let rows): .nodes(sorter.sort(rows) { $0.value.node })
        case .serviceNodes(let rows): .serviceNodes(sorter.sort(rows) { $0.node.value.node })
        case .checks(let rows): .checks(sorter.sort(rows) { $0.value.node })
        case .healthNodes(let rows): .healthNodes(sorter.sort(rows) { $0.node.value.node })
        default: result
        }
    }
}

/// Sorts rows by how far their nodes are from one of them.
struct DistanceSorter {
    private let store: Store
    private let source: [Row<NodeCoordinate>]

    /// nil when the source has no coordinates.
    init?(_ store: Store, from source: String) {
        self.store = store
        self.source = store.coordinates.values(withPrefix: TableKey.of(source))
        if self.source.isEmpty { return nil }
    }

    /// Stable.
    func sort<Row>(_ rows: [Row], _ node: (Row) -> String) -> [Row] {
        var distances: [Int64] = []
        distances.reserveCapacity(rows.count)
        for row in rows { distances.append(distance(to: node(row))?.nanoseconds ?? .max) }
        return rows.indices.sorted { (distances[$0], $0) < (distances[$1], $1) }.map { rows[$0] }
    }

    /// nil when unknown.
    private func distance(to node: String) -> Duration? {
        let other = store.coordinates.values(withPrefix: TableKey.of(node))
        guard let (a, b) = Self.compatible(source, other), a.isCompatible(with: b) else { return nil }
        return a.distance(to: b)
    }

    /// The coordinates that both have in one segment: where one side is in a single segment, that one.
    private static func compatible(_ a: [Row<NodeCoordinate>], _ b: [Row<NodeCoordinate>]) -> (Coordinate, Coordinate)? {
        let segment = a.count == 1 ? a[0].value.segment : b.count == 1 ? b[0].value.segment : ""
        guard let first = a.first(where: { $0.value.segment == segment })?.value.coordinate,
            let second = b.first(where: { $0.value.segment == segment })?.value.coordinate
        else { return nil }
        return (first, second)
    }
}
