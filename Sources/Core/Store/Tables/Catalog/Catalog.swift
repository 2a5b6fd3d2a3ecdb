// Rows of the catalog. Spec: rpc-raft-wire §4.2 (names on the wire), http-1 §3 (names and order in JSON).
// `nil` and empty containers differ on the wire and in some JSON answers, hence the optionals.

/// The raft indexes of a row's creation and last change.
public struct RaftIndex: Hashable, Sendable {
    public var create: UInt64
    public var modify: UInt64
    public init(create: UInt64 = 0, modify: UInt64 = 0) {
        self.create = create
        self.modify = modify
    }
}

/// A row of a table, shared by every copy of the store: one reference instead of a dozen.
public final class Row<Value: Sendable>: Sendable {
    public let value: Value
    public init(_ value: Value) { self.value = value }
}

public struct Node: Hashable, Sendable {
    /// A UUID in text form, or empty.
    public var id = ""
    public var node = ""
    public var address = ""
    public var datacenter = ""
    public var taggedAddresses: StringMap?
    public var meta: StringMap?
    public var index = RaftIndex()
    public init() {}
}

public struct ServiceAddress: Hashable, Sendable {
    public var address = ""
    public var port = 0
    public init(address: String = "", port: Int = 0) {
        self.address = address
        self.port = port
    }
}

public struct Weights: Hashable, Sendable {
    public var passing = 1
    public var warning = 1
    public init(passing: Int = 1, warning: Int = 1) {
        self.passing = passing
        self.warning = warning
    }

    /// What is wrong with them, in the reference's words; nil if nothing is.
    public var problem: String? {
        if passing < 1 { return "Passing must be greater than 0" }
        if warning < 0 { return "Warning must be greater or equal than 0" }
        if passing > 65535 || warning > 65535 { return "DNS Weight must be between 0 and 65535" }
        return nil
    }
}

public struct MeshGatewayConfig: Hashable, Sendable {
    public var mode = ""
    public init(mode: String = "") { self.mode = mode }
}

public struct ExposePath: Hashable, Sendable {
    public var listenerPort = 0
    public var path = ""
    public var localPathPort = 0
    public var `protocol` = ""
    public var parsedFromCheck = false
    public init() {}
}

public struct ExposeConfig: Hashable, Sendable {
    public var checks = false
    public var paths: [ExposePath]?
    public init() {}
}

public struct Upstream: Hashable, Sendable {
    public var destinationType = ""
    public var destinationNamespace = ""
    public var destinationName = ""
    public var datacenter = ""
    public var localBindAddress = ""
    public var localBindPort = 0
    /// A map, or nil.
    public var config: DynamicValue?
    public var meshGateway = MeshGatewayConfig()
    public var ingressHosts: [String]?
    public init() {}
}

public struct ConnectProxyConfig: Hashable, Sendable {
    public var destinationServiceName = ""
    public var destinationServiceID = ""
    public var localServiceAddress = ""
    public var localServicePort = 0
    /// A map, or nil.
    public var config: DynamicValue?
    public var upstreams: [Upstream]?
    public var meshGateway = MeshGatewayConfig()
    public var expose = ExposeConfig()
    public init() {}
}

public struct ServiceConnect: Hashable, Sendable {
    public var native = false
    /// The definition of a sidecar as it stood on the wire; the store keeps it, nothing reads it.
    public var sidecarService: DynamicValue?
    public init() {}
}

/// One instance of a service as its node registers it.
public struct NodeService: Hashable, Sendable {
    public var kind = ""
    public var id = ""
    public var service = ""
    public var tags: [String]?
    public var address = ""
    public var taggedAddresses: SortedMap<String, ServiceAddress>?
    public var meta: StringMap?
    public var port = 0
    public var weights: Weights?
    public var enableTagOverride = false
    public var proxy = ConnectProxyConfig()
    public var connect = ServiceConnect()
    public var locallyRegisteredAsSidecar = false
    public var index = RaftIndex()
    public init() {}
}

/// A stored instance: the service and the name of its node, in the spelling of its registration.
public struct ServiceInstance: Hashable, Sendable {
    public var node: String
    public var service: NodeService
    public init(node: String, service: NodeService) {
        self.node = node
        self.service = service
    }
}

/// A check's status, as the reference spells it.
public enum CheckStatus {
    public static let passing = "passing"
    public static let warning = "warning"
    public static let critical = "critical"
    /// The check that the leader keeps for every node in the gossip pool.
    public static let serfHealth = "serfHealth"
}

/// What a check does, as the catalog keeps it: the reference's fields are the stored variables.
public struct HealthCheckDefinition: Hashable, Sendable {
    public var http = ""
    public var tlsSkipVerify = false
    public var header: SortedMap<String, [String]>?
    public var method = ""
    public var body = ""
    public var tcp = ""
    public var interval: Duration = .zero
    public var outputMaxSize: UInt64 = 0
    public var timeout: Duration = .zero
    public var deregisterCriticalServiceAfter: Duration = .zero
    public var scriptArgs: [String]?
    public var dockerContainerID = ""
    public var shell = ""
    public var grpc = ""
    public var grpcUseTLS = false
    public var aliasNode = ""
    public var aliasService = ""
    public var ttl: Duration = .zero
    public init() {}
}

public struct HealthCheck: Hashable, Sendable {
    public var node = ""
    public var checkID = ""
    public var name = ""
    public var status = ""
    public var notes = ""
    public var output = ""
    public var serviceID = ""
    public var serviceName = ""
    public var serviceTags: [String]?
    public var type = ""
    public var definition = HealthCheckDefinition()
    public var index = RaftIndex()
    public init() {}
}
