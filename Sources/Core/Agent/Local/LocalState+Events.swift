// User events that filter by what is registered here.

extension LocalState {
    /// Whether the event is meant for this node and its services.
    func concerns(_ event: EventMessage) -> Bool {
        event.concerns(node: config.nodeName, services: services.compactMap { $0.value.sync.deleted ? nil : $0.value.service })
    }
}
