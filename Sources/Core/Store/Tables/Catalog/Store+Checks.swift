// Health checks. Spec: behaviour §1.5 "Check writes", §1.7.
extension Store {
    public func check(_ id: String, onNode node: String) -> Row<HealthCheck>? { checks[TableKey.of(node, id)] }

    /// Writes a check. One that says nothing new keeps its index and its service's, but raises the table's.
    mutating func ensureCheck(_ check: HealthCheck, _ index: UInt64, _ changes: inout ChangeSet) throws(TextError) {
        var check = check
        if check.status.isEmpty { check.status = planted(.checkDefaultPassing) ? CheckStatus.passing : CheckStatus.critical }
        let node = TableKey.of(check.node)
        guard nodes.contains(node) else { throw TextError("Missing node registration") }
        var instance: Row<ServiceInstance>?
        if !check.serviceID.isEmpty {
            instance = service(check.serviceID, onNode: check.node)
            guard let instance else { throw TextError("Missing service registration") }
            check.serviceName = instance.value.service.service
            check.serviceTags = instance.value.service.tags
        }
        if check.checkID.isEmpty { throw TextError("failed inserting check: object missing primary index") }

        let key = TableKey.join(node, TableKey.of(check.checkID))
        let old = checks[key]
        check.index = old?.value.index ?? RaftIndex(create: index, modify: index)
        if !check.saysNothingNew(after: old?.value) {
            check.index.modify = index
            if let instance {
                if !planted(.checkDoesNotRaiseService) { raiseService(instance.value, to: index, &changes) }
            } else {
                if !planted(.nodeCheckDoesNotRaise) { raiseAllServices(ofNode: node, to: index, &changes) }
            }
        }
        if check.status == CheckStatus.critical && !planted(.sessionSurvivesCheck)
            || check.status == CheckStatus.warning && planted(.sessionEndsOnWarning)
        {
            deleteSessions(ofCheck: key, index, &changes)
        }
        let row = Row(check)
        insert(row, key)
        raise(IndexName.checks, to: index)
        if let old, !planted(.oldStatusNotWoken) { addTopics(of: old.value, &changes) }
        addTopics(of: row.value, &changes)
    }

    private func addTopics(of check: HealthCheck, _ changes: inout ChangeSet) {
        changes.add(.table(.checks))
        if planted(.checksNotWoken) { return }
        changes.add(.nodeChecks(TableKey.of(check.node)))
        changes.add(.checksInState(TableKey.ofStatus(check.status)))
        if !check.serviceName.isEmpty { changes.add(.serviceChecks(TableKey.of(check.serviceName))) }
    }

    mutating func insert(_ row: Row<HealthCheck>, _ key: ByteString) {
        let check = row.value
        if let old = checks.updateValue(row, forKey: key) { removeSecondary(old.value, key, exceptThoseOf: check) }
        let byInstance = TableKey.of(check.node, check.serviceID, check.checkID)
        if !planted(.checkInstanceIndexStale) || checksByInstance[byInstance] == nil { checksByInstance[byInstance] = row }
        if !check.serviceName.isEmpty { checksByServiceName[TableKey.join(TableKey.of(check.serviceName), key)] = row }
        checksByStatus[TableKey.ofStatus(check.status, key)] = row
    }

    /// What the new row writes anew anyway need not be removed before.
    private mutating func removeSecondary(_ old: HealthCheck, _ key: ByteString, exceptThoseOf new: HealthCheck?) {
        if !(new?.serviceID.hasSameBytes(old.serviceID) ?? false) {
            checksByInstance[TableKey.of(old.node, old.serviceID, old.checkID)] = nil
        }
        if !old.serviceName.isEmpty && !(new?.serviceName.hasSameBytes(old.serviceName) ?? false) {
            checksByServiceName[TableKey.join(TableKey.of(old.serviceName), key)] = nil
        }
        if !(new?.status.hasSameBytes(old.status) ?? false), !planted(.checkStatusIndexStays) {
            checksByStatus[TableKey.ofStatus(old.status, key)] = nil
        }
    }

    /// Removes a check and ends the sessions that depend on it.
    mutating func deleteCheck(_ key: ByteString, _ index: UInt64, _ changes: inout ChangeSet) {
        guard let row = checks[key] else { return }
        let check = row.value
        if check.serviceName.isEmpty {
            raiseAllServices(ofNode: TableKey.of(check.node), to: index, &changes)
            raise(IndexName.services, to: index)
            changes.add(.table(.services))
        } else {
            if !planted(.checkRemovalDoesNotRaise) { raise(IndexName.service(check.serviceName), to: index) }
            changes.add(.serviceIndex(TableKey.of(check.serviceName)))
            if let instance = service(check.serviceID, onNode: check.node) {
                raise(IndexName.serviceKind(instance.value.service.kind), to: index)
            }
        }
        checks.removeValue(forKey: key)
        removeSecondary(check, key, exceptThoseOf: nil)
        raise(IndexName.checks, to: index)
        addTopics(of: check, &changes)
        if !planted(.sessionSurvivesCheckRemoval) { deleteSessions(ofCheck: key, index, &changes) }
    }
}

extension HealthCheck {
    /// Everything but the type and the indexes counts.
    fileprivate func saysNothingNew(after old: HealthCheck?) -> Bool {
        guard let old else { return false }
        var compared = self
        compared.type = old.type
        if planted(.checkOutputIgnored) { compared.output = old.output }
        compared.index = old.index
        return compared == old
    }
}
