/// What all sources of configuration came to.
public struct Configuration: Sendable {
    public var agent = AgentSettings()
    public var process = ProcessConfig()
    /// The reference's warnings, in its order.
    public var warnings: [String] = []
    /// Settings that the user made and that this version does not act on, one sentence each (`ConfigSupport`).
    public var unsupported: [String] = []
    /// Why an agent cannot start with this although it is valid (config §12, stages 3 to 7).
    public var startProblem: String?
    /// Why an agent that has begun to start cannot go on (config §12, stage 9).
    public var startFailure: String?

    public init() {}
}

/// What concerns the process around an `Agent`: files, listeners, logging, signals.
public struct ProcessConfig: Sendable {
    /// Empty in development mode, where nothing is stored.
    public var dataDirectory = ""
    /// Empty: none.
    public var pidFile = ""
    public var logging = LoggingConfig()

    /// As configured; empty where the agent is to find its own (config §19).
    public var nodeID = ""
    public var disableHostNodeID = true

    public var clientAddresses: [String] = []
    /// What clients connect to, in the order DNS, HTTP, HTTPS, gRPC.
    public var listeners: [ListenerConfig] = []
    public var unixSockets = UnixSocketConfig()
    /// Where other servers connect to.
    public var rpcBindAddress = ""
    public var rpcBindPort = 8300

    /// For the banner: whether this server was told to bootstrap.
    public var showsBootstrap = false

    public var watches: [DynamicValue] = []

    public init() {}
}

/// Spec: config §23.
public struct LoggingConfig: Hashable, Sendable {
    /// As configured; `level` is what it means.
    public var levelName = "INFO"
    public var json = false
    public var file = ""
    public var rotateDuration: Duration = .zero
    public var rotateBytes = 0
    public var rotateFilesMax = 0
    public var syslog = false
    public var syslogFacility = "LOCAL0"

    public init() {}

    /// nil for a level that does not exist.
    public var level: LogLevel? {
        switch levelName.uppercased() {
        case "TRACE": .trace
        case "DEBUG": .debug
        case "INFO": .info
        case "WARN": .warn
        case "ERR", "ERROR": .error
        default: nil
        }
    }
}

/// An address on which clients are served.
public struct ListenerConfig: Hashable, Sendable {
    public enum Service: String, Sendable {
        case dns = "DNS"
        case http = "HTTP"
        case https = "HTTPS"
        case grpc = "gRPC"
    }
    public enum Endpoint: Hashable, Sendable {
        /// `ip` without brackets. DNS listens on both TCP and UDP.
        case tcp(ip: String, port: Int)
        case unix(path: String)
    }
    public var service: Service
    public var endpoint: Endpoint

    public init(service: Service, endpoint: Endpoint) {
        self.service = service
        self.endpoint = endpoint
    }

    /// `127.0.0.1:8500` or the path of a socket.
    public var address: String {
        switch endpoint {
        case .tcp(let ip, let port): HostPort.join(ip, port)
        case .unix(let path): path
        }
    }
}

/// Owner and mode of Unix sockets; empty: as they come.
public struct UnixSocketConfig: Hashable, Sendable {
    public var user = ""
    public var group = ""
    public var mode = ""
    public init() {}
}

/// What configuration depends on besides its sources.
public struct ConfigEnvironment: Sendable {
    public enum FileStatus: Hashable, Sendable {
        case missing
        case file
        case directory
        case failed(String)
    }

    public var hostName: String
    public var interfaces: [InterfaceAddress]
    /// The most files that this process may open; nil: not known.
    public var openFilesMax: Int?
    public var introToken: String
    public var fileStatus: @Sendable (_ path: String) -> FileStatus

    public init(
        hostName: String = "localhost", interfaces: [InterfaceAddress] = [], openFilesMax: Int? = nil, introToken: String = "",
        fileStatus: @escaping @Sendable (_ path: String) -> FileStatus = { _ in .missing }
    ) {
        self.hostName = hostName
        self.interfaces = interfaces
        self.openFilesMax = openFilesMax
        self.introToken = introToken
        self.fileStatus = fileStatus
    }
}
