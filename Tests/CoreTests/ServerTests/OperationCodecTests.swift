import Testing

@testable import Core

@Suite struct OperationCodecTests {
    @Test func `captured operations are written again byte by byte`() throws {
        var seen = 0
        for call in try StoreCodecTests.vectors().rpc {
            let request = hex(call.request_body_hex), response = hex(call.response_body_hex)
            guard let (operation, options) = try ServerOperation.decodeRequest(method: call.method, body: request[...]) else { continue }
            seen += 1
            #expect(operation.method?.rawValue == call.method)
            let again = operation.encodeRequest(options)
            #expect(try StoreCodecTests.value(again) == StoreCodecTests.value(request), "\(call.name)")
            let result = try operation.decodeReply(response[...])
            // The metadata of an event is not kept.
            if case .fireEvent = operation { continue }
            #expect(
                try StoreCodecTests.value(operation.encodeReply(result, QueryMeta())) == StoreCodecTests.value(response), "\(call.name)")
        }
        #expect(seen == 6)
    }

    @Test func `every operation survives its call`() throws {
        var options = QueryOptions()
        options.datacenter = "dc2"
        options.token = "t"
        var keyring = KeyringRequest()
        keyring.operation = .install
        keyring.key = "aGVsbG8="
        keyring.relayFactor = 3
        keyring.forwarded = true
        let coordinate = NodeCoordinate(node: "n", segment: "s", coordinate: Coordinate(vec: [1, 2], error: 3, adjustment: 4, height: 5))
        let operations: [ServerOperation] = [
            .leader, .peers, .raftConfiguration, .serverHealth, .keyring(keyring), .fireEvent(name: "e", payload: [1, 2]),
            .removeRaftPeer(.id("x")), .removeRaftPeer(.address("1.2.3.4:8300")), .updateCoordinate(coordinate),
        ]
        for operation in operations {
            let method = try #require(operation.method).rawValue
            let decoded = try #require(try ServerOperation.decodeRequest(method: method, body: operation.encodeRequest(options)[...]))
            #expect(decoded.operation == operation && decoded.options == options)
        }
        for operation in [ServerOperation.ping, .raftStatistics, .datacenterCoordinates] {
            #expect(operation.encodeRequest(options) == [0x80])
        }
    }

    @Test func `answers survive encoding and decoding`() throws {
        var health = ClusterHealth()
        health.failureTolerance = 1
        var server = ServerHealth()
        server.id = "x"
        server.status = .failed
        server.lastContact = .milliseconds(12)
        server.stableSince = GoTime(unixSeconds: 1_700_000_000)
        health.servers = [server, ServerHealth()]
        var response = KeyringResponse()
        response.keys = ["k": 2]
        response.messages = ["n1": "no"]
        response.nodeCount = 2
        let maps = [DatacenterCoordinates(datacenter: "dc1", coordinates: [NodeCoordinate(node: "n")])]
        let answers: [(ServerOperation, ServerOperationResult)] = [
            (.serverHealth, .health(health)), (.serverHealth, .health(ClusterHealth())), (.keyring(KeyringRequest()), .keyring([response])),
            (.datacenterCoordinates, .datacenterCoordinates(maps)), (.datacenters, .texts(["dc1", "dc2"])),
        ]
        for (operation, result) in answers {
            #expect(try operation.decodeReply(operation.encodeReply(result, QueryMeta())[...]) == result)
        }
    }
}
