/// The pieces of commands that were cut because of their size, until the last one comes. Spec: rpc-raft-wire §7.3.
struct ChunkCollector: Sendable {
    struct Piece: Sendable {
        var data: [UInt8]
        var term: UInt64
    }

    /// By operation, then by sequence number; nil for those that are still to come.
    var operations = PersistentMap<UInt64, [Piece?]>()
    /// Of the last piece: a new term's leader starts every command anew.
    var term: UInt64 = 0

    /// The most pieces of a command: 2 GiB.
    static let piecesMax = 4_096
}

extension Store {
    /// Takes in one piece of a command; `extensions` are those of its log entry. The last piece applies the command at its own index.
    ///
    /// nil while pieces are missing. For a proposer whose last piece comes to that, pieces got lost with a change of leaders: it answers
    /// `please resubmit call for rechunking`.
    public mutating func applyChunk(
        _ extensions: [UInt8], _ data: [UInt8], term: UInt64, index: UInt64, changes: inout ChangeSet
    ) -> ApplyResult? {
        guard let info = ChunkInfo(encoded: extensions), info.sequence < info.count, info.count <= ChunkCollector.piecesMax else {
            return .error("malformed chunk of a command")
        }
        if term != chunks.term, !planted(.chunkTermIgnored) {
            chunks.operations.removeAll()
            chunks.term = term
        }
        var pieces = chunks.operations.removeValue(forKey: info.operation) ?? []
        if pieces.count != Int(info.count) { pieces = Array(repeating: nil, count: Int(info.count)) }
        pieces[planted(.chunkOrderLost) ? pieces.firstIndex { $0 == nil } ?? 0 : Int(info.sequence)] = ChunkCollector.Piece(
            data: data, term: term)
        guard pieces.allSatisfy({ $0 != nil }) else {
            chunks.operations[info.operation] = pieces
            return nil
        }
        var command: [UInt8] = []
        command.reserveCapacity(pieces.reduce(0) { $0 + $1!.data.count })
        for piece in pieces { command.append(contentsOf: piece!.data) }
        return apply(command, index: index, changes: &changes)
    }
}
