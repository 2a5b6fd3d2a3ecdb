// `/v1/coordinate/`. Spec: http-2 §9.

extension RouteTable {
    static let coordinates: [Route] = [
        Route("/v1/coordinate/datacenters", .get, .openToEverybody) { (call) throws(Refusal) in try call.coordinateDatacenters() },
        Route("/v1/coordinate/nodes", .get, .filters(.node)) { (call) throws(Refusal) in try call.coordinateNodes() },
        Route("/v1/coordinate/node/", .get, .needs(.node)) { (call) throws(Refusal) in try call.coordinateNode() },
        Route("/v1/coordinate/update", .put, .needs(.node)) { (call) throws(Refusal) in try call.coordinateUpdate() },
    ]
}

extension APIRequest {
    private func refuseWhenDisabled() throws(Refusal) {
        if context.disableCoordinates { throw Refusal(401, "Coordinate support disabled") }
    }

    /// No parameter counts here.
    func coordinateDatacenters() throws(Refusal) -> APICall {
        try refuseWhenDisabled()
        var options = QueryOptions()
        options.datacenter = context.datacenter
        return .operation(.datacenterCoordinates, options, pretty: pretty)
    }

    func coordinateNodes() throws(Refusal) -> APICall {
        try refuseWhenDisabled()
        let shape = ReadShape(.coordinates(segment: parameters.value("segment"), ofNode: false), pretty: pretty)
        return .read(.coordinate(.nodes), try readOptions(), shape)
    }

    func coordinateNode() throws(Refusal) -> APICall {
        try refuseWhenDisabled()
        let shape = ReadShape(.coordinates(segment: parameters.value("segment"), ofNode: true), pretty: pretty)
        return .read(.coordinate(.node(argumentText)), try readOptions(), shape)
    }

    func coordinateUpdate() throws(Refusal) -> APICall {
        try refuseWhenDisabled()
        let (update, named) = try decodeBody(type: "structs.CoordinateUpdateRequest", NodeCoordinate.withDatacenter(json:))
        // The reference dies of this.
        if update.coordinate == nil { throw Refusal(400, "Request decode failed: missing field \"Coord\"") }
        var options = QueryOptions()
        options.datacenter = parameters.nonEmpty("dc") ?? (named.isEmpty ? context.datacenter : named)
        options.token = token
        return .operation(.updateCoordinate(update), options, pretty: pretty)
    }
}

extension NodeCoordinate {
    fileprivate static func withDatacenter(json document: JSONField) throws(TextError) -> (NodeCoordinate, datacenter: String) {
        var update = NodeCoordinate(), datacenter = "", obsolete = ""
        for field in try document.members(of: "CoordinateUpdateRequest") {
            switch field.key {
            case "datacenter": try field.read(&datacenter)
            case "node": try field.read(&update.node)
            case "segment": try field.read(&update.segment)
            case "coord": update.coordinate = field.isNull ? nil : try Coordinate(json: field)
            case "token": try field.read(&obsolete)
            default: throw field.unknown
            }
        }
        return (update, datacenter)
    }
}

extension Coordinate {
    fileprivate init(json field: JSONField) throws(TextError) {
        self.init(vec: [], error: 0, adjustment: 0, height: 0)
        for member in try field.members(of: "Coordinate") {
            switch member.key {
            case "vec":
                vec = try (member.elements(type: "[]float64") ?? []).map { (element) throws(TextError) in
                    var value = 0.0
                    try element.read(&value)
                    return value
                }
            case "error": try member.read(&error)
            case "adjustment": try member.read(&adjustment)
            case "height": try member.read(&height)
            default: throw member.unknown
            }
        }
    }
}

extension JSONField {
    fileprivate func read(_ target: inout Double) throws(TextError) {
        switch value {
        case .null: break
        case .int(let number): target = Double(number)
        case .uint(let number): target = Double(number)
        case .double(let number): target = number
        default: throw mismatch("float64")
        }
    }
}

extension Renderer {
    static func coordinates(_ result: QueryResult, segment: String?, pretty: Bool, _ response: inout HTTPResponse) {
        guard case .coordinates(let rows) = result else { return }
        response.setRows(rows, pretty: pretty, size: { _ in 240 }) { json, row in
            if segment == nil || row.value.segment == segment { json.nodeCoordinate(row.value) }
        }
    }
}

extension JSONWriter {
    mutating func nodeCoordinate(_ row: NodeCoordinate) {
        beginObject()
        member("Node", row.node)
        member("Segment", row.segment)
        key("Coord")
        if let coordinate = row.coordinate { self.coordinate(coordinate) } else { null() }
        endObject()
    }

    mutating func coordinate(_ coordinate: Coordinate) {
        beginObject()
        key("Vec")
        beginArray()
        for value in coordinate.vec { number(value) }
        endArray()
        key("Error")
        number(coordinate.error)
        key("Adjustment")
        number(coordinate.adjustment)
        key("Height")
        number(coordinate.height)
        endObject()
    }

    /// What is no number on the wire must not break an answer.
    private mutating func number(_ value: Double) { double(value.isFinite ? value : 0) }
}
