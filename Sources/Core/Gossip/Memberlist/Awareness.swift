/// How healthy this node holds itself (Lifeguard §IV-A, gossip §9.1): 0 is healthy; every point stretches the probe interval.
struct Awareness {
    private let maximum: Int
    private(set) var score = 0

    init(multiplier: Int) { maximum = max(0, multiplier - 1) }

    mutating func apply(_ delta: Int) { score = min(max(0, score + (planted(.healthNotLowered) ? max(0, delta) : delta)), maximum) }

    func scale(_ interval: Duration) -> Duration { interval * (score + 1) }
}
