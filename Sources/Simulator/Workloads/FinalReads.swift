import Core

/// Reads that must succeed once the faults are over: one after the other, each repeated until it is answered.
struct FinalReads {
    struct Job {
        var server: Int
        var target: String
        var tag: Int
    }

    struct Done {
        var tag: Int
        var server: Int
        var invoked: Instant
    }

    private let jobs: [Job]
    private var address: ClientAddress
    private var at = 0
    private var invoked = Instant.zero

    init(_ jobs: [Job], address: ClientAddress) {
        self.jobs = jobs
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
