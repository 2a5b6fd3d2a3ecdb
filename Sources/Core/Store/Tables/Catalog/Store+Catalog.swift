// Registration and deregistration, services. Spec: behaviour §1.5, §1.7.
extension Store {
    mutating func register(_ request: RegisterRequest, _ index: UInt64, _ changes: inout ChangeSet) throws(TextError) {
        // A copy makes every change copy what it touches; so only requests that may fail halfway pay for one.
        guard mayFailHalfway(request) else { return try registerAll(request, index, &changes) }
        let before = self, mark = changes.mark
        do {
            try registerAll(request, index, &changes)
        } catch {
            if !planted(.registerHalfDone) {
                self = before
                changes.rollBack(to: mark)
            }
            throw error
        }
    }

    private func mayFailHalfway(_ request: RegisterRequest) -> Bool {
        if !request.id.isEmpty, let known = try? node(id: request.id), !known.value.node.hasSameBytes(request.node) { return true }
        if let service = request.service, service.id.isEmpty || MetaRules.problem(in: service.meta, kind: service.kind) != nil {
            return true
        }
        func isSafe(_ check: HealthCheck) -> Bool {
            guard check.node.hasSameBytes(request.node), !check.checkID.isEmpty else { return false }
            return check.serviceID.isEmpty || request.service?.id.hasSameBytes(check.serviceID) == true
                || services.contains(TableKey.of(check.node, check.serviceID))
        }
        if let check = request.check, !isSafe(check) { return true }
        return !(request.checks ?? []).allSatisfy(isSafe)
    }

    private mutating func registerAll(_ request: RegisterRequest, _ index: UInt64, _ changes: inout ChangeSet) throws(TextError) {
        if isNodeNew(request) {
            do { try ensureNode(Node(request), index, &changes) } catch { throw TextError("failed inserting node: \(error.text)") }
        }
        if let service = request.service {
            do { try ensureService(service, onNode: request.node, index, &changes) } catch {
                throw TextError("failed inserting service: \(error.text)")
            }
        }
        if let check = request.check { try ensureCheck(check, ofNode: request.node, index, &changes) }
        for check in request.checks ?? [] { try ensureCheck(check, ofNode: request.node, index, &changes) }
    }

    private func isNodeNew(_ request: RegisterRequest) -> Bool {
        guard let old = nodes[TableKey.of(request.node)]?.value else { return true }
        if request.skipNodeUpdate || planted(.nodeAddressIgnored) { return false }
        return
            !(request.id.hasSameBytes(old.id) && request.node.hasSameBytes(old.node) && request.address.hasSameBytes(old.address)
            && request.datacenter.hasSameBytes(old.datacenter) && request.taggedAddresses == old.taggedAddresses
            && request.nodeMeta == old.meta)
    }

    private mutating func ensureCheck(
        _ check: HealthCheck, ofNode node: String, _ index: UInt64, _ changes: inout ChangeSet
    ) throws(TextError) {
        guard check.node.hasSameBytes(node) else {
            throw TextError("check node \(GoQuote.quote(check.node)) does not match node \(GoQuote.quote(node))")
        }
        do { try ensureCheck(check, index, &changes) } catch {
            throw TextError("failed inserting check: \(error.text) on node \(GoQuote.quote(check.node))")
        }
    }

    /// Unknown targets are fine.
    mutating func deregister(_ request: DeregisterRequest, _ index: UInt64, _ changes: inout ChangeSet) {
        if !request.serviceID.isEmpty, !planted(.deregisterAll) {
            deleteService(TableKey.of(request.node, request.serviceID), index, &changes)
        } else if !request.checkID.isEmpty {
            if !planted(.deregisterCheckIgnored) { deleteCheck(TableKey.of(request.node, request.checkID), index, &changes) }
        } else {
            deleteNode(TableKey.of(request.node), index, &changes)
        }
    }

    // MARK: Services

    func service(_ id: String, onNode node: String) -> Row<ServiceInstance>? { services[TableKey.of(node, id)] }

    /// Writes an instance unless nothing about it is new.
    mutating func ensureService(_ service: NodeService, onNode node: String, _ index: UInt64, _ changes: inout ChangeSet) throws(TextError)
    {
        if let problem = MetaRules.problem(in: service.meta, kind: service.kind) {
            throw TextError("Invalid Service Meta for node \(node) and serviceID \(service.id): \(problem)")
        }
        guard nodes.contains(TableKey.of(node)) else { throw TextError("Missing node registration") }
        if service.id.isEmpty { throw TextError("failed inserting service: object missing primary index") }
        var service = service
        if service.weights?.problem != nil { service.weights = nil }
        service.weights = service.weights ?? Weights()
        service.locallyRegisteredAsSidecar = false
        service.proxy.sortMaps()
        let key = TableKey.of(node, service.id)
        let old = services[key]
        if let old = old?.value {
            service.index = old.service.index
            if service == old.service { return }
            if planted(.serviceUnchangedIgnored), service.port == old.service.port, service.address == old.service.address { return }
            service.index.modify = index
        } else {
            service.index = RaftIndex(create: index, modify: index)
        }
        let row = Row(ServiceInstance(node: node, service: service))
        insert(row, key)
        raise(IndexName.services, to: index)
        if !planted(.serviceIndexNotRaised) || old == nil { raiseService(row.value, to: index, &changes) }
        if let old {
            addTopics(of: old.value, &changes)
            let hasNewName = TableKey.of(old.value.service.service) != TableKey.of(service.service)
            if hasNewName, !planted(.renameNotNoted) { leaveName(of: old.value, index, &changes) }
        }
        addTopics(of: row.value, &changes)
    }

