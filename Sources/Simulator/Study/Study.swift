import Core

/// Runs the plan for every detector and adds up what became of it.
struct Study {
    struct Outcome {
        var setup: StudySetup
        /// Healthy members taken for dead, counted once per member that did so; and of those, by healthy members.
        var falsePositives = 0
        var falsePositivesAtHealthy = 0
        /// By number of slow members.
        var byConcurrent: [(concurrent: Int, falsePositives: Int, atHealthy: Int)] = []
        /// From a failure to the first member that noticed, and to the last, in seconds, sorted.
        var firstDetections: [Double] = []
        var fullDisseminations: [Double] = []
        var packets = 0
        var bytes = 0
        var events = 0
        var simulated = Duration.zero
    }

    let plan: StudyPlan
    let seed: UInt64
    /// Told what was done last, for people who wait.
    var progress: (String) -> Void = { _ in }

    func run() -> [Outcome] { StudySetup.allCases.map { run($0) } }

    private func run(_ setup: StudySetup) -> Outcome {
        var outcome = Outcome(setup: setup)
        let settled = Self.settledPool(members: plan.members, seed: seed) { setup.adjust(&$0) }
        progress("\(plan.members) members with \(setup.name): settled at \(timestamp(settled.now))")
        for (number, anomaly) in plan.anomalies.enumerated() {
            disturb(settled, anomaly, number: number, &outcome)
            progress("\(setup.name): \(number + 1) of \(plan.anomalies.count) anomalies, \(outcome.falsePositives) false positives")
        }
        for number in 0..<plan.failures { fail(settled, number: number, &outcome) }
        outcome.firstDetections.sort()
        outcome.fullDisseminations.sort()
        return outcome
    }

    /// A pool whose members all know each other and have nothing to say.
    static func settledPool(members: Int, seed: UInt64, adjust: (inout MemberlistConfig) -> Void) -> StudyPool {
        var pool = StudyPool(count: members, seed: seed, adjust: adjust)
        var waited = 0
        repeat {
            pool.run(for: .seconds(5))
            waited += 1
            precondition(waited < 120, "a pool without faults settles")
        } while !pool.isSettled
        pool.run(for: .seconds(15))
        pool.forgetVerdicts()
        return pool
    }

    /// Slow members, all at once, again and again; then all is well until nothing is heard of it any more.
    private func disturb(_ settled: StudyPool, _ anomaly: StudyAnomaly, number: Int, _ outcome: inout Outcome) {
        var pool = settled
        let eventsBefore = pool.events
        var random = Random(seed: seed &* 1_000_003 &+ UInt64(number))
        pool.reseed(random.next())
        var places = Array(0..<plan.members)
        random.shuffle(&places)
        let slow = Array(places.prefix(anomaly.concurrent))
        let began = pool.now
        while pool.now < began + plan.length {
            pool.slow(slow, for: anomaly.duration)
            pool.run(for: anomaly.duration + anomaly.interval)
        }
        pool.run(for: .seconds(60))
        var isSlow = Array(repeating: false, count: plan.members)
        for place in slow { isSlow[place] = true }
        let wrong = pool.verdicts.filter { !isSlow[$0.subject] }
        let atHealthy = wrong.count { !isSlow[$0.observer] }
        outcome.falsePositives += wrong.count
        outcome.falsePositivesAtHealthy += atHealthy
        if let at = outcome.byConcurrent.firstIndex(where: { $0.concurrent == anomaly.concurrent }) {
            outcome.byConcurrent[at].falsePositives += wrong.count
            outcome.byConcurrent[at].atHealthy += atHealthy
        } else {
            outcome.byConcurrent.append((anomaly.concurrent, wrong.count, atHealthy))
        }
        outcome.packets += pool.packets
        outcome.bytes += pool.bytes
        outcome.events += pool.events - eventsBefore
        outcome.simulated += pool.now - began
    }

    /// One member stops for good, at some moment.
    private func fail(_ settled: StudyPool, number: Int, _ outcome: inout Outcome) {
        var pool = settled
        var random = Random(seed: seed &* 7_000_003 &+ UInt64(number))
        pool.reseed(random.next())
        pool.run(for: random.duration(below: .seconds(10)))
        pool.forgetVerdicts()
        let victim = random.int(in: 0...plan.members - 1)
        let failed = pool.now
        pool.kill(victim)
        while pool.verdicts.count(where: { $0.subject == victim }) < plan.members - 1, pool.now < failed + .minutes(5) {
            pool.run(for: .seconds(5))
        }
        let noticed = pool.verdicts.filter { $0.subject == victim }.map(\.at)
        guard let first = noticed.min(), let last = noticed.max(), noticed.count >= plan.members - 1 else { return }
        outcome.firstDetections.append((first - failed).seconds)
        outcome.fullDisseminations.append((last - failed).seconds)
    }
}

extension [Double] {
    /// Of sorted values, the one that so many of a hundred do not exceed.
    func percentile(_ hundredths: Int) -> Double? {
        isEmpty ? nil : self[Swift.min(count - 1, Swift.max(0, (count * hundredths + 99) / 100 - 1))]
    }
}
