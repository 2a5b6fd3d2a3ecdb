import Core
import Glibc

/// The clocks of this machine.
public enum SystemClock {
    /// The monotonic clock that `Instant`s of the runtime are read from; its origin is the machine's start.
    @inline(__always)
    public static func now() -> Instant { Instant(nanoseconds: read(CLOCK_MONOTONIC)) }

    /// Nanoseconds since 1970.
    public static func wall() -> Int64 { read(CLOCK_REALTIME) }

    /// What to add to an `Instant` to get nanoseconds since 1970 (`AgentSettings.wallClockOffset`).
    public static func wallOffset() -> Int64 { wall() - read(CLOCK_MONOTONIC) }

    @inline(__always)
    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}
