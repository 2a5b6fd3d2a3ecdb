// Distances between coordinates (gossip §16.2) and the push of a spring (§16.4). Plain IEEE arithmetic in a fixed order, so that every
// machine comes to the same bits.

/// The settings of the coordinate system (gossip §16.1). Times are in seconds.
enum VivaldiConstants {
    static let dimensions = 8
    static let errorMax = 1.5
    /// How much an observation changes the error, and the position.
    static let errorGain = 0.25
    static let positionGain = 0.25
    static let adjustmentWindow = 20
    static let heightMin = 10e-6
    static let latencyFilterSize = 3
    /// How weakly everybody is drawn to the origin.
    static let gravityRho = 150.0
    static let zeroThreshold = 1e-6
    static let rttMax = Duration.seconds(10)
}

extension Duration {
    /// The length in seconds, as Go's `Duration.Seconds` computes it.
    var fractionalSeconds: Double {
        let whole = nanoseconds / 1_000_000_000
        let rest = nanoseconds % 1_000_000_000
        return Double(whole) + Double(rest) / 1e9
    }
}

extension Coordinate {
    /// The estimated round trip between two places; both must have the same number of dimensions.
    public func distance(to other: Coordinate) -> Duration {
        let raw = rawDistance(to: other)
        let adjusted = raw + adjustment + other.adjustment
        let nanoseconds = (adjusted > 0 ? adjusted : raw) * 1e9
        guard nanoseconds > -0x1p63 && nanoseconds < 0x1p63 else { return .nanoseconds(Int64.min) }
        return .nanoseconds(Int64(nanoseconds))
    }

    /// Without the adjustments, in seconds.
    func rawDistance(to other: Coordinate) -> Double {
        precondition(isCompatible(with: other), "coordinates of different dimensions have no distance")
        var sum = 0.0
        for index in vec.indices {
            let difference = vec[index] - other.vec[index]
            sum += difference * difference
        }
        return sum.squareRoot() + height + other.height
    }

    /// Moves by `force` seconds away from `other`; negative forces draw near.
    mutating func apply(force: Double, from other: Coordinate, random: inout Random) {
        var unit = vec
        let magnitude = Self.unitVector(&unit, other.vec, random: &random)
        for index in vec.indices { vec[index] += unit[index] * force }
        if magnitude > VivaldiConstants.zeroThreshold {
            height = (height + other.height) * force / magnitude + height
            height = Swift.max(height, VivaldiConstants.heightMin)
        }
    }

    /// Makes of `vector` the direction away from `other`, a random one where both are the same; tells the distance.
    private static func unitVector(_ vector: inout [Double], _ other: [Double], random: inout Random) -> Double {
        for index in vector.indices { vector[index] -= other[index] }
        let distance = magnitude(vector)
        if distance > VivaldiConstants.zeroThreshold {
            scale(&vector, 1 / distance)
            return distance
        }
        for index in vector.indices { vector[index] = Double(random.next() >> 11) * 0x1.0p-53 - 0.5 }
        let length = magnitude(vector)
        if length > VivaldiConstants.zeroThreshold {
            scale(&vector, 1 / length)
        } else {
            for index in vector.indices { vector[index] = index == 0 ? 1 : 0 }
        }
        return 0
    }

    private static func magnitude(_ vector: [Double]) -> Double {
        var sum = 0.0
        for component in vector { sum += component * component }
        return sum.squareRoot()
    }

    private static func scale(_ vector: inout [Double], _ factor: Double) {
        for index in vector.indices { vector[index] *= factor }
    }
}
