import Core
import Testing

@testable import Simulator

@Suite struct ScenarioTests {
    private func parse(_ text: String) throws(ScenarioError) -> RunOptions { try Scenario.parse(Array(text.utf8)).options }

    private func failure(_ text: String) -> ScenarioError? {
        do throws(ScenarioError) {
            _ = try parse(text)
            return nil
        } catch {
            return error
        }
    }

    @Test func `a scenario is read`() throws {
        let options = try parse(
            """
            # comment
            scenario "leader-lost" {
              servers  = 5
              clients  = 3
              duration = "60s"
              network  { delay = "1ms..20ms"  drop = 0.01 }
              disk     { sync = "2ms" }
              raft     { snapshot_threshold = 20 }
              workload "kv-register" { keys = 5  rate = 50 }
              fault "pause" { every = "3s" lasting = "1s..2s" }
              at "10s" { kill = "leader" }
              at "14s" { partition = [["s1", "s2"], ["s3", "s4", "clients"]] }
              at "30s" { heal = true  restart = ["same", "s5"]  clog = ["follower", "2s"] drift = ["s1", -100] }
              expect   { linearizable = true  leader_within = "5s"  converged_within = "30s" elections = 2 }
            }
            """)
        #expect(options.name == "leader-lost")
        #expect(options.servers == 5)
        #expect(options.network.delay == .milliseconds(1)...(.milliseconds(20)))
        #expect(options.network.drop == 0.01)
        #expect(options.disk.sync == .milliseconds(2)...(.milliseconds(2)))
        #expect(options.raft.snapshotThreshold == 20)
        #expect(options.workloads == [WorkloadOptions(kind: .register, clients: 3, rate: 50, objects: 5)])
        #expect(options.faults == [FaultRate(kind: .pause, interval: .seconds(3), lasting: .seconds(1)...(.seconds(2)))])
        #expect(
            options.steps == [
                ScenarioStep(at: .seconds(10), action: .kill(.leader)),
                ScenarioStep(at: .seconds(14), action: .partition([[.server(0), .server(1)], [.server(2), .server(3), .clients]])),
                ScenarioStep(at: .seconds(30), action: .heal),
                ScenarioStep(at: .seconds(30), action: .kill(.same)), ScenarioStep(at: .seconds(30), action: .start(.same)),
                ScenarioStep(at: .seconds(30), action: .kill(.server(4))), ScenarioStep(at: .seconds(30), action: .start(.server(4))),
                ScenarioStep(at: .seconds(30), action: .clog(.follower, .seconds(2))),
                ScenarioStep(at: .seconds(30), action: .drift(.server(0), ppm: -100)),
            ])
        #expect(options.expect.leaderWithin == .seconds(5))
        #expect(options.expect.minimumElections == 2)
    }

    @Test func `agents of a pool are named by number and range`() throws {
        let options = try parse(
            """
            scenario "x" {
              servers = 2
              agents  = 30
              gossip_network { drop = 0.4 }
              workload "agent-services" { clients = 5 }
              at "1s" { kill = ["a1..a10", "s2"]  slow = ["a30", "10s"]  packet_loss = ["agents", 0.25] }
            }
            """)
        #expect(options.gossip)
        #expect(options.agents == 30)
        #expect(options.packetNetwork.drop == 0.4)
        #expect(
            options.steps.map(\.action) == [
                .kill(.range(2, 11)), .kill(.server(1)), .slow(.server(31), .seconds(10)), .packetLoss(.agents, 0.25),
            ])
        #expect(failure("scenario \"x\" {\n  agents = 3\n  gossip = false\n}")?.line == 3)
    }

    @Test func `servers come and go, clocks are set, and disks fail in a scenario`() throws {
        let options = try parse(
            """
            scenario "x" {
              servers = 3
              spares  = 2
              stale_dns = false
              workload "dns" { rate = 5 }
              at "1s" { join = ["s4", "s5"]  retire = "leader" }
              at "2s" { wall_clock = ["s1", "-1h"]  fail_write = "s2"  fail_sync = "follower" }
            }
            """)
        #expect(options.spares == 2)
        #expect(!options.staleDNS)
        #expect(
            options.steps.map(\.action) == [
                .join(.server(3)), .join(.server(4)), .retire(.leader), .wallClock(.server(0), .zero - .hours(1)),
                .diskError(.server(1), .write(part: 50)), .diskError(.follower, .sync(forgets: true)),
            ])
    }

    @Test(arguments: [
        ("scenario \"x\" {\n  servers = 3\n  sevrers = 5\n}", 3, "unknown key \"sevrers\""),
        ("scenario \"x\" {\n  network {\n    delay = \"1ms\"\n    latency = \"1ms\"\n  }\n}", 4, "unknown key \"latency\""),
        ("scenario \"x\" {\n  at \"1s\" { kill = \"s1\" }\n  at \"2s\" { kil = \"s1\" }\n}", 3, "unknown action \"kil\""),
        ("scenario \"x\" {\n  at \"1s\" {\n    kill = \"s9\"\n  }\n}", 3, "kill: there is no agent \"s9\""),
        ("scenario \"x\" {\n  servers = 12\n}", 2, "servers must be a whole number from 1 to 7"),
        ("scenario \"x\" {\n  duration = \"soon\"\n}", 2, "duration: \"soon\" is no duration"),
        ("scenario \"x\" {\n  network { delay = \"9ms..1ms\" }\n}", 2, "delay: \"9ms..1ms\" ends before it begins"),
        ("scenario \"x\" {\n  workload \"kv\" { }\n}", 2, "unknown workload \"kv\""),
        ("scenario \"x\" {\n  fault \"fire\" { }\n}", 2, "unknown fault \"fire\""),
        ("scenario \"x\" {\n  duration = \"5s\"\n  at \"9s\" { heal = true }\n}", 3, "\"9s\" is after the end of the faults"),
        ("scenario \"x\" {\n  at \"1s\" { }\n}", 2, "nothing happens at \"1s\""),
        ("scenario \"x\" {\n  client_timeout = 5\n}", 2, "client_timeout must be a string"),
    ])
    func `mistakes are told with their line`(_ text: String, _ line: Int, _ message: String) {
        #expect(failure(text) == ScenarioError(line: line, text: message))
    }

    @Test func `a file holds exactly one scenario`() {
        #expect(failure("")?.text.contains("it holds 0") == true)
        #expect(failure("scenario \"a\" {}\nscenario \"b\" {}")?.text.contains("it holds 2") == true)
        #expect(failure("scenario \"a\" {")?.line ?? 0 > 0)
    }
}
