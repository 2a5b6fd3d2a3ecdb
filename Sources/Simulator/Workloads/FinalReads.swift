import Core

/// Reads that must succeed once the faults are over: one after the other, each repeated until it is answered.
struct FinalReads {
    private struct Job {
        var server: Int
        var target: String
        var tag: Int
    }

    struct Done {
        /// Which of the targets.
        var tag: Int
        var server: Int
        var invoked: Instant
    }

    private let jobs: [Job]
    private var address: ClientAddress
    private var at = 0
    private var invoked = Instant.zero

    /// Reads every target from every server.
    init(of targets: [String], from servers: [Int], address: ClientAddress) {
        jobs = servers.flatMap { server in
            targets.enumerated().map { Job(server: server, target: $0.element, tag: $0.offset) }
        }
        self.address = address
    }

    var isDone: Bool { at == jobs.count }

    /// Asks for the next one, or again for the last.
    mutating func resume(_ hub: ClientHub) {
        guard !isDone else { return }
        invoked = hub.now
        hub.ask(address, server: jobs[at].server, "GET", jobs[at].target)
    }

    /// What was read, if the answer is one; goes on with the next.
    mutating func take(_ answer: ClientAnswer, _ hub: ClientHub) -> (Done, HTTPClientResponse)? {
        guard !isDone else { return nil }
        guard case .response(let response) = answer, response.status == 200 || response.status == 404 else {
            hub.wake(address, after: .milliseconds(250))
            return nil
        }
        let done = Done(tag: jobs[at].tag, server: jobs[at].server, invoked: invoked)
        at += 1
        resume(hub)
        return (done, response)
    }
}
