import Foundation
import Testing

@testable import Core

/// The messages of the reference, byte for byte.
@Suite struct SerfVectorTests {
    private func bytes(_ name: String) throws -> [UInt8] { try gossipVector(name).bytes }

    /// Whether a message decodes to the same value again, and encodes to the same bytes.
    private func roundTrip<Body: SerfBody & Equatable>(_ name: String, _ type: Body.Type) throws -> Body {
        let bytes = try bytes(name)
        #expect(bytes.first == Body.kind.rawValue)
        let body = try Body(body: bytes[1...])
        #expect(body.message() == bytes, "\(name)")
        return body
    }

    @Test func `intents have the reference's bytes`() throws {
        #expect(try roundTrip("serf_join_intent", JoinIntent.self) == JoinIntent(ltime: 3, node: "srv1"))
        #expect(try roundTrip("serf_leave_intent", LeaveIntent.self) == LeaveIntent(ltime: 9, node: "srv3", prune: false))
        #expect(try roundTrip("serf_leave_intent_prune", LeaveIntent.self) == LeaveIntent(ltime: 300, node: "srv3", prune: true))
    }

    @Test func `user events have the reference's bytes`() throws {
        let leader = try roundTrip("serf_user_event_new_leader", UserEventMessage.self)
        #expect(leader == UserEventMessage(ltime: 4, name: "consul:new-leader", payload: Array("srv1".utf8), coalesce: false))
        let fired = try roundTrip("serf_user_event_consul", UserEventMessage.self)
        #expect(fired.name == "consul:event:deploy")
        #expect(try fired.payload == bytes("consul_event_payload"))
    }

    @Test func `queries and answers have the reference's bytes`() throws {
        let query = try roundTrip("serf_query", QueryMessage.self)
        #expect(query.id == 123_456_789 && query.relayFactor == 2 && query.timeout == .milliseconds(3_200) && query.port == 8301)
        let filters = query.filters?.map { QueryFilter(encoded: $0) }
        #expect(filters == [.nodes(["srv1", "srv2"]), .tag("role", expression: "^consul$")])
        #expect(filters?.compactMap { $0?.encoded } == query.filters)
        let list = try roundTrip("serf_query_list_keys", QueryMessage.self)
        #expect(list.filters == nil && list.name == "_serf_list-keys")
        #expect(list.payload == KeyRequest(key: []).message())
        let response = try roundTrip("serf_query_response", QueryResponseMessage.self)
        #expect(response == QueryResponseMessage(ltime: 7, id: 123_456_789, from: "srv2", flags: 0, payload: Array("pong".utf8)))
        #expect(try roundTrip("serf_query_ack", QueryResponseMessage.self).payload == nil)
    }

    @Test func `relays have the reference's bytes`() throws {
        let bytes = try bytes("serf_relay")
        let relay = try RelayMessage(body: bytes[1...])
        #expect(relay.address == [10, 0, 0, 1] && relay.port == 8301 && relay.name == "srv1")
        #expect(try Array(relay.message) == self.bytes("serf_query_response"))
        #expect(RelayMessage.encode(address: relay.address, port: relay.port, name: relay.name, message: Array(relay.message)) == bytes)
    }

    @Test func `messages about keys have the reference's bytes`() throws {
        #expect(try roundTrip("serf_key_request", KeyRequest.self).key == Array("0123456789abcdef".utf8))
        #expect(try roundTrip("serf_key_response_list", KeyAnswer.self).keys?.count == 2)
        #expect(try roundTrip("serf_key_response_error", KeyAnswer.self).message == "Removing the primary key is not allowed")
    }

    @Test func `answers about conflicts have the reference's bytes`() throws {
        let bytes = try bytes("serf_conflict_response")
        let member = try ConflictAnswer.decode(bytes[1...])
        #expect(member == Member(name: "srv3", address: [10, 0, 0, 3], port: 8301, tags: ["role": "consul"]))
        #expect(ConflictAnswer.encode(member) == bytes)
        let unknown = try self.bytes("serf_conflict_response_unknown")
        #expect(try ConflictAnswer.decode(unknown[1...]).name == "")
        #expect(ConflictAnswer.encode(nil) == unknown)
    }

