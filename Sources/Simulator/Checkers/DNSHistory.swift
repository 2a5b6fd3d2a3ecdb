import Core

/// What DNS answers showed of one instance of a service, against how it was registered.
///
/// The instance has one writer, which numbers its registrations; 0 stands for none.
struct DNSHistory {
    struct Sighting {
        /// Who answered.
        var life: LifeID
        var invoked: Instant
        var returned: Instant
        var shown: Int
    }

    /// The newest that one life of a server is known to have shown at some time.
    struct Floor {
        var life: LifeID
        var version: Int
    }

    let name: String
    private var watch: WatchHistory
    private var floors = LookupTable<Int, Floor>()
    /// Sightings of something older than the same life had shown before the question was asked.
    private var relapses: [(sighting: Sighting, floor: Int)] = []
    private var count: UInt64 = 0

    init(name: String) {
        self.name = name
        watch = WatchHistory(name: "DNS of \(name)", instances: 1)
    }

    mutating func begin(version: Int, removes: Bool, at time: Instant) {
        watch.begin(instance: 0, version: version, removes: removes, at: time)
    }

    mutating func acknowledge(version: Int, at time: Instant) { watch.acknowledge(instance: 0, version: version, at: time) }

    /// What a server has shown so far, to be given back with the answer to a question that is asked now.
    func floor(of server: Int) -> Floor? { floors[server] }

    mutating func append(_ sighting: Sighting, floor: Floor?) {
        count += 1
        watch.append(
            .init(
                watcher: 0, asked: 0, index: count, invoked: sighting.invoked, returned: sighting.returned, isStale: false,
                versions: [sighting.shown]))
        if let floor, floor.life == sighting.life, sighting.shown > 0, sighting.shown < floor.version {
            relapses.append((sighting, floor.version))
        }
        let known = floors[sighting.life.server]
        if known == nil || known?.life != sighting.life || known?.version ?? 0 < sighting.shown {
            floors[sighting.life.server] = Floor(life: sighting.life, version: sighting.shown)
        }
    }

    func mayEnd(with shown: Int) -> Bool { watch.mayEnd(instance: 0, with: shown) }

    /// `isStale`: answers may be as old as they like. Otherwise they are as new as default reads are.
    func violations(isStale: Bool, tolerance: Duration) -> [Violation] {
        var violations: [Violation] = []
        for (sighting, floor) in relapses where isAcknowledged(sighting.shown) && (isStale || tolerance == .zero) {
            violations.append(
                Violation(
                    rule: "DNS of one server does not go back",
                    text: "\(name): s\(sighting.life.server + 1) shows \(sighting.shown) to a question of \(timestamp(sighting.invoked)), "
                        + "after it had shown \(floor)"))
        }
        return violations + watch.violations(tolerance: tolerance, areStale: isStale)
    }

    /// A registration that was never answered may take effect after later ones.
    private func isAcknowledged(_ version: Int) -> Bool {
        watch.writes[0].contains { $0.version == version && $0.acknowledged != .distantFuture }
    }
}
