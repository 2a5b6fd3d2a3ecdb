import Testing

@testable import Core

@Suite struct StoredCoordinateTests {
    private static func at(_ node: String, _ milliseconds: Double, segment: String = "") -> NodeCoordinate {
        NodeCoordinate(
            node: node, segment: segment,
            coordinate: Coordinate(vec: [milliseconds / 1000, 0, 0, 0, 0, 0, 0, 0], error: 0.1, adjustment: 0, height: 0.0001))
    }

    private static func names(_ h: Harness, near source: String) -> [String] {
        var options = QueryOptions()
        options.sourceNode = source
        guard case .success((.nodes(let rows), _)) = h.store.evaluate(.catalog(.nodes), options: options) else { return [] }
        return rows.map(\.value.node)
    }

    @Test func `coordinates belong to registered nodes and go with them`() throws {
        var h = Harness()
        #expect(h.apply(WriteRequest.coordinates([Self.at("s1", 1)])) == .none)
        #expect(h.store.coordinates.isEmpty && h.store.indexes["coordinates"] == 1)
        h.register("S1")
        h.apply(WriteRequest.coordinates([Self.at("s1", 1), NodeCoordinate(node: "s1", segment: "x")]))
        #expect(h.changes.topics == [.table(.coordinates)])
        guard case .coordinates(let found) = h.find(.coordinate(.node("S1"))).0 else {
            Issue.record("another result")
            return
        }
        #expect(found.map(\.value) == [Self.at("S1", 1)] && h.store.indexes["coordinates"] == 3)
        h.deregister("s1")
        #expect(h.store.coordinates.isEmpty && h.store.indexes["coordinates"] == 4)
    }

    @Test func `the nearest nodes come first, unknown ones last, equal ones in their order`() {
        var h = Harness()
        for node in ["a", "b", "c", "d", "e", "f"] { h.register(node) }
        #expect(Self.names(h, near: "d") == ["a", "b", "c", "d", "e", "f"])
        h.apply(WriteRequest.coordinates([Self.at("b", 40), Self.at("c", 10), Self.at("d", 0), Self.at("e", 40)]))
        #expect(Self.names(h, near: "D") == ["d", "c", "b", "e", "a", "f"])
        #expect(Self.names(h, near: "a") == ["a", "b", "c", "d", "e", "f"])
    }

    @Test func `distances count between coordinates of one segment`() {
        var h = Harness()
        for node in ["a", "b", "c"] { h.register(node) }
        h.apply(
            WriteRequest.coordinates([
                Self.at("a", 0, segment: "x"), Self.at("a", 50, segment: "y"), Self.at("b", 90, segment: "x"),
                Self.at("c", 51, segment: "y"),
            ]))
        #expect(Self.names(h, near: "b") == ["b", "a", "c"])
        #expect(Self.names(h, near: "a") == ["c", "b", "a"])
    }

    @Test func `the configuration of autopilot is replaced as a whole, or if it is the one that was seen`() {
        var h = Harness(startingAt: 3)
        guard case .failure(let error) = h.store.evaluate(.operator(.autopilotConfiguration), options: QueryOptions()) else {
            Issue.record("there is none yet")
            return
        }
        #expect(error.text == "autopilot config not initialized yet")
        var request = AutopilotRequest()
        #expect(h.apply(.autopilot(request)) == .none)
        #expect(h.store.autopilot?.index == RaftIndex(create: 4, modify: 4) && h.store.autopilot?.maxTrailingLogs == 250)
        request.cas = true
        #expect(h.apply(.autopilot(request)) == .bool(false))
        request.configuration = .zero
        request.configuration.index.modify = 4
        #expect(h.apply(.autopilot(request)) == .bool(true))
        #expect(h.store.autopilot?.index == RaftIndex(create: 4, modify: 6) && h.store.autopilot?.maxTrailingLogs == 0)
    }
}