    @Test func `states in a push-pull have the reference's bytes`() throws {
        let state = try roundTrip("serf_pushpull_state", PushPullState.self)
        #expect(state.ltime == 12 && state.eventLTime == 5 && state.queryLTime == 2)
        #expect(state.statusTimes == [PushPullState.MemberTime(name: "srv1", ltime: 3)])
        #expect(state.events.count == 8 && state.events[4]?.events.first?.name == "consul:new-leader")
    }

    @Test(arguments: ["tags_server", "tags_client", "tags_map16", "tags_str16"])
    func `tags have the reference's bytes`(name: String) throws {
        let vector = try gossipVector(name)
        let tags = SerfTags.decode(vector.bytes)
        #expect(StringMap((vector.decoded as? [String: String] ?? [:]).map { ($0.key, $0.value) }) == tags)
        #expect(SerfTags.encode(tags) == vector.bytes)
    }

    @Test func `an array stands for a struct`() throws {
        // [LTime, Node, Prune, something newer]
        let intent = try LeaveIntent(body: [0x94, 0x09, 0xA2, 0x6E, 0x31, 0xC3, 0x91, 0x01])
        #expect(intent == LeaveIntent(ltime: 9, node: "n1", prune: true))
        #expect(try LeaveIntent(body: [0x91, 0x09]) == LeaveIntent(ltime: 9, node: "", prune: false))
        #expect(try LeaveIntent(body: [0x80]) == LeaveIntent(ltime: 0, node: "", prune: false))
        #expect(throws: MessagePackError.self) { try LeaveIntent(body: [0x92, 0x09, 0xC4, 0x01, 0x31]) }
        #expect(throws: MessagePackError.self) { try QueryResponseMessage(body: [0x92, 0x09, 0xCF, 1, 0, 0, 0, 0, 0, 0, 0]) }
    }

    @Test func `a member without tags has an empty role`() {
        #expect(SerfTags.decode([]) == ["role": ""])
        #expect(SerfTags.decode(Array("web".utf8)) == ["role": "web"])
        #expect(SerfTags.decode([0xFF, 0x82, 0xA1, 0x61, 0xA1, 0x62, 0xA1]) == ["a": "b"])
    }

    @Test func `damaged messages are errors and nothing worse`() throws {
        let names = [
            "serf_leave_intent", "serf_user_event_consul", "serf_query", "serf_query_response", "serf_pushpull_state", "serf_relay",
        ]
        var random = Random(seed: 7)
        for name in names {
            let whole = try bytes(name)
            for length in 0..<whole.count { decodeAll(Array(whole[..<length])) }
            for _ in 0..<2_000 {
                var damaged = whole
                for _ in 0..<3 { damaged[Int.random(in: 1..<damaged.count, using: &random)] = UInt8.random(in: 0...255, using: &random) }
                decodeAll(damaged)
            }
        }
    }

    private func decodeAll(_ bytes: [UInt8]) {
        let body = bytes.dropFirst()
        _ = try? LeaveIntent(body: body)
        _ = try? UserEventMessage(body: body)
        _ = try? QueryMessage(body: body)
        _ = try? QueryResponseMessage(body: body)
        _ = try? PushPullState(body: body)
        _ = try? RelayMessage(body: body)
        _ = try? KeyAnswer(body: body)
        _ = try? ConflictAnswer.decode(body)
        _ = QueryFilter(encoded: bytes)
        _ = SerfTags.decode([0xFF] + body)
    }
}

struct GossipVector {
    var bytes: [UInt8]
    var decoded: Any?
}

/// One of the recorded and generated messages of the reference.
func gossipVector(_ name: String) throws -> GossipVector {
    let all = try #require(try JSONSerialization.jsonObject(with: vectorFile("gossip.json")) as? [[String: Any]])
    let vector = try #require(all.first { $0["name"] as? String == name }, "\(name)")
    return GossipVector(bytes: hex(vector["hex"] as? String ?? ""), decoded: vector["decoded"])
}

/// What a vector decodes to.
func gossipVector<T: Decodable>(_ name: String, as type: T.Type) throws -> T {
    let all = try JSONDecoder().decode([VectorOfType<T>].self, from: vectorFile("gossip.json"))
    return try #require(all.first { $0.name == name }?.decoded, "\(name)")
}

private struct VectorOfType<T: Decodable>: Decodable {
    enum Key: CodingKey { case name, decoded }
    var name: String
    /// nil where a vector has another type.
    var decoded: T?

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Key.self)
        name = try fields.decode(String.self, forKey: .name)
        decoded = try? fields.decode(T.self, forKey: .decoded)
    }
}