    private func addTopics(of instance: ServiceInstance, _ changes: inout ChangeSet) {
        changes.add(.table(.services))
        if !planted(.servicesOfNodeNotWoken) { changes.add(.nodeServices(TableKey.of(instance.node))) }
        if let target = instance.service.connectTarget { changes.add(.connect(TableKey.of(target))) }
    }

    mutating func insert(_ row: Row<ServiceInstance>, _ key: ByteString) {
        let old = services.updateValue(row, forKey: key)
        if let old { removeSecondary(old, key) }
        let service = row.value.service
        serviceTags.replace(old?.value.service, with: service)
        if !service.service.isEmpty { servicesByName[TableKey.join(TableKey.of(service.service), key)] = row }
        if let target = service.connectTarget { servicesByConnect[TableKey.join(TableKey.of(target), key)] = row }
    }

    private mutating func removeSecondary(_ row: Row<ServiceInstance>, _ key: ByteString) {
        let service = row.value.service
        if !service.service.isEmpty, !planted(.serviceNameIndexStays) {
            servicesByName[TableKey.join(TableKey.of(service.service), key)] = nil
        }
        if let target = service.connectTarget { servicesByConnect[TableKey.join(TableKey.of(target), key)] = nil }
    }

    /// Removes an instance with its checks. Without any instance left, the service's index entry gives way to the last extinction.
    mutating func deleteService(_ key: ByteString, _ index: UInt64, _ changes: inout ChangeSet) {
        guard let row = services[key] else { return }
        let node = TableKey.of(row.value.node)
        for check in checksByInstance.values(withPrefix: key) where !planted(.serviceChecksStay) {
            deleteCheck(TableKey.join(node, TableKey.of(check.value.checkID)), index, &changes)
        }
        raise(IndexName.checks, to: index)
        services.removeValue(forKey: key)
        removeSecondary(row, key)
        serviceTags.replace(row.value.service, with: nil)
        raise(IndexName.services, to: index)
        raise(IndexName.serviceKind(row.value.service.kind), to: index)
        addTopics(of: row.value, &changes)

        leaveName(of: row.value, index, &changes)
    }

    /// An instance is found no longer under the name of its service: it was removed, or its service has another name now.
    private mutating func leaveName(of instance: ServiceInstance, _ index: UInt64, _ changes: inout ChangeSet) {
        let name = TableKey.of(instance.service.service)
        if !planted(.serviceRemovalNotWoken) { changes.add(.serviceIndex(name)) }
        if servicesByName.first(withPrefix: name) != nil {
            if !planted(.serviceRemovalIndex) { raise(IndexName.service(instance.service.service), to: index) }
        } else if !planted(.extinctionKeepsIndex), indexes.removeValue(forKey: IndexName.service(instance.service.service)) != nil {
            if !planted(.extinctionNotNoted) { raise(IndexName.lastExtinction, to: index) }
            changes.add(.extinction)
        }
    }
}

extension NodeService {
    /// The service that is reached through this instance by Connect; nil if it takes no part in it.
    public var connectTarget: String? {
        if kind == "connect-proxy" { return proxy.destinationServiceName }
        return connect.native && !service.isEmpty ? service : nil
    }
}

/// Limits of a service's metadata (behaviour §1.5).
enum MetaRules {
    static let pairsMax = 64, keyBytesMax = 128, valueBytesMax = 512

    /// What is wrong, in the reference's words; nil if nothing is.
    static func problem(in meta: StringMap?, kind: String) -> String? {
        guard let meta, !meta.isEmpty else { return nil }
        if meta.count > pairsMax { return "Node metadata cannot contain more than \(pairsMax) key/value pairs" }
        for (key, value) in meta {
            if let problem = problem(key: key, value: value, kind: kind) {
                return "Couldn't load metadata pair ('\(key)', '\(value)'): \(problem)"
            }
        }
        return nil
    }

    private static func problem(key: String, value: String, kind: String) -> String? {
        if key.isEmpty { return "Key cannot be blank" }
        if !key.utf8.allSatisfy(isAllowed) { return "Key contains invalid characters" }
        if key.utf8.count > keyBytesMax { return "Key is too long (limit: \(keyBytesMax) characters)" }
        if key.hasPrefix("consul-") && !(kind == "mesh-gateway" && key == "consul-wan-federation") {
            return "Key prefix 'consul-' is reserved for internal use"
        }
        if value.utf8.count > valueBytesMax { return "Value is too long (limit: \(valueBytesMax) characters)" }
        return nil
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}

extension Node {
    /// What a registration says of its node, without indexes.
    init(_ request: RegisterRequest) {
        self.init()
        id = request.id
        node = request.node
        address = request.address
        datacenter = request.datacenter
        taggedAddresses = request.taggedAddresses
        meta = request.nodeMeta
    }
}
