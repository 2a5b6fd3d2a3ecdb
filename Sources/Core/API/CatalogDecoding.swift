/// Bodies of `/v1/catalog/register` and `/v1/catalog/deregister`. Spec: http-1 §5.1, §5.2.
extension RegisterRequest {
    init(json document: JSONField) throws(TextError) {
        self.init()
        for field in try document.members(of: "RegisterRequest") {
            switch field.key {
            case "datacenter": try field.read(&datacenter)
            case "id": try field.read(&id)
            case "node": try field.read(&node)
            case "address": try field.read(&address)
            case "taggedaddresses": try field.read(&taggedAddresses)
            case "nodemeta": try field.read(&nodeMeta)
            case "service": service = field.isNull ? nil : try NodeService(json: field)
            case "check": check = field.isNull ? nil : try HealthCheck(json: field)
            case "checks": checks = try field.elements(type: "structs.HealthChecks").map(HealthCheck.list)
            case "skipnodeupdate": try field.read(&skipNodeUpdate)
            case "token": try field.read(&token)
            case "createindex": try field.read(&index.create)
            case "modifyindex": try field.read(&index.modify)
            default: throw field.unknown
            }
        }
    }
}

extension DeregisterRequest {
    init(json document: JSONField) throws(TextError) {
        self.init()
        var obsoleteAddress = ""
        for field in try document.members(of: "DeregisterRequest") {
            switch field.key {
            case "datacenter": try field.read(&datacenter)
            case "node": try field.read(&node)
            case "serviceid": try field.read(&serviceID)
            case "checkid": try field.read(&checkID)
            case "address": try field.read(&obsoleteAddress)
            case "token": try field.read(&token)
            default: throw field.unknown
            }
        }
    }
}

extension NodeService {
    init(json field: JSONField) throws(TextError) {
        self.init()
        for member in try field.members(of: "NodeService") {
            switch member.key {
            case "kind": try member.read(&kind)
            case "id": try member.read(&id)
            case "service": try member.read(&service)
            case "tags": try member.read(&tags)
            case "address": try member.read(&address)
            case "taggedaddresses": try member.read(&taggedAddresses)
            case "meta": try member.read(&meta)
            case "port": try member.read(&port)
            case "weights": try member.read(&weights)
            case "enabletagoverride": try member.read(&enableTagOverride)
            case "proxy": proxy = member.isNull ? proxy : try ConnectProxyConfig(json: member)
            case "connect": connect = try ServiceConnect(json: member)
            case "createindex": try member.read(&index.create)
            case "modifyindex": try member.read(&index.modify)
            default: throw member.unknown
            }
        }
    }
}

extension ServiceConnect {
    /// Unknown members are ignored.
    init(json field: JSONField) throws(TextError) {
        self.init()
        var alias: DynamicValue?
        for member in try field.ownMembers() {
            switch member.key {
            case "native": try member.read(&native)
            case "sidecarservice": try member.readMap(&sidecarService)
            case "sidecar_service": try member.readMap(&alias)
            default: break
            }
        }
        if sidecarService == nil { sidecarService = alias }
    }
}

extension HealthCheck {
    /// Transactions know a namespace, and drop it and the type.
    init(json field: JSONField, ofTransaction: Bool = false) throws(TextError) {
        self.init()
        var dropped = ""
        for member in try field.members(of: "HealthCheck") {
            switch member.key {
            case "node": try member.read(&node)
            case "checkid": try member.read(&checkID)
            case "name": try member.read(&name)
            case "status": try member.read(&status)
            case "notes": try member.read(&notes)
            case "output": try member.read(&output)
            case "serviceid": try member.read(&serviceID)
            case "servicename": try member.read(&serviceName)
            case "servicetags": try member.read(&serviceTags)
            case "type" where ofTransaction, "namespace" where ofTransaction: try member.read(&dropped)
            case "type": try member.read(&type)
            case "definition": definition = try HealthCheckDefinition(json: member, ofTransaction: ofTransaction)
            case "createindex": try member.read(&index.create)
            case "modifyindex": try member.read(&index.modify)
            default: throw member.unknown
            }
        }
    }

    /// Elements that are `null` are left out.
    fileprivate static func list(_ elements: [JSONField]) throws(TextError) -> [HealthCheck] {
        var checks: [HealthCheck] = []
        for element in elements where !element.isNull { checks.append(try HealthCheck(json: element)) }
        return checks
    }
}

extension HealthCheckDefinition {
    /// Unknown members are ignored. Transactions know fewer members, and other names for the durations.
    init(json field: JSONField, ofTransaction: Bool = false) throws(TextError) {
        self.init()
        var alias = HealthCheckDefinition()
        for member in try field.ownMembers() {
            switch member.key {
            case "http": try member.read(&http)
            case "tlsskipverify": try member.read(&tlsSkipVerify)
            case "header": try member.read(&header)
            case "method": try member.read(&method)
            case "body": try member.read(&body)
            case "tcp": try member.read(&tcp)
            case "interval": try member.read(&interval)
            case "timeout": try member.read(&timeout)
            case "deregistercriticalserviceafter": try member.read(&deregisterCriticalServiceAfter)
            case "intervalduration" where ofTransaction: try member.read(&alias.interval)
            case "timeoutduration" where ofTransaction: try member.read(&alias.timeout)
            case "deregistercriticalserviceafterduration" where ofTransaction: try member.read(&alias.deregisterCriticalServiceAfter)
            case _ where !ofTransaction: try decodeMore(member)
            default: break
            }
        }
        if interval == .zero { interval = alias.interval }
        if timeout == .zero { timeout = alias.timeout }
        if deregisterCriticalServiceAfter == .zero { deregisterCriticalServiceAfter = alias.deregisterCriticalServiceAfter }
    }

    /// What only registrations have.
    private mutating func decodeMore(_ member: JSONField) throws(TextError) {
        switch member.key {
        case "outputmaxsize": try member.read(&outputMaxSize)
        case "scriptargs": try member.read(&scriptArgs)
        case "dockercontainerid": try member.read(&dockerContainerID)
        case "shell": try member.read(&shell)
        case "grpc": try member.read(&grpc)
        case "grpcusetls": try member.read(&grpcUseTLS)
        case "aliasnode": try member.read(&aliasNode)
        case "aliasservice": try member.read(&aliasService)
        case "ttl": try member.read(&ttl)
        default: break
        }
    }
}
