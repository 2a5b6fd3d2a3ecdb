/// A position in the space of network latencies (gossip §16); all in seconds.
public struct Coordinate: Hashable, Sendable {
    /// Eight dimensions.
    public var vec: [Double]
    /// How far off the position may be; grows to 1.5 at most.
    public var error: Double
    public var adjustment: Double
    public var height: Double

    public init(vec: [Double], error: Double, adjustment: Double, height: Double) {
        self.vec = vec
        self.error = error
        self.adjustment = adjustment
        self.height = height
    }
}
