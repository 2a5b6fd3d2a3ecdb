// Where nodes stand in the space of network latencies. Spec: rpc-raft-wire §4.4, http-2 §9.

/// The coordinate of a node in one network segment; the open-source edition has only the segment without a name.
public struct NodeCoordinate: Hashable, Sendable {
    public var node: String
    public var segment: String
    /// nil on the wire: an update without one changes nothing.
    public var coordinate: Coordinate?

    public init(node: String = "", segment: String = "", coordinate: Coordinate? = nil) {
        self.node = node
        self.segment = segment
        self.coordinate = coordinate
    }
}

/// The coordinates of a datacenter's servers, as the WAN pool knows them.
public struct DatacenterCoordinates: Hashable, Sendable {
    public var datacenter: String
    /// `wan`.
    public var areaID: String
    public var coordinates: [NodeCoordinate]

    public init(datacenter: String = "", areaID: String = "wan", coordinates: [NodeCoordinate] = []) {
        self.datacenter = datacenter
        self.areaID = areaID
        self.coordinates = coordinates
    }
}
