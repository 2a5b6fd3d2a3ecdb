import Core

/// Writers that register instances of services and take them away, and askers that look them up in DNS at any server.
///
/// Checked: an answer shows what was registered, and of a registration its address and port together; as new as the run's DNS
/// configuration promises; one server's answers do not go back in time; and after the faults every server's answers follow the catalog.
final class DNSWorkload: Workload {
    private struct Writer {
        var subject: Int
        var instance: Int
        var version = 0
        var caller = Caller()
        var token: UInt64 = 0
    }

    private struct Asker {
        var subject = 0
        var question = DNSSubject.Question.service
        var server = 0
        var tcp = false
        var invoked = Instant.zero
        var token: UInt64 = 0
        var isBusy = false
        /// What the server had shown when the question was asked.
        var floors: [DNSHistory.Floor?] = []
    }

    /// After the faults, until every server must have shown the last state.
    private static let followLimit: Duration = .seconds(45)
    private static let questionTimeout: Duration = .seconds(2)

    let name = WorkloadKind.dns.name
    private var setup: WorkloadSetup
    private let subjects: [DNSSubject]
    private var histories: [[DNSHistory]]
    private var writers: [Writer] = []
    private var askers: [Asker]
    private var violations: [Violation] = []
    private var isStopped = false
    private var written = 0
    private var answers = 0
    private var refusals = 0
    /// Versions, by subject and instance, that no question for the service may show.
    private var hidden = LookupSet<[Int]>()
    /// Servers and subjects whose last state is still to be seen; nil before the end.
    private var unseen: [(server: Int, subject: Int)]?
    private var finalBegan = Instant.zero

    init(_ setup: WorkloadSetup) {
        self.setup = setup
        let instances = min(DNSSubject.instancesMax, max(1, setup.options.clients / 3))
        subjects = (0..<setup.options.objects).map { DNSSubject(name: "dns\(setup.index)x\($0)", instances: instances) }
        histories = subjects.map { subject in (0..<instances).map { DNSHistory(name: subject.node($0)) } }
        for subject in subjects.indices {
            for instance in 0..<instances { writers.append(Writer(subject: subject, instance: instance)) }
        }
        askers = Array(repeating: Asker(), count: max(2, setup.options.clients - instances))
    }

    private func address(writer: Int) -> ClientAddress { .init(workload: setup.index, client: writer, token: writers[writer].token) }
    private func address(asker: Int) -> ClientAddress {
        .init(workload: setup.index, client: writers.count + asker, token: askers[asker].token)
    }

    func start(_ hub: ClientHub) {
        for writer in writers.indices { rest(writer, hub) }
        for asker in askers.indices { restAsker(asker, hub) }
    }

    private func rest(_ writer: Int, _ hub: ClientHub) {
        writers[writer].token += 1
        hub.wake(address(writer: writer), after: setup.pause())
    }

    private func restAsker(_ asker: Int, _ hub: ClientHub) {
        askers[asker].token += 1
        hub.wake(address(asker: asker), after: setup.pause())
    }

    func timer(client: Int, token: UInt64, _ hub: ClientHub) {
        if client < writers.count {
            guard writers[client].token == token, !writers[client].caller.isBusy, !isStopped else { return }
            write(client, hub)
        } else {
            let asker = client - writers.count
            guard askers[asker].token == token, !askers[asker].isBusy else { return }
            if unseen != nil { askFinal(asker, hub) } else if !isStopped { askAnything(asker, hub) }
        }
    }

    // MARK: - Writing

    private func write(_ number: Int, _ hub: ClientHub) {
        writers[number].version += 1
        let writer = writers[number]
        let server = writers[number].caller.begin(hub, &setup.random)
        let absent = writer.version > 1 && setup.random.chance(0.25) ? setup.random.pick(DNSSubject.Absence.allCases) : nil
        if absent != nil { hidden.insert([writer.subject, writer.instance, writer.version]) }
        histories[writer.subject][writer.instance].begin(version: writer.version, removes: absent != nil, at: hub.now)
        let (target, body) = subjects[writer.subject].write(instance: writer.instance, version: writer.version, absent: absent)
        hub.ask(address(writer: number), server: server, "PUT", target, body: body)
    }

    private func writeAnswered(_ number: Int, _ answer: ClientAnswer, _ hub: ClientHub) {
        if writers[number].caller.end(answer)?.boolean == true {
            written += 1
            let writer = writers[number]
            histories[writer.subject][writer.instance].acknowledge(version: writer.version, at: hub.now)
        }
        if !isStopped { rest(number, hub) }
    }

    // MARK: - Asking

