import Testing

@testable import Core

@Suite struct InstantTests {
    @Test func `instants and durations at the ends of what they can hold saturate`() {
        let far = Duration.nanoseconds(Int64.max), back = Duration.nanoseconds(Int64.min)
        let now = Instant(nanoseconds: 5)
        #expect(now + far == .distantFuture && now - back == .distantFuture)
        #expect(now - far == Instant(nanoseconds: 5 - .max) && Instant(nanoseconds: -5) - far == Instant(nanoseconds: .min))
        #expect(Instant(nanoseconds: -5) + back == Instant(nanoseconds: .min))
    }
}
