import Testing

@testable import Core

@Suite struct CoordinateRouteTests {
    private let router = Router(APIContext())
    private let context = APIContext()
    private let coordinate = Coordinate(vec: [0.1, 0, 0, 0, 0, 0, 0, 0], error: 1.5, adjustment: 0, height: 10e-6)
    private let shown = #""Coord":{"Vec":[0.1,0,0,0,0,0,0,0],"Error":1.5,"Adjustment":0,"Height":0.00001}"#

    private func update(_ body: String, query: String = "") -> APICall { router.call("PUT /v1/coordinate/update\(query)", body: body) }

    @Test func `an update names its datacenter in the body or in the query`() {
        let body =
            #"{"Node":"n1","Segment":"a","Datacenter":"dc2","#
            + #""Coord":{"Vec":[0.1,0,0,0,0,0,0,0],"Error":1.5,"Adjustment":0,"Height":0.00001}}"#
        for (query, datacenter) in [("", "dc2"), ("?dc=dc3", "dc3")] {
            guard case .operation(.updateCoordinate(let update), let options, _) = update(body, query: query) else {
                Issue.record("no update")
                return
            }
            #expect(update == NodeCoordinate(node: "n1", segment: "a", coordinate: coordinate) && options.datacenter == datacenter)
        }
    }

    @Test(arguments: [
        ("", "Request decode failed: EOF"), (#"{"Node":"n","Extra":1}"#, #"Request decode failed: json: unknown field "Extra""#),
        (#"{"Node":"n"}"#, #"Request decode failed: missing field "Coord""#),
        (#"{"Coord":{"Vec":["x"]}}"#, "Request decode failed: json: cannot unmarshal string into"),
    ])
    func `broken updates are refused`(body: String, text: String) {
        guard case .immediate(let answer) = update(body) else {
            Issue.record("accepted")
            return
        }
        #expect(answer.status == 400 && answer.text.hasPrefix(text))
    }

    @Test func `a disabled feature says so before anything else`() throws {
        var settings = AgentSettings()
        settings.coordinates.disabled = true
        let router = Router(APIContext(from: settings))
        for line in [
            "GET /v1/coordinate/datacenters", "GET /v1/coordinate/nodes?index=x", "GET /v1/coordinate/node/", "PUT /v1/coordinate/update",
        ] {
            let answer = try #require(router.answer(line))
            #expect(answer.status == 401 && answer.text == "Coordinate support disabled")
        }
        #expect(router.answer("POST /v1/coordinate/nodes")?.status == 405)
    }

    @Test func `a segment keeps only its own`() {
        let rows = [
            Row(NodeCoordinate(node: "n1", coordinate: coordinate)),
            Row(NodeCoordinate(node: "n1", segment: "alpha", coordinate: coordinate)),
        ]
        func answer(_ segment: String?, ofNode: Bool) -> HTTPResponse {
            Renderer.render(
                .coordinates(rows), meta: QueryMeta(), options: QueryOptions(),
                shape: ReadShape(.coordinates(segment: segment, ofNode: ofNode)), context: context)
        }
        #expect(answer("alpha", ofNode: true).text == #"[{"Node":"n1","Segment":"alpha",\#(shown)}]"#)
        #expect(answer("", ofNode: false).text == #"[{"Node":"n1","Segment":"",\#(shown)}]"#)
        #expect(answer("beta", ofNode: false).text == "[]")
        #expect(answer("beta", ofNode: true).status == 404 && answer("beta", ofNode: true)["X-Consul-Index"] == nil)
        #expect(answer(nil, ofNode: true)["X-Consul-Index"] == "1" && answer(nil, ofNode: true)["X-Consul-Effective-Consistency"] == nil)
    }

    @Test func `datacenters show their servers`() {
        let found = [DatacenterCoordinates(datacenter: "dc1", coordinates: [NodeCoordinate(node: "n1", coordinate: coordinate)])]
        let answer = Renderer.render(.datacenterCoordinates(found), of: .datacenterCoordinates, pretty: false, context: context)
        #expect(answer.text == #"[{"Datacenter":"dc1","AreaID":"wan","Coordinates":[{"Node":"n1","Segment":"",\#(shown)}]}]"#)
        #expect(answer.headers.map(\.name) == ["Content-Type", "Vary"])
    }
}
