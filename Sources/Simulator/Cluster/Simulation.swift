import Core

/// One run: servers, network, disks, clients, faults and checkers, moved from event to event.
///
/// A run first lets faults happen while only what must never happen is checked; then it heals a quorum, which must elect a leader,
/// serve and converge within bounds. Everything is a function of the options and the seed.
final class Simulation<Machine: SimulatedMachine> {
    let options: RunOptions
    let world: World
    let network: Network
    let hub: ClientHub
    private(set) var servers: [Server<Machine>] = []
    private let placeOfAddress: LookupTable<Address, Int>
    var calls = Slab<Call>()
    var raft: RaftChecker
    let workloads: [any Workload]

    var disks: DiskProfile
    var diskRandom: Random
    var faultRandom: Random
    var crashRandom: Random
    var clockRandom: Random

    // Strangers
    var stranger: Stranger
    var strangersUntil = Instant.zero
    var strangerCount: UInt32 = 0
    var hasHadStrangers = false

    // Faults
    var stage = Stage.faults
    var nextTicket: UInt64 = 1
    var faultTickets: [LookupTable<UInt8, UInt64>]
    var faultCounts: [Int] = Array(repeating: 0, count: FaultKind.allCases.count)
    /// Servers that were taken out of the cluster, and when that was seen.
    var retiredAt = LookupTable<Int, Instant>()
    var isWatchingMembership = false
    var quorum = QuorumChecker()
    var leases = LeaseChecker()
    /// The servers that must work after the faults.
    var core: [Int] = []
    /// Whom the last step with a role meant.
    var lastTargets: [Int] = []
    var stageBegan = Instant.zero
    var healedAt = Instant.zero
    var restarts = 0
    /// How many servers lost power where that was planned.
    var plannedCrashes = 0

    // Scratch buffers of the hot path
    var effects: [AgentEffect] = []
    var responseBytes: [UInt8] = []

    init(_ options: RunOptions, seed: UInt64, tracer: Tracer? = nil) {
        self.options = options
        world = World(seed: seed, tracer: tracer)
        network = Network(
            servers: options.places, profile: options.network, clientProfile: options.clientNetwork,
            packetProfile: options.packetNetwork, random: Random(seed: seed, stream: .network))
        raft = RaftChecker(servers: options.places)
        disks = options.disk
        diskRandom = Random(seed: seed, stream: .disk)
        faultRandom = Random(seed: seed, stream: .faults)
        crashRandom = Random(seed: seed, stream: .crashes)
        clockRandom = Random(seed: seed, stream: .clocks)
        stranger = Stranger(seed: seed)
        faultTickets = Array(repeating: LookupTable(), count: options.places)
        let identities = Self.identities(options, seed: seed)
        var places = LookupTable<Address, Int>()
        for (index, identity) in identities.enumerated() {
            // By the address without its port: servers listen on several.
            places[Self.host(identity.address)] = index
        }
        placeOfAddress = places
        hub = ClientHub(world: world, network: network, options: options)
        workloads = options.workloads.enumerated().map { index, workload in makeWorkload(workload, index: index, seed: seed, options) }
        for (index, identity) in identities.enumerated() {
            let range = options.clockOffset
            let drift = options.driftPPM > 0 ? Int64(clockRandom.int(in: -options.driftPPM...options.driftPPM)) : 0
            let clock = ServerClock(offset: .seconds(1) + clockRandom.duration(below: range + .nanoseconds(1)), driftPPM: drift)
            let settings = ServerConfig.make(identity, at: index, among: identities, options)
            let server = Server<Machine>(index: index, identity: identity, settings: settings, clock: clock)
            if index >= options.servers && index < options.serverPlaces { server.standing = .spare }
            servers.append(server)
        }
        spreadLinks()
    }

    private static func identities(_ options: RunOptions, seed: UInt64) -> [ServerIdentity] {
        var random = Random(seed: seed, stream: .machines)
        return (0..<options.places).map { place in
            let number = place + 1
            return ServerIdentity(
                id: random.uuid(), name: options.name(of: place), address: "10.\(number >> 16).\(number >> 8 & 255).\(number & 255):8300")
        }
    }

    private func spreadLinks() {
        guard options.linkSpread > 1 else { return }
        for from in 0...options.serverPlaces {
            for to in 0...options.serverPlaces where from < to {
                let stretch = faultRandom.int(in: 100...(100 * options.linkSpread))
                network.setStretch(from: from, to: to, hundredths: stretch)
                network.setStretch(from: to, to: from, hundredths: stretch)
            }
        }
    }

    func place(of address: Address) -> Int? { placeOfAddress[Self.host(address)] }

