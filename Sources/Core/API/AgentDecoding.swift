// Bodies of registrations with the agent. Spec: http-1 §3.7, §3.8. The snake_case aliases count where the proper field is unset.

extension ServiceDefinition {
    public init(json field: JSONField) throws(TextError) {
        self.init()
        var taggedAlias: SortedMap<String, ServiceAddress>?
        var overrideAlias = false
        for member in try field.ownMembers() {
            switch member.key {
            case "kind": try member.read(&kind)
            case "id": try member.read(&id)
            case "name": try member.read(&name)
            case "tags": try member.read(&tags)
            case "address": try member.read(&address)
            case "taggedaddresses": try member.read(&taggedAddresses)
            case "tagged_addresses": try member.read(&taggedAlias)
            case "meta": try member.read(&meta)
            case "port": try member.read(&port)
            case "check": check = member.isNull ? nil : try CheckDefinition(json: member, ofService: true)
            case "checks": checks = try ServiceDefinition.checks(member)
            case "weights": try member.read(&weights)
            case "token": try member.read(&token)
            case "enabletagoverride": try member.read(&enableTagOverride)
            case "enable_tag_override": try member.read(&overrideAlias)
            case "proxy": proxy = member.isNull ? nil : try ConnectProxyConfig(json: member)
            case "connect": try decodeConnect(member)
            default: throw member.unknown
            }
        }
        if taggedAddresses == nil { taggedAddresses = taggedAlias }
        enableTagOverride = enableTagOverride || overrideAlias
    }

    private static func checks(_ field: JSONField) throws(TextError) -> [CheckDefinition] {
        var found: [CheckDefinition] = []
        for element in try field.elements(type: "structs.CheckTypes") ?? [] {
            if element.isNull { throw element.mismatch("structs.CheckType") }
            found.append(try CheckDefinition(json: element, ofService: true))
        }
        return found
    }

    /// Unknown members are ignored.
    private mutating func decodeConnect(_ field: JSONField) throws(TextError) {
        connectNative = false
        sidecar = nil
        var alias: SidecarDefinition?
        for member in try field.ownMembers() {
            switch member.key {
            case "native": try member.read(&connectNative)
            case "sidecarservice": sidecar = member.isNull ? nil : SidecarDefinition(try ServiceDefinition(json: member.detached))
            case "sidecar_service": alias = member.isNull ? nil : SidecarDefinition(try ServiceDefinition(json: member.detached))
            default: break
            }
        }
        if sidecar == nil { sidecar = alias }
    }
}

extension CheckDefinition {
    /// The check of a service and one that stands alone have different members.
    public init(json field: JSONField, ofService: Bool) throws(TextError) {
        self.init()
        var aliases = CheckDefinition()
        var arguments: [String]?
        var ignored = ""
        for member in try field.ownMembers() {
            switch member.key {
            case "checkid" where ofService: try member.read(&checkID)
            case "id" where !ofService: try member.read(&checkID)
            case "serviceid", "service_id":
                if ofService {
                    try member.read(&ignored)
                } else if member.key == "serviceid" {
                    try member.read(&serviceID)
                } else {
                    try member.read(&aliases.serviceID)
                }
            case "token" where !ofService: try member.read(&token)
            case "proxyhttp" where ofService: try member.read(&proxyHTTP)
            case "proxygrpc" where ofService: try member.read(&proxyGRPC)
            case "args": try member.read(&arguments)
            case "script_args": try member.read(&aliases.scriptArgs)
            case "tls_skip_verify": try member.read(&aliases.tlsSkipVerify)
            case "docker_container_id": try member.read(&aliases.dockerContainerID)
            case "deregister_critical_service_after": try member.read(&aliases.deregisterCriticalServiceAfter)
            default:
                guard try decodeCommon(member) else { throw member.unknown }
            }
        }
        if serviceID.isEmpty { serviceID = aliases.serviceID }
        if scriptArgs == nil { scriptArgs = arguments ?? aliases.scriptArgs }
        if dockerContainerID.isEmpty { dockerContainerID = aliases.dockerContainerID }
        if deregisterCriticalServiceAfter == .zero { deregisterCriticalServiceAfter = aliases.deregisterCriticalServiceAfter }
        tlsSkipVerify = tlsSkipVerify || aliases.tlsSkipVerify
    }

    /// The members that all checks have, also in files of the data directory; false for any other.
    mutating func decodeCommon(_ member: JSONField) throws(TextError) -> Bool {
        switch member.key {
        case "name": try member.read(&name)
        case "notes": try member.read(&notes)
        case "status": try member.read(&status)
        case "scriptargs": try member.read(&scriptArgs)
        case "http": try member.read(&http)
        case "header": try member.read(&header)
        case "method": try member.read(&method)
        case "body": try member.read(&body)
        case "tcp": try member.read(&tcp)
        case "interval": try member.read(&interval)
        case "aliasnode": try member.read(&aliasNode)
        case "aliasservice": try member.read(&aliasService)
        case "dockercontainerid": try member.read(&dockerContainerID)
        case "shell": try member.read(&shell)
        case "grpc": try member.read(&grpc)
        case "grpcusetls": try member.read(&grpcUseTLS)
        case "tlsskipverify": try member.read(&tlsSkipVerify)
        case "timeout": try member.read(&timeout)
        case "ttl": try member.read(&ttl)
        case "successbeforepassing": try member.read(&successBeforePassing)
        case "failuresbeforecritical": try member.read(&failuresBeforeCritical)
        case "deregistercriticalserviceafter": try member.read(&deregisterCriticalServiceAfter)
        case "outputmaxsize": try member.read(&outputMaxSize)
        default: return false
        }
        return true
    }
}
