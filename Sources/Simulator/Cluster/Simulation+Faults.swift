import Core

// Faults by chance: each kind that the run has comes again and again, picks a victim, and ends after a while.
extension Simulation {
    func faultComes(_ kind: FaultKind) {
        guard stage == .faults, let rate = options.faults.first(where: { $0.kind == kind }) else { return }
        world.schedule(.fault(kind), after: faultRandom.interval(mean: rate.interval))
        let lasting = faultRandom.duration(in: rate.lasting)
        faultCounts[Int(kind.rawValue)] += 1
        world.count(kind: 30 + kind.rawValue, place: 0)
        switch kind {
        case .partition: partitionByChance(lasting)
        case .oneWayPartition: oneWayPartitionByChance(lasting)
        case .clog:
            guard let (from, to) = pickLink() else { return }
            network.clog(from: from, to: to, until: world.now + lasting)
            world.trace { "fault: link s\(from + 1) -> s\(to + 1) is clogged for \(lasting.brief)" }
        default:
            guard let victim = pickVictim() else { return }
            strike(victim, kind, lasting)
        }
    }

    /// A running server, the leader more often than others.
    private func pickVictim() -> Server<Machine>? {
        let running = (0..<options.servers).filter { server($0).isRunning }
        guard !running.isEmpty else { return nil }
        if faultRandom.chance(options.leaderBias), let leader { return leader }
        return server(faultRandom.pick(running))
    }

    private func strike(_ victim: Server<Machine>, _ kind: FaultKind, _ lasting: Duration) {
        world.trace { "fault: \(kind.name) of \(victim.name) for \(lasting.brief)" }
        switch kind {
        case .kill, .powerLoss:
            end(victim, losesPower: kind == .powerLoss)
            world.schedule(.start(server: victim.index), after: lasting)
        case .pause:
            pause(victim)
            endLater(kind, victim, after: lasting)
        case .slowDisk:
            victim.diskQueue.slowness = faultRandom.pick([10, 50, 200])
            endLater(kind, victim, after: lasting)
        case .fullDisk:
            victim.disk.isFull = true
            endLater(kind, victim, after: lasting)
        case .drift:
            // Beyond what the clock has anyway, within the bound of the run.
            setDrift(victim, ppm: faultRandom.int(in: -options.driftPPM...options.driftPPM))
        case .clockLeap:
            victim.clock.advance(by: lasting)
            rearm(victim)
        case .leave:
            leave(victim)
        case .partition, .oneWayPartition, .clog:
            break
        }
    }

    private func endLater(_ kind: FaultKind, _ victim: Server<Machine>, after lasting: Duration) {
        let ticket = newTicket()
        faultTickets[victim.index][kind.rawValue] = ticket
        world.schedule(.faultEnds(kind, server: victim.index, ticket: ticket), after: lasting)
    }

    private func newTicket() -> UInt64 {
        nextTicket += 1
        return nextTicket
    }

    /// A fault ends unless another of its kind has struck the same server since.
    func faultEnds(_ kind: FaultKind, server index: Int, ticket: UInt64) {
        if kind == .partition {
            network.mend(ticket: ticket)
            world.trace { "fault: a partition ends" }
            return
        }
        guard faultTickets[index][kind.rawValue] == ticket else { return }
        let victim = server(index)
        world.trace { "fault: \(kind.name) of \(victim.name) ends" }
        switch kind {
        case .pause: resume(victim)
        case .slowDisk: victim.diskQueue.slowness = 1
        case .fullDisk: victim.disk.isFull = false
        default: break
        }
    }

    // MARK: - Network

    private func pickLink() -> (Int, Int)? {
        guard options.servers > 1 else { return nil }
        let from = faultRandom.int(in: 0...options.servers - 1)
        let to = (from + faultRandom.int(in: 1...options.servers - 1)) % options.servers
        return (from, to)
    }

    private func partitionByChance(_ lasting: Duration) {
        guard options.servers > 1 else { return }
        var members = Array(0..<options.servers)
        faultRandom.shuffle(&members)
        var size = faultRandom.int(in: 1...options.servers - 1)
        if faultRandom.chance(options.leaderBias), let leader {
            members = [leader.index] + members.filter { $0 != leader.index }
            size = faultRandom.chance(0.5) ? 1 : size
        }
        let group = Array(members.prefix(size))
        cut(network.directions(between: [group]), for: lasting)
        world.trace { "fault: \(names(group)) are cut off for \(lasting.brief)" }
    }

    private func oneWayPartitionByChance(_ lasting: Duration) {
        guard options.servers > 1 else { return }
        let victim = faultRandom.chance(options.leaderBias) ? leader?.index : nil
        let one = victim ?? faultRandom.int(in: 0...options.servers - 1)
        let outgoing = faultRandom.chance(0.5)
        let others = (0..<options.servers).filter { $0 != one && faultRandom.chance(0.7) }
        cut(others.map { outgoing ? (from: one, to: $0) : (from: $0, to: one) }, for: lasting)
        world.trace { "fault: \(outgoing ? "from" : "to") s\(one + 1), \(names(others)), nothing arrives for \(lasting.brief)" }
    }

