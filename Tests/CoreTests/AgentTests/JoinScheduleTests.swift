import Testing

@testable import Core

@Suite struct JoinScheduleTests {
    private typealias Step = JoinSchedule.Step
    private let start = Instant(nanoseconds: 1_000_000_000)

    private func schedule(_ hosts: [String], retriesMax: Int = 0, once: Bool = false) -> JoinSchedule {
        JoinSchedule(
            targets: hosts.map { JoinSchedule.Target(prefix: "", host: $0, port: 8301) }, interval: .seconds(30), retriesMax: retriesMax,
            pool: .lan, once: once)
    }

    private func joins(_ steps: [Step]) -> [[Address]] {
        steps.compactMap { if case .join(let addresses) = $0 { addresses } else { nil } }
    }

    @Test func `the first attempt comes at once, with every address`() {
        var schedule = schedule(["10.0.0.1", "::1"])
        var steps: [Step] = []
        #expect(schedule.deadline == .zero)
        schedule.wake(at: start, into: &steps)
        #expect(joins(steps) == [["10.0.0.1:8301", "[::1]:8301"]])
        #expect(schedule.deadline == nil)
    }

    @Test func `it ends with the first address that could be joined`() {
        var schedule = schedule(["10.0.0.1"])
        var steps: [Step] = []
        schedule.wake(at: start, into: &steps)
        schedule.joined(.success(1), at: start, into: &steps)
        #expect(schedule.isDone)
        #expect(schedule.deadline == nil)
        #expect(steps.last == .log(.info, "Join completed. Initial agents synced with: agent_count=1"))
    }

    @Test func `names are looked up one after the other`() {
        var schedule = schedule(["a.example", "10.0.0.1", "b.example"])
        var steps: [Step] = []
        schedule.wake(at: start, into: &steps)
        #expect(steps.last == .resolve(host: "a.example"))
        schedule.resolved(.success(["10.0.0.7", "10.0.0.1"]), at: start, into: &steps)
        #expect(steps.last == .resolve(host: "b.example"))
        schedule.resolved(.failure(Complaint("lookup b.example: no such host")), at: start, into: &steps)
        #expect(joins(steps) == [["10.0.0.7:8301", "10.0.0.1:8301"]])
    }

    @Test func `between counted attempts it knocks in silence`() throws {
        var schedule = schedule(["10.0.0.1"])
        var steps: [Step] = []
        schedule.wake(at: start, into: &steps)
        schedule.joined(.failure(Complaint("refused")), at: start, into: &steps)
        #expect(steps.last == .log(.warn, "Join LAN failed, will retry: retry_interval=30s error=\"refused\""))
        var knocks = 0
        while let due = schedule.deadline, due < start + .seconds(30) {
            steps = []
            schedule.wake(at: due, into: &steps)
            #expect(steps == [.join(["10.0.0.1:8301"])])
            schedule.joined(.failure(Complaint("refused")), at: due, into: &steps)
            #expect(steps.count == 1)
            knocks += 1
        }
        #expect(schedule.deadline == start + .seconds(30))
        #expect((8...20).contains(knocks))
    }

    @Test func `it gives up after retry_max further attempts`() {
        var schedule = schedule(["10.0.0.1"], retriesMax: 2)
        var attempts = 0
        var steps: [Step] = []
        while let due = schedule.deadline {
            steps = []
            schedule.wake(at: due, into: &steps)
            if steps.count > 1 { attempts += 1 }
            schedule.joined(.failure(Complaint("refused")), at: due, into: &steps)
        }
        #expect(attempts == 3)
        #expect(steps.last == .giveUp("agent: max join LAN retry exhausted, exiting"))
    }

    @Test func `start_join tries once`() {
        var schedule = schedule(["10.0.0.1"], once: true)
        var steps: [Step] = []
        schedule.wake(at: start, into: &steps)
        schedule.joined(.failure(Complaint("refused")), at: start, into: &steps)
        #expect(steps.last == .giveUp("refused"))
        #expect(schedule.isDone)
    }

    @Test func `nothing is tried when nothing is asked for`() {
        let schedule = schedule([])
        #expect(schedule.isDone)
        #expect(schedule.deadline == nil)
    }
}
