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
public enum PersistedFile {
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

    public struct Service: Sendable {
        public var service = NodeService()
        public var token = ""
        public var source = ""
        public init() {}

        init(service: NodeService, token: String, source: RegistrationSource) {
            self.service = service
            self.token = token
            self.source = source.rawValue
        }
    }

    public struct Check: Sendable {
        public var registration = CheckRegistration(check: HealthCheck(), definition: nil)
        public var token = ""
        public var source = ""
        public init() {}

        init(_ registration: CheckRegistration, token: String, source: RegistrationSource) {
            self.registration = registration
            self.token = token
            self.source = source.rawValue
        }
    }

    /// The last status of a TTL check.
    public struct State: Hashable, Sendable {
        public var checkID = ""
        public var output = ""
        public var status = ""
        /// Seconds since 1970.
        public var expires: Int64 = 0
        public init() {}

        init(checkID: String, output: String, status: String, expires: Int64) {
            self.checkID = checkID
            self.output = output
            self.status = status
            self.expires = expires
        }
    }
}

/// The form of what the local state writes and shows, which it does not know itself.
public protocol RegistrationCodec: Sendable {
    func encode(_ file: PersistedFile.Service) -> [UInt8]
    func encode(_ file: PersistedFile.Check) -> [UInt8]
    func encode(_ file: PersistedFile.State) -> [UInt8]
    func service(_ bytes: [UInt8]) throws(TextError) -> PersistedFile.Service
    func check(_ bytes: [UInt8]) throws(TextError) -> PersistedFile.Check
    func state(_ bytes: [UInt8]) throws(TextError) -> PersistedFile.State
    /// Of what clients are shown of a service.
    func contentHash(_ service: NodeService) -> String
}
