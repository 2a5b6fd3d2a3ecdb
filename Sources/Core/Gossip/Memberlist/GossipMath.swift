/// The logarithms in the timers of gossip (gossip §5, §8.6, §9.4, §13.1), from the operations that IEEE 754 fixes, so that they are the
/// same everywhere. The results are those of the reference to the last bit where a rounding hangs on it.
public enum GossipMath {
    /// `ceil(log10(n))`; 0 for 1 and less.
    public static func log10Ceiling(_ n: Int) -> Int {
        var digits = 0
        var power = 1
        while power < n {
            digits += 1
            let (next, overflow) = power.multipliedReportingOverflow(by: 10)
            if overflow { break }
            power = next
        }
        return digits
    }

    /// How often a broadcast is sent in a pool of `n`.
    public static func retransmitLimit(mult: Int, nodes n: Int) -> Int { planted(.gossipToOne) ? 1 : mult * log10Ceiling(n + 1) }

    /// The least time that a node stays suspected.
    static func suspicionTimeout(mult: Int, nodes n: Int, interval: Duration) -> Duration {
        let scale = max(1, log10(Double(max(1, n))))
        return .nanoseconds((interval * mult * Int(scale * 1000) / 1000).nanoseconds)
    }

    /// The whole length of a suspicion after `confirmations` of `k`, between `least` and `longest`.
    static func suspicionTimeout(confirmations: Int, of k: Int, least: Duration, longest: Duration) -> Duration {
        guard k > 0 else { return least }
        let fraction = log(Double(confirmations) + 1) / log(Double(k) + 1)
        let low = seconds(least), high = seconds(longest)
        return max(least, .milliseconds(Int64(max(0, 1000 * (high - fraction * (high - low))))))
    }

    /// Rounded as the reference rounds.
    private static func seconds(_ length: Duration) -> Double {
        let (whole, rest) = length.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        return Double(whole) + Double(rest) / 1e9
    }

    /// The interval of the push/pull in a pool of `n`.
    static func pushPullInterval(_ base: Duration, nodes n: Int) -> Duration {
        guard n > 32 else { return base }
        // ceil(log2(n)) − log2(32) + 1
        let doublings = Int.bitWidth - (n - 1).leadingZeroBitCount - 5
        return base * (doublings + 1)
    }

    /// By way of the logarithm to base 2, which is exact for the powers of two.
    static func log10(_ x: Double) -> Double {
        let (fraction, exponent) = split(x)
        let log2 = fraction == 0.5 ? Double(exponent - 1) : log(fraction) * 1.44269504088896340735992468100189214 + Double(exponent)
        return log2 * 0.301029995663981195213738894724493027
    }

    /// x = fraction × 2^exponent with the fraction in [0.5, 1); for positive normal numbers.
    private static func split(_ x: Double) -> (fraction: Double, exponent: Int) {
        let bits = x.bitPattern
        let fraction = Double(bitPattern: bits & 0x800F_FFFF_FFFF_FFFF | 1022 << 52)
        return (fraction, Int(bits >> 52 & 0x7FF) - 1022)
    }

    /// The natural logarithm of a positive normal number, to within one unit in the last place: FreeBSD's `e_log.c`. With
    /// x = 2^k (1 + f) and s = f / (2 + f), log(1 + f) = f − s (f − R), R a polynomial in s².
    static func log(_ x: Double) -> Double {
        var (fraction, exponent) = split(x)
        // Into [√½, √2).
        if fraction < 0.70710678118654752440 {
            fraction *= 2
            exponent -= 1
        }
        let f = fraction - 1
        let k = Double(exponent)
        let s = f / (2 + f)
        let s2 = s * s
        let s4 = s2 * s2
        let t1 =
            s2
            * (6.666666666666735130e-01
                + s4 * (2.857142874366239149e-01 + s4 * (1.818357216161805012e-01 + s4 * 1.479819860511658591e-01)))
        let t2 = s4 * (3.999999999940941908e-01 + s4 * (2.222219843214978396e-01 + s4 * 1.531383769920937332e-01))
        let half = 0.5 * f * f
        return k * 6.93147180369123816490e-01 - ((half - (s * (half + t1 + t2) + k * 1.90821492927058770002e-10)) - f)
    }
}
