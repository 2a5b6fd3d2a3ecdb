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

/// What concerns the services and checks registered with this agent.
public enum LocalRequest: Sendable {
    /// `GET services`
    case services(filter: Filter?)
    /// `GET checks`. `complaint`: what is wrong with a filter that can be parsed; nobody hears of it while there are no checks.
    case checks(filter: Filter?, complaint: String?)
    /// `GET service/:id`; blocks while the content hash equals `hash`, which is empty for none. `wait` zero or less: the default.
    case service(id: String, hash: String, wait: Duration)
    /// `GET health/service/id/:id`; `text` answers with the bare status.
    case healthByID(String, text: Bool)
    /// `GET health/service/name/:name`
    case healthByName(String, text: Bool)
    /// `PUT service/register`, already validated; `token` is the request's. Checks not named by it go away with `replaceChecks`.
    case registerService(ServiceDefinition, token: String, replaceChecks: Bool)
    /// `PUT service/deregister/:id`
    case deregisterService(id: String)
    /// `PUT service/maintenance/:id`; an empty reason is none.
    case serviceMaintenance(id: String, enable: Bool, reason: String, token: String)
    /// `PUT maintenance`
    case nodeMaintenance(enable: Bool, reason: String, token: String)
    /// `PUT check/register`, already validated.
    case registerCheck(CheckDefinition, token: String)
    /// `PUT check/deregister/:id`
    case deregisterCheck(id: String)
    /// `PUT check/pass|warn|fail|update/:id`: one of the three statuses, and the note.
    case updateCheck(id: String, status: String, output: String)
}
