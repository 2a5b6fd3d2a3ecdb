import Core
import Glibc
import Runtime

extension AgentCommand {
    /// Composes agent and driver, and runs them until the agent ends; the process's exit code. Spec: config §12, stages 8 and 9.
    static func run(_ start: AgentStart) -> Int32 { run(start, output: 1) }

    /// `output` is the descriptor that gets banner and log.
    static func run(_ start: AgentStart, output: Int32) -> Int32 {
        let process = start.configuration.process
        let logger: Logger
        do {
            logger = try self.logger(start.configuration, output: output)
        } catch {
            complain("\(error)")
            return 1
        }
        raiseOpenFileLimit()
        tuneAllocator()
        do {
            if let failure = start.configuration.startFailure { throw ServerError(failure) }
            let driver = try compose(start, logger)
            try PIDFile.write(process.pidFile)
            defer { PIDFile.remove(process.pidFile) }
            for warning in start.configuration.warnings + start.configuration.unsupported { logger.log(.warn, "agent", warning) }
            announce(driver, logger)
            logger.release(banner: start.banner)
            return driver.run()
        } catch {
            logger.release(banner: start.banner)
            logger.log(.error, "agent", "Error starting agent: error=\(LogText.value(text(of: error)))")
            logger.log(.info, "agent", "Exit code: code=1")
            logger.flush()
            return 1
        }
    }

    /// Where the log goes (config §23).
    private static func logger(_ configuration: Configuration, output: Int32) throws(LogFailure) -> Logger {
        let logging = configuration.process.logging
        var file: LogFile?
        if !logging.file.isEmpty {
            let new = LogFile(
                path: logging.file, sizeMax: logging.rotateBytes, ageMax: logging.rotateDuration, oldFilesMax: logging.rotateFilesMax)
            do { try new.open() } catch { throw LogFailure("Failed to setup logging: \(error)") }
            file = new
        }
        return Logger(
            level: configuration.agent.reloadable.logLevel, isJSON: logging.json, isHeld: true, fd: output, file: file,
            syslog: logging.syslog ? try syslog(logging.syslogFacility) : nil)
    }

    /// Waits a minute for the daemon to come up.
    private static func syslog(_ facility: String) throws(LogFailure) -> Syslog {
        for attempt in 0... {
            do {
                return try Syslog(facility: facility)
            } catch {
                complain("Syslog setup error: error=\(error)")
                if attempt == 12 { break }
                sleep(5)
            }
        }
        throw LogFailure("Syslog setup did not succeed within timeout (1m0s).")
    }

    /// Before there is a log.
    private static func complain(_ text: String) {
        let line = Array("==> \(text)\n".utf8)
        _ = write(2, line, line.count)
    }

    private static func compose(_ start: AgentStart, _ logger: Logger) throws -> Driver<Agent> {
        let process = start.configuration.process
        let settings = completed(start.configuration.agent)
        let disk: any BatchDisk = process.dataDirectory.isEmpty ? MemoryDisk() : try FileDisk(root: process.dataDirectory)
        let transport = try transport(settings, logger)
        let agent = try agent(settings, disk)
        var configuration = DriverConfiguration()
        configuration.httpAddresses = try addresses(process.listeners, .http)
        configuration.dnsAddresses = try addresses(process.listeners, .dns)
        configuration.limits.connectionsPerClientMax = settings.reloadable.httpMaxConnectionsPerClient
        configuration.signals = SignalBehaviour(
            leavesOnInterrupt: !settings.leaving.skipsOnInterrupt, leavesOnTerminate: settings.leaving.onTerminate)
        configuration.unixSockets = process.unixSockets
        configuration.readConfiguration = {
            start.readConfiguration().map { new in
                var reloadable = new.agent.reloadable
                if new.process.logging.level == nil {
                    logger.log(.warn, "agent", "Invalid log level in new configuration: level=\(new.process.logging.levelName)")
                    reloadable.logLevel = logger.currentLevel
                }
                return reloadable
            }.mapError { ConfigurationFailure($0.text) }
        }
        return try Driver(
            machine: agent, frontEnd: { FrontEnd(settings: settings, gzip: GzipEncoder(), seed: SystemRandom.seed()) }, disk: disk,
            configuration: configuration, peers: transport, logger: logger)
    }

