import Testing

@testable import Core

@Suite struct AgentFlushTests {
    /// Runs a lone agent with nothing but its own deadlines and its disk until it logs a text; how long that took.
    private func time(until text: String, _ settings: AgentSettings) throws -> Duration? {
        let disk = TestDisk()
        let start = Instant(nanoseconds: 1_000_000_000)
        var now = start
        let agent = try Agent(settings: settings, disk: disk, seed: 1, at: now, md5Hex: { _ in "0" })
        var effects: [AgentEffect] = []
        while now - start < .minutes(2) {
            agent.flush(at: now, into: &effects)
            let batch = effects
            effects = []
            var isDiskBusy = false
            for effect in batch {
                switch effect {
                case .disk(let operations):
                    agent.handle(.disk(disk.perform(operations)), at: now, into: &effects)
                    isDiskBusy = true
                case .log(_, _, let line) where line.contains(text): return now - start
                default: break
                }
            }
            if isDiskBusy { continue }
            guard let deadline = agent.deadline else { return nil }
            now = max(now, deadline)
            agent.handle(.wake, at: now, into: &effects)
        }
        return nil
    }

    @Test func `a write that follows another one does not wait for somebody to wake the agent`() throws {
        var settings = AgentSettings()
        settings.identity.nodeID = "0523314f-0000-4000-8000-000000000001"
        settings.raft.electionTimeout = .milliseconds(50)
        settings.raft.heartbeatTimeout = .milliseconds(50)
        var service = ServiceDefinition()
        service.name = "web"
        settings.reloadable.services = [service]
        let node = try #require(try time(until: "Synced node info", settings))
        let service1 = try #require(try time(until: "Synced service: service=web", settings))
        #expect(service1 - node < .milliseconds(100))
    }
}
