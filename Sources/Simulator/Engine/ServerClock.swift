import Core

/// How a server's monotonic clock relates to the time of the simulation: it started elsewhere and runs a little fast or slow.
///
/// `local(t) = anchorLocal + (t - anchor) * (1 + drift)`; never decreasing, as the drift is more than -100 %.
struct ServerClock {
    private var anchor: Int64
    private var anchorLocal: Int64
    /// Millionths that the clock gains per unit of time; negative when it is slow.
    private(set) var driftPPM: Int64
    /// What to add to what it shows to get nanoseconds since 1970: the wall clock runs with it, until somebody sets it.
    private(set) var wallOffset: Int64

    init(offset: Duration, driftPPM: Int64) {
        precondition(driftPPM > -500_000 && driftPPM < 1_000_000, "a clock may run at half to twice the speed")
        anchor = 0
        anchorLocal = offset.nanoseconds
        self.driftPPM = driftPPM
        wallOffset = Self.wallStart - anchorLocal
    }

    /// What all wall clocks show when a run begins, in nanoseconds since 1970.
    private static var wallStart: Int64 { 1_600_000_000_000_000_000 }

    func local(at time: Instant) -> Instant {
        let elapsed = time.nanoseconds - anchor
        let whole = elapsed / 1_000_000
        let rest = elapsed % 1_000_000
        return Instant(nanoseconds: anchorLocal + elapsed + whole * driftPPM + rest * driftPPM / 1_000_000)
    }

    /// The first time at which the clock shows `local` or more; `distantFuture` for what is centuries away.
    func time(of local: Instant) -> Instant {
        let (ahead, overflow) = local.nanoseconds.subtractingReportingOverflow(anchorLocal)
        guard !overflow, ahead < Int64.max / 8 else { return .distantFuture }
        guard ahead > 0 else { return Instant(nanoseconds: anchor) }
        let pace = 1_000_000 + driftPPM
        var estimate = anchor + ahead / pace * 1_000_000 + ahead % pace * 1_000_000 / pace
        // Rounding is off by a few nanoseconds at most.
        while self.local(at: Instant(nanoseconds: estimate)) >= local && estimate > anchor { estimate -= 1 }
        while self.local(at: Instant(nanoseconds: estimate)) < local { estimate += 1 }
        return Instant(nanoseconds: estimate)
    }

    /// From `time` on the clock runs at another pace; what it shows at `time` stays.
    mutating func setDrift(ppm: Int64, at time: Instant) {
        anchorLocal = local(at: time).nanoseconds
        anchor = time.nanoseconds
        driftPPM = ppm
    }

    /// The clock leaps forward, as after a suspended virtual machine resumes.
    mutating func advance(by leap: Duration) {
        precondition(leap >= .zero, "a monotonic clock does not go back")
        anchorLocal += leap.nanoseconds
    }

    /// The wall clock is set forward or back; the monotonic one does not notice.
    mutating func setWall(by jump: Duration) { wallOffset += jump.nanoseconds }
}
