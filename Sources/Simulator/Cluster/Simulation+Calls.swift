import Core

// Calls between servers. A message that is lost becomes a failure of the call, sooner or later, never silence.
extension Simulation {
    func call(_ id: CallID, from server: Server<Machine>, to address: Address, _ channel: Channel, _ bytes: [UInt8], _ timeout: Duration) {
        guard let callee = place(of: address) else {
            guard hasHadStrangers else {
                return world.report(Violation(rule: "calls go to agents", text: "\(server.name) calls \(address), where nobody is"))
            }
            // A stranger may say that it leads, and be called for it.
            let call = Call(
                caller: server.lifeID, id: id, callee: server.index, channel: channel, timeout: timeout, began: world.now, served: nil)
            return fail(calls.insert(call), call, "dial tcp: lookup \(address): no such host", after: .milliseconds(1))
        }
        if strangersUntil > .zero { stranger.overheard(channel, bytes) }
        let call = Call(
            caller: server.lifeID, id: id, callee: callee, channel: channel, timeout: timeout, began: world.now, served: nil)
        let handle = calls.insert(call)
        world.limit(.call, handle, to: timeout)
        switch network.send(from: server.index, to: callee, now: world.now) {
        case .lost:
            world.trace { "\(server.name) -> \(servers[callee].name) \(channel) call of \(bytes.count) bytes is lost" }
            let delay = network.failureDelay(timeout: timeout)
            if delay < timeout { fail(handle, call, "i/o timeout", after: delay) }
        case .arrives(let delay):
            world.schedule(.call(handle, server: callee, duplicate: false, bytes), after: delay)
            if channel == .raft, let later = network.duplicate() {
                world.schedule(.call(handle, server: callee, duplicate: true, bytes), after: delay + later)
            }
        }
    }

    /// A call reaches the machine it was sent to.
    func arrived(_ handle: Handle, at server: Server<Machine>, _ happening: Happening) {
        guard let call = calls[handle] else { return }
        guard server.isRunning else {
            guard server.hasPower, case .arrives(let delay) = network.send(from: server.index, to: call.caller.server, now: world.now)
            else { return }
            fail(handle, call, "dial tcp \(server.identity.address): connect: connection refused", after: delay)
            return
        }
        calls.modify(handle) { $0.served = server.lifeID }
        deliver(happening, to: server)
    }

    func reply(_ id: CallID, from server: Server<Machine>, _ bytes: [UInt8]) {
        // Both copies of a duplicated call are answered; the caller takes the first answer.
        let handle = Handle(raw: id.number)
        guard let call = calls[handle] else { return }
        precondition(call.callee == server.index, "a call is answered by whom it was sent to")
        switch network.send(from: server.index, to: call.caller.server, now: world.now) {
        case .lost:
            world.trace { "\(server.name) -> \(servers[call.caller.server].name) \(call.channel) answer is lost" }
            let rest = call.timeout - (world.now - call.began)
            let delay = network.failureDelay(timeout: rest)
            if delay < rest { fail(handle, call, "EOF", after: delay) }
        case .arrives(let delay):
            world.schedule(.answer(handle, call.caller, bytes), after: delay)
        }
    }

    /// The caller waits no more: the callee learns of it if it has the call, and if the message arrives.
    func giveUp(_ id: CallID, of server: Server<Machine>) {
        guard let handle = calls.handles(where: { $0.caller == server.lifeID && $0.id == id }).first, let call = calls.remove(handle),
            let life = call.served, case .arrives(let delay) = network.send(from: server.index, to: call.callee, now: world.now)
        else { return }
        world.schedule(.callerGone(handle, life), after: delay)
    }

    /// The callee closes the connection instead of answering.
    func refuse(_ id: CallID, from server: Server<Machine>) {
        let handle = Handle(raw: id.number)
        guard let call = calls[handle], case .arrives(let delay) = network.send(from: server.index, to: call.caller.server, now: world.now)
        else { return }
        fail(handle, call, "EOF", after: delay)
    }

    private func fail(_ handle: Handle, _ call: Call, _ text: String, after delay: Duration) {
        world.schedule(.callFailed(handle, call.caller, text), after: delay)
    }

    func callTimedOut(_ handle: Handle) {
        guard let call = calls[handle] else { return }
        let caller = servers[call.caller.server]
        guard caller.life == call.caller.life, caller.isRunning else {
            calls.remove(handle)
            return
        }
        deliver(.callFailed(handle, call.caller, "i/o timeout"), to: caller)
    }

    /// The callee's process is gone: whoever waits for its answers is told, if the network lets it.
    func breakCalls(to server: Server<Machine>) {
        for handle in calls.handles(where: { $0.served?.server == server.index }) {
            guard let call = calls[handle],
                case .arrives(let delay) = network.send(from: server.index, to: call.caller.server, now: world.now)
            else { continue }
            fail(handle, call, "EOF", after: delay)
        }
    }
}
