// Coordinates on the wire, in the log and in snapshots. Spec: rpc-raft-wire §4.4.

extension Coordinate: WireStruct {}

extension NodeCoordinate: WireStruct {
    init(from reader: inout MessagePackReader) throws(MessagePackError) {
        self.init()
        var left = try reader.structHeader()
        while let key = try reader.nextKey(&left) {
            switch key {
            case "Coord": coordinate = try Coordinate.optional(from: &reader)
            case "Node": node = try reader.string()
            case "Segment": segment = try reader.string()
            default: try reader.skip()
            }
        }
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(3)
        writer.field("Coord", coordinate)
        writer.field("Node", node)
        writer.field("Segment", segment)
    }
}

extension DatacenterCoordinates: WireStruct {
    init(from reader: inout MessagePackReader) throws(MessagePackError) {
        self.init()
        var left = try reader.structHeader()
        while let key = try reader.nextKey(&left) {
            switch key {
            case "AreaID": areaID = try reader.string()
            case "Coordinates": coordinates = try NodeCoordinate.array(from: &reader) ?? []
            case "Datacenter": datacenter = try reader.string()
            default: try reader.skip()
            }
        }
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(3)
        writer.field("AreaID", areaID)
        writer.field("Coordinates", coordinates)
        writer.field("Datacenter", datacenter)
    }
}
