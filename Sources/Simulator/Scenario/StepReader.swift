import Core

/// Reads the actions of one `at` block, in the order of the file.
struct StepReader {
    let servers: Int
    let agents: Int

    func read(_ block: inout ScenarioBlock) throws(ScenarioError) -> [StepAction] {
        var actions: [StepAction] = []
        for member in block.members { actions += try read(member.name, &block) }
        return actions
    }

    private func read(_ key: String, _ block: inout ScenarioBlock) throws(ScenarioError) -> [StepAction] {
        switch key {
        case "kill": return try targets(key, &block).map { .kill($0) }
        case "power_loss": return try targets(key, &block).map { .powerLoss($0) }
        case "start": return try targets(key, &block).map { .start($0) }
        case "restart": return try targets(key, &block).flatMap { [.kill($0), .start($0)] }
        case "pause": return try targets(key, &block).map { .pause($0) }
        case "resume": return try targets(key, &block).map { .resume($0) }
        case "isolate": return try targets(key, &block).map { .isolate($0, .both) }
        case "isolate_outgoing": return try targets(key, &block).map { .isolate($0, .outgoing) }
        case "isolate_incoming": return try targets(key, &block).map { .isolate($0, .incoming) }
        case "full_disk": return try targets(key, &block).map { .fullDisk($0, true) }
        case "free_disk": return try targets(key, &block).map { .fullDisk($0, false) }
        case "damage": return try targets(key, &block).map { .damage($0) }
        case "join": return try targets(key, &block).map { .join($0) }
        case "retire": return try targets(key, &block).map { .retire($0) }
        case "fail_write": return try targets(key, &block).map { .diskError($0, .write(part: 50)) }
        case "fail_sync": return try targets(key, &block).map { .diskError($0, .sync(forgets: true)) }
        case "crash_before", "crash_after", "crash_with_message": return [try crash(key, &block)]
        case "leave": return try targets(key, &block).map { .leave($0) }
        case "partition": return [.partition(try groups(key, &block))]
        case "heal":
            guard try block.bool(key) == true else { throw block.error(key, "heal can only be true") }
            return [.heal]
        case "pool_is_right":
            guard try block.bool(key) == true else { throw block.error(key, "pool_is_right can only be true") }
            return [.judgePool]
        case "garbage":
            guard let length = try block.duration(key) else { throw block.error(key, "garbage must be a duration") }
            return [.garbage(length)]
        case "clog":
            let (target, argument) = try pair(key, &block)
            return [.clog(target, try length(key, argument, block))]
        case "clock_leap":
            let (target, argument) = try pair(key, &block)
            return [.clockLeap(target, try length(key, argument, block))]
        case "slow":
            let (target, argument) = try pair(key, &block)
            return [.slow(target, try length(key, argument, block))]
        case "packet_loss":
            let (target, argument) = try pair(key, &block)
            guard let part = argument.fraction, part >= 0, part <= 1 else {
                throw block.error(key, "packet_loss must be a server and a fraction")
            }
            return [.packetLoss(target, part)]
        case "wall_clock":
            let (target, argument) = try pair(key, &block)
            guard case .string(let text) = argument, let jump = try? GoDuration.parse(text) else {
                throw block.error(key, "wall_clock must be a server and a duration, which may be negative")
            }
            return [.wallClock(target, jump)]
        case "slow_disk":
            let (target, argument) = try pair(key, &block)
            return [.slowDisk(target, factor: try number(key, argument, 1...100_000, block))]
        case "drift":
            let (target, argument) = try pair(key, &block)
            return [.drift(target, ppm: try number(key, argument, -400_000...900_000, block))]
        case "network":
            guard var inner = try block.block(key) else { return [] }
            let action = StepAction.network(
                drop: try inner.fraction("drop"), delay: try inner.range("delay"), duplicate: try inner.fraction("duplicate"),
                reorders: try inner.bool("reorder"))
            try inner.finish()
            return [action]
        default:
            throw block.error(key, "unknown action \"\(key)\"")
        }
    }

    // MARK: - Crashes by operation

