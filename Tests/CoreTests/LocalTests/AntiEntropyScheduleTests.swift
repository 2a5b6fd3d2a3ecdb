import Testing

@testable import Core

@Suite struct AntiEntropyScheduleTests {
    var random = Random(seed: 3)
    var now = Instant.zero

    /// Lets the schedule come to its next action.
    private mutating func next(_ schedule: inout AntiEntropySchedule, paused: Bool = false) -> AntiEntropySchedule.Action? {
        for _ in 0..<10 {
            if let action = schedule.poll(at: now, paused: paused, &random) { return action }
            guard let deadline = schedule.deadline else { return nil }
            now = max(now, deadline)
        }
        return nil
    }

    private mutating func inAgreement() -> AntiEntropySchedule {
        var schedule = AntiEntropySchedule(interval: .minutes(1))
        schedule.start(at: now, &random)
        #expect(next(&schedule) == .full)
        schedule.finishedFull(succeeded: true, at: now, &random)
        return schedule
    }

    @Test func `no sync is due before the start`() {
        var copy = self
        var schedule = AntiEntropySchedule(interval: .minutes(1))
        schedule.trigger(.changes)
        #expect(copy.next(&schedule) == nil)
        #expect(schedule.deadline == nil)
    }

    @Test func `a full sync comes after one to two minutes, over and over`() {
        var copy = self
        var schedule = copy.inAgreement()
        for round in 0..<50 {
            let before = copy.now
            #expect(copy.next(&schedule) == .full)
            let waited = copy.now - before
            #expect(waited >= .seconds(round == 0 ? 0 : 60) && waited < .seconds(120))
            schedule.finishedFull(succeeded: true, at: copy.now, &copy.random)
        }
    }

    @Test func `a failed full sync is tried again after 15 to 30 seconds`() {
        var copy = self
        var schedule = copy.inAgreement()
        #expect(copy.next(&schedule) == .full)
        for _ in 0..<50 {
            schedule.finishedFull(succeeded: false, at: copy.now, &copy.random)
            let before = copy.now
            #expect(copy.next(&schedule) == .full)
            #expect(copy.now - before >= .seconds(15) && copy.now - before < .seconds(30))
        }
    }

    @Test(arguments: [true, false]) func `a new leader makes a full sync due within three seconds`(afterFailure: Bool) {
        var copy = self
        var schedule = copy.inAgreement()
        if afterFailure {
            #expect(copy.next(&schedule) == .full)
            schedule.finishedFull(succeeded: false, at: copy.now, &copy.random)
        }
        schedule.trigger(.full)
        schedule.trigger(.full)
        let before = copy.now
        #expect(copy.next(&schedule) == .full)
        #expect(copy.now - before < .seconds(3))
        schedule.finishedFull(succeeded: true, at: copy.now, &copy.random)
        #expect(schedule.poll(at: copy.now, paused: false, &copy.random) == nil, "two triggers are one")
    }

    @Test func `changes are sent at once while in agreement, and wait for it otherwise`() {
        var copy = self
        var schedule = copy.inAgreement()
        schedule.trigger(.changes)
        #expect(schedule.poll(at: copy.now, paused: false, &copy.random) == .changes)
        #expect(schedule.poll(at: copy.now, paused: false, &copy.random) == nil)
        #expect(copy.next(&schedule) == .full)
        schedule.finishedFull(succeeded: false, at: copy.now, &copy.random)
        schedule.trigger(.changes)
        #expect(schedule.poll(at: copy.now, paused: false, &copy.random) == nil)
        #expect(copy.next(&schedule) == .full)
        schedule.finishedFull(succeeded: true, at: copy.now, &copy.random)
        #expect(schedule.poll(at: copy.now, paused: false, &copy.random) == nil, "the full sync has sent them")
    }

    @Test func `while paused a full sync is put off and changes are dropped`() {
        var copy = self
        var schedule = copy.inAgreement()
        schedule.trigger(.changes)
        #expect(schedule.poll(at: copy.now, paused: true, &copy.random) == nil)
        #expect(schedule.poll(at: copy.now, paused: false, &copy.random) == nil)
        copy.now += .minutes(2)
        #expect(schedule.poll(at: copy.now, paused: true, &copy.random) == nil)
        let before = copy.now
        #expect(copy.next(&schedule) == .full)
        #expect(copy.now - before >= .seconds(15))
    }

    @Test func `large clusters take their time`() {
        let scales = [1, 100, 128, 129, 256, 257, 512, 513, 100_000].map { AntiEntropySchedule.scale(members: $0) }
        #expect(scales == [1, 1, 1, 2, 2, 3, 3, 4, 11])
    }
}
