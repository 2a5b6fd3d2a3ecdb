/// What a request below `/v1/agent/` asks for, decoded and checked as far as that needs no state. Spec: http-1 §4.
public enum AgentRequest: Sendable {
    /// Answered by `LocalState`.
    case local(LocalRequest)
    /// `GET self`
    case selfDescription
    /// `GET members`
    case members(wan: Bool)
    /// `PUT join/:address`
    case join(address: String, wan: Bool)
    /// `PUT leave`
    case leave
    /// `PUT force-leave/:node`
    case forceLeave(node: String, prune: Bool)
    /// `PUT reload`
    case reload
    /// `GET metrics`; in the format of Prometheus, or as JSON. Answered by `Renderer.prometheus` or `Renderer.metrics`.
    case metrics(prometheus: Bool)
    /// `GET monitor`: log lines from now on, as they come (`LogStream`).
    case monitor(LogLevel, json: Bool)
    /// `GET host`
    case host
    /// `PUT /v1/event/fire/:name`, valid but without ID. The agent gives it one, encodes it, and asks a server of the datacenter to
    /// broadcast it; the answer is `Renderer.event` of the event with its ID.
    case fireEvent(EventMessage, QueryOptions)
    /// `GET /v1/event/list` of `EventLog`: an empty name is any. Blocks while the index of the list is `index`, which is 0 for not at all;
    /// `wait` zero or less: the default. Answered by `Renderer.events`.
    case events(name: String, index: UInt64, wait: Duration)
}

extension AgentRequest {
    /// What a caller needs for it, of the agent on `node` (acl §13.1).
    func permission(node: String) -> Permission {
        switch self {
        // Rows are left out that the caller must not see, and each change is judged by what it is about.
        case .local, .members, .events: .openToEverybody
        // Whoever broadcasts it asks.
        case .fireEvent: .openToEverybody
        case .selfDescription, .metrics, .monitor: .agentRead(node)
        case .join, .leave, .reload: .agentWrite(node)
        case .forceLeave: .operatorWrite
        case .host: .operatorRead
        }
    }
}
