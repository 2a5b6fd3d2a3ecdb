/// The clients that follow the agent's log (`GET /v1/agent/monitor`), and whether the driver knows what they want of its own lines.
/// Spec: http-1 §4.20.
struct LogFollowers {
    private var followers: [(id: RequestID, stream: LogStream)] = []
    /// Since the driver was told.
    private var hasChanged = false

    var isEmpty: Bool { followers.isEmpty }

    mutating func add(_ id: RequestID, _ stream: LogStream) {
        followers.append((id, stream))
        hasChanged = true
    }

    /// The client went away.
    mutating func remove(_ id: RequestID) {
        followers.removeAll { $0.id == id }
        hasChanged = true
    }

    /// Sends a line to all that want lines of its level. `unixNanoseconds` is the wall clock's time.
    func send(_ level: LogLevel, _ module: String, _ message: String, unixNanoseconds: Int64, into effects: inout [AgentEffect]) {
        if followers.isEmpty { return }
        let time = GoTime(unixNanoseconds: unixNanoseconds)
        for (id, stream) in followers {
            if let line = stream.line(level, module: module, message, at: time) { effects.append(.piece(id, line)) }
        }
    }

    /// Tells the driver the lowest level that anybody wants, if it has changed.
    mutating func tellDriver(into effects: inout [AgentEffect]) {
        guard hasChanged else { return }
        hasChanged = false
        effects.append(.followLog(followers.lazy.map(\.stream.level).min()))
    }
}
