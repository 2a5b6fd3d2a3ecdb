import Testing

@testable import Core

@Suite struct JoinScheduleTests {
    private typealias Step = JoinSchedule.Step
    private let start = Instant(nanoseconds: 1_000_000_000)

    private func schedule(_ hosts: [String], retriesMax: Int = 0, isAtStart: Bool = false) -> JoinSchedule {
        JoinSchedule(hosts, port: 8301, interval: .seconds(30), retriesMax: retriesMax, pool: .lan, isAtStart: isAtStart)
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

    @Test func `joining ends with the first address that could be joined`() {
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
        schedule.resolved(.failure(TextError("lookup b.example: no such host")), at: start, into: &steps)
        #expect(joins(steps) == [["10.0.0.7:8301", "10.0.0.1:8301", "failed"]])
    }

    @Test func `attempts between the counted ones are not logged`() throws {
        var schedule = schedule(["10.0.0.1"])
        var steps: [Step] = []
        schedule.wake(at: start, into: &steps)
        schedule.joined(.failure(TextError("refused")), at: start, into: &steps)
        #expect(steps.last == .log(.warn, "Join LAN failed, will retry: retry_interval=30s error=refused"))
        var attempts = 0
        while let due = schedule.deadline, due < start + .seconds(30) {
            steps = []
            schedule.wake(at: due, into: &steps)
            #expect(steps.count == 1)
            #expect(joins(steps) == [["10.0.0.1:8301"]])
            schedule.joined(.failure(TextError("refused")), at: due, into: &steps)
            #expect(steps.count == 1)
            attempts += 1
        }
        #expect(schedule.deadline == start + .seconds(30))
        #expect((8...20).contains(attempts))
    }

    @Test func `joining is given up after retry_max further attempts`() {
        var schedule = schedule(["10.0.0.1"], retriesMax: 2)
        var attempts = 0
        var steps: [Step] = []
        while let due = schedule.deadline {
            steps = []
            schedule.wake(at: due, into: &steps)
            schedule.joined(.failure(TextError("refused")), at: due, into: &steps)
            if steps.count > 1 { attempts += 1 }
        }
        #expect(attempts == 3)
        #expect(steps.last == .giveUp("Retry join failed: error=\"agent: max join LAN retry exhausted, exiting\""))
    }

    @Test func `start_join tries once, when it is told to`() {
        var schedule = schedule(["10.0.0.1"], isAtStart: true)
        var steps: [Step] = []
        #expect(schedule.deadline == nil)
        schedule.wake(at: start, into: &steps)
        #expect(steps.isEmpty)
        schedule.begin(at: start, into: &steps)
        #expect(steps.first == .log(.info, "(LAN) joining: lan_addresses=[\"10.0.0.1\"]"))
        schedule.joined(.failure(TextError("refused")), at: start, into: &steps)
        #expect(steps.suffix(2) == [.log(.warn, "(LAN) couldn't join: number_of_nodes=0 error=refused"), .giveUp("refused")])
        #expect(schedule.isDone)
    }

    @Test func `a start_join that works lets the agent go on`() {
        var schedule = schedule(["10.0.0.1"], isAtStart: true)
        var steps: [Step] = []
        schedule.begin(at: start, into: &steps)
        schedule.joined(.success(2), at: start, into: &steps)
        #expect(
            steps.suffix(3) == [
                .log(.info, "(LAN) joined: number_of_nodes=2"), .log(.info, "Join completed. Initial agents synced with: agent_count=2"),
                .isUp,
            ])
        #expect(schedule.isDone)
    }

    @Test func `what could not be looked up is told as it was written`() {
        var schedule = schedule(["a.example:9"])
        var steps: [Step] = []
        schedule.wake(at: start, into: &steps)
        #expect(steps.last == .resolve(host: "a.example"))
        schedule.resolved(.failure(TextError("lookup a.example: no such host")), at: start, into: &steps)
        #expect(steps.last == .join([.failed("Failed to resolve a.example:9: lookup a.example: no such host")]))
    }

    @Test func `discovery by a cloud provider is refused, and the other addresses are joined`() {
        var schedule = schedule(["provider=aws tag_key=x", "10.0.0.1"])
        var steps: [Step] = []
        schedule.wake(at: start, into: &steps)
        #expect(
            steps.first
                == .log(.error, "Cannot discover address: address=\"provider=aws tag_key=x\" error=\"discover: unknown provider aws\""))
        #expect(joins(steps) == [["10.0.0.1:8301"]])
    }

    @Test func `no address is tried when none is configured`() {
        let schedule = schedule([])
        #expect(schedule.isDone)
        #expect(schedule.deadline == nil)
    }
}
