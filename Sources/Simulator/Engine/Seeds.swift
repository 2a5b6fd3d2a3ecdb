import Core

/// Independent random streams of one run: one per concern, so that a fault that is drawn away leaves the others' numbers alone.
enum Stream: UInt64 {
    case options = 1, network, disk, faults, clocks, clients, machines, crashes, strangers, storms
}

extension Random {
    init(seed: UInt64, stream: Stream, index: Int = 0) {
        self.init(seed: seed &* 0x9E37_79B9_7F4A_7C15 ^ (stream.rawValue << 32) ^ UInt64(index))
    }

    /// A whole number in `range`.
    mutating func int(in range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

    /// A number in [0, 1), with 53 bits.
    mutating func fraction() -> Double { Double(next() >> 11) * 0x1.0p-53 }

    /// One of `choices`, which must not be empty.
    mutating func pick<T>(_ choices: [T]) -> T { choices[int(in: 0...choices.count - 1)] }

    /// A length in `range`, both ends included.
    mutating func duration(in range: ClosedRange<Duration>) -> Duration {
        range.lowerBound + duration(below: range.upperBound - range.lowerBound + .nanoseconds(1))
    }

    /// A waiting time for something that happens once per `mean` on average: between a tenth and nineteen tenths of it.
    mutating func interval(mean: Duration) -> Duration {
        let tenth = mean / 10
        return tenth + duration(below: tenth * 18)
    }

    mutating func shuffle<T>(_ items: inout [T]) {
        guard items.count > 1 else { return }
        for at in stride(from: items.count - 1, to: 0, by: -1) { items.swapAt(at, int(in: 0...at)) }
    }
}
