import Core

/// A failure scenario as its file describes it: the options of a run (see `Scenarios/README.md` for the keys).
struct Scenario {
    var options: RunOptions

    static func parse(_ text: [UInt8]) throws(ScenarioError) -> Scenario {
        let tree: DynamicValue
        do {
            tree = try HCL.parse(text)
        } catch {
            throw ScenarioError(line: error.line, text: error.message)
        }
        guard case .map(let members) = tree else { throw ScenarioError(line: 0, text: "the file holds no scenario") }
        var file = ScenarioBlock(members, path: [], source: ScenarioSource(text))
        let scenarios = try file.labelled("scenario")
        try file.finish()
        guard scenarios.count == 1 else {
            throw ScenarioError(line: 0, text: "the file must hold one scenario, it holds \(scenarios.count)")
        }
        var block = scenarios[0].block
        var options = RunOptions()
        options.name = scenarios[0].label
        try options.read(&block)
        try block.finish()
        return Scenario(options: options)
    }
}

extension RunOptions {
    fileprivate mutating func read(_ block: inout ScenarioBlock) throws(ScenarioError) {
        servers = try block.int("servers", in: 1...7) ?? servers
        spares = try block.int("spares", in: 0...4) ?? spares
        agents = try block.int("agents", in: 0...2000) ?? agents
        agentsWithin = try block.duration("agents_within") ?? agentsWithin
        gossip = try block.bool("gossip") ?? (agents > 0)
        if agents > 0 && !gossip { throw block.error("gossip", "agents find their servers by gossip") }
        staleDNS = try block.bool("stale_dns") ?? staleDNS
        duration = try block.duration("duration") ?? duration
        clientTimeout = try block.duration("client_timeout") ?? clientTimeout
        clientsStay = try block.bool("clients_stay") ?? clientsStay
        coreTime = try block.duration("core_time") ?? coreTime
        leaderBias = try block.fraction("leader_bias") ?? leaderBias
        isStorm = try block.bool("storm") ?? isStorm
        healsOnlyMajority = try block.bool("heals_only_majority") ?? healsOnlyMajority
        crashDuringStart = try block.fraction("crash_during_start") ?? crashDuringStart
        if var inner = try block.block("network") {
            try network.read(&inner)
            linkSpread = try inner.int("spread", in: 1...100) ?? linkSpread
            try inner.finish()
        }
        if var inner = try block.block("gossip_network") {
            try packetNetwork.read(&inner)
            try inner.finish()
        }
        if var inner = try block.block("client_network") {
            try clientNetwork.read(&inner)
            try inner.finish()
        }
        if var inner = try block.block("disk") { try disk.read(&inner) }
        if var inner = try block.block("clock") {
            clockOffset = try inner.duration("offset") ?? clockOffset
            driftPPM = try inner.int("drift_ppm", in: 0...400_000) ?? driftPPM
            try inner.finish()
        }
        if var inner = try block.block("raft") { try raft.read(&inner) }
        let clients = try block.int("clients", in: 1...200) ?? 4
        for (label, inner) in try block.labelled("workload") { workloads.append(try Self.workload(label, inner, clients: clients)) }
        for (label, inner) in try block.labelled("fault") { faults.append(try Self.fault(label, inner)) }
        for (label, inner) in try block.labelled("at") { try readStep(label, inner) }
        if var inner = try block.block("expect") { try expect.read(&inner, servers: servers) }
    }

    private static func workload(_ label: String, _ block: ScenarioBlock, clients: Int) throws(ScenarioError) -> WorkloadOptions {
        var block = block
        guard let kind = WorkloadKind.allCases.first(where: { $0.name == label }) else {
            throw block.error(nil, "unknown workload \"\(label)\"")
        }
        let workload = WorkloadOptions(
            kind: kind, clients: try block.int("clients", in: 1...200) ?? clients, rate: try block.fraction("rate", upTo: 10_000) ?? 20,
            objects: try block.int("keys", in: 1...1000) ?? 3)
        try block.finish()
        return workload
    }

    private static func fault(_ label: String, _ block: ScenarioBlock) throws(ScenarioError) -> FaultRate {
        var block = block
        guard let kind = FaultKind.allCases.first(where: { $0.name == label }) else { throw block.error(nil, "unknown fault \"\(label)\"") }
        let rate = FaultRate(
            kind: kind, interval: try block.duration("every") ?? kind.typical.interval.upperBound,
            lasting: try block.range("lasting") ?? kind.typical.lasting)
        guard rate.interval >= .milliseconds(10) else { throw block.error("every", "every must be at least 10ms") }
        try block.finish()
        return rate
    }

    private mutating func readStep(_ label: String, _ block: ScenarioBlock) throws(ScenarioError) {
        var block = block
        let time = try block.duration("at", label)
        let actions = try StepReader(servers: serverPlaces, agents: agents).read(&block)
        try block.finish()
        guard !actions.isEmpty else { throw block.error(nil, "nothing happens at \"\(label)\"") }
        guard time <= duration else { throw block.error(nil, "\"\(label)\" is after the end of the faults") }
        for action in actions { steps.append(ScenarioStep(at: time, action: action)) }
    }
}

extension NetworkProfile {
    fileprivate mutating func read(_ block: inout ScenarioBlock) throws(ScenarioError) {
        delay = try block.range("delay") ?? delay
        tailChance = try block.fraction("tail") ?? tailChance
        drop = try block.fraction("drop") ?? drop
        duplicate = try block.fraction("duplicate") ?? duplicate
        reorders = try block.bool("reorder") ?? reorders
    }
}

extension DiskProfile {
    fileprivate mutating func read(_ block: inout ScenarioBlock) throws(ScenarioError) {
        write = try block.range("write") ?? write
        sync = try block.range("sync") ?? sync
        read = try block.range("read") ?? read
        spikeChance = try block.fraction("spike_chance") ?? spikeChance
        spikeFactor = try block.int("spike_factor", in: 1...10_000) ?? spikeFactor
        try block.finish()
    }
}

extension RaftOptions {
    fileprivate mutating func read(_ block: inout ScenarioBlock) throws(ScenarioError) {
        multiplier = try block.int("multiplier", in: 1...10) ?? multiplier
        timeout = try block.duration("timeout") ?? timeout
        guard timeout >= .milliseconds(20) else { throw block.error("timeout", "timeout must be at least 20ms") }
        if let threshold = try block.int("snapshot_threshold", in: 1...1_000_000) { snapshotThreshold = UInt64(threshold) }
        snapshotInterval = try block.duration("snapshot_interval") ?? snapshotInterval
        if let trailing = try block.int("trailing_logs", in: 0...1_000_000) { trailingLogs = UInt64(trailing) }
        segmentSize = try block.int("segment_size", in: 4096...(1 << 30)) ?? segmentSize
        try block.finish()
    }
}

extension Expectations {
    fileprivate mutating func read(_ block: inout ScenarioBlock, servers: Int) throws(ScenarioError) {
        linearizable = try block.bool("linearizable") ?? linearizable
        leaderWithin = try block.duration("leader_within") ?? leaderWithin
        convergedWithin = try block.duration("converged_within") ?? convergedWithin
        minimumAnswered = try block.int("answered", in: 0...1_000_000) ?? minimumAnswered
        minimumElections = try block.int("elections", in: 0...1_000) ?? minimumElections
        maximumElections = try block.int("elections_at_most", in: 0...1_000) ?? maximumElections
        if let server = try block.int("refuses_to_start", in: 1...servers) { refuseToStart = [server - 1] }
        try block.finish()
    }
}
