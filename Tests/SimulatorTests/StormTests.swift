import Core
import Testing

@testable import Simulator

/// Storms, and losses of power at exact operations. One after the other, since the toys' flaws are one for all.
@Suite(.serialized) struct StormTests {
    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    private func options(_ kind: FaultKind) -> RunOptions {
        var options = RunOptions()
        options.duration = .seconds(15)
        options.clientTimeout = .seconds(3)
        options.workloads = [WorkloadOptions(kind: .register, clients: 4, rate: 40, objects: 1)]
        options.faults = [FaultRate(kind: kind, interval: .milliseconds(800), lasting: .milliseconds(10)...(.milliseconds(400)))]
        return options
    }

    @Test func `about a third of the runs are storms`() {
        let storms = (1...400 as ClosedRange<UInt64>).map { Swarm.options(seed: $0) }.filter(\.isStorm)
        #expect((100...180).contains(storms.count))
        #expect(storms.allSatisfy { $0.faults.contains { [.powerLoss, .crashAtOperation, .blackout].contains($0.kind) } })
        #expect(storms.allSatisfy { $0.raft.electionTimeout < .seconds(1) && $0.faults.allSatisfy { $0.interval <= .seconds(3) } })
    }

    @Test func `power is lost before or after the operation that was meant`() throws {
        for side in [CrashPoint.Side.before, .after] {
            let disk = VirtualDisk()
            disk.plannedCrash = CrashPoint(kind: .write, passes: 1, side: side)
            _ = try disk.apply(.write(file: "log", offset: 0, bytes: bytes("first")))
            _ = try disk.apply(.sync(file: "log"))
            _ = try disk.apply(.syncDirectory(""))
            #expect(!disk.hasCrashed)
            #expect(throws: DiskError.self) { try disk.apply(.write(file: "log", offset: 5, bytes: bytes("second"))) }
            #expect(disk.hasCrashed)
            let isWritten = try disk.size("log") > 5
            #expect(isWritten == (side == .after))
            var random = Random(seed: 1)
            disk.losePower(&random)
            #expect(!disk.hasCrashed)
            #expect(try disk.read("log", offset: 0, count: 5) == bytes("first"))
        }
    }

    @Test func `each kind of operation is met, and reads are none of them`() {
        let operations: [(OperationKind, DiskOperation)] = [
            (.write, .write(file: "a", offset: 0, bytes: [])), (.sync, .sync(file: "a")), (.rename, .rename(from: "a", to: "b")),
            (.folderSync, .syncDirectory("")), (.truncate, .truncate(file: "a", size: 0)), (.remove, .remove(file: "a")),
        ]
        for (kind, operation) in operations {
            for (other, _) in operations { #expect(other.includes(operation) == (other == kind)) }
            #expect(OperationKind.any.includes(operation))
        }
        #expect(!OperationKind.any.includes(.read(file: "a", offset: 0, count: 1)))
    }

    @Test func `power is lost at operations and with messages, and servers come back`() {
        var options = options(.crashAtOperation)
        options.disk.sync = .milliseconds(1)...(.milliseconds(20))
        let simulation = Simulation<RaftToy>(options, seed: 3)
        let report = simulation.run()
        #expect(report.violations == [])
        #expect(simulation.plannedCrashes > 5)
        #expect(report.restarts >= simulation.plannedCrashes)
    }

    @Test func `several servers lose power at once`() {
        let report = Simulation<RaftToy>(options(.blackout), seed: 2).run()
        #expect(report.violations == [])
        let blackouts = report.faults.first { $0.name == "blackout" }?.count ?? 0
        #expect(blackouts > 5)
        #expect(report.restarts > blackouts)
    }

    @Test func `a machine that acknowledges too early is caught by a crash at an operation`() {
        ToyMachine.flaw = .acknowledgesBeforeSync
        defer { ToyMachine.flaw = .none }
        let found = (1...10 as ClosedRange<UInt64>).contains { seed in
            let report = Simulation<ToyMachine>(options(.crashAtOperation), seed: seed).run()
            return report.violations.contains { $0.rule == "linearizability" }
        }
        #expect(found)
    }

    @Test func `crashes are written in scenarios`() throws {
        let options = try Scenario.parse(
            bytes(
                """
                scenario "x" {
                  storm = true
                  raft { timeout = "150ms" }
                  fault "crash-at-operation" { every = "1s" lasting = "10ms..400ms" }
                  fault "blackout" { every = "2s" }
                  at "1s" { crash_before = ["s1", "folder-sync", 2, "100ms"] }
                  at "2s" { crash_after = ["leader", "write", 1, "1s"]  crash_with_message = ["follower", 3, "50ms"] }
                }
                """)
        ).options
        #expect(options.isStorm)
        #expect(options.raft.electionTimeout == .milliseconds(150))
        #expect(options.raft.leaderLeaseTimeout == .milliseconds(75))
        #expect(
            options.steps.map(\.action) == [
                .crash(.server(0), .disk(CrashPoint(kind: .folderSync, passes: 1, side: .before)), .milliseconds(100)),
                .crash(.leader, .disk(CrashPoint(kind: .write, passes: 0, side: .after)), .seconds(1)),
                .crash(.follower, .message(passes: 2), .milliseconds(50)),
            ])
        #expect(!options.judgesLockDelays)
        #expect(throws: ScenarioError.self) {
            try Scenario.parse(bytes("scenario \"x\" {\n at \"1s\" { crash_before = [\"s1\", \"seek\", 1, \"1s\"] }\n}"))
        }
        #expect(throws: ScenarioError.self) {
            try Scenario.parse(bytes("scenario \"x\" {\n at \"1s\" { crash_before = [\"s1\", \"write\", 0, \"1s\"] }\n}"))
        }
    }
}
