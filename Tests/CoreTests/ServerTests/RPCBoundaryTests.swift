import Testing

@testable import Core

/// Every integer of every method's request and of every command of the log at the values at which arithmetic goes wrong, handed to a live
/// server. Time passes every timeout; the server serves afterwards, also after a restart, and what it holds is bounded.
@Suite struct RPCBoundaryTests {
    private static let methods: [String] = ServerWork.methods

    /// A lone leader whose state has something of everything.
    private func filled() throws -> ServerCluster {
        let cluster = ServerCluster()
        try cluster.start(cluster.settings("s1", bootstrap: true))
        cluster.run(upTo: .seconds(30)) { cluster.leader != nil }
        for request in BoundaryRequests.writes { propose(request.logCommand, cluster) }
        cluster.run(for: .seconds(1))
        try #require(cluster.server("s1").store.nodes.count > 1)
        return cluster
    }

    private func propose(_ command: [UInt8], extensions: [UInt8] = [], _ cluster: ServerCluster) {
        cluster.server("s1").consensus.propose(Proposal(token: 0, data: command, extensions: extensions))
        cluster.flush("s1")
    }

    /// The integers of a MessagePack message at each boundary, where `own` are numbers that mean something to the server.
    private func forEachVariant(_ bytes: [UInt8], from start: Int, _ cluster: ServerCluster, _ body: ([UInt8]) -> Void) -> Int {
        let message = BoundaryValues(bytes, from: start)
        let server = cluster.server("s1")
        var count = 0
        for site in message.sites {
            guard case .integer = site else { continue }
            for own in [server.appliedIndex, server.raft.currentTerm] {
                for variant in message.variants(of: site, own: own) {
                    body(variant)
                    count += 1
                    if count % 16 == 0 { cluster.run(for: .milliseconds(1)) }
                }
            }
        }
        return count
    }

    private func expectService(_ cluster: ServerCluster, _ what: String) throws {
        // What the pools carry out for their server.
        for requester in cluster.machines["s1"]!.gossip.keyWork {
            cluster.server("s1").finishOperation(requester, .failure(.noLeader), at: cluster.now)
        }
        cluster.flush("s1")
        // Longer than the longest wait of a blocking query, and than the life of a tombstone.
        cluster.run(for: .seconds(1_000))
        for isRestarted in [false, true] {
            if isRestarted {
                cluster.kill("s1")
                try cluster.start(cluster.settings("s1", bootstrap: true))
                cluster.run(upTo: .seconds(60)) { cluster.leader != nil }
            }
            let server = cluster.server("s1")
            #expect(cluster.put("after/\(isRestarted)", at: "s1"), "\(what): no write, restarted: \(isRestarted)")
            guard case .entries(let found)? = cluster.read(.kv(.get(key: ByteString("after/\(isRestarted)"))), at: "s1") else {
                Issue.record("\(what): no read, restarted: \(isRestarted)")
                return
            }
            #expect(found.count == 1)
            #expect(server.blockedCount == 0 && server.calls.incomingCount == 0 && server.calls.held.count == 0, "\(what)")
            let store = server.store
            #expect(store.nodes.count < 100 && store.sessions.count < 2_000 && store.kvs.count < 100, "\(what)")
            let size = cluster.machines["s1"]!.disk.files.values.reduce(0) { $0 + $1.contents.count }
            #expect(size < 64 << 20, "\(what): \(size) bytes on the disk")
        }
    }

    @Test(arguments: methods)
    func `no integer in a request stops a server`(method: String) throws {
        let cluster = try filled()
        for body in try BoundaryRequests.bodies(of: method) {
            _ = forEachVariant(body, from: 0, cluster) {
                cluster.tell("s1", .rpc, RPCRequest.encode(sequence: 1, method: method, body: $0))
            }
        }
        try expectService(cluster, method)
    }

    @Test func `no integer in the head of a call stops a server`() throws {
        let cluster = try filled()
        let call = RPCRequest.encode(sequence: 1, method: "Status.Leader", body: [0x80])
        var restore = MessagePackWriter(reservingCapacity: 64), request = SnapshotRequest()
        (request.operation, request.datacenter) = (SnapshotRequest.restore, "dc1")
        request.encode(into: &restore)
        var count = forEachVariant(call, from: 0, cluster) { cluster.tell("s1", .rpc, $0) }
        count += forEachVariant(restore.bytes, from: 0, cluster) { cluster.tell("s1", .snapshot, $0) }
        #expect(count > 80)
        try expectService(cluster, "heads")
    }

    @Test func `every method that has an integer in its request is walked`() throws {
        let without = try Self.methods.filter { method in
            try !BoundaryRequests.bodies(of: method).contains { body in
                BoundaryValues(body, from: 0).sites.contains { if case .integer = $0 { true } else { false } }
            }
        }
        let none: Set = [
            "Status.Ping", "Status.RaftStats", "Coordinate.ListDatacenters", "Coordinate.Update", "Catalog.Deregister",
            "Operator.RaftRemovePeerByID", "Operator.RaftRemovePeerByAddress",
        ]
        #expect(Set(without) == none, "\(without)")
    }

    @Test func `no integer in a command of the log stops a server`() throws {
        for command in try BoundaryRequests.commands() {
            let cluster = try filled()
            _ = forEachVariant(command, from: 1, cluster) { propose($0, cluster) }
            try expectService(cluster, "command \(command[0]) of \(command.count) bytes")
        }
    }

    @Test func `no integer of a piece of a command stops a server`() throws {
        let cluster = try filled()
        let values = BoundaryValues.values(own: 1)
        for value in values {
            for field in 0..<3 {
                // As they stand on the wire: an integer of 64 bits for a field of 32.
                var bytes: [UInt8] = []
                for (number, tag) in [UInt8(0x08), 0x10, 0x18].enumerated() {
                    var rest = number == field ? value : UInt64(number)
                    bytes.append(tag)
                    while rest >= 0x80 {
                        bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
                        rest >>= 7
                    }
                    bytes.append(UInt8(rest))
                }
                propose([0, 0x80], extensions: bytes, cluster)
            }
        }
        try expectService(cluster, "pieces")
    }
}
