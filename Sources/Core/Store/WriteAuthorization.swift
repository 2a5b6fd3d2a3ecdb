extension WriteRequest {
    /// Refuses what the caller may not write. Of a transaction each operation is judged by itself, and reported with the others' problems.
    func authorize(_ authorizer: Authorizer, in store: Store) throws(Denied) {
        if authorizer.view == .everything { return }
        switch self {
        case .register(let request): try request.authorize(authorizer, in: store)
        case .deregister(let request): try request.authorize(authorizer, in: store)
        case .kv(let request): try request.authorize(authorizer, in: store)
        case .session(let request): try request.authorize(authorizer, in: store)
        case .txn: break
        // Only servers propose these, of their own accord.
        case .tombstone, .coordinates: try authorizer.require(.operatorWrite)
        case .autopilot: try authorizer.require(.operatorWrite)
        }
    }
}

extension WriteRequest {
    /// The secret that it names; empty: none.
    var token: String {
        switch self {
        case .register(let request): request.token
        case .deregister(let request): request.token
        case .kv(let request): request.token
        case .session(let request): request.token
        case .txn(let request): request.token
        case .tombstone(let request): request.token
        case .autopilot(let request): request.token
        case .coordinates: ""
        }
    }

    /// As the client named it, or the agent's own; empty where nothing names one.
    public var datacenter: String {
        switch self {
        case .register(let request): request.datacenter
        case .deregister(let request): request.datacenter
        case .kv(let request): request.datacenter
        case .session(let request): request.datacenter
        case .txn(let request): request.datacenter
        case .tombstone(let request): request.datacenter
        case .autopilot(let request): request.datacenter
        case .coordinates: ""
        }
    }
}