    private static func host(_ address: Address) -> String {
        guard let colon = address.utf8.lastIndex(of: UInt8(ascii: ":")) else { return address }
        return String(address[..<colon])
    }

    // MARK: - Running

    /// Runs until everything is checked or a rule is broken.
    func run() -> RunReport {
        for server in servers where server.standing == .member {
            world.schedule(.start(server: server.index), after: options.startTime(of: server.index))
        }
        for rate in options.faults { world.schedule(.fault(rate.kind), after: faultRandom.interval(mean: rate.interval)) }
        for (number, step) in options.steps.enumerated() { world.schedule(.step(number), at: .zero + step.at) }
        world.schedule(.milestone(.heal), at: .zero + options.duration)
        for workload in workloads { workload.start(hub) }
        watchPeace()
        let end = Instant.zero + options.duration + options.expect.leaderWithin + options.expect.convergedWithin + .minutes(10)
        while stage != .done, world.violation == nil {
            guard let happening = world.next(until: end) else {
                world.report(Violation(rule: "liveness", text: "nothing happens any more in stage \(stage)"))
                break
            }
            dispatch(happening)
        }
        return report()
    }

    private func dispatch(_ happening: Happening) {
        switch happening {
        case .wake(let index, let generation):
            let server = servers[index]
            guard server.wakeGeneration == generation, server.isRunning else { return }
            deliver(happening, to: server)
        case .call(let handle, let index, _, _):
            arrived(handle, at: servers[index], happening)
        case .answer(_, let life, _), .callFailed(_, let life, _), .callerGone(_, let life), .completion(let life, _),
            .probed(let life, _, _), .cancel(_, let life),
            .leave(let life), .reload(let life), .wallClock(let life), .change(let life, _, _), .handedOver(_, let life):
            let server = servers[life.server]
            guard server.life == life.life, server.isRunning else { return }
            deliver(happening, to: server)
        case .batch(let life):
            let server = servers[life.server]
            guard server.life == life.life, server.isRunning else { return }
            processInbox(server)
        case .disk(let life):
            let server = servers[life.server]
            guard server.life == life.life, server.isRunning else { return }
            diskAdvanced(server)
        case .request(let handle, let index):
            requestArrived(handle, at: servers[index])
        case .packet(let to, _, _, _):
            let server = servers[to]
            if server.isRunning { deliver(happening, to: server) }
        case .strangerMessage(let life, _):
            let server = servers[life.server]
            guard server.life == life.life, server.isRunning else { return }
            deliver(happening, to: server)
        case .stranger:
            strangerSends()
        case .resolved(let life, _, _):
            let server = servers[life.server]
            guard server.life == life.life, server.isRunning else { return }
            deliver(happening, to: server)
        case .slownessEnds(let index, let ticket):
            slownessEnds(servers[index], ticket)
        case .question(let handle, let index):
            questionArrived(handle, at: servers[index])
        case .response(let handle, let bytes):
            hub.responseArrived(handle, bytes, workloads)
        case .questionAnswered(let handle, let life, let bytes):
            hub.questionAnswered(handle, life, bytes, workloads)
        case .questionFailed(let handle, let failure):
            hub.questionFailed(handle, failure, workloads)
        case .requestFailed(let handle, let failure):
            hub.failed(handle, failure, workloads)
        case .clientTimer(let workload, let client, let token):
            world.count(kind: 20, place: client)
            workloads[workload].timer(client: client, token: token, hub)
        case .timeouts(let lane):
            timeoutsDue(lane)
        case .start(let index):
            start(servers[index])
        case .fault(let kind):
            faultComes(kind)
        case .faultEnds(let kind, let index, let ticket):
            faultEnds(kind, server: index, ticket: ticket)
        case .step(let number):
            world.count(kind: 21, place: number)
            perform(options.steps[number].action)
        case .milestone(let milestone):
            reached(milestone)
        }
    }

    private func timeoutsDue(_ lane: Int) {
        let due = world.dueTimeouts(lane: lane) { subject, handle in
            switch subject {
            case .call: calls[handle] != nil
            case .request: hub.isOpen(handle)
            case .question: hub.questions[handle] != nil
            }
        }
        for item in due {
            switch item.subject {
            case .call: callTimedOut(item.handle)
            case .request: requestTimedOut(item.handle)
            case .question: hub.questionFailed(item.handle, .timedOut, workloads)
            }
        }
    }

    func server(_ index: Int) -> Server<Machine> { servers[index] }

    /// The running server that leads in the highest term.
    var leader: Server<Machine>? {
        var best: (term: UInt64, server: Server<Machine>)?
        for server in servers {
            guard let view = server.machine?.raft, view.isLeader, view.term >= best?.term ?? 0 else { continue }
            best = (view.term, server)
        }
        return best?.server
    }
}
