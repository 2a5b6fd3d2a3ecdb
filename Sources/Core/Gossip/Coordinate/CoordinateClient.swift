/// Finds this node's place among the latencies to others: Vivaldi ("Vivaldi: A Decentralized Network Coordinate System", Dabek et al.), with
/// heights as there, and with an adjustment term and gravity after "Network Coordinates in the Wild" (Ledlie et al.), all as the reference
/// computes it (gossip §16.3).
public struct CoordinateClient: Sendable {
    public private(set) var coordinate = Coordinate.origin
    /// How often the numbers had gone astray and were begun anew.
    public private(set) var resets = 0

    private var adjustmentIndex = 0
    private var adjustmentSamples = Array(repeating: 0.0, count: VivaldiConstants.adjustmentWindow)
    private var latencies = LookupTable<String, LatencySamples>()
    private var random: Random

    /// The latest round trips to one member, the oldest first.
    private struct LatencySamples {
        private var samples: (Double, Double, Double) = (0, 0, 0)
        private var count = 0

        /// The median of the latest three; of two, the larger.
        mutating func filter(_ rtt: Double) -> Double {
            switch count {
            case 0: samples.0 = rtt
            case 1: samples.1 = rtt
            case 2: samples.2 = rtt
            default: samples = (samples.1, samples.2, rtt)
            }
            count = min(count + 1, VivaldiConstants.latencyFilterSize)
            switch count {
            case 1: return samples.0
            case 2: return max(samples.0, samples.1)
            default:
                let low = min(samples.0, samples.1), high = max(samples.0, samples.1)
                return max(low, min(high, samples.2))
            }
        }
    }

    public init(seed: UInt64) { random = Random(seed: seed) }

    /// Starts from a known place.
    init(seed: UInt64, coordinate: Coordinate) {
        self.init(seed: seed)
        self.coordinate = coordinate
    }

    /// Takes a measured round trip to `node`, which is at `other`, into account. Throws for what cannot be true.
    public mutating func update(node: String, other: Coordinate, rtt: Duration) throws(TextError) {
        if !coordinate.isCompatible(with: other) { throw TextError("dimensions aren't compatible") }
        if !other.isValid { throw TextError("coordinate is invalid") }
        if rtt < .zero || rtt > VivaldiConstants.rttMax {
            throw TextError("round trip time not in valid range, duration \(GoDuration.format(rtt)) is not a positive value less than 10s ")
        }
        let latency = latencies[node, default: LatencySamples()].filter(rtt.fractionalSeconds)
        updateVivaldi(other, latency)
        updateAdjustment(other, latency)
        updateGravity()
        if !coordinate.isValid {
            coordinate = .origin
            resets += 1
        }
    }

    /// Drops what is known of a member that is gone.
    public mutating func forget(node: String) { latencies.removeValue(forKey: node) }

    private mutating func updateVivaldi(_ other: Coordinate, _ latency: Double) {
        let distance = coordinate.distance(to: other).fractionalSeconds
        let rtt = max(latency, VivaldiConstants.zeroThreshold)
        let wrongness = (distance - rtt).magnitude / rtt
        let totalError = max(coordinate.error + other.error, VivaldiConstants.zeroThreshold)
        let weight = coordinate.error / totalError
        let gain = VivaldiConstants.errorGain * weight
        coordinate.error = min(gain * wrongness + coordinate.error * (1 - gain), VivaldiConstants.errorMax)
        let force = VivaldiConstants.positionGain * weight * (rtt - distance)
        coordinate.apply(force: force, from: other, random: &random)
    }

    private mutating func updateAdjustment(_ other: Coordinate, _ latency: Double) {
        adjustmentSamples[adjustmentIndex] = latency - coordinate.rawDistance(to: other)
        adjustmentIndex = (adjustmentIndex + 1) % VivaldiConstants.adjustmentWindow
        var sum = 0.0
        for sample in adjustmentSamples { sum += sample }
        coordinate.adjustment = sum / (2 * Double(VivaldiConstants.adjustmentWindow))
    }

    private mutating func updateGravity() {
        let distance = Coordinate.origin.distance(to: coordinate).fractionalSeconds
        let pull = distance / VivaldiConstants.gravityRho
        coordinate.apply(force: -(pull * pull), from: .origin, random: &random)
    }
}
