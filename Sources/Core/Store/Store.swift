/// The replicated state of a datacenter. A value: copying it is O(1), changing a copy shares the rest.
public struct Store: Sendable {
    public init() {}
}
