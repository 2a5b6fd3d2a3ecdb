// Coordinates on the wire, in the log and in snapshots. Spec: rpc-raft-wire §4.4.

extension Coordinate: WireStruct {
    init(from reader: inout MessagePackReader) throws(MessagePackError) {
        self.init(vec: [], error: 0, adjustment: 0, height: 0)
        var left = try reader.structHeader()
        while let key = try reader.nextKey(&left) {
            switch key {
            case "Adjustment": adjustment = try reader.double()
            case "Error": error = try reader.double()
            case "Height": height = try reader.double()
            case "Vec": vec = try reader.array { (reader) throws(MessagePackError) in try reader.double() } ?? []
            default: try reader.skip()
            }
        }
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(4)
        writer.field("Adjustment", adjustment)
        writer.field("Error", error)
        writer.field("Height", height)
        writer.key("Vec")
        writer.arrayHeader(vec.count)
        for component in vec { writer.double(component) }
    }
}

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
