import Core
import Glibc

/// The value of the `Date` header, `Sat, 21 Nov 2026 05:02:16 GMT`, made once a second.
struct DateHeader {
    private var second = Int.min
    private var text: [UInt8] = []

    /// Right up to a few milliseconds: the clock that is read is the one that the kernel keeps with its timer.
    mutating func current() -> [UInt8] {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME_COARSE, &now)
        if now.tv_sec != second {
            second = now.tv_sec
            text = Array(GoTime(unixSeconds: Int64(second)).httpDate.utf8)
        }
        return text
    }
}
