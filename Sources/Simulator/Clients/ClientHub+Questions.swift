import Core

/// A DNS question on its way to a server, or its answer on the way back.
struct Question {
    var from: ClientAddress
    var server: Int
    var bytes: [UInt8]
    var tcp: Bool
}

// The clients' side of DNS: questions are written and answers parsed with the production codec.
extension ClientHub {
    /// Sends a DNS question now. The workload hears of it exactly once.
    func ask(_ from: ClientAddress, server: Int, question bytes: [UInt8], tcp: Bool, timeout: Duration) {
        let handle = questions.insert(Question(from: from, server: server, bytes: bytes, tcp: tcp))
        asked += 1
        world.limit(.question, handle, to: timeout)
        world.trace { "w\(from.workload).c\(from.client) -> \(self.name(of: server)) DNS \(name(in: bytes))\(tcp ? " over TCP" : "")" }
        if case .arrives(let delay) = network.send(from: network.clients, to: server, now: now) {
            world.schedule(.question(handle, server: server), after: delay)
        }
    }

    private func name(in bytes: [UInt8]) -> String { (try? DNSMessage(decoding: bytes))?.question?.name.text ?? "?" }

    func questionAnswered(_ handle: Handle, _ life: LifeID, _ bytes: [UInt8], _ workloads: [any Workload]) {
        guard let question = questions.remove(handle) else { return }
        world.count(kind: 26, place: question.from.client)
        world.mix(bytes)
        answered += 1
        guard let message = try? DNSMessage(decoding: bytes), bytes.prefix(2) == question.bytes.prefix(2) else {
            return world.report(Violation(rule: "answers can be parsed", text: "DNS: \(bytes)"))
        }
        world.trace {
            "w\(question.from.workload).c\(question.from.client) <- \(self.name(of: question.server)) DNS code \(message.code) "
                + message.answers.map { "\($0.data)" }.joined(separator: ", ")
        }
        workloads[question.from.workload].answered(question.from, .dns(message, life), self)
    }

    func questionFailed(_ handle: Handle, _ failure: ClientFailure, _ workloads: [any Workload]) {
        guard let question = questions.remove(handle) else { return }
        world.count(kind: 27, place: question.from.client)
        world.trace { "w\(question.from.workload).c\(question.from.client) <- \(self.name(of: question.server)) DNS \(failure)" }
        workloads[question.from.workload].answered(question.from, .failed(failure), self)
    }
}
