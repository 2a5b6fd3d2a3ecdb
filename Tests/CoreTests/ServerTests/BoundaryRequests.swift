@testable import Core

/// Requests in which every integer that a method knows is written out, about rows that exist.
enum BoundaryRequests {
    static let session = MethodSamples.session

    /// The bodies of a method's requests.
    static func bodies(of method: String) throws -> [[UInt8]] {
        var bodies = (MethodSamples.all(session: session) + writes.map { .write($0) }).compactMap(\.encodedCall)
        bodies += try StoreCodecTests.vectors().rpc.map { ($0.method, hex($0.request_body_hex)) }
        return distinct(bodies.filter { $0.method == method }.map(\.body))
    }

    /// Commands of the log with their type byte.
    static func commands() throws -> [[UInt8]] {
        let captured = try StoreCodecTests.vectors().log_commands.filter { $0.log_type == 0 }.compactMap { $0.data_hex.map(hex) }
        var reap = TombstoneRequest()
        (reap.op, reap.reapIndex) = (.reap, 3)
        let own: [WriteRequest] = [.tombstone(reap), .coordinates([NodeCoordinate(node: "secret-node", coordinate: .origin)])]
        return distinct((writes + MethodSamples.writes(session: session) + own).map(\.logCommand) + captured)
    }

    /// One of each beginning and length.
    private static func distinct(_ all: [[UInt8]]) -> [[UInt8]] {
        var seen = LookupSet<ByteString>()
        return all.filter { seen.insert(ByteString(Array($0.prefix(48)) + [UInt8($0.count & 0xFF)])) }
    }

    /// What fills the state: each later one is about what the earlier ones made.
    static var writes: [WriteRequest] {
        var register = RegisterRequest(), kv = KVSRequest(), create = SessionRequest(), txn = TxnRequest(), autopilot = AutopilotRequest()
        (register.datacenter, register.node, register.address) = ("dc1", "secret-node", "10.0.0.8")
        (register.service, register.check, register.checks) = (service, check, [check])
        (kv.datacenter, kv.op, kv.dirEnt) = ("dc1", .cas, entry)
        (create.datacenter, create.op, create.session) = ("dc1", .create, Self.row)
        txn.datacenter = "dc1"
        var node = Node()
        (node.node, node.address) = ("secret-node", "10.0.0.8")
        txn.ops = [
            .kv(verb: .write(.set), entry), .kv(verb: .write(.cas), entry), .node(verb: .set, node), .node(verb: .cas, node),
            .service(verb: .set, node: "secret-node", service), .service(verb: .cas, node: "secret-node", service),
            .check(verb: .set, check), .check(verb: .cas, check), .session(verb: .delete, Self.row),
        ]
        autopilot.datacenter = "dc1"
        var unconditional = kv
        unconditional.op = .set
        var single = txn
        // A transaction that is refused changes nothing: each operation once by itself.
        let singles: [WriteRequest] = txn.ops.map { op in
            single.ops = [op]
            return .txn(single)
        }
        return [.register(register), .kv(unconditional), .session(create), .kv(kv), .autopilot(autopilot)] + singles + [.txn(txn)]
    }

    private static var entry: DirEntry {
        var entry = DirEntry(key: "secret/key")
        entry.entry.value = [1]
        return entry
    }

    private static var row: Session {
        var row = Session()
        (row.id, row.node, row.behavior, row.ttl, row.lockDelay) = (session, "secret-node", "release", "15s", .seconds(15))
        return row
    }

    private static var service: NodeService {
        var service = NodeService()
        (service.service, service.id, service.port, service.weights) = ("secret-web", "secret-web", 80, Weights())
        var address = ServiceAddress(), path = ExposePath(), upstream = Upstream()
        (address.address, address.port) = ("10.0.0.9", 81)
        service.taggedAddresses = ["lan": address]
        (path.listenerPort, path.localPathPort, path.path) = (82, 83, "/")
        (upstream.destinationName, upstream.localBindPort, upstream.config) = ("other", 84, .map([DynamicMember("limit", .int(5))]))
        (service.proxy.expose.paths, service.proxy.upstreams, service.proxy.localServicePort) = ([path], [upstream], 85)
        service.proxy.config = .map([DynamicMember("connect_timeout_ms", .int(5))])
        return service
    }

    private static var check: HealthCheck {
        var check = HealthCheck()
        (check.node, check.checkID, check.name, check.status) = ("secret-node", "secret-check", "secret", "passing")
        (check.serviceID, check.serviceName) = ("secret-web", "secret-web")
        check.definition.interval = .seconds(10)
        return check
    }
}
