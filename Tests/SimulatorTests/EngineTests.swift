import Core
import Testing

@testable import Simulator

@Suite struct EngineTests {
    @Test func `the agenda is ordered by time, then by the order of scheduling`() {
        var agenda = Agenda<Int>()
        var random = Random(seed: 7)
        var expected: [(Int64, Int)] = []
        for number in 0..<500 {
            let time = Int64(random.int(in: 0...40))
            expected.append((time, number))
            agenda.schedule(number, at: Instant(nanoseconds: time))
        }
        expected.sort { $0 < $1 }
        var taken: [(Int64, Int)] = []
        while let (time, number) = agenda.takeNext() { taken.append((time.nanoseconds, number)) }
        #expect(taken.elementsEqual(expected, by: ==))
    }

    @Test func `a late handle finds nothing`() {
        var slab = Slab<String>()
        let first = slab.insert("a")
        #expect(slab.remove(first) == "a")
        let second = slab.insert("b")
        #expect(second.slot == first.slot)
        #expect(slab[first] == nil)
        #expect(slab[Handle(raw: second.raw)] == "b")
    }

    @Test func `clocks drift, leap, and say when they show a time`() {
        for ppm in [-300_000, -37, 0, 1, 50_000, 900_000] as [Int64] {
            var clock = ServerClock(offset: .seconds(1000), driftPPM: ppm)
            clock.setDrift(ppm: -ppm / 2, at: .zero + .seconds(3))
            clock.advance(by: .seconds(5))
            var before = clock.local(at: .zero)
            for step in 1...2000 as ClosedRange<Int64> {
                let time = Instant(nanoseconds: 3_000_000_000 + step * 7_777_777)
                let local = clock.local(at: time)
                #expect(local >= before)
                before = local
                let wanted = local + .milliseconds(3)
                let due = clock.time(of: wanted)
                #expect(clock.local(at: due) >= wanted)
                #expect(clock.local(at: due - .nanoseconds(1)) < wanted)
            }
            #expect(clock.time(of: .distantFuture) == .distantFuture)
        }
    }

    @Test func `digests tell apart what differs in order, length or any bit`() {
        func digest(_ words: [[UInt8]]) -> UInt64 {
            var digest = EventDigest()
            for word in words { digest.mix(word) }
            return digest.value
        }
        let bytes: [UInt8] = Array(0..<20)
        #expect(digest([bytes]) == digest([bytes]))
        #expect(digest([[1], [2]]) != digest([[2], [1]]))
        #expect(digest([[1, 2], []]) != digest([[1], [2]]))
        for bit in 0..<160 {
            var changed = bytes
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(digest([changed]) != digest([bytes]))
        }
    }

    @Test func `timeouts of one length come due in their order, without those that are done`() {
        var timeouts = Timeouts()
        let handles = (0..<4 as Range<UInt32>).map { Handle(slot: $0, generation: 0) }
        let armed = timeouts.add(.call, handles[0], length: .seconds(5), now: .zero)
        #expect(armed?.at == .zero + .seconds(5))
        #expect(timeouts.add(.call, handles[1], length: .seconds(5), now: .zero + .seconds(1)) == nil)
        #expect(timeouts.add(.call, handles[2], length: .seconds(5), now: .zero + .seconds(2)) == nil)
        #expect(timeouts.add(.request, handles[3], length: .seconds(5), now: .zero + .seconds(2)) != nil)
        let isOpen: (Timeouts.Subject, Handle) -> Bool = { _, handle in handle != handles[0] && handle != handles[1] }
        let early = timeouts.takeDue(lane: armed!.lane, now: .zero + .seconds(5), isOpen: isOpen)
        #expect(early.due.isEmpty && early.next == .zero + .seconds(7))
        let late = timeouts.takeDue(lane: armed!.lane, now: .zero + .seconds(7), isOpen: isOpen)
        #expect(late.due.map(\.handle) == [handles[2]] && late.next == nil)
    }
}