    private func cut(_ directions: [(from: Int, to: Int)], for lasting: Duration) {
        let ticket = newTicket()
        network.cut(directions, ticket: ticket)
        world.schedule(.faultEnds(.partition, server: 0, ticket: ticket), after: lasting)
    }

    private func names(_ servers: [Int]) -> String { servers.map { "s\($0 + 1)" }.joined(separator: ",") }

    // MARK: - What faults and steps have in common

    func pause(_ server: Server<Machine>) {
        if server.isRunning { server.isPaused = true }
    }

    func resume(_ server: Server<Machine>) {
        guard server.isPaused else { return }
        server.isPaused = false
        scheduleBatch(server)
    }

    func setDrift(_ server: Server<Machine>, ppm: Int) {
        server.clock.setDrift(ppm: Int64(ppm), at: world.now)
        rearm(server)
    }

    /// Asks a server to leave for good, if the others can do without it: one that does not lead keeps its place among the voters.
    func leave(_ server: Server<Machine>) {
        let left = (0..<options.servers).count { self.server($0).isGone || self.server($0).isLeaving }
        guard left + 1 <= (options.servers - 1) / 2, !options.healsOnlyMajority, server.isRunning, !server.isLeaving else { return }
        server.isLeaving = true
        deliver(.leave(server.lifeID), to: server)
    }

    /// Ends all that can end by itself.
    func endFaults() {
        network.mendAll()
        for index in 0..<options.servers {
            let server = server(index)
            server.diskQueue.slowness = 1
            server.disk.isFull = false
            resume(server)
        }
    }

    // MARK: - Steps of a scenario

    func perform(_ action: StepAction) {
        world.trace { "step: \(action)" }
        switch action {
        case .kill(let target): resolve(target).forEach { end($0, losesPower: false) }
        case .powerLoss(let target): resolve(target).forEach { end($0, losesPower: true) }
        case .start(let target): resolve(target).forEach { start($0) }
        case .pause(let target): resolve(target).forEach { pause($0) }
        case .resume(let target): resolve(target).forEach { resume($0) }
        case .partition(let groups):
            let places = groups.map { group in group.flatMap { $0 == .clients ? [network.clients] : resolve($0).map(\.index) } }
            network.cut(network.directions(between: places), ticket: newTicket())
        case .isolate(let target, let direction): isolate(resolve(target).map(\.index), direction)
        case .clog(let target, let length): clog(resolve(target).map(\.index), length)
        case .heal: endFaults()
        case .slowDisk(let target, let factor): resolve(target).forEach { $0.diskQueue.slowness = factor }
        case .fullDisk(let target, let isFull): resolve(target).forEach { $0.disk.isFull = isFull }
        case .clockLeap(let target, let leap):
            for server in resolve(target) {
                server.clock.advance(by: leap)
                rearm(server)
            }
        case .drift(let target, let ppm): resolve(target).forEach { setDrift($0, ppm: ppm) }
        case .damage(let target): resolve(target).forEach { damage($0) }
        case .leave(let target): resolve(target).forEach { leave($0) }
        case .network(let drop, let delay, let duplicate, let reorders):
            if let drop { network.profile.drop = drop }
            if let delay { network.profile.delay = delay }
            if let duplicate { network.profile.duplicate = duplicate }
            if let reorders { network.profile.reorders = reorders }
        }
    }

    private func resolve(_ target: Target) -> [Server<Machine>] {
        let everybody = (0..<options.servers).map { server($0) }
        let found: [Server<Machine>]
        switch target {
        case .server(let index): return [server(index)]
        case .all: return everybody
        case .same: return lastTargets.map { server($0) }
        case .clients: return []
        case .leader: found = leader.map { [$0] } ?? []
        case .followers: found = everybody.filter { $0.index != leader?.index }
        case .follower: found = Array(everybody.filter { $0.index != leader?.index && $0.isRunning }.prefix(1))
        }
        lastTargets = found.map(\.index)
        return found
    }

    private func isolate(_ members: [Int], _ direction: Direction) {
        let directions = network.directions(between: [members]).filter { from, _ in
            switch direction {
            case .both: true
            case .outgoing: members.contains(from)
            case .incoming: !members.contains(from)
            }
        }
        network.cut(directions, ticket: newTicket())
    }

    private func clog(_ members: [Int], _ length: Duration) {
        for (from, to) in network.directions(between: [members]) { network.clog(from: from, to: to, until: world.now + length) }
    }

    /// Damages a record that others have too, far from the end of the log, in a server that is down.
    private func damage(_ server: Server<Machine>) {
        guard !server.isRunning, let files = try? server.disk.list("") else { return }
        var largest: (name: String, size: Int)?
        for file in files {
            guard let size = try? server.disk.size(file), size > largest?.size ?? 0 else { continue }
            largest = (file, size)
        }
        guard let (name, size) = largest else { return }
        server.isDamaged = server.disk.damage(name, at: size / 3)
        world.trace { "byte \(size / 3) of \(name) on \(server.name) is damaged" }
    }
}
