import Testing

@testable import Core

@Suite struct JoinScheduleTests {
    private typealias Step = JoinSchedule.Step
    private let start = Instant(nanoseconds: 1_000_000_000)

    private func schedule(_ hosts: [String], retriesMax: Int = 0, once: Bool = false) -> JoinSchedule {
        JoinSchedule(hosts, port: 8301, interval: .seconds(30), retriesMax: retriesMax, pool: .lan, once: once)
    }

    private func joins(_ steps: [Step]) -> [[String]] {
        steps.compactMap { step -> [String]? in
            guard case .join(let targets) = step else { return nil }
            return targets.map { if case .address(let address) = $0 { address.text } else { "failed" } }
        }
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
        #expect(joins(steps) == [["10.0.0.7:8301", "10.0.0.1:8301", "failed"]])
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
            #expect(steps.count == 1)
            #expect(joins(steps) == [["10.0.0.1:8301"]])
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
            schedule.joined(.failure(Complaint("refused")), at: due, into: &steps)
            if steps.count > 1 { attempts += 1 }
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

    @Test func `what would be found in a cloud is refused, and the rest is joined`() {
        var schedule = schedule(["provider=aws tag_key=x", "10.0.0.1"])
        var steps: [Step] = []
        schedule.wake(at: start, into: &steps)
        #expect(
            steps.first == .log(.error, "Cannot discover address: address=provider=aws tag_key=x error=\"discover: unknown provider aws\""))
        #expect(joins(steps) == [["10.0.0.1:8301"]])
    }

    @Test func `nothing is tried when nothing is asked for`() {
        let schedule = schedule([])
        #expect(schedule.isDone)
        #expect(schedule.deadline == nil)
    }
}