    /// `crash_before = ["s1", "write", 3, "200ms"]`: at the third write from now on. `crash_with_message` names no operation.
    private func crash(_ key: String, _ block: inout ScenarioBlock) throws(ScenarioError) -> StepAction {
        let withMessage = key == "crash_with_message"
        let shape = "\(key) must be a server" + (withMessage ? "" : ", an operation") + ", a number and a duration"
        guard case .array(var list)? = block.any(key), list.count == (withMessage ? 3 : 4), case .string(let name) = list.removeFirst()
        else { throw block.error(key, shape) }
        var kind = OperationKind.any
        if !withMessage {
            guard case .string(let text) = list.removeFirst(), let known = OperationKind.allCases.first(where: { $0.name == text }) else {
                let names = OperationKind.allCases.map(\.name).joined(separator: ", ")
                throw block.error(key, "\(key): the operation must be one of \(names)")
            }
            kind = known
        }
        guard case .int(let number) = list[0], (1...1_000_000).contains(number), case .string(let text) = list[1] else {
            throw block.error(key, shape)
        }
        let passes = Int(number) - 1
        let crash: PlannedCrash =
            withMessage
            ? .message(passes: passes) : .disk(CrashPoint(kind: kind, passes: passes, side: key == "crash_before" ? .before : .after))
        return .crash(try target(key, name, block), crash, try block.duration(key, text))
    }

    // MARK: - Targets

    private func target(_ key: String, _ name: String, _ block: ScenarioBlock) throws(ScenarioError) -> Target {
        switch name {
        case "leader": return .leader
        case "followers": return .followers
        case "follower": return .follower
        case "all": return .all
        case "same": return .same
        case "agents": return .agents
        default:
            if let dots = name.firstRange(of: "..") {
                let first = try place(key, String(name[..<dots.lowerBound]), block)
                let last = try place(key, String(name[dots.upperBound...]), block)
                guard first <= last else { throw block.error(key, "\(key): \"\(name)\" ends before it begins") }
                return .range(first, last)
            }
            return .server(try place(key, name, block))
        }
    }

    private func place(_ key: String, _ name: String, _ block: ScenarioBlock) throws(ScenarioError) -> Int {
        if let number = Int(name.dropFirst()) {
            if name.first == "s", number >= 1, number <= servers { return number - 1 }
            if name.first == "a", number >= 1, number <= agents { return servers + number - 1 }
        }
        throw block.error(key, "\(key): there is no agent \"\(name)\"")
    }

    /// A name or a list of names.
    private func targets(_ key: String, _ block: inout ScenarioBlock) throws(ScenarioError) -> [Target] {
        switch block.any(key) {
        case .string(let name)?: return [try target(key, name, block)]
        case .array(let list)?:
            var found: [Target] = []
            for element in list {
                guard case .string(let name) = element else { throw block.error(key, "\(key) must name servers") }
                found.append(try target(key, name, block))
            }
            return found
        default: throw block.error(key, "\(key) must name servers")
        }
    }

    /// Lists of names: the groups that do not hear each other.
    private func groups(_ key: String, _ block: inout ScenarioBlock) throws(ScenarioError) -> [[Target]] {
        guard case .array(let outer)? = block.any(key) else { throw block.error(key, "\(key) must be a list of lists of servers") }
        var groups: [[Target]] = []
        for element in outer {
            guard case .array(let inner) = element else { throw block.error(key, "\(key) must be a list of lists of servers") }
            var group: [Target] = []
            for name in inner {
                guard case .string(let name) = name else { throw block.error(key, "\(key) must name servers") }
                group.append(name == "clients" ? .clients : try target(key, name, block))
            }
            groups.append(group)
        }
        return groups
    }

    // MARK: - Arguments

    /// `[target, argument]`.
    private func pair(_ key: String, _ block: inout ScenarioBlock) throws(ScenarioError) -> (Target, DynamicValue) {
        guard case .array(let list)? = block.any(key), list.count == 2, case .string(let name) = list[0] else {
            throw block.error(key, "\(key) must be a server and a value")
        }
        return (try target(key, name, block), list[1])
    }

    private func length(_ key: String, _ value: DynamicValue, _ block: ScenarioBlock) throws(ScenarioError) -> Duration {
        guard case .string(let text) = value else { throw block.error(key, "\(key) must be a server and a duration") }
        return try block.duration(key, text)
    }

    private func number(_ key: String, _ value: DynamicValue, _ range: ClosedRange<Int>, _ block: ScenarioBlock) throws(ScenarioError)
        -> Int
    {
        guard case .int(let number) = value, let number = Int(exactly: number), range.contains(number) else {
            throw block.error(key, "\(key) must be a server and a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }
}

extension DynamicValue {
    /// A number that need not be whole.
    var fraction: Double? {
        switch self {
        case .double(let value): value
        case .int(let value): Double(value)
        default: nil
        }
    }
}
