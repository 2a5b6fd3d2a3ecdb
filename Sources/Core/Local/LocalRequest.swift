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
