/// One gossip pool that an agent is in: its Serf, and how it gets into the pool.
///
/// What concerns the rest of the agent it collects as `PoolNews`.
final class Pool {
    let kind: GossipPool
    let serf: Serf
    private let settings: AgentSettings
    private let defaultPort: Int
    private var schedules: [JoinSchedule]
    private var purposes = LookupTable<UInt64, Purpose>()
    private var resolutions = LookupTable<UInt64, Resolution>()
    private var nextToken: UInt64 = 1
    private var serfEffects: [SerfEffect] = []
    private var steps: [JoinSchedule.Step] = []
    private var news: [PoolNews] = []
    /// What of the counters was taken already.
    private var counted = PoolCounters()

    /// What an operation of the Serf was asked for.
    private enum Purpose {
        case schedule(Int)
        case request(RequestID)
        /// An operation on keys, of that number.
        case keys(UInt64)
        case none
    }

    private enum Resolution {
        case schedule(Int)
        case request(RequestID, JoinAddress)
    }

    init(_ kind: GossipPool, serf: Serf, settings: AgentSettings) {
        self.kind = kind
        self.serf = serf
        self.settings = settings
        let own = settings.gossip[kind]
        defaultPort = own.port
        schedules = [
            JoinSchedule(own.startJoin, port: own.port, interval: .hours(1), retriesMax: 0, pool: kind, isAtStart: true),
            JoinSchedule(
                own.retryJoin, port: own.port, interval: own.retryJoinInterval, retriesMax: own.retryJoinMaxAttempts, pool: kind),
        ]
    }

    // MARK: Events

    /// Becomes a member, alone at first. Returns why it cannot be.
    func start(at now: Instant, into effects: inout [AgentEffect]) -> TextError? {
        defer { settle(at: now, into: &effects) }
        return serf.start(at: now, into: &serfEffects)
    }

    func handle(_ event: GossipEvent, at now: Instant, into effects: inout [AgentEffect]) {
        serf.handle(event, at: now, into: &serfEffects)
        settle(at: now, into: &effects)
    }

    func wake(at now: Instant, into effects: inout [AgentEffect]) {
        if let due = serf.deadline, due <= now { serf.handle(.wake, at: now, into: &serfEffects) }
        for index in schedules.indices {
            schedules[index].wake(at: now, into: &steps)
            perform(index, at: now, into: &effects)
        }
        settle(at: now, into: &effects)
    }

    func resolved(_ id: ResolutionID, _ result: Result<[String], TextError>, at now: Instant, into effects: inout [AgentEffect]) {
        switch resolutions.removeValue(forKey: id.number) {
        case nil: return
        case .schedule(let index):
            schedules[index].resolved(result, at: now, into: &steps)
            perform(index, at: now, into: &effects)
        case .request(let id, let address):
            let targets: [JoinTarget]
            switch result {
            case .success(let hosts): targets = hosts.compactMap { NodeAddress(address.address(ip: $0)).map { .address($0) } }
            case .failure(let complaint): targets = [.failed("Failed to resolve \(address.text): \(complaint.text)")]
            }
            join(targets, for: .request(id), at: now)
        }
        settle(at: now, into: &effects)
    }

    func diskCompleted(_ completion: DiskCompletion, at now: Instant, into effects: inout [AgentEffect]) {
        serf.diskFinished(completion, at: now, into: &serfEffects)
        settle(at: now, into: &effects)
    }

    var deadline: Instant? {
        var earliest = serf.deadline
        for schedule in schedules { earliest.bringForward(to: schedule.deadline) }
        return earliest
    }

    /// Takes what has happened since the last call.
    func takeNews() -> [PoolNews] {
        defer { news = [] }
        return news
    }

    /// What was counted since the last call.
    func takeCounters() -> PoolCounters {
        let now = PoolCounters(serf.memberlistCounters, serf.counters)
        defer { counted = now }
        return now.since(counted)
    }

    // MARK: Operations

    /// Joins what the configuration names to be joined before the agent runs; told by `.joinedAtStart` or `.gaveUp`.
    func joinAtStart(at now: Instant, into effects: inout [AgentEffect]) {
        schedules[0].begin(at: now, into: &steps)
        perform(0, at: now, into: &effects)
        settle(at: now, into: &effects)
    }

    /// Stops without leaving; what is to be remembered is written down.
    func shutDown(at now: Instant, into effects: inout [AgentEffect]) {
        serf.shutdown(at: now, into: &serfEffects)
        settle(at: now, into: &effects)
    }

    /// Joins what a client names; told by `.joined`.
    func join(_ text: String, for id: RequestID, at now: Instant, into effects: inout [AgentEffect]) {
        let address: JoinAddress
        do throws(TextError) {
            address = try JoinAddress(text, defaultPort: defaultPort)
        } catch {
            join([.failed("Failed to resolve \(text): \(error.text)")], for: .request(id), at: now)
            return settle(at: now, into: &effects)
        }
        if address.isIP {
            join(NodeAddress(address.address()).map { [.address($0)] } ?? [], for: .request(id), at: now)
            return settle(at: now, into: &effects)
        }
        resolve(address.host, .request(id, address), into: &effects)
    }

    /// Joins servers of the datacenter that this pool does not know yet.
    func flood(_ addresses: [NodeAddress], at now: Instant, into effects: inout [AgentEffect]) {
        join(addresses.map { .address($0) }, for: .none, at: now)
        settle(at: now, into: &effects)
    }

