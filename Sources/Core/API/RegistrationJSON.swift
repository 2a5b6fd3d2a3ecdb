/// Registrations as their files have them, in JSON. Spec: behaviour §6.7, config §20.
public struct RegistrationJSON: RegistrationCodec {
    public init() {}

    public func contentHash(_ service: NodeService) -> String { AgentJSON.contentHash(service) }

    // MARK: Services

    public func service(_ bytes: [UInt8]) throws(TextError) -> PersistedFile.Service {
        var file = PersistedFile.Service()
        for member in try document(bytes).ownMembers() {
            switch member.key {
            case "token": try member.read(&file.token)
            case "service": file.service = try NodeService(json: member.keeping(RegistrationJSON.serviceMembers))
            case "source": try member.read(&file.source)
            case "locallyregisteredassidecar": try member.read(&file.service.locallyRegisteredAsSidecar)
            default: break
            }
        }
        return file
    }

    public func encode(_ file: PersistedFile.Service) -> [UInt8] {
        var json = JSONWriter(reservingCapacity: 512)
        json.beginObject()
        json.member("Token", file.token)
        json.key("Service")
        json.persistedService(file.service)
        json.member("Source", file.source)
        json.optionalMember("LocallyRegisteredAsSidecar", file.service.locallyRegisteredAsSidecar)
        json.endObject()
        return json.finish()
    }

    // MARK: Checks

    public func check(_ bytes: [UInt8]) throws(TextError) -> PersistedFile.Check {
        var file = PersistedFile.Check()
        for member in try document(bytes).ownMembers() {
            switch member.key {
            case "check": file.registration.check = try HealthCheck(json: member.keeping(RegistrationJSON.checkMembers))
            case "chktype" where !member.isNull: file.registration.definition = try CheckDefinition(persisted: member)
            case "token": try member.read(&file.token)
            case "source": try member.read(&file.source)
            default: break
            }
        }
        return file
    }

    public func encode(_ file: PersistedFile.Check) -> [UInt8] {
        var json = JSONWriter(reservingCapacity: 1024)
        json.beginObject()
        json.key("Check")
        json.persistedCheck(file.registration.check)
        json.key("ChkType")
        if let definition = file.registration.definition { json.persistedType(definition) } else { json.null() }
        json.member("Token", file.token)
        json.member("Source", file.source)
        json.endObject()
        return json.finish()
    }

    // MARK: States of TTL checks

    public func state(_ bytes: [UInt8]) throws(TextError) -> PersistedFile.State {
        var file = PersistedFile.State()
        for member in try document(bytes).ownMembers() {
            switch member.key {
            case "checkid": try member.read(&file.checkID)
            case "output": try member.read(&file.output)
            case "status": try member.read(&file.status)
            case "expires":
                guard case .int(let seconds) = member.value else { throw member.mismatch("int64") }
                file.expires = seconds
            default: break
            }
        }
        return file
    }

    public func encode(_ file: PersistedFile.State) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.member("CheckID", file.checkID)
        json.member("Output", file.output)
        json.member("Status", file.status)
        json.key("Expires")
        json.int64(file.expires)
        json.endObject()
        return json.finish()
    }

    // MARK: Reading

    private func document(_ bytes: [UInt8]) throws(TextError) -> JSONField {
        do {
            return JSONField(document: try JSON.parseDocument(bytes), type: "")
        } catch {
            throw TextError(error.documentText)
        }
    }

    private static let serviceMembers: [String] = [
        "kind", "id", "service", "tags", "address", "taggedaddresses", "meta", "port", "weights", "enabletagoverride", "proxy", "connect",
    ]
    private static let checkMembers: [String] = [
        "node", "checkid", "name", "status", "notes", "output", "serviceid", "servicename", "servicetags", "type",
    ]
}

extension JSONField {
    /// The same object with these members only: files of other versions may hold more.
    fileprivate func keeping(_ names: [String]) -> JSONField {
        guard case .map(let members) = value else { return detached }
        return JSONField(document: .map(members.filter { names.contains($0.name.lowercased()) }), type: "")
    }
}

extension CheckDefinition {
    fileprivate init(persisted field: JSONField) throws(TextError) {
        self.init()
        for member in try field.ownMembers() {
            switch member.key {
            case "checkid": try member.read(&checkID)
            case "proxyhttp": try member.read(&proxyHTTP)
            case "proxygrpc": try member.read(&proxyGRPC)
            default: _ = try decodeCommon(member)
            }
        }
    }
}

extension JSONWriter {
    /// Without indexes, which the catalog's row has.
    fileprivate mutating func persistedService(_ service: NodeService) {
        var service = service
        service.index = RaftIndex()
        nodeService(service, absentTags: true)
    }

    /// Without indexes, and without the definition, which stands beside it.
    fileprivate mutating func persistedCheck(_ check: HealthCheck) {
        var check = check
        check.index = RaftIndex()
        check.definition = HealthCheckDefinition()
        healthCheck(check, absentTags: true)
    }

    fileprivate mutating func persistedType(_ check: CheckDefinition) {
        beginObject()
        member("CheckID", check.checkID)
        member("Name", check.name)
        member("Status", check.status)
        member("Notes", check.notes)
        key("ScriptArgs")
        strings(check.scriptArgs)
        member("HTTP", check.http)
        key("Header")
        if let header = check.header { self.header(header) } else { null() }
        member("Method", check.method)
        member("Body", check.body)
        member("TCP", check.tcp)
        nanoseconds("Interval", check.interval)
        member("AliasNode", check.aliasNode)
        member("AliasService", check.aliasService)
        member("DockerContainerID", check.dockerContainerID)
        member("Shell", check.shell)
        member("GRPC", check.grpc)
        member("GRPCUseTLS", check.grpcUseTLS)
        member("TLSSkipVerify", check.tlsSkipVerify)
        nanoseconds("Timeout", check.timeout)
        nanoseconds("TTL", check.ttl)
        member("SuccessBeforePassing", check.successBeforePassing)
        member("FailuresBeforeCritical", check.failuresBeforeCritical)
        member("ProxyHTTP", check.proxyHTTP)
        member("ProxyGRPC", check.proxyGRPC)
        nanoseconds("DeregisterCriticalServiceAfter", check.deregisterCriticalServiceAfter)
        member("OutputMaxSize", check.outputMaxSize)
        endObject()
    }

    private mutating func nanoseconds(_ name: StaticString, _ value: Duration) {
        key(name)
        int64(value.nanoseconds)
    }
}
