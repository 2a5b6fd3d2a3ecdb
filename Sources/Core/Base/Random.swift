/// xoshiro256** seeded through SplitMix64: small, fast, and the same numbers in every process.
///
/// Every state machine that needs randomness owns one, seeded by its driver.
public struct Random: RandomNumberGenerator, Sendable {
    private var s0: UInt64, s1: UInt64, s2: UInt64, s3: UInt64

    public init(seed: UInt64) {
        var state = seed
        func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
        s0 = next()
        s1 = next()
        s2 = next()
        s3 = next()
    }

    public mutating func next() -> UInt64 {
        func rotl(_ x: UInt64, _ k: UInt64) -> UInt64 { (x << k) | (x >> (64 - k)) }
        let result = rotl(s1 &* 5, 7) &* 9
        let t = s1 << 17
        s2 ^= s0
        s3 ^= s1
        s1 ^= s2
        s0 ^= s3
        s2 ^= t
        s3 = rotl(s3, 45)
        return result
    }

    /// A uniformly random length in `[0, limit)`; zero when `limit` is not positive.
    public mutating func duration(below limit: Duration) -> Duration {
        let ns = limit.nanoseconds
        return ns <= 0 ? .zero : .nanoseconds(Int64.random(in: 0..<ns, using: &self))
    }

    /// A uniformly random length in `range`.
    public mutating func duration(in range: Range<Duration>) -> Duration {
        range.lowerBound + duration(below: range.upperBound - range.lowerBound)
    }

    /// True with probability `p`.
    public mutating func chance(_ p: Double) -> Bool {
        p > 0 && Double(next() >> 11) * 0x1.0p-53 < p
    }

    /// A version-4 UUID in its 36-character form.
    public mutating func uuid() -> String {
        var high = next(), low = next()
        high = (high & 0xFFFF_FFFF_FFFF_0FFF) | 0x4000
        low = (low & 0x3FFF_FFFF_FFFF_FFFF) | 0x8000_0000_0000_0000
        return String(unsafeUninitializedCapacity: 36) { out in
            var at = 0
            for index in 0..<32 {
                if index == 8 || index == 12 || index == 16 || index == 20 {
                    out[at] = UInt8(ascii: "-")
                    at += 1
                }
                let word = index < 16 ? high : low
                out[at] = hexDigit(UInt8(truncatingIfNeeded: (word >> UInt64(60 - (index % 16) * 4)) & 15))
                at += 1
            }
            return 36
        }
    }
}
