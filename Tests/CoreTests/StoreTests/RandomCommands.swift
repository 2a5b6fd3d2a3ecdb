@testable import Core

/// Log commands at random over a few names, so that they meet each other.
struct RandomCommands {
    var random: Random

    init(seed: UInt64) { random = Random(seed: seed) }

    private mutating func pick<T>(_ choices: [T]) -> T { choices[Int.random(in: 0..<choices.count, using: &random)] }

    private mutating func maybe(_ p: Double) -> Bool { random.chance(p) }

    mutating func key() -> ByteString { pick(["a", "a/1", "a/2", "a/b/c", "b", "b/1", "ab", "c", "lock", "z/z/z"]) }
    mutating func node() -> String { pick(["n1", "N1", "n2", "n3"]) }
    mutating func service() -> String { pick(["web", "Web", "db", "cache"]) }
    mutating func session() -> String { sessionID(Int.random(in: 1...4, using: &random)) }
    mutating func meta() -> StringMap? { pick([nil, [:], ["k": "v"], ["k": "w", "rack": "r1"]]) }

    mutating func query() -> ReadQuery {
        switch Int.random(in: 0..<21, using: &random) {
        case 0: .kv(.get(key: key()))
        case 1: .kv(.list(prefix: pick(["", "a", "a/", "b", "x", "z/z"])))
        case 2: .kv(.keys(prefix: pick(["", "a", "b/"]), separator: pick(["", "/"])))
        case 3: .session(.get(id: session()))
        case 4: .session(.list)
        case 5: .session(.ofNode(node()))
        case 6: .catalog(.nodes)
        case 7: .catalog(.services)
        case 8: .catalog(.serviceNodes(service: service(), tags: pick([[], ["a"]]), connect: maybe(0.3)))
        case 9: .catalog(.nodeServices(node: node()))
        case 10: .catalog(.nodeServiceList(node: node()))
        case 11: .catalog(.gatewayServices(gateway: "g"))
        case 12: .health(.nodeChecks(node: node()))
        case 13: .health(.serviceChecks(service: service()))
        case 14: .health(.checksInState(state: pick(["any", "passing", "critical"])))
        case 15: .health(.serviceNodes(service: service(), tags: pick([[], ["a"]]), connect: maybe(0.3), ingress: false))
        case 16: .internal(.nodeDump(node: maybe(0.5) ? node() : nil))
        case 17: .internal(.serviceDump(kind: pick([nil, "", "connect-proxy"])))
        case 18: .coordinate(.nodes)
        case 19: .coordinate(.node(node()))
        default: .catalog(.serviceByAddress("10.0.0.1"))
        }
    }

    mutating func command() -> WriteRequest {
        switch Int.random(in: 0..<22, using: &random) {
        case 0..<7: .kv(kv())
        case 7..<12: .register(register())
        case 12..<14: .deregister(deregister())
        case 14..<17: .session(sessionRequest())
        case 17..<19: .txn(txn())
        case 19: .coordinates([coordinate(), coordinate()])
        case 20: .autopilot(autopilot())
        default: .tombstone(tombstone())
        }
    }

    private mutating func kv() -> KVSRequest {
        var request = KVSRequest()
        request.op = pick([.set, .set, .cas, .delete, .deleteCAS, .deleteTree, .lock, .lock, .unlock])
        request.dirEnt = entry()
        return request
    }

    private mutating func entry() -> DirEntry {
        var entry = DirEntry(key: key())
        entry.entry.value = Array(pick(["", "1", "2"]).utf8)
        entry.entry.session = maybe(0.7) ? session() : ""
        entry.entry.index.modify = UInt64.random(in: 0...20, using: &random)
        return entry
    }

    private mutating func register() -> RegisterRequest {
        var request = RegisterRequest()
        request.node = node()
        request.address = pick(["10.0.0.1", "10.0.0.2"])
        request.nodeMeta = meta()
        request.skipNodeUpdate = maybe(0.5)
        if maybe(0.3) { request.id = "0b2c0000-0000-0000-0000-00000000000\(Int.random(in: 1...3, using: &random))" }
        if maybe(0.6) { request.service = nodeService() }
        if maybe(0.6) { request.checks = (0..<Int.random(in: 1...2, using: &random)).map { _ in check(request.node) } }
        return request
    }

    private mutating func nodeService() -> NodeService {
        var service = NodeService(named: service())
        service.id = pick(["s1", "S1", "s2", "s3"])
        service.tags = pick([nil, [], ["a"], ["A", "b"]])
        service.meta = maybe(0.05) ? ["bad key": "v"] : meta()
        if maybe(0.2) {
            service.kind = "connect-proxy"
            service.proxy.destinationServiceName = self.service()
            service.proxy.config = .map([DynamicMember("b", .double(1)), DynamicMember("a", .null)])
        }
        service.connect.native = maybe(0.1)
        return service
    }

    private mutating func check(_ node: String) -> HealthCheck {
        var check = HealthCheck(id: pick(["serfHealth", "c1", "c2", "C2"]), node: maybe(0.05) ? "other" : node)
        check.serviceID = pick(["", "", "s1", "s2", "nope"])
        check.status = pick(["passing", "passing", "warning", "critical", ""])
        check.output = pick(["", "x"])
        return check
    }

    private mutating func deregister() -> DeregisterRequest {
        var request = DeregisterRequest()
        request.node = node()
        switch Int.random(in: 0..<4, using: &random) {
        case 0: break
        case 1: request.checkID = pick(["serfHealth", "c1", "c2"])
        default: request.serviceID = pick(["s1", "s2", "s3"])
        }
        return request
    }

    private mutating func sessionRequest() -> SessionRequest {
        var request = SessionRequest()
        request.op = maybe(0.7) ? .create : .destroy
        request.session.id = session()
        request.session.node = node()
        request.session.behavior = pick(["", "release", "delete"])
        request.session.lockDelay = pick([.zero, .seconds(15)])
        request.session.nodeChecks = pick([nil, [], ["serfHealth"], ["c1", "C2"]])
        return request
    }

    private mutating func txn() -> TxnRequest {
        var request = TxnRequest()
        for _ in 0..<Int.random(in: 1...4, using: &random) { request.ops.append(op()) }
        return request
    }

    private mutating func op() -> TxnOp {
        let verb = CatalogVerb(pick(["set", "set", "cas", "delete", "get"]))
        switch Int.random(in: 0..<6, using: &random) {
        case 0:
            var node = Node()
            node.node = self.node()
            return .node(verb: verb, node)
        case 1: return .service(verb: verb, node: node(), nodeService())
        case 2: return .check(verb: verb, check(node()))
        default: return .kv(verb: KVVerb(pick(["set", "set", "lock", "unlock", "delete-tree", "check-not-exists", "get-tree"])), entry())
        }
    }

    private mutating func coordinate() -> NodeCoordinate {
        let vec = (0..<8).map { _ in Double(Int.random(in: 0...3, using: &random)) / 1000 }
        return NodeCoordinate(node: node(), coordinate: maybe(0.1) ? nil : Coordinate(vec: vec, error: 1, adjustment: 0, height: 0.001))
    }

    private mutating func autopilot() -> AutopilotRequest {
        var request = AutopilotRequest()
        request.cas = maybe(0.5)
        request.configuration.maxTrailingLogs = UInt64.random(in: 0...3, using: &random)
        request.configuration.index.modify = UInt64.random(in: 0...200, using: &random)
        return request
    }

    private mutating func tombstone() -> TombstoneRequest {
        var request = TombstoneRequest()
        request.op = .reap
        request.reapIndex = UInt64.random(in: 0...300, using: &random)
        return request
    }
}