    private func askAnything(_ number: Int, _ hub: ClientHub) {
        let subject = setup.random.int(in: 0...subjects.count - 1)
        let instance = setup.random.int(in: 0...subjects[subject].instances - 1)
        let question = setup.random.pick([DNSSubject.Question.service, .service, .serviceByProtocol, .addresses, .node(instance)])
        ask(number, subject, question, server: setup.random.pick(hub.usable), tcp: setup.random.chance(0.2), hub)
    }

    private func ask(_ number: Int, _ subject: Int, _ question: DNSSubject.Question, server: Int, tcp: Bool, _ hub: ClientHub) {
        askers[number].subject = subject
        askers[number].question = question
        askers[number].server = server
        askers[number].tcp = tcp
        askers[number].invoked = hub.now
        askers[number].isBusy = true
        // A client agent may turn to another server, which may be behind.
        let mayGoBack = server >= setup.run.serverPlaces && setup.run.staleDNS
        askers[number].floors = histories[subject].map { mayGoBack ? nil : $0.floor(of: server) }
        let bytes = subjects[subject].bytes(question, id: UInt16(truncatingIfNeeded: askers[number].token))
        hub.ask(address(asker: number), server: server, question: bytes, tcp: tcp, timeout: Self.questionTimeout)
    }

    func answered(_ from: ClientAddress, _ answer: ClientAnswer, _ hub: ClientHub) {
        if from.client < writers.count {
            writeAnswered(from.client, answer, hub)
        } else {
            questionAnswered(from.client - writers.count, answer, hub)
        }
    }

    private func questionAnswered(_ number: Int, _ answer: ClientAnswer, _ hub: ClientHub) {
        let asker = askers[number]
        askers[number].isBusy = false
        if case .dns(let message, let life) = answer {
            if message.flags & DNSFlag.truncated != 0 && !asker.tcp {
                // What did not fit is asked for over TCP.
                return ask(number, asker.subject, asker.question, server: asker.server, tcp: true, hub)
            }
            take(message, life, asker, hub)
        }
        if unseen != nil {
            hub.wake(address(asker: number), after: .milliseconds(200))
        } else if !isStopped {
            restAsker(number, hub)
        }
    }

    private func take(_ message: DNSMessage, _ life: LifeID, _ asker: Asker, _ hub: ClientHub) {
        guard message.code == DNSCode.noError || message.code == DNSCode.nameError else {
            refusals += 1
            return
        }
        answers += 1
        do throws(Violation) {
            let versions = try subjects[asker.subject].versions(message, to: asker.question)
            var isLast = true
            for (instance, version) in versions.enumerated() {
                // A node is shown whatever its checks say.
                guard let version, !hidden.contains([asker.subject, instance, version]) || !asker.question.isOfNode else { continue }
                histories[asker.subject][instance].append(
                    .init(life: life, invoked: asker.invoked, returned: hub.now, shown: version), floor: asker.floors[instance])
                if !histories[asker.subject][instance].mayEnd(with: version) { isLast = false }
            }
            if isLast, asker.question == .service {
                unseen?.removeAll { $0.subject == asker.subject && $0.server == asker.server }
            }
        } catch {
            violations.append(error)
        }
    }

    // MARK: - The end

    func stop() { isStopped = true }
    var isIdle: Bool { writers.allSatisfy { !$0.caller.isBusy } && askers.allSatisfy { !$0.isBusy } }

    func readFinalState(_ hub: ClientHub) {
        finalBegan = hub.now
        unseen = hub.usable.flatMap { server in subjects.indices.map { (server, $0) } }
        askFinal(0, hub)
    }

    private func askFinal(_ number: Int, _ hub: ClientHub) {
        guard let unseen, !unseen.isEmpty else { return }
        if hub.now > finalBegan + Self.followLimit {
            let (server, subject) = unseen[0]
            return hub.world.report(
                Violation(
                    rule: "DNS follows the catalog",
                    text:
                        "\(hub.name(of: server)) does not show the last state of \(subjects[subject].name) \(Self.followLimit.brief) after the last write"
                ))
        }
        askers[number].token += 1
        // By turns: a server that refuses must not hide the others.
        let next = unseen[Int(askers[number].token % UInt64(unseen.count))]
        ask(number, next.subject, .service, server: next.server, tcp: false, hub)
    }

    var hasFinalState: Bool { unseen?.isEmpty ?? false }

    func verdict() -> WorkloadVerdict {
        var verdict = WorkloadVerdict(name: name, violations: violations)
        for history in histories.joined() {
            verdict.violations += history.violations(isStale: setup.run.staleDNS, tolerance: setup.run.defaultReadTolerance)
        }
        verdict.counts = [("writes", written), ("dns-answers", answers), ("dns-refusals", refusals)]
        return verdict
    }
}
