// What the data directory keeps of services and checks. Spec: behaviour §6.7, config §20.

/// A file of the data directory, read at start. The name is relative to it.
public struct LocalFile: Sendable {
    public var name: String
    public var bytes: [UInt8]
    public init(name: String, bytes: [UInt8]) {
        self.name = name
        self.bytes = bytes
    }
}

/// Names and contents of the files.
enum PersistedFile {
    /// The folders whose files belong to the local state; `checks/` holds `checks/state/`.
    static let services = "services/"
    static let serviceConfigs = "services/configs/"
    static let checks = "checks/"
    static let checkStates = "checks/state/"

    typealias Namer = ([UInt8]) -> String

    static func service(_ id: ByteString, _ namer: Namer) -> String { services + namer(id.bytes) }
    static func check(_ id: ByteString, _ namer: Namer) -> String { checks + namer(id.bytes) }
    static func checkState(_ id: ByteString, _ namer: Namer) -> String { checkStates + namer(id.bytes) }

    /// Left by a write that did not come to its end.
    static func isTemporary(_ name: String) -> Bool { name.utf8.suffix(3).elementsEqual("tmp".utf8) }

    // MARK: Services

    struct Service {
        var service = NodeService()
        var token = ""
        var source = ""

        init(service: NodeService, token: String, source: RegistrationSource) {
            self.service = service
            self.token = token
            self.source = source.rawValue
        }

        init(_ bytes: [UInt8]) throws(GoError) {
            for member in try PersistedFile.document(bytes).ownMembers() {
                switch member.key {
                case "token": try member.read(&token)
                case "service": service = try NodeService(json: member.keeping(PersistedFile.serviceMembers))
                case "source": try member.read(&source)
                case "locallyregisteredassidecar": try member.read(&service.locallyRegisteredAsSidecar)
                default: break
                }
            }
        }

        func encoded() -> [UInt8] {
            var json = JSONWriter(reservingCapacity: 512)
            json.beginObject()
            json.member("Token", token)
            json.key("Service")
            json.persistedService(service)
            json.member("Source", source)
            json.optionalMember("LocallyRegisteredAsSidecar", service.locallyRegisteredAsSidecar)
            json.endObject()
            return json.finish()
        }
    }

    // MARK: Checks

    struct Check {
        var registration = CheckRegistration(check: HealthCheck(), definition: nil)
        var token = ""
        var source = ""

        init(_ registration: CheckRegistration, token: String, source: RegistrationSource) {
            self.registration = registration
            self.token = token
            self.source = source.rawValue
        }

        init(_ bytes: [UInt8]) throws(GoError) {
            for member in try PersistedFile.document(bytes).ownMembers() {
                switch member.key {
                case "check": registration.check = try HealthCheck(json: member.keeping(PersistedFile.checkMembers))
                case "chktype" where !member.isNull: registration.definition = try CheckDefinition(persisted: member)
                case "token": try member.read(&token)
                case "source": try member.read(&source)
                default: break
                }
            }
        }

        func encoded() -> [UInt8] {
            var json = JSONWriter(reservingCapacity: 1024)
            json.beginObject()
            json.key("Check")
            json.persistedCheck(registration.check)
            json.key("ChkType")
            if let definition = registration.definition { json.persistedType(definition) } else { json.null() }
            json.member("Token", token)
            json.member("Source", source)
            json.endObject()
            return json.finish()
        }
    }

    // MARK: States of TTL checks

    struct State {
        var checkID = ""
        var output = ""
        var status = ""
        /// Seconds since 1970.
        var expires: Int64 = 0

        init(checkID: String, output: String, status: String, expires: Int64) {
            self.checkID = checkID
            self.output = output
            self.status = status
            self.expires = expires
        }

        init(_ bytes: [UInt8]) throws(GoError) {
            for member in try PersistedFile.document(bytes).ownMembers() {
                switch member.key {
                case "checkid": try member.read(&checkID)
                case "output": try member.read(&output)
                case "status": try member.read(&status)
                case "expires":
                    guard case .int(let seconds) = member.value else { throw member.mismatch("int64") }
                    expires = seconds
                default: break
                }
            }
        }

        func encoded() -> [UInt8] {
            var json = JSONWriter()
            json.beginObject()
            json.member("CheckID", checkID)
            json.member("Output", output)
            json.member("Status", status)
            json.key("Expires")
            json.int64(expires)
            json.endObject()
            return json.finish()
        }
    }

    // MARK: Reading

    private static func document(_ bytes: [UInt8]) throws(GoError) -> JSONField {
        do {
            return JSONField(document: try JSON.parseDocument(bytes), type: "")
        } catch {
            throw GoError(error.documentText)
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
    fileprivate init(persisted field: JSONField) throws(GoError) {
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
