/// A user event that concerns agents, as clients see it. Spec: gossip §15.6, http-2 §8.
public struct EventMessage: Hashable, Sendable {
    /// A UUID; empty until the firing agent gave it one.
    public var id = ""
    /// Without the prefix that it has among Serf's events.
    public var name: String
    public var payload: [UInt8] = []
    /// Regular expressions, empty for none: the node's name, the ID of a local service, a tag of that service.
    public var nodeFilter = ""
    public var serviceFilter = ""
    public var tagFilter = ""
    /// Of this format. Higher ones are taken like 1.
    public var version = 1
    /// The Lamport time at which Serf delivered it; zero in the answer to who fired it, and not on the wire.
    public var lamportTime: UInt64 = 0

    public init(name: String) { self.name = name }

    /// What is wrong with it before it is fired; nil for nothing.
    public func problem() -> String? {
        if name.isEmpty { return "User event missing name" }
        if !tagFilter.isEmpty && serviceFilter.isEmpty { return "Cannot provide tag filter without service filter" }
        for (what, text) in [("node", nodeFilter), ("service", serviceFilter), ("tag", tagFilter)] where !text.isEmpty {
            do {
                _ = try RegularExpression(text)
            } catch {
                return "Invalid \(what) filter: \(error.description)"
            }
        }
        return nil
    }

    /// Whether it is meant for this agent. An expression that cannot be compiled matches nothing.
    public func concerns(node: String, services: some Sequence<NodeService>) -> Bool {
        if !nodeFilter.isEmpty {
            guard let expression = try? RegularExpression(nodeFilter), expression.matches(node) else { return false }
        }
        if serviceFilter.isEmpty { return true }
        guard let service = try? RegularExpression(serviceFilter) else { return false }
        if tagFilter.isEmpty { return services.contains { service.matches($0.id) } }
        guard let tag = try? RegularExpression(tagFilter) else { return false }
        return services.contains { service.matches($0.id) && ($0.tags ?? []).contains { tag.matches($0) } }
    }
}
