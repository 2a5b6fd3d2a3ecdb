// Coordinates on the wire, in the log and in snapshots. Spec: rpc-raft-wire §4.4.

extension Coordinate: WireDecodable, WireEncodable {}

extension NodeCoordinate: WireStruct {
    init() { self.init(node: "") }

    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Coord": coordinate = try Coordinate.optional(from: &reader)
        case "Node": node = try reader.string()
        case "Segment": segment = try reader.string()
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(3)
        writer.field("Coord", coordinate)
        writer.field("Node", node)
        writer.field("Segment", segment)
    }
}

extension DatacenterCoordinates: WireStruct {
    init() { self.init(datacenter: "") }

    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "AreaID": areaID = try reader.string()
        case "Coordinates": coordinates = try NodeCoordinate.array(from: &reader) ?? []
        case "Datacenter": datacenter = try reader.string()
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(3)
        writer.field("AreaID", areaID)
        writer.field("Coordinates", coordinates)
        writer.field("Datacenter", datacenter)
    }
}
