// Transactions. Spec: behaviour §1.11, http-2 §6.
extension Store {
    /// Runs every operation, also after a failure; any failure takes everything back.
    mutating func applyTxn(_ ops: [TxnOp], _ index: UInt64, _ changes: inout ChangeSet) -> TxnResponse {
        let before = self, mark = changes.mark
        let response = run(ops, index, &changes)
        if planted(.txnNotWoken) { changes.rollBack(to: mark) }
        if !response.errors.isEmpty, !planted(.txnNotRolledBack) {
            let raised = indexes
            self = before
            if planted(.txnIndexNotRolledBack) { indexes = raised }
            changes.rollBack(to: mark)
        }
        return response
    }

    /// Runs operations that only read; what others would write is not kept.
    func readTxn(_ ops: [TxnOp]) -> TxnResponse {
        var copy = self
        var changes = ChangeSet()
        return copy.run(ops, 0, &changes)
    }

    private mutating func run(_ ops: [TxnOp], _ index: UInt64, _ changes: inout ChangeSet) -> TxnResponse {
        var response = TxnResponse()
        for (at, op) in ops.enumerated() {
            do { try run(op, index, &changes, &response.results) } catch {
                if planted(.txnStopsSilently), at > 0 { return response }
                response.errors.append(TxnError(opIndex: at, what: error.text))
            }
        }
        if !response.errors.isEmpty { response.results = [] }
        return response
    }

    private mutating func run(
        _ op: TxnOp, _ index: UInt64, _ changes: inout ChangeSet, _ results: inout [TxnResult]
    ) throws(TextError) {
        switch op {
        case .kv(.getTree, let entry): results.append(contentsOf: list(entry.key).entries.map { .kv($0) })
        case .kv(let verb, let entry):
            guard var stored = try runKV(verb, entry.key, entry.entry, index, &changes) else { return }
            if verb != .get { stored.value = [] }
            results.append(.kv(DirEntry(key: entry.key, entry: stored)))
        case .node(let verb, let node):
            if let node = try runNode(verb, node, index, &changes) { results.append(.node(node.value)) }
        case .service(let verb, let node, let service):
            if let service = try runService(verb, node, service, index, &changes) { results.append(.service(service.value.service)) }
        case .check(let verb, let check):
            if let check = try runCheck(verb, check, index, &changes) { results.append(.check(check.value)) }
        case .session(.delete, let session): deleteSession(try Self.lookUpKey(session.id), index, &changes)
        case .session(.unknown(let verb), _): throw TextError("unknown Session verb \(GoQuote.quote(verb))")
        case .intention(let operation):
            var writer = MessagePackWriter()
            writer.dynamic(operation)
            do { try applyIntention(EncodedStruct(writer.bytes), index, &changes) } catch { throw Self.refusal(error) }
        case .none: throw TextError("no operation specified")
        }
    }

    private mutating func runKV(
        _ verb: KVVerb, _ key: ByteString, _ entry: KVEntry, _ index: UInt64, _ changes: inout ChangeSet
    ) throws(TextError) -> KVEntry? {
        if key.isEmpty && verb != .write(.deleteTree) { throw TextError("Must provide key") }
        func name() -> String { GoQuote.quote(key.string) }
        switch verb {
        case .write(let operation): return try runKV(operation, key, entry, index, &changes)
        case .get:
            if let stored = kvs[key], !planted(.txnReadSeesStart) || stored.index.modify != index { return stored }
            throw TextError("key \(name()) doesn't exist")
        case .checkNotExists:
            if kvs.contains(key), !planted(.txnNotExistsIgnored) { throw TextError("key \(name()) exists") }
        case .checkSession:
            guard let stored = kvs[key] else { throw TextError("failed to check session, key \(name()) doesn't exist") }
            if stored.session == entry.session || planted(.txnCheckSessionIgnored) { return stored }
            let sessions = "current session \(GoQuote.quote(stored.session)) != \(GoQuote.quote(entry.session))"
            throw TextError("failed session check for key \(name()), \(sessions)")
        case .checkIndex:
            guard let stored = kvs[key] else { throw TextError("failed to check index, key \(name()) doesn't exist") }
            if stored.index.modify == entry.index.modify || planted(.txnCheckIndexIgnored) { return stored }
            let indexes = "current modify index \(stored.index.modify) != \(entry.index.modify)"
            throw TextError("failed index check for key \(name()), \(indexes)")
        case .getTree: preconditionFailure("a tree is read as a list")
        }
        return nil
    }

