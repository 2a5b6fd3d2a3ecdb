import Core
import Testing

@testable import Simulator

/// The study of failure detection, with a pool small enough for a test.
@Suite struct StudyTests {
    private func pool(_ setup: StudySetup, members: Int = 24) -> StudyPool {
        Study.settledPool(members: members, seed: 1) { setup.adjust(&$0) }
    }

    @Test func `a pool without anomalies has no false positives`() {
        var pool = pool(.swim)
        #expect(pool.isSettled)
        pool.run(for: .seconds(60))
        #expect(pool.verdicts.isEmpty)
        #expect(pool.packets > 24 * 60)
    }

    @Test func `a member that stops is found by all others`() {
        for setup in [StudySetup.swim, .lifeguard] {
            var pool = pool(setup)
            pool.kill(3)
            pool.run(for: .minutes(2))
            #expect(pool.verdicts.count { $0.subject == 3 } == 23)
            #expect(pool.verdicts.allSatisfy { $0.subject == 3 })
        }
    }

    @Test func `a slow member accuses healthy ones, and Lifeguard has it doubt itself`() {
        func falsePositives(_ setup: StudySetup) -> Int {
            var pool = pool(setup)
            for _ in 0..<4 {
                pool.slow([0, 1, 2], for: .seconds(16))
                pool.run(for: .seconds(17))
            }
            pool.run(for: .seconds(30))
            return pool.verdicts.count { $0.subject > 2 }
        }
        let plain = falsePositives(.swim)
        #expect(plain > 50)
        #expect(falsePositives(.lifeguard) * 20 < plain)
    }

    @Test func `the same seed takes the same course`() {
        func course() -> (Int, Int) {
            var pool = pool(.lifeguard)
            pool.slow([0], for: .seconds(20))
            pool.run(for: .seconds(40))
            return (pool.events, pool.bytes)
        }
        #expect(course() == course())
    }

    @Test func `the outcome is told as a table and drawn`() {
        let plan = StudyPlan.grid(members: 16, concurrent: [1, 4], durations: [.seconds(16)], intervals: [.seconds(1)], failures: 2)
        var study = Study(plan: plan, seed: 1)
        study.progress = { _ in }
        let outcomes = study.run()
        #expect(outcomes.count == 5)
        #expect(outcomes.allSatisfy { $0.firstDetections.count == 2 && $0.byConcurrent.map(\.concurrent) == [1, 4] })
        #expect(StudyReport.table(outcomes).contains("| LHA-Suspicion |"))
        let svg = StudyPlot.svg(outcomes, members: 16)
        #expect(svg.hasPrefix("<svg ") && svg.hasSuffix("</svg>\n"))
        #expect(svg.contains("slow members at once"))
    }
}
