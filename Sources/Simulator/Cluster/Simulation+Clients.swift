import Core

// Requests of clients at the servers: first the front end, which answers from the published state, then the core loop.
extension Simulation {
    /// The value of every `Date` header: the simulation has no calendar.
    private var date: [UInt8] { dateOfAllAnswers }

    func requestArrived(_ handle: Handle, at server: Server<Machine>) {
        guard hub.isOpen(handle) else { return }
        guard server.isRunning else {
            guard server.hasPower, case .arrives(let delay) = network.send(from: server.index, to: network.clients, now: world.now)
            else { return }
            world.schedule(.requestFailed(handle, .refused), after: delay)
            return
        }
        if !server.isPaused, !server.isSlow, let state = server.published {
            // Not if the lease may be over by the time the core loop looks.
            let soon = server.clock.local(at: world.now) + .milliseconds(100)
            let leads = state.isLeader && (state.isSoleVoter || state.leaseExpiry > soon)
            hub.arrived(handle, server.lifeID, follows: state.lastLeaderContact != nil, leads: leads)
        }
        // Input and output threads work while the core loop is busy, but not while the process is stopped.
        if !server.isPaused && !server.isSlow && answeredByFrontEnd(handle, server) { return }
        hub.entered(handle, server.lifeID)
        deliver(.request(handle, server: server.index), to: server)
    }

    /// Whether the published state was enough to answer the request.
    func answeredByFrontEnd(_ handle: Handle, _ server: Server<Machine>) -> Bool {
        guard let (request, framing, firstTry) = hub.parse(handle), firstTry, let state = server.published else { return false }
        let now = server.clock.local(at: world.now)
        responseBytes.removeAll(keepingCapacity: true)
        switch server.frontEnd.answer(request, framing: framing, state: state, now: now, date: date, into: &responseBytes) {
        case .written: break
        case .begun(var answer, _): while answer.append(to: &responseBytes) {}
        case .handOver: return false
        case .routed(let call):
            hub.routed(handle, call)
            return false
        }
        world.count(kind: 11, place: server.index)
        hub.transmit(handle, responseBytes, from: server.index)
        return true
    }

    /// A DNS question arrives: a listener answers it, unless the process is stopped, whose sockets hold what comes.
    func questionArrived(_ handle: Handle, at server: Server<Machine>) {
        guard let question = hub.questions[handle] else { return }
        guard server.isRunning else {
            // Only a connection is refused; nobody tells of datagrams.
            guard question.tcp, server.hasPower,
                case .arrives(let delay) = network.send(from: server.index, to: network.clients, now: world.now)
            else { return }
            world.schedule(.questionFailed(handle, .refused), after: delay)
            return
        }
        if server.isPaused || server.isSlow {
            deliver(.question(handle, server: server.index), to: server)
        } else {
            answerQuestion(handle, server)
        }
    }

    func answerQuestion(_ handle: Handle, _ server: Server<Machine>) {
        guard let question = hub.questions[handle] else { return }
        world.count(kind: 25, place: server.index)
        guard let state = server.published else {
            // Client agents publish nothing: their core loops answer everything.
            return deliver(.handedOver(handle, server.lifeID), to: server)
        }
        let now = server.clock.local(at: world.now)
        if !question.tcp, let bytes = preparedAnswer(question.bytes, server, state, now) {
            return sendAnswer(bytes, to: handle, from: server)
        }
        let remote = "10.0.1.\(question.from.client % 250 + 1)"
        let answer = server.frontEnd.answer(
            question: question.bytes, tcp: question.tcp, remote: remote, state: state, now: now)
        switch answer {
        case .reply(let bytes): sendAnswer(bytes, to: handle, from: server)
        case .drop: break
        case .handOver: deliver(.handedOver(handle, server.lifeID), to: server)
        }
    }

    private func preparedAnswer(_ question: [UInt8], _ server: Server<Machine>, _ state: PublishedState, _ now: Instant) -> [UInt8]? {
        var out = [UInt8](repeating: 0, count: 4_096)
        let length = question.withUnsafeBytes { question in
            out.withUnsafeMutableBytes { server.frontEnd.answer(datagram: question, state: state, now: now, into: $0) }
        }
        return length.map { Array(out[..<$0]) }
    }

    func sendAnswer(_ bytes: [UInt8], to handle: Handle, from server: Server<Machine>) {
        guard case .arrives(let delay) = network.send(from: server.index, to: network.clients, now: world.now) else { return }
        world.schedule(.questionAnswered(handle, server.lifeID, bytes), after: delay)
    }

    func respond(_ handle: Handle, _ response: HTTPResponse, from server: Server<Machine>) {
        var bytes: [UInt8] = []
        guard hub.serialize(handle, response, from: server.lifeID, date: date, into: &bytes) else { return }
        hub.transmit(handle, bytes, from: server.index)
    }

    func requestTimedOut(_ handle: Handle) {
        if options.answersInTime, stage != .done, let life = hub.debtor(handle) {
            world.report(
                Violation(
                    rule: "a leader answers every request",
                    text: "\(hub.name(of: life.server)) has not answered a request for \(hub.timeout.brief), though nothing held it up"))
        }
        if let life = hub.abandoned(handle), case .arrives(let delay) = network.send(from: network.clients, to: life.server, now: world.now)
        {
            world.schedule(.cancel(handle, life), after: delay)
        }
        hub.failed(handle, .timedOut, workloads)
    }
}

private let dateOfAllAnswers = Array("Sat, 01 Jan 2000 00:00:00 GMT".utf8)
