import Core
import Foundation
import Testing

@testable import Runtime

@Suite(.timeLimit(.minutes(5))) struct DriverTests {
    @Test func `writes of many clients become durable, in batches`() throws {
        let folder = TemporaryFolder()
        let running = try RunningDriver(disk: try FileDisk(root: folder.path))
        let clients = (0..<20).map { _ in RawClient(port: running.port) }
        for round in 0..<20 {
            for client in clients { client.write("PUT /log HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n\(round % 10)ab") }
            for client in clients { #expect(client.answer()?.text == "true") }
        }
        running.stop()
        let bytes = try Data(contentsOf: URL(fileURLWithPath: folder.path + "/raft/log/1"))
        let written = bytes.prefix { $0 != 0 }
        #expect(written.count == 20 * 20 * 3)
        #expect(bytes.count == FileDisk.stepSize)
    }

    @Test func `a failing disk is told to the machine`() throws {
        let running = try RunningDriver(disk: FullDisk())
        defer { running.stop() }
        let client = RawClient(port: running.port)
        #expect(client.put("/log", "x")?.text == "no space left on device")
    }

    @Test func `the machine is woken at its deadline, also one that lies in the past`() throws {
        for deadline in [SystemClock.now() + .milliseconds(20), SystemClock.now() - .seconds(1)] {
            let agent = ToyAgent()
            agent.deadline = deadline
            let running = try RunningDriver(agent)
            running.until { agent.history == ["wake"] }
            #expect(SystemClock.now() >= deadline)
            running.stop()
        }
    }

    @Test func `the machine ends the process`() throws {
        for (text, code) in [(nil, 0), ("out of luck", 1)] as [(String?, Int32)] {
            let running = try RunningDriver()
            running.agent.willAsk([.exit(text)])
            _ = RawClient(port: running.port).put("/ask")
            #expect(running.wait() == code)
        }
    }

    @Test func `the log tells how an agent ends, and what it replaced`() throws {
        let folder = TemporaryFolder()
        for name in ["/log", "/http sock"] { #expect(FileManager.default.createFile(atPath: folder.path + name, contents: nil)) }
        let output = open(folder.path + "/log", O_WRONLY)
        defer { close(output) }
        let path = folder.path + "/http sock"
        let running = try RunningDriver(logger: Logger(level: .info, fd: output)) { $0.httpAddresses = [SocketAddress(unixPath: path)!] }
        running.stop()
        let lines = try String(contentsOfFile: folder.path + "/log", encoding: .utf8).split(separator: "\n")
        #expect(
            lines.map { $0.drop { $0 != "[" } } == [
                "[WARN]  agent: Replacing socket: path=\"\(path)\"", "[INFO]  agent: Requesting shutdown",
                "[INFO]  agent: Stopping server: protocol=DNS address=127.0.0.1:\(running.dnsPort) network=tcp",
                "[INFO]  agent: Stopping server: protocol=DNS address=127.0.0.1:\(running.dnsPort) network=udp",
                "[INFO]  agent: Stopping server: protocol=HTTP address=\(path) network=unix",
                "[INFO]  agent: Waiting for endpoints to shut down", "[INFO]  agent: Endpoints down", "[INFO]  agent: Exit code: code=0",
            ])
    }

    @Test func `an agent without peers reaches nobody`() throws {
        let running = try RunningDriver()
        defer { running.stop() }
        running.agent.willAsk([.call(CallID(incoming: 1), to: "10.0.0.1:8300", .raft, [1], timeout: .seconds(1))])
        _ = RawClient(port: running.port).put("/ask")
        running.until { running.agent.history == ["dial tcp 127.0.0.1:0->10.0.0.1:8300: connect: connection refused"] }
    }

    @Test func `configuration files are read again when the machine asks`() throws {
        let running = try RunningDriver { configuration in
            configuration.readConfiguration = {
                var new = Reloadable()
                new.dns.domain = "read-again"
                return .success(new)
            }
        }
        defer { running.stop() }
        running.agent.willAsk([.readConfiguration])
        _ = RawClient(port: running.port).put("/ask")
        running.until { running.agent.history.contains { $0.contains("read-again") } }
    }

    @Test func `what the machine gives to the disk at the end is written`() throws {
        let folder = TemporaryFolder()
        let running = try RunningDriver(disk: try FileDisk(root: folder.path))
        running.stop()
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder.path + "/last")).first == 7)
    }

    @Test func `the driver's own log lines reach a machine that follows them`() throws {
        let running = try RunningDriver()
        defer { running.stop() }
        let client = RawClient(port: running.port)
        running.agent.willAsk([.followLog(.error), .log(.error, "agent", "the machine's own"), .readConfiguration])
        _ = client.put("/ask")
        running.until { running.agent.history.contains { $0.hasPrefix("error agent Reload config failed") } }
        running.agent.willAsk([.followLog(nil), .readConfiguration])
        _ = client.put("/ask")
        running.until { running.agent.history.filter { $0.hasPrefix("reloadFailed") }.count == 2 }
        #expect(running.agent.history.filter { $0.hasPrefix("error") }.count == 1)
    }

    @Test func `a new configuration reaches the front ends and the limit of connections`() throws {
        let running = try RunningDriver()
        defer { running.stop() }
        var new = Reloadable()
        new.httpMaxConnectionsPerClient = 1
        new.dns.domain = "renamed"
        running.agent.willAsk([.configure(new)])
        let client = RawClient(port: running.port)
        _ = client.put("/ask")
        #expect(client.get("/here")?.text == "here renamed")
        let second = RawClient(port: running.port)
        second.write("GET /here HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(second.answer().map { $0.status != 200 } ?? true)
    }

    @Test func `the machine is told about its host`() throws {
        let running = try RunningDriver()
        defer { running.stop() }
        running.agent.willAsk([.examineHost(3)])
        _ = RawClient(port: running.port).put("/ask")
        running.until { running.agent.history.contains { $0.hasPrefix("examined ") && $0.count > 9 } }
    }

    @Test func `before there is a state, the machine answers everything`() throws {
        let running = try RunningDriver(ToyAgent(publishes: false))
        defer { running.stop() }
        #expect(RawClient(port: running.port).get("/here")?.text == "core GET /here 0")
        let question = [UInt8](1...20)
        #expect(DNSClient.udp(port: running.dnsPort, [question]) == [question.reversed()])
        #expect(DNSClient.tcp(port: running.dnsPort, [question, question]) == [question.reversed(), question.reversed()])
        #expect(running.agent.history == ["udp question", "tcp question", "tcp question"])
    }

    @Test func `nothing is left open when a driver ends`() throws {
        // Other tests open and close descriptors meanwhile, so what is looked at are this driver's own.
        let running = try RunningDriver()
        let client = RawClient(port: running.port)
        #expect(client.get("/here")?.text == "here")
        let idle = RawClient(port: running.port)
        #expect(idle.get("/core")?.text == "core GET /core 0")
        running.stop()
        #expect(client.read(1).isEmpty)
        #expect(idle.read(1).isEmpty)
        #expect(throws: HTTPClient.Failure.self) {
            try HTTPClient(.tcp(host: "127.0.0.1", port: running.port)).send(HTTPClient.Request(target: "/"))
        }
    }
}

/// A disk without room.
final class FullDisk: BatchDisk {
    func list(_ directory: String) throws(DiskError) -> [String] { [] }
    func size(_ file: String) throws(DiskError) -> Int { throw .notFound(file) }
    func read(_ file: String, offset: Int, count: Int) throws(DiskError) -> [UInt8] { throw .notFound(file) }
    func perform(_ operations: [DiskOperation]) throws(DiskError) { throw .noSpace }
    func perform(_ operation: DiskOperation) throws(DiskError) -> [UInt8]? { throw .noSpace }
}
