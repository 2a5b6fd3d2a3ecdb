// What users register with an agent: in configuration files or over HTTP. Spec: config §8-9, http-1 §3.7-3.8.

/// One check of a service or node as its owner describes it (`CheckType` in the reference, whose fields are the stored variables).
public struct CheckDefinition: Hashable, Sendable {
    public var checkID = ""
    public var name = ""
    public var notes = ""
    /// For checks registered on their own; empty for node checks.
    public var serviceID = ""
    public var token = ""
    public var status = ""
    public var scriptArgs: [String]?
    public var http = ""
    public var header: SortedMap<String, [String]>?
    public var method = ""
    public var body = ""
    public var tcp = ""
    public var interval: Duration = .zero
    public var aliasNode = ""
    public var aliasService = ""
    public var dockerContainerID = ""
    public var shell = ""
    public var grpc = ""
    public var grpcUseTLS = false
    public var tlsSkipVerify = false
    public var timeout: Duration = .zero
    public var ttl: Duration = .zero
    public var successBeforePassing = 0
    public var failuresBeforeCritical = 0
    public var proxyHTTP = ""
    public var proxyGRPC = ""
    public var deregisterCriticalServiceAfter: Duration = .zero
    public var outputMaxSize = 0
    public init() {}
}

/// A service as its owner describes it (`ServiceDefinition` in the reference, whose fields are the stored variables).
public struct ServiceDefinition: Hashable, Sendable {
    public var kind = ""
    public var id = ""
    public var name = ""
    public var tags: [String]?
    public var address = ""
    public var taggedAddresses: SortedMap<String, ServiceAddress>?
    public var meta: StringMap?
    public var port = 0
    public var check: CheckDefinition?
    public var checks: [CheckDefinition] = []
    public var weights: Weights?
    public var token = ""
    public var enableTagOverride = false
    public var proxy: ConnectProxyConfig?
    public var connectNative = false
    /// nil: no `connect.sidecar_service` block.
    public var sidecar: SidecarDefinition?
    public init() {}
}

/// The nested `connect.sidecar_service`; a class because a definition cannot contain itself.
public final class SidecarDefinition: Hashable, Sendable {
    public let definition: ServiceDefinition
    public init(_ definition: ServiceDefinition) { self.definition = definition }
    public static func == (a: SidecarDefinition, b: SidecarDefinition) -> Bool { a.definition == b.definition }
    public func hash(into hasher: inout Hasher) { hasher.combine(definition) }
}
