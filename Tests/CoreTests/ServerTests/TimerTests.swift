import Testing

@testable import Core

@Suite struct DeadlineQueueTests {
    @Test func `deadlines come out in the order of time, equal ones in the order of ids`() {
        var queue = DeadlineQueue<Int>()
        for (id, second) in [(4, 3), (1, 5), (3, 3), (2, 1)] { queue[id] = Instant.zero + .seconds(second) }
        var order: [Int] = []
        while let id = queue.popExpired(at: .zero + .seconds(4)) { order.append(id) }
        #expect(order == [2, 3, 4])
        #expect(queue.first == .zero + .seconds(5))
    }

    @Test(arguments: 0..<20 as Range<UInt64>) func `any history of changes leaves what a sorted list would hold`(seed: UInt64) {
        var random = Random(seed: seed)
        var queue = DeadlineQueue<Int>()
        var model: [Int: Instant] = [:]
        for _ in 0..<2000 {
            let id = Int.random(in: 0..<60, using: &random)
            let instant = random.chance(0.3) ? nil : Instant(nanoseconds: Int64.random(in: 0..<50, using: &random))
            queue[id] = instant
            model[id] = instant
            #expect(queue.count == model.count)
            #expect(queue.first == model.values.min())
        }
        let sorted = model.sorted { ($0.value, $0.key) < ($1.value, $1.key) }.map(\.key)
        var order: [Int] = []
        while let id = queue.popExpired(at: .distantFuture) { order.append(id) }
        #expect(order == sorted)
        #expect(queue.isEmpty)
    }
}

@Suite struct SessionTimerTests {
    let start = Instant.zero

    @Test func `a session expires after twice its TTL, counted from its renewal`() {
        var timers = SessionTimers()
        timers.arm(session: "s", ttl: "10s", at: start)
        let outcome1 = timers.popExpired(at: start + .milliseconds(19_999))
        #expect(outcome1 == nil)
        timers.arm(session: "s", ttl: "10s", at: start + .seconds(15))
        let outcome2 = timers.popExpired(at: start + .seconds(30))
        #expect(outcome2 == nil)
        let outcome3 = timers.popExpired(at: start + .seconds(35))
        #expect(outcome3 == "s")
        #expect(timers.deadline == nil)
    }

    @Test func `a session without a TTL has no timer`() {
        var timers = SessionTimers()
        for ttl in ["", "0s", "nonsense"] { timers.arm(session: "s", ttl: ttl, at: start) }
        #expect(timers.count == 0)
    }

    @Test func `a failed destruction is tried again with growing pauses, six times in all`() {
        var timers = SessionTimers()
        var pauses: [Duration] = []
        var now = start
        timers.arm(session: "s", ttl: "10s", at: now)
        now = timers.deadline!
        while timers.popExpired(at: now) != nil {
            timers.retry(session: "s", at: now)
            guard let next = timers.deadline else { break }
            pauses.append(next - now)
            now = next
        }
        #expect(pauses == [.seconds(10), .seconds(20), .seconds(40), .seconds(80), .seconds(160)])
    }
}

@Suite struct TombstoneScheduleTests {
    @Test func `tombstones of one slot are reaped together, never before their time`() {
        var schedule = TombstoneSchedule(ttl: .minutes(15), granularity: .seconds(30))
        let start = Instant.zero + .seconds(7)
        schedule.hint(10, at: start)
        schedule.hint(11, at: start + .seconds(5))
        schedule.hint(12, at: start + .seconds(40))
        let outcome4 = schedule.popExpired(at: start + .minutes(15))
        #expect(outcome4 == nil)
        let outcome5 = schedule.popExpired(at: start + .minutes(15) + .seconds(30))
        #expect(outcome5 == 11)
        let outcome6 = schedule.popExpired(at: start + .minutes(15) + .seconds(30))
        #expect(outcome6 == nil)
        let outcome7 = schedule.popExpired(at: start + .minutes(17))
        #expect(outcome7 == 12)
        #expect(schedule.deadline == nil)
    }
}

@Suite struct LockDelayTests {
    @Test func `a delay ends by itself, is at most a minute, and a newer one replaces it`() {
        var delays = LockDelays()
        let start = Instant.zero
        delays.start("a", for: .seconds(15), at: start)
        delays.start("b", for: .hours(1), at: start)
        delays.start("c", for: .zero, at: start)
        let outcome8 = delays.isDelayed("a", at: start + .seconds(14))
        #expect(outcome8)
        let outcome9 = delays.isDelayed("a", at: start + .seconds(15))
        #expect(!outcome9)
        let outcome10 = delays.isDelayed("b", at: start + .seconds(59))
        #expect(outcome10)
        let outcome11 = delays.isDelayed("b", at: start + .seconds(60))
        #expect(!outcome11)
        let outcome12 = delays.isDelayed("c", at: start)
        #expect(!outcome12)
        delays.start("d", for: .seconds(10), at: start)
        delays.start("d", for: .seconds(1), at: start + .seconds(2))
        let outcome13 = delays.isDelayed("d", at: start + .seconds(4))
        #expect(!outcome13)
    }
}
