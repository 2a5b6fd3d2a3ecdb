import Core
import Foundation
import Testing

@testable import ConsulAgent

@Suite struct AgentStartTests {
    private func withDirectory(_ body: (String) throws -> Void) throws {
        let path = NSTemporaryDirectory() + "/agent-start-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    private func write(_ text: String, _ path: String) throws { try Data(text.utf8).write(to: URL(fileURLWithPath: path)) }

    private func configurationError(_ body: () throws -> Void) -> String {
        do {
            try body()
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test func `files of a directory are read in the order of their names`() throws {
        try withDirectory { path in
            for name in ["10.hcl", "9.json", "a.txt", "A.hcl"] { try write("{}", "\(path)/\(name)") }
            try FileManager.default.createDirectory(atPath: "\(path)/sub.hcl", withIntermediateDirectories: true)
            try FileManager.default.createSymbolicLink(atPath: "\(path)/0link", withDestinationPath: "\(path)/9.json")
            let files = try ConfigFiles([path], formatName: "")
            #expect(files.sources.map { $0.name.split(separator: "/").last } == ["9.json", "10.hcl", "9.json", "A.hcl"])
            #expect(files.sources.map(\.format) == [.json, .hcl, .json, .hcl])
            #expect(
                files.warnings == ["skipping file \(path)/a.txt, extension must be .hcl or .json, or config format must be set"])
            #expect(try ConfigFiles([path + "/a.txt"], formatName: "json").sources.count == 1)
        }
    }

    @Test func `files that are not there and formats that do not exist`() {
        #expect(
            configurationError { _ = try ConfigFiles(["/none.hcl"], formatName: "") }
                == "config: Open failed on /none.hcl. open /none.hcl: no such file or directory")
        #expect(
            configurationError { _ = try ConfigFiles([], formatName: "xml") } == "config: -config-format must be either 'hcl' or 'json'")
    }

    @Test func `the id of a node is kept in its data directory`() throws {
        try withDirectory { path in
            var process = ProcessConfig()
            process.dataDirectory = path + "/data"
            let id = try NodeIdentity.resolve(process)
            #expect(NodeID.problem(id) == nil)
            #expect(try String(contentsOfFile: path + "/data/node-id", encoding: .utf8) == id)
            #expect(try NodeIdentity.resolve(process) == id)
            try write(" DEADBEEF-0000-4000-8000-00000000C0DE\n", path + "/data/node-id")
            #expect(try NodeIdentity.resolve(process) == "deadbeef-0000-4000-8000-00000000c0de")
            try write("short", path + "/data/node-id")
            #expect(throws: FileFailure.self) { try NodeIdentity.resolve(process) }
        }
        #expect(try NodeIdentity.resolve(ProcessConfig()) != NodeIdentity.resolve(ProcessConfig()))
    }

    @Test func `the banner tells who starts`() throws {
        var configuration = Configuration()
        configuration.agent.identity.nodeName = "n1"
        configuration.agent.identity.nodeID = "id"
        configuration.process.clientAddresses = ["127.0.0.1", "::1"]
        let lines = Banner.text(configuration).split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines[0] == "==> Starting Consul agent...")
        #expect(lines[1] == "           Version: '1.8.6'" && lines[3] == "         Node name: 'n1'")
        #expect(lines[4] == "        Datacenter: 'dc1' (Segment: '<all>')")
        #expect(lines[6] == "       Client Addr: [127.0.0.1 ::1] (HTTP: 8500, HTTPS: -1, gRPC: -1, DNS: 8600)")
        #expect(lines.suffix(4) == ["", "==> Log data will now stream in as it occurs:", "", ""])
    }

    @Test func `a start that fails ends with the exit code in the log`() throws {
        try withDirectory { path in
            try write("", path + "/log")
            let output = open(path + "/log", O_WRONLY)
            defer { close(output) }
            var configuration = Configuration()
            configuration.startFailure = "Failed to start Consul server: no luck"
            let start = AgentStart(configuration: configuration, banner: "the banner\n") { .failure(TextError("")) }
            #expect(AgentCommand.run(start, output: output) == 1)
            let lines = try String(contentsOfFile: path + "/log", encoding: .utf8).split(separator: "\n")
            #expect(lines.count == 3 && lines[0] == "the banner")
            #expect(lines[1].hasSuffix(" [ERROR] agent: Error starting agent: error=\"Failed to start Consul server: no luck\""))
            #expect(lines[2].hasSuffix(" [INFO]  agent: Exit code: code=1"))
        }
    }

    @Test func `an agent starts with what flags and files say`() throws {
        try withDirectory { path in
            try write("node_name = \"from-file\"\n", path + "/a.hcl")
            var started: AgentStart?
            let dispatcher = Dispatcher.all { start in
                started = start
                return 7
            }
            var errors: [UInt8] = []
            var console = Console.system
            console.writeError = { errors += $0 }
            let code = dispatcher.run(
                ["agent", "-dev", "-config-file", path + "/a.hcl", "-http-port=99", "-node-id=DEADBEEF-0000-4000-8000-00000000C0DE"],
                console: console, transport: CommandFixture())
            #expect(code == 7 && errors.isEmpty)
            let agent = try #require(started).configuration.agent
            #expect(
                agent.identity.nodeName == "from-file" && agent.addresses.httpPort == 99
                    && agent.identity.nodeID == "deadbeef-0000-4000-8000-00000000c0de")
            try write("bogus = 1", path + "/a.hcl")
            guard case .failure(let error) = try #require(started).readConfiguration() else {
                Issue.record("a broken file was read")
                return
            }
            #expect(error.text.hasSuffix("invalid config key bogus\n\n"))
            #expect(dispatcher.run(["agent", "-dev", "x"], console: console, transport: CommandFixture()) == 1)
            #expect(String(decoding: errors, as: UTF8.self) == "==> Unexpected extra arguments: [x]\n")
        }
    }
}
