import Core

/// One of the detectors that the study compares: plain SWIM with suspicion, each part of Lifeguard alone, and all of it.
enum StudySetup: Int, CaseIterable {
    case swim
    case probe
    case suspicion
    case buddy
    case lifeguard

    var name: String {
        switch self {
        case .swim: "SWIM"
        case .probe: "LHA-Probe"
        case .suspicion: "LHA-Suspicion"
        case .buddy: "Buddy System"
        case .lifeguard: "Lifeguard"
        }
    }

    func adjust(_ config: inout MemberlistConfig) {
        config.usesAwareness = self == .probe || self == .lifeguard
        config.usesDynamicSuspicion = self == .suspicion || self == .lifeguard
        config.usesBuddySystem = self == .buddy || self == .lifeguard
    }
}

/// How members are slow: `concurrent` at once, for `duration`, again and again with `interval` between.
struct StudyAnomaly: Hashable {
    var concurrent: Int
    var duration: Duration
    var interval: Duration
}

/// What the study measures at one size of pool.
struct StudyPlan {
    var members: Int
    var anomalies: [StudyAnomaly]
    /// Single failures, each in a pool without any anomaly.
    var failures: Int
    /// Anomalies go on for at least this long (Lifeguard §V-D).
    var length: Duration = .seconds(120)

    /// The paper's ranges, thinned out: a run for each combination of what is listed.
    static func grid(members: Int, concurrent: [Int], durations: [Duration], intervals: [Duration], failures: Int) -> StudyPlan {
        var anomalies: [StudyAnomaly] = []
        for count in concurrent {
            for duration in durations {
                for interval in intervals { anomalies.append(StudyAnomaly(concurrent: count, duration: duration, interval: interval)) }
            }
        }
        return StudyPlan(members: members, anomalies: anomalies, failures: failures)
    }

    static func of(members: Int) -> StudyPlan {
        let isSmall = members <= 256
        return grid(
            members: members, concurrent: isSmall ? [1, 8, 16, 32] : [8, 32], durations: [.milliseconds(8192), .milliseconds(32_768)],
            intervals: isSmall ? [.milliseconds(64), .milliseconds(1024)] : [.milliseconds(1024)], failures: isSmall ? 20 : 4)
    }
}
