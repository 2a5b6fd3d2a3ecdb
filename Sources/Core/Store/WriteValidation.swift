/// What the servers check and complete before a write goes into the log. Spec: behaviour §1.5, §5; http-2 §3.2, §6.4.
///
/// The texts are the reference's; over HTTP they are answered with status 500 (403 for permissions).
public enum WriteValidation {
    public static let sessionTTLMax: Duration = .hours(24)

    /// The phase before the log of a transaction; all problems of all operations. `isLockDelayed` is asked for the keys to be locked.
    ///
    /// Also completes the operations. Reads go through it as well.
    public static func precheck(
        _ request: inout TxnRequest, _ authorizer: Authorizer, isLockDelayed: (ByteString) -> Bool = { _ in false }
    ) -> [TxnError] {
        var errors: [TxnError] = []
        for at in request.ops.indices {
            if let problem = precheck(&request.ops[at], authorizer, isLockDelayed) { errors.append(TxnError(opIndex: at, what: problem)) }
        }
        return errors
    }

    private static func precheck(_ op: inout TxnOp, _ authorizer: Authorizer, _ isLockDelayed: (ByteString) -> Bool) -> String? {
        if let problem = validate(&op) { return problem }
        if !authorizer.allows(op) { return Denied().text }
        guard case .kv(.write(.lock), let row) = op, isLockDelayed(row.key) else { return nil }
        return "failed to lock key \(GoQuote.quote(row.key.string)) due to lock delay"
    }

    private static func validate(_ op: inout TxnOp) -> String? {
        switch op {
        case .kv(let verb, let row): return row.key.isEmpty && verb != .write(.deleteTree) ? "Must provide key" : nil
        case .node(let verb, let node): return verb == .get ? nil : validate(nodeName: node.node, id: node.id)
        case .service(let verb, let node, var service):
            if verb == .get { return nil }
            let problem = validate(&service)
            op = .service(verb: verb, node: node, service)
            return problem
        case .check(let verb, var check):
            if verb == .get { return nil }
            if check.checkID.isEmpty { check.checkID = check.name }
            op = .check(verb: verb, check)
            return nil
        case .session, .intention, .none: return nil
        }
    }

    // MARK: Catalog

    static func validate(_ request: inout RegisterRequest) -> String? {
        if let problem = validate(nodeName: request.node, id: request.id) { return problem }
        if request.address.isEmpty, !request.skipNodeUpdate { return "Must provide address if SkipNodeUpdate is not set" }
        if var service = request.service {
            if let problem = validate(&service) { return problem }
            request.service = service
        }
        if let check = request.check {
            request.checks = (request.checks ?? []) + [check]
            request.check = nil
        }
        for at in (request.checks ?? []).indices { request.checks?[at].complete(node: request.node) }
        return nil
    }

    private static func validate(nodeName: String, id: String) -> String? {
        if nodeName.isEmpty { return "Must provide node" }
        return id.isEmpty ? nil : nodeIDProblem(id).map { "Bad node ID: " + $0 }
    }

    /// Nil for a UUID with its dashes in place.
    static func nodeIDProblem(_ id: String) -> String? {
        let bytes = Array(id.utf8)
        if bytes.count != 36 { return "uuid string is wrong length" }
        let dashes = [8, 13, 18, 23]
        if dashes.contains(where: { bytes[$0] != UInt8(ascii: "-") }) { return "uuid is improperly formatted" }
        for (at, byte) in bytes.enumerated() where !dashes.contains(at) && hexValue(byte) == nil { return UUIDText.invalidHex(byte) }
        return nil
    }

    /// Also makes the name the default of the ID.
    static func validate(_ service: inout NodeService) -> String? {
        if let problem = service.structureProblem { return problem }
        service.connect.sidecarService = nil
        if service.id.isEmpty { service.id = service.service }
        if !service.id.isEmpty, service.service.isEmpty { return "Must provide service name with ID" }
        return isAnyAddress(service.address) ? "Invalid service address" : nil
    }

    /// Addresses that stand for all of a machine's.
    public static func isAnyAddress(_ address: String) -> Bool { ["0.0.0.0", "::", "[::]"].contains(address) }

    // MARK: Sessions

    static func validate(_ request: inout SessionRequest, _ ttlMin: Duration) -> String? {
        if request.op == .destroy {
            if request.session.id.isEmpty { return "Must provide ID" }
            return sessionIDProblem(request.session.id)
        }
        if request.session.node.isEmpty { return "Must provide Node" }
        switch request.session.behavior {
        case "": request.session.behavior = "release"
        case "release", "delete": break
        default: return "Invalid Behavior setting '\(request.session.behavior)'"
        }
        return ttlProblem(request.session.ttl, ttlMin)
    }

    /// Why an ID cannot be looked up, in the words of a session look-up; nil if it can.
    public static func sessionIDProblem(_ id: String) -> String? {
        do {
            _ = try UUIDText.parse(id)
            return nil
        } catch {
            return "failed session lookup: index error: " + error.text
        }
    }

    private static func ttlProblem(_ text: String, _ ttlMin: Duration) -> String? {
        if text.isEmpty { return nil }
        let ttl: Duration
        do {
            ttl = try GoDuration.parse(text)
        } catch {
            return "Session TTL '\(text)' invalid: \(error.text)"
        }
        if ttl == .zero || (ttl >= ttlMin && ttl <= sessionTTLMax) { return nil }
        return "Invalid Session TTL '\(ttl.nanoseconds)', must be between "
            + "[\(GoDuration.format(ttlMin))=\(GoDuration.format(sessionTTLMax))]"
    }
}

extension HealthCheck {
    /// The defaults of a check registered in the catalog: ID, node, and the type that its definition tells.
    fileprivate mutating func complete(node: String) {
        if checkID.isEmpty { checkID = name }
        if self.node.isEmpty { self.node = node }
        if type.isEmpty { type = definition.kind }
    }
}

extension HealthCheckDefinition {
    /// `http`, `tcp`, ...; empty for a check without definition. What is run needs an interval to count.
    public var kind: String {
        let runs = interval > .zero
        if runs, !grpc.isEmpty { return "grpc" }
        if runs, !http.isEmpty { return "http" }
        if ttl > .zero { return "ttl" }
        if runs, !tcp.isEmpty { return "tcp" }
        if !aliasNode.isEmpty || !aliasService.isEmpty { return "alias" }
        if !runs || scriptArgs?.isEmpty ?? true { return "" }
        return dockerContainerID.isEmpty ? "script" : "docker"
    }
}
