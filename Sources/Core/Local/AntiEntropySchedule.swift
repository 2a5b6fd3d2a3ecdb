/// When the catalog is compared with the local state and when changes are sent. Spec: behaviour §6.2.
///
/// It only says what is due; the local state does it and reports how a full sync ended.
struct AntiEntropySchedule {
    enum Action: Hashable {
        case full
        case changes
    }

    private enum Phase {
        case stopped
        /// A full sync is due, or under way.
        case full(running: Bool)
        /// The last one failed or was suppressed.
        case retry(until: Instant)
        /// In agreement; changes are sent as they come.
        case partial
        /// A full sync was asked for and waits a little, so that a whole cluster does not come at once.
        case staggered(until: Instant, restartsTimer: Bool)
    }

    static let retryInterval: Duration = .seconds(15)
    static let serverUpStagger: Duration = .seconds(3)
    /// Clusters of up to so many members need no stretching.
    static let scaleThreshold = 128

    private let interval: Duration
    private var phase = Phase.stopped
    private var nextFull = Instant.distantFuture
    private var fullTriggered = false
    private var changesTriggered = false
    /// Alive members of the LAN pool.
    var members = 1

    init(interval: Duration) { self.interval = interval }

    mutating func start(at now: Instant, _ random: inout Random) {
        phase = .full(running: false)
        nextFull = now + interval + stagger(interval, &random)
    }

    /// Triggers are remembered once each until they are served.
    mutating func trigger(_ action: Action) {
        if planted(.triggerLost), case .partial = phase {} else if planted(.triggerLost) { return }
        if action == .full { fullTriggered = true } else { changesTriggered = true }
    }

    /// What is due now, if anything; `.full` must be answered by `finishedFull`. Not to be called while a sync is under way.
    mutating func poll(at now: Instant, paused: Bool, _ random: inout Random) -> Action? {
        while true {
            switch phase {
            case .stopped, .full(running: true):
                return nil
            case .full(running: false):
                if paused {
                    retryLater(now, &random)
                    return nil
                }
                phase = .full(running: true)
                // A full sync sends the changes too.
                changesTriggered = false
                return .full
            case .retry(let until):
                if fullTriggered {
                    takeFullTrigger(now, restartsTimer: false, &random)
                } else if now >= until {
                    restartTimer(now, &random)
                    phase = .full(running: false)
                } else {
                    return nil
                }
            case .staggered(let until, let restartsTimer):
                if now < until { return nil }
                if restartsTimer { restartTimer(now, &random) }
                phase = .full(running: false)
            case .partial:
                if fullTriggered {
                    takeFullTrigger(now, restartsTimer: true, &random)
                } else if now >= nextFull, !planted(.noPeriodicSync) {
                    restartTimer(now, &random)
                    phase = .full(running: false)
                } else if changesTriggered {
                    changesTriggered = false
                    if !paused { return .changes }
                } else {
                    return nil
                }
            }
        }
    }

    mutating func finishedFull(succeeded: Bool, at now: Instant, _ random: inout Random) {
        guard case .full(running: true) = phase else { return }
        if succeeded || planted(.fullSyncOnce) { phase = .partial } else { retryLater(now, &random) }
    }

    /// When `poll` has something to say without a trigger.
    var deadline: Instant? {
        switch phase {
        case .stopped, .full(running: true): nil
        case .full(running: false): .zero
        case .retry(let until): fullTriggered ? .zero : until
        case .staggered(let until, _): until
        case .partial: fullTriggered || changesTriggered ? .zero : planted(.noPeriodicSync) ? nil : nextFull
        }
    }

    private mutating func retryLater(_ now: Instant, _ random: inout Random) {
        let wait = AntiEntropySchedule.retryInterval
        phase = .retry(until: now + wait + stagger(wait, &random))
    }

    private mutating func takeFullTrigger(_ now: Instant, restartsTimer: Bool, _ random: inout Random) {
        fullTriggered = false
        phase = .staggered(until: now + stagger(AntiEntropySchedule.serverUpStagger, &random), restartsTimer: restartsTimer)
    }

    private mutating func restartTimer(_ now: Instant, _ random: inout Random) { nextFull = now + interval + stagger(interval, &random) }

    /// A random part of the length, which grows with the logarithm of the cluster.
    private func stagger(_ length: Duration, _ random: inout Random) -> Duration {
        random.duration(below: length * AntiEntropySchedule.scale(members: members))
    }

    /// 1 for up to 128 members, 2 for up to 256, 3 for up to 512, ...
    static func scale(members: Int) -> Int {
        var scale = 1, limit = scaleThreshold
        while limit < members {
            scale += 1
            let (doubled, overflow) = limit.multipliedReportingOverflow(by: 2)
            if overflow { break }
            limit = doubled
        }
        return scale
    }
}
