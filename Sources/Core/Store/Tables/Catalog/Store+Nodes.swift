// Nodes: identity, renames, conflicts, removal. Spec: behaviour §1.5-1.7.
extension Store {
    /// The node of that name, in any case.
    public func node(_ name: String) -> Row<Node>? { nodes[TableKey.of(name)] }

    /// The node of that ID. Fails when the ID is no UUID.
    func node(id: String) throws(TextError) -> Row<Node>? {
        do { return nodesByID[ByteString(try UUIDText.parse(id))] } catch {
            throw TextError("node lookup failed: index error: \(error.text)")
        }
    }

    /// The one node whose ID starts with `prefix`, of which an odd last digit is dropped; nil when several do.
    func node(idPrefix prefix: String) -> Row<Node>? {
        guard prefix.utf8.count >= 2 else { return nil }
        let even = prefix.utf8.count % 2 == 0 ? prefix : String(prefix.unicodeScalars.dropLast())
        guard let bytes = try? UUIDText.parsePrefix(even) else { return nil }
        var found: [Row<Node>] = []
        nodesByID.scan(prefix: ByteString(bytes)) { _, row in
            found.append(row)
            return found.count < 2
        }
        return found.count == 1 ? found[0] : nil
    }

    /// Writes a node record unless nothing about it is new. A known ID under a new name is a rename: the old node goes, with all it has.
    mutating func ensureNode(_ node: Node, _ index: UInt64, _ changes: inout ChangeSet) throws(TextError) {
        var node = node
        var existing: Row<Node>?
        if !node.id.isEmpty {
            existing = try self.node(id: node.id)
            if let old = existing {
                if !old.value.node.hasSameBytes(node.node) {
                    if let conflict = nameConflict(node, adoptingNameless: false) {
                        throw TextError("Error while renaming Node ID: \(GoQuote.quote(node.id)) (\(node.address)): \(conflict)")
                    }
                    if !planted(.nodeRenameLeavesOld) { deleteNode(TableKey.of(old.value.node), index, &changes) }
                }
            } else if let conflict = nameConflict(node, adoptingNameless: true) {
                throw TextError("Error while renaming Node ID: \(GoQuote.quote(node.id)): \(conflict)")
            }
        }
        let key = TableKey.of(node.node)
        existing = existing ?? nodes[key]
        if let old = existing?.value {
            node.index = old.index
            if node == old { return }
            node.index.modify = index
        } else {
            node.index = RaftIndex(create: index, modify: index)
        }
        insert(Row(node), key)
        raise(IndexName.nodes, to: index)
        if !planted(.nodeNotWoken) { changes.add(.table(.nodes)) }
        changes.add(.node(key))
        if !planted(.nodeDoesNotRaise) { raiseAllServices(ofNode: key, to: index, &changes) }
    }

    mutating func insert(_ row: Row<Node>, _ key: ByteString) {
        if let old = nodes.updateValue(row, forKey: key) { removeID(of: old) }
        if !row.value.id.isEmpty, let id = try? UUIDText.parse(row.value.id) { nodesByID[ByteString(id)] = row }
    }

    /// Unless the ID belongs to another row by now.
    private mutating func removeID(of row: Row<Node>) {
        guard !row.value.id.isEmpty, let id = try? UUIDText.parse(row.value.id) else { return }
        if nodesByID[ByteString(id)] === row { nodesByID[ByteString(id)] = nil }
    }

    /// Why another node keeps this one from taking its name: it has another ID and is not known to be down.
    private func nameConflict(_ node: Node, adoptingNameless: Bool) -> String? {
        guard let holder = nodes[TableKey.of(node.node)]?.value, !holder.id.hasSameBytes(node.id) else { return nil }
        guard let serf = checks[TableKey.of(holder.node, CheckStatus.serfHealth)], serf.value.status != CheckStatus.critical else {
            return nil
        }
        if holder.id.isEmpty && adoptingNameless { return nil }
        if planted(.nodeConflictIgnored) { return nil }
        return "Node name \(node.node) is reserved by node \(holder.id) with name \(holder.node) (\(holder.address))"
    }

    /// Removes a node with its services, checks, coordinates and sessions.
    mutating func deleteNode(_ key: ByteString, _ index: UInt64, _ changes: inout ChangeSet) {
        guard let row = nodes[key] else { return }
        let doomed = services.values(withPrefix: key)
        for instance in doomed { raiseService(instance.value, to: index, &changes) }
        for instance in doomed where !planted(.nodeServicesStay) {
            deleteService(TableKey.join(key, TableKey.of(instance.value.service.id)), index, &changes)
        }
        for check in checks.values(withPrefix: key) where !planted(.nodeChecksStay) {
            deleteCheck(TableKey.join(key, TableKey.of(check.value.checkID)), index, &changes)
        }
        deleteCoordinates(ofNode: key, index, &changes)
        nodes.removeValue(forKey: key)
        removeID(of: row)
        if !planted(.nodesIndexNotRaised) { raise(IndexName.nodes, to: index) }
        changes.add(.table(.nodes))
        changes.add(.node(key))
        if !planted(.sessionSurvivesNode) { deleteSessions(ofNode: key, index, &changes) }
    }
}

extension String {
    /// Equality of the text as it is spelled, unlike `==`, for which differently composed accents are equal.
    func hasSameBytes(_ other: String) -> Bool { utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8) }
}
