import Core

/// `consul rtt`. Spec: cli §17.
struct RTT: Command {
    let name = "rtt"
    let synopsis = "Estimates the round trip time between nodes"
    let usage = """
        Usage: consul rtt [options] NODE1 [NODE2]

          Estimates the round trip time between two nodes from their network coordinates.
          Without NODE2 the agent's own node is taken. With -wan, nodes are servers in the
          form NODE.DATACENTER.
        """
    let flags =
        ClientFlags.connection + [Flag("wan", .bool, "Uses the coordinates of servers in the network between datacenters.")]

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        var nodes = arguments.positional
        guard (1...2).contains(nodes.count) else { return context.failWithHelp("One or two node names must be specified") }
        guard let client = context.client(arguments) else { return 1 }
        let usesWAN = arguments.isSet("wan")
        if nodes.count == 1 {
            do {
                let config = try client.json("GET", "/v1/agent/self")["Config"] ?? .null
                nodes.append(config.text("NodeName") + (usesWAN ? ".\(config.text("Datacenter"))" : ""))
            } catch {
                return context.fail("Unable to look up agent info: \(error.text)")
            }
        }
        if usesWAN, nodes.contains(where: { $0.split(separator: ".", omittingEmptySubsequences: false).count != 2 }) {
            return context.fail("Node names must be specified as <node name>.<datacenter> with -wan")
        }
        let places: [Place]
        do {
            places = try usesWAN ? Self.wide(client) : Self.local(client)
        } catch {
            return context.fail("Error getting coordinates: \(error.text)")
        }
        for first in places where first.isNamed(nodes[0]) {
            for second in places where second.isNamed(nodes[1]) && second.area == first.area {
                let pool = usesWAN ? "WAN" : "LAN"
                let time = TextLayout.decimal(Self.distance(first.coordinate, second.coordinate) * 1000, places: 3)
                context.output("Estimated \(nodes[0]) <-> \(nodes[1]) rtt: \(time) ms (using \(pool) coordinates)")
                return 0
            }
        }
        let isFirstKnown = places.contains { $0.isNamed(nodes[0]) }
        return context.fail("Could not find a coordinate for node \(GoQuote.quote(nodes[isFirstKnown && !usesWAN ? 1 : 0]))")
    }

    /// Where a node is. Places of different areas cannot be compared.
    private struct Place {
        /// As users may write it.
        var names: [String]
        var area: String
        var coordinate: DynamicValue

        func isNamed(_ name: String) -> Bool { names.contains(name) }
    }

    private static func local(_ client: APIClient) throws(APIFailure) -> [Place] {
        try client.json("GET", "/v1/coordinate/nodes").elements.map { entry in
            Place(names: [entry.text("Node")], area: entry.text("Segment"), coordinate: entry["Coord"] ?? .null)
        }
    }

    private static func wide(_ client: APIClient) throws(APIFailure) -> [Place] {
        try client.json("GET", "/v1/coordinate/datacenters").elements.flatMap { datacenter in
            (datacenter["Coordinates"]?.elements ?? []).map { entry in
                let name = entry.text("Node")
                return Place(
                    names: [name, "\(name).\(datacenter.text("Datacenter"))"], area: datacenter.text("AreaID"),
                    coordinate: entry["Coord"] ?? .null)
            }
        }
    }

    // MARK: Numbers

    /// Seconds. The adjustments count only where the sum stays positive.
    private static func distance(_ a: DynamicValue, _ b: DynamicValue) -> Double {
        var sum = 0.0
        for (x, y) in zip(a["Vec"]?.elements ?? [], b["Vec"]?.elements ?? []) {
            let difference = number(x) - number(y)
            sum += difference * difference
        }
        let raw = sum.squareRoot() + number(a["Height"]) + number(b["Height"])
        let adjusted = raw + number(a["Adjustment"]) + number(b["Adjustment"])
        return adjusted > 0 ? adjusted : raw
    }

    private static func number(_ json: DynamicValue?) -> Double {
        switch json {
        case .int(let number): Double(number)
        case .uint(let number): Double(number)
        case .double(let number): number
        default: 0
        }
    }
}
