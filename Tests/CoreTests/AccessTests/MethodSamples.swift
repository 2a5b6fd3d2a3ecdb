@testable import Core

/// What can be asked of the server port.
enum MethodSamples {
    static let session = "aaaaaaaa-0000-4000-8000-000000000001"

    /// A call of each method. All of them are about what the state holds, or would change it.
    static func all(session: String) -> [ServerWork] {
        var options = QueryOptions()
        options.datacenter = "dc1"
        options.allowStale = true
        let reads: [ReadQuery] = [
            .kv(.get(key: "secret/key")), .kv(.list(prefix: "secret")), .kv(.keys(prefix: "", separator: "")), .session(.get(id: session)),
            .session(.list), .session(.ofNode("secret-node")), .catalog(.nodes), .catalog(.services), .catalog(.serviceList),
            .catalog(.serviceNodes(service: "secret-web", tags: [], connect: false)),
            .catalog(.serviceNodes(service: "secret-web", tags: [], connect: true)), .catalog(.serviceByAddress("10.0.0.8")),
            .catalog(.nodeServices(node: "secret-node")), .catalog(.nodeServiceList(node: "secret-node")),
            .catalog(.gatewayServices(gateway: "secret-web")), .health(.nodeChecks(node: "secret-node")),
            .health(.serviceChecks(service: "secret-web")), .health(.checksInState(state: "any")),
            .health(.serviceNodes(service: "secret-web", tags: [], connect: false, ingress: false)),
            .health(.serviceNodes(service: "secret-web", tags: [], connect: true, ingress: false)), .internal(.nodeDump(node: nil)),
            .internal(.nodeDump(node: "secret-node")), .internal(.serviceDump(kind: nil)), .coordinate(.nodes),
            .coordinate(.node("secret-node")), .operator(.autopilotConfiguration),
            .txn(TxnQuery([.kv(verb: .getTree, DirEntry(key: "secret"))])),
            .txn(TxnQuery([.kv(verb: .checkIndex, DirEntry(key: "secret/key"))])),
        ]
        let operations: [ServerOperation] = [
            .ping, .leader, .peers, .raftStatistics, .datacenters, .datacenterCoordinates, .keyring(KeyringRequest()),
            .fireEvent(name: "secret", payload: []), .raftConfiguration, .removeRaftPeer(.id("secret")),
            .removeRaftPeer(.address("secret:1")), .serverHealth, .updateCoordinate(NodeCoordinate(node: "secret-node")),
        ]
        return reads.map { .read($0, options) } + operations.map { .operation($0, options) } + [.renew(session: session, options)]
            + writes(session: session).map { .write($0) }
    }

    static func writes(session: String) -> [WriteRequest] {
        var register = RegisterRequest(), deregister = DeregisterRequest(), kv = KVSRequest(), destroy = SessionRequest()
        var txn = TxnRequest(), autopilot = AutopilotRequest()
        register.node = "secret-new"
        register.address = "10.0.0.1"
        deregister.node = "secret-node"
        kv.op = .set
        kv.dirEnt.key = "secret/key"
        destroy.op = .destroy
        destroy.session.id = session
        txn.ops = [.kv(verb: .write(.deleteTree), DirEntry(key: "secret")), .session(verb: .delete, destroy.session)]
        for datacenter in ["dc1"] {
            register.datacenter = datacenter
            deregister.datacenter = datacenter
            kv.datacenter = datacenter
            destroy.datacenter = datacenter
            txn.datacenter = datacenter
            autopilot.datacenter = datacenter
        }
        return [.register(register), .deregister(deregister), .kv(kv), .session(destroy), .txn(txn), .autopilot(autopilot)]
    }
}
