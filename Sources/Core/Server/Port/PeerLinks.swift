/// A server or member at an address, and the connections to it.
final class PeerLinks {
    let address: Address
    var mux: OutboundConnection?
    var appends: OutboundConnection?
    /// Open and without a call; the one used last is taken first.
    private var freeRaft: [OutboundConnection] = []
    var raftCount = 0
    var connectionCount = 0
    var callCount = 0

    init(_ address: Address) { self.address = address }

    func popFreeRaft() -> OutboundConnection? { freeRaft.popLast() }

    /// False when there are enough.
    func keepRaft(_ connection: OutboundConnection, max: Int) -> Bool {
        if freeRaft.contains(where: { $0 === connection }) { return true }
        if freeRaft.count >= max { return false }
        freeRaft.append(connection)
        return true
    }

    func forget(_ connection: OutboundConnection) {
        connectionCount -= 1
        if mux === connection { mux = nil }
        if appends === connection { appends = nil }
        if connection.use == .raft {
            raftCount -= 1
            freeRaft.removeAll { $0 === connection }
        }
    }
}