    private mutating func runKV(
        _ operation: KVOperation, _ key: ByteString, _ entry: KVEntry, _ index: UInt64, _ changes: inout ChangeSet
    ) throws(TextError) -> KVEntry? {
        func name() -> String { GoQuote.quote(key.string) }
        switch operation {
        case .set: return setEntry(key, entry, keepingSession: true, index, &changes)
        case .delete: deleteEntry(key, index, &changes)
        case .deleteCAS:
            guard deleteEntry(key, ifIndex: entry.index.modify, index, &changes) else {
                throw TextError("failed to delete key \(name()), index is stale")
            }
        case .deleteTree: deleteTree(key, index, &changes)
        case .cas:
            if let stored = setEntry(key, entry, ifIndex: entry.index.modify, index, &changes) { return stored }
            throw TextError("failed to set key \(name()), index is stale")
        case .lock:
            if let stored = try lock(key, entry, index, &changes) { return stored }
            throw TextError("failed to lock key \(name()), lock is already held")
        case .unlock:
            if let stored = try unlock(key, entry, index, &changes) { return stored }
            throw TextError("failed to unlock key \(name()), lock isn't held, or is held by another session")
        case .unknown(let verb): throw TextError("unknown KV verb \(GoQuote.quote(verb))")
        }
        return nil
    }

    /// By ID if one is given.
    private func find(_ node: Node) throws(TextError) -> Row<Node>? { node.id.isEmpty ? self.node(node.node) : try self.node(id: node.id) }

    private mutating func runNode(
        _ verb: CatalogVerb, _ node: Node, _ index: UInt64, _ changes: inout ChangeSet
    ) throws(TextError) -> Row<Node>? {
        let name = GoQuote.quote(node.node)
        switch verb {
        case .get:
            if let found = try find(node) { return found }
            throw TextError("node \(name) doesn't exist")
        case .cas where self.node(node.node)?.value.index.modify ?? 0 != node.index.modify:
            throw TextError("failed to set node \(name), index is stale")
        case .set, .cas:
            try ensureNode(node, index, &changes)
            return try find(node)
        case .deleteCAS where self.node(node.node)?.value.index.modify != node.index.modify:
            throw TextError("failed to delete node \(name), index is stale")
        case .delete, .deleteCAS:
            deleteNode(TableKey.of(node.node), index, &changes)
            return nil
        case .unknown(let verb): throw TextError("unknown Node verb \(GoQuote.quote(verb))")
        }
    }

    private mutating func runService(
        _ verb: CatalogVerb, _ node: String, _ service: NodeService, _ index: UInt64, _ changes: inout ChangeSet
    ) throws(TextError) -> Row<ServiceInstance>? {
        func name() -> String { "service \(GoQuote.quote(service.id)) on node \(GoQuote.quote(node))" }
        let found = self.service(service.id, onNode: node)
        switch verb {
        case .get:
            if let found { return found }
            throw TextError("\(name()) doesn't exist")
        case .cas where found?.value.service.index.modify ?? 0 != service.index.modify:
            throw TextError("failed to set \(name()), index is stale")
        case .set, .cas:
            try ensureService(service, onNode: node, index, &changes)
            return self.service(service.id, onNode: node)
        case .deleteCAS where found?.value.service.index.modify != service.index.modify:
            throw TextError("failed to delete \(name()), index is stale")
        case .delete, .deleteCAS:
            deleteService(TableKey.of(node, service.id), index, &changes)
            return nil
        case .unknown(let verb): throw TextError("unknown Service verb \(GoQuote.quote(verb))")
        }
    }

    private mutating func runCheck(
        _ verb: CatalogVerb, _ check: HealthCheck, _ index: UInt64, _ changes: inout ChangeSet
    ) throws(TextError) -> Row<HealthCheck>? {
        func name() -> String { "check \(GoQuote.quote(check.checkID)) on node \(GoQuote.quote(check.node))" }
        let found = self.check(check.checkID, onNode: check.node)
        switch verb {
        case .get:
            if let found { return found }
            throw TextError("\(name()) doesn't exist")
        case .cas where found?.value.index.modify ?? 0 != check.index.modify:
            throw TextError("failed to set \(name()), index is stale")
        case .set, .cas:
            try ensureCheck(check, index, &changes)
            return self.check(check.checkID, onNode: check.node)
        case .deleteCAS where found?.value.index.modify != check.index.modify:
            throw TextError("failed to delete \(name()), index is stale")
        case .delete, .deleteCAS:
            deleteCheck(TableKey.of(check.node, check.checkID), index, &changes)
            return nil
        case .unknown(let verb): throw TextError("unknown Check verb \(GoQuote.quote(verb))")
        }
    }
}
