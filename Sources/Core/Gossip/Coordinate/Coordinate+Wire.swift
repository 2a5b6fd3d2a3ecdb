extension Coordinate {
    /// As an agent starts, and as it starts again when its numbers have gone astray (gossip §16.1).
    public static let origin = Coordinate(
        vec: Array(repeating: 0, count: VivaldiConstants.dimensions), error: VivaldiConstants.errorMax, adjustment: 0,
        height: VivaldiConstants.heightMin)

    /// Whether every component is a finite number.
    public var isValid: Bool { vec.allSatisfy(\.isFinite) && error.isFinite && adjustment.isFinite && height.isFinite }

    public func isCompatible(with other: Coordinate) -> Bool { vec.count == other.vec.count }

    public init(from reader: inout MessagePackReader) throws(MessagePackError) {
        self.init(vec: [], error: 0, adjustment: 0, height: 0)
        var fields = try GossipFields(&reader, order: ["Vec", "Error", "Adjustment", "Height"])
        while let key = try fields.next(&reader) {
            switch key {
            case "Vec":
                vec = try reader.array { (reader: inout MessagePackReader) throws(MessagePackError) in try reader.double() } ?? []
            case "Error": error = try reader.double()
            case "Adjustment": adjustment = try reader.double()
            case "Height": height = try reader.double()
            default: try reader.skip()
            }
        }
    }

    public func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(4)
        writer.field("Adjustment", adjustment)
        writer.field("Error", error)
        writer.field("Height", height)
        writer.key("Vec")
        writer.arrayHeader(vec.count)
        for component in vec { writer.double(component) }
    }
}

/// What an ack carries: the coordinate of who was pinged (gossip §16.5).
enum PingPayload {
    static let version: UInt8 = 1

    static func encode(_ coordinate: Coordinate) -> [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: 136)
        writer.bytes.append(version)
        coordinate.encode(into: &writer)
        return writer.bytes
    }

    /// From what follows the version byte.
    static func decode(_ body: ArraySlice<UInt8>) throws(MessagePackError) -> Coordinate {
        var reader = MessagePackReader(body)
        return try Coordinate(from: &reader)
    }
}