    /// Told by `.left`.
    func leave(at now: Instant, into effects: inout [AgentEffect]) {
        serf.leave(at: now, into: &serfEffects)
        settle(at: now, into: &effects)
    }

    func forceLeave(_ name: String, prune: Bool, at now: Instant, into effects: inout [AgentEffect]) {
        serf.forceLeave(name, prune: prune, token: token(for: .none), at: now, into: &serfEffects)
        settle(at: now, into: &effects)
    }

    /// What is wrong with the event, if something is.
    func broadcast(event name: String, _ payload: [UInt8], at now: Instant, into effects: inout [AgentEffect]) -> TextError? {
        defer { settle(at: now, into: &effects) }
        do throws(TextError) {
            try serf.userEvent(name, payload: payload, at: now, into: &serfEffects)
            return nil
        } catch {
            return error
        }
    }

    /// Told by `.keys` with that number.
    func manageKeys(_ operation: KeyOperation, relayFactor: UInt8, for number: UInt64, at now: Instant, into effects: inout [AgentEffect]) {
        serf.operate(keys: operation, relayFactor: relayFactor, token: token(for: .keys(number)), at: now, into: &serfEffects)
        settle(at: now, into: &effects)
    }

    private func token(for purpose: Purpose) -> UInt64 {
        defer { nextToken += 1 }
        purposes[nextToken] = purpose
        return nextToken
    }

    private func join(_ targets: [JoinTarget], for purpose: Purpose, at now: Instant) {
        serf.join(targets, token: token(for: purpose), at: now, into: &serfEffects)
    }

    private func resolve(_ host: String, _ resolution: Resolution, into effects: inout [AgentEffect]) {
        resolutions[nextToken] = resolution
        effects.append(.resolve(ResolutionID(kind, nextToken), host: host))
        nextToken += 1
    }

    private func perform(_ index: Int, at now: Instant, into effects: inout [AgentEffect]) {
        let batch = steps
        steps.removeAll(keepingCapacity: true)
        for step in batch {
            switch step {
            case .resolve(let host): resolve(host, .schedule(index), into: &effects)
            case .join(let targets): join(targets, for: .schedule(index), at: now)
            case .log(let level, let text): effects.append(.log(level, "agent", text))
            case .isUp: news.append(.joinedAtStart)
            case .giveUp(let reason): news.append(.gaveUp(reason))
            }
        }
    }

    // MARK: What the Serf says

    private func settle(at now: Instant, into effects: inout [AgentEffect]) {
        while !serfEffects.isEmpty {
            let batch = serfEffects
            serfEffects.removeAll(keepingCapacity: true)
            for effect in batch { perform(effect, at: now, into: &effects) }
        }
    }

    private func perform(_ effect: SerfEffect, at now: Instant, into effects: inout [AgentEffect]) {
        switch effect {
        case .gossip(let effect): perform(effect, into: &effects)
        case .members(let kind, let members): news.append(.members(kind, members))
        case .userEvent(let event): news.append(.userEvent(event))
        case .query, .queryAck, .queryResponse, .queryDone, .tagsUpdated: break
        case .joined(let token, let result):
            switch purposes.removeValue(forKey: token) {
            case .schedule(let index):
                schedules[index].joined(result, at: now, into: &steps)
                perform(index, at: now, into: &effects)
            case .request(let id): news.append(.joined(id, result))
            case .keys, nil, Purpose.none?: break
            }
        case .left(let error): news.append(.left(error))
        case .removed(let token, let error):
            purposes.removeValue(forKey: token)
            if let error { effects.append(.log(.warn, "agent", "failed to remove a member: error=\(LogText.value(error.text))")) }
        case .keys(let token, let response):
            guard case .keys(let number) = purposes.removeValue(forKey: token) else { return }
            news.append(.keys(number, response))
        case .disk(let batch): effects.append(.disk(batch))
        case .conflictLost: news.append(.conflictLost)
        }
    }

    private func perform(_ effect: GossipEffect, into effects: inout [AgentEffect]) {
        switch effect {
        case .packet(let address, let bytes): effects.append(.packet(kind, to: address, bytes))
        case .call(let id, let address, let bytes, let timeout):
            effects.append(.call(id, to: address, kind == .lan ? .lan : .wan, bytes, timeout: timeout))
        case .reply(let id, let bytes): effects.append(.reply(id, bytes))
        case .refuse(let id): effects.append(.refuse(id))
        case .log(let level, let module, let text):
            let role = settings.identity.isServer ? "server" : "client"
            effects.append(.log(level, "agent.\(role).\(module).\(kind == .lan ? "lan" : "wan")", "\(module): \(text)"))
        }
    }
}

/// What happened in a pool that concerns the rest of the agent.
enum PoolNews {
    case members(MemberEventKind, [Member])
    case userEvent(UserEvent)
    /// How many could be joined, or why none.
    case joined(RequestID, Result<Int, TextError>)
    /// The own departure was told, or not within its time.
    case left(TextError?)
    case keys(UInt64, KeyResponse)
    /// The members know another agent by this one's name.
    case conflictLost
    /// What was to be joined before the agent runs is joined.
    case joinedAtStart
    /// What was configured to be joined could not be: the agent has to stop.
    case gaveUp(String)
}
