import Foundation
import Testing

@testable import Core

@Suite struct NetworkCoordinateTests {
    /// Of the vector of updates. Foundation's untyped JSON does not read every number to the last bit, its typed does.
    private struct Updates: Decodable {
        struct Place: Decodable {
            var Vec: [Double], Error: Double, Adjustment: Double, Height: Double
            var rtt_ns: Int64?, distance_to_other_ns: Int64?
            var coordinate: Coordinate { Coordinate(vec: Vec, error: Error, adjustment: Adjustment, height: Height) }
        }
        var other: Place, start: Place, steps: [Place]
    }

    @Test func `updates come to the reference's numbers, to the last bit`() throws {
        let updates = try gossipVector("coordinate_updates", as: Updates.self)
        let other = updates.other.coordinate
        var client = CoordinateClient(seed: 1, coordinate: updates.start.coordinate)
        for step in updates.steps {
            try client.update(node: "n1", other: other, rtt: .nanoseconds(try #require(step.rtt_ns)))
            #expect(client.coordinate == step.coordinate)
            #expect(client.coordinate.distance(to: other).nanoseconds == step.distance_to_other_ns)
        }
    }

    @Test func `an ack carries the coordinate`() throws {
        let bytes = try gossipVector("ack_payload_origin_coordinate").bytes
        #expect(PingPayload.encode(.origin) == bytes)
        #expect(try PingPayload.decode(bytes[1...]) == .origin)
    }

    @Test func `what cannot be true changes nothing`() {
        var client = CoordinateClient(seed: 1)
        func update(_ other: Coordinate, _ rtt: Duration) -> String? {
            do throws(TextError) {
                try client.update(node: "n", other: other, rtt: rtt)
                return nil
            } catch {
                return error.text
            }
        }
        var flat = Coordinate.origin, wild = Coordinate.origin
        flat.vec.removeLast()
        wild.vec[3] = .infinity
        #expect(update(flat, .milliseconds(1)) == "dimensions aren't compatible")
        #expect(update(wild, .milliseconds(1)) == "coordinate is invalid")
        let tooLong = "round trip time not in valid range, duration 10.000000001s is not a positive value less than 10s "
        #expect(update(.origin, .seconds(10) + .nanoseconds(1)) == tooLong)
        #expect(update(.origin, .nanoseconds(-1)) != nil)
        #expect(client.coordinate == .origin)
        #expect(update(.origin, .zero) == nil)
    }

    @Test func `coordinates of nodes on a line come to their distances`() throws {
        // Five nodes, 10 ms apart.
        var clients = (0..<5).map { CoordinateClient(seed: UInt64($0)) }
        var random = Random(seed: 5)
        for _ in 0..<4_000 {
            let a = Int.random(in: 0..<5, using: &random), b = Int.random(in: 0..<5, using: &random)
            if a == b { continue }
            try clients[a].update(node: "\(b)", other: clients[b].coordinate, rtt: .milliseconds(10 * abs(a - b)))
        }
        for a in 0..<5 {
            for b in 0..<5 where a != b {
                let estimate = clients[a].coordinate.distance(to: clients[b].coordinate).nanoseconds
                let truth = Int64(10_000_000 * abs(a - b))
                #expect(abs(estimate - truth) < truth / 3, "\(a) to \(b): \(estimate) ns")
            }
        }
    }

    @Test func `a coordinate that is no longer finite begins anew`() throws {
        var far = Coordinate.origin
        far.vec[0] = 1e300
        far.height = 1e308
        var client = CoordinateClient(seed: 1)
        for _ in 0..<3 { try client.update(node: "n", other: far, rtt: .milliseconds(5)) }
        #expect(client.coordinate.isValid)
        #expect(client.resets > 0)
    }
}