    /// Binds the ports before anything becomes durable: a second agent on this machine stops here.
    private static func transport(_ settings: AgentSettings, _ logger: Logger) throws(ServerError) -> ClusterTransport {
        let cluster = try cluster(settings)
        do {
            return try ClusterTransport(cluster, logger: logger)
        } catch {
            throw ServerError("Failed to start Consul \(settings.identity.isServer ? "server" : "client"): \(error)")
        }
    }

    /// Opens the existential disk: recovery is generic over it.
    private static func agent(_ settings: AgentSettings, _ disk: some BatchDisk) throws(ServerError) -> Agent {
        try Agent(
            settings: settings, disk: disk, cipher: AESGCM(), archives: SystemArchiveTools(), seed: SystemRandom.seed(),
            at: SystemClock.now(),
            md5Hex: { Digest.md5Hex($0) })
    }

    /// Where other agents reach this one.
    private static func cluster(_ settings: AgentSettings) throws(ServerError) -> ClusterConfiguration {
        func address(_ host: String, _ port: Int, _ what: String) throws(ServerError) -> SocketAddress {
            guard let address = SocketAddress(ip: host, port: port) else { throw ServerError("invalid address for \(what): \(host)") }
            return address
        }
        var cluster = ClusterConfiguration(
            origin: try address(settings.addresses.bind, 0, "bind"), limits: settings.identity.isServer ? .server : .client)
        if settings.identity.isServer { cluster.server = try address(settings.addresses.bind, settings.addresses.serverPort, "server") }
        cluster.lan = try address(settings.gossip.lan.bindAddress, settings.gossip.lan.port, "serf_lan")
        if settings.identity.isServer, settings.gossip.wan.port > 0 {
            cluster.wan = try address(settings.gossip.wan.bindAddress, settings.gossip.wan.port, "serf_wan")
        }
        cluster.connectionsPerClientMax = settings.servers.rpcMaxConnectionsPerClient
        cluster.limits.handshakeTimeout = settings.servers.rpcHandshakeTimeout
        return cluster
    }

    /// What only the running process knows.
    private static func completed(_ settings: AgentSettings) -> AgentSettings {
        var settings = settings
        settings.wallClockOffset = SystemClock.wallOffset()
        settings.identity.processorCount = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        #if arch(arm64)
            settings.identity.architecture = "arm64"
        #else
            settings.identity.architecture = "amd64"
        #endif
        return settings
    }

    private static func addresses(_ listeners: [ListenerConfig], _ service: ListenerConfig.Service) throws(ServerError) -> [SocketAddress] {
        var found: [SocketAddress] = []
        for listener in listeners where listener.service == service {
            let address: SocketAddress? =
                switch listener.endpoint {
                case .tcp(let ip, let port): SocketAddress(ip: ip, port: port)
                case .unix(let path): SocketAddress(unixPath: path)
                }
            guard let address else { throw ServerError("invalid address for \(service.rawValue): \(listener.address)") }
            found.append(address)
        }
        return found
    }

    private static func announce(_ driver: Driver<Agent>, _ logger: Logger) {
        for address in driver.dnsAddresses {
            for network in ["tcp", "udp"] { logger.log(.info, "agent", "Started DNS server: address=\(address) network=\(network)") }
        }
        for address in driver.httpAddresses {
            logger.log(.info, "agent", "Started HTTP server: address=\(address) network=\(address.network)")
        }
    }

    private static func text(of error: any Error) -> String {
        if let error = error as? ServerError { return error.text }
        if let error = error as? FileFailure { return error.text }
        return "\(error)"
    }
}
