// Snapshots from leader to follower (§7; rpc-raft-wire §5.1, §8.4).
//
// The reference sends a snapshot in one call. Servers of this kind send it to each other in pieces, so that neither needs memory for
// all of it; a peer of which nothing is known is asked first, with a vote in term 0 (see RaftNode+Election.swift). A follower writes the
// state to disk, reads it back, lets its owner decode it, makes it durable, and only then replaces its log and answers: until then nothing
// has changed.

/// What a follower knows of a snapshot that it is receiving.
final class SnapshotReceipt {
    let request: InstallSnapshotRequest
    /// The leader sends pieces.
    let isPiecemeal: Bool
    /// The call that is to be answered next.
    var call: CallID?
    /// What came with the single call and is not written yet.
    var rest: ArraySlice<UInt8>

    init(request: InstallSnapshotRequest, isPiecemeal: Bool, call: CallID, rest: ArraySlice<UInt8> = []) {
        self.request = request
        self.isPiecemeal = isPiecemeal
        self.call = call
        self.rest = rest
    }

    func isSame(as other: InstallSnapshotRequest) -> Bool {
        request.lastIndex == other.lastIndex && request.lastTerm == other.lastTerm && request.size == other.size
            && request.snapshotID == other.snapshotID
    }
}

// MARK: Sending

extension RaftNode {
    func beginInstall(_ peer: Peer, _ leadership: Leadership, _ out: inout [RaftEffect]) {
        guard let meta = snapshots.last else {
            fail("raft: entry \(peer.next) is needed, but neither the log nor a snapshot has it", &out)
            peer.contact.retryAt = .distantFuture
            return
        }
        guard let kind = peerKinds[peer.id] else { return identify(peer, &out) }
        let isWhole = kind == .reference
        peer.reset(next: meta.index + 1)
        peer.mode = .snapshot(Install(meta: meta, isWhole: isWhole))
        out.append(.log(.info, "sending snapshot to: peer=\(peer.id) snapshot=\(meta.id)"))
    }

    /// Finds out what kind of server a peer is before it gets anything that the reference does not know.
    private func identify(_ peer: Peer, _ out: inout [RaftEffect]) {
        peer.contact.retryAt = .distantFuture
        guard !peer.isBeingIdentified else { return }
        peer.isBeingIdentified = true
        call(peer.id, peer.address, voteRequest(term: 0).encoded(.requestVote), .identify(peer), &out)
    }

    func identified(_ call: Call, _ peer: Peer, _ response: VoteResponse) {
        peer.isBeingIdentified = false
        peer.contact.retryAt = nil
        peerKinds[peer.id] = response.knowsPreVote ? .extended : .reference
    }

    func identifyFailed(_ peer: Peer) {
        peer.isBeingIdentified = false
        backOff(peer)
    }

    /// Reads what is to be sent next.
    func continueInstall(_ peer: Peer, _ install: Install, _ leadership: Leadership, _ out: inout [RaftEffect]) {
        guard !install.isBusy else { return }
        install.isBusy = true
        let start = install.isWhole ? install.data.count : install.offset
        let count = min(config.snapshotChunkSize, install.meta.size - start)
        guard count > 0 else { return sendPiece(peer, install, [], &out) }
        perform([.read(file: install.meta.stateFile, offset: start, count: count)], .install(leadership, peer, install), &out)
    }

    func installRead(
        _ peer: Peer, _ install: Install, _ leadership: Leadership, _ result: Result<[[UInt8]], DiskError>, _ out: inout [RaftEffect]
    ) {
        guard case .snapshot(let current) = peer.mode, current === install else { return }
        guard case .success(let reads) = result, let bytes = reads.first, !bytes.isEmpty else {
            out.append(.log(.error, "failed to read snapshot \(install.meta.id)"))
            peer.reset(next: peer.match + 1)
            return backOff(peer)
        }
        install.isBusy = false
        guard install.isWhole else { return sendPiece(peer, install, bytes, &out) }
        install.data += bytes
        if install.data.count < install.meta.size { return continueInstall(peer, install, leadership, &out) }
        sendPiece(peer, install, [], &out)
    }

    private func sendPiece(_ peer: Peer, _ install: Install, _ bytes: [UInt8], _ out: inout [RaftEffect]) {
        let meta = install.meta
        var request = InstallSnapshotRequest()
        request.term = term
        request.leader = addressBytes
        request.lastIndex = meta.index
        request.lastTerm = meta.term
        request.configuration = meta.configuration
        request.configurationIndex = meta.configurationIndex
        request.size = meta.size
        install.isBusy = true
        var message: [UInt8]
        if install.isWhole {
            message = request.encoded
            message += install.data
        } else {
            request.snapshotID = Array(meta.id.utf8)
            request.checksum = meta.checksum
            request.isRestored = meta.isRestored
            request.offset = install.offset
            request.data = bytes
            message = request.encodedChunk
        }
        // The last piece is answered when the state is decoded and durable.
        let isLast = install.isWhole || install.offset + bytes.count == meta.size
        let timeout = isLast ? config.snapshotTimeout(size: meta.size) : .seconds(10)
        call(peer.id, peer.address, message, .install(peer, install), timeout: timeout, &out)
    }

    func installAnswered(_ call: Call, _ peer: Peer, _ install: Install, _ response: InstallSnapshotResponse, _ out: inout [RaftEffect]) {
        guard case .leader = state else { return }
        if response.term > term { return becomeFollower(reachable(response.term), &out) }
        peer.contact.last = now
        guard case .snapshot(let current) = peer.mode, current === install else { return }
        install.isBusy = false
        peerKinds[peer.id] = response.offset == nil ? .reference : .extended
        if let offset = response.offset, offset < install.meta.size || !response.success {
            // Where the follower wants to go on; not beyond the end.
            if offset <= install.offset { peer.contact.failures += 1 } else { peer.contact.failures = 0 }
            install.offset = min(offset, install.meta.size)
            if peer.contact.failures > 2 { backOff(peer) }
            return
        }
        guard response.success else {
            out.append(.log(.warn, "installSnapshot rejected to: peer=\(peer.id)"))
            return backOff(peer)
        }
        peer.contact.failures = 0
        peer.match = max(peer.match, install.meta.index)
        peer.reset(next: planted(.installNotRemembered) ? install.meta.index : install.meta.index + 1)
    }

    func installFailed(_ peer: Peer, _ install: Install, _ text: String, _ out: inout [RaftEffect]) {
        guard case .leader = state, case .snapshot(let current) = peer.mode, current === install else { return }
        out.append(.log(.error, "failed to install snapshot: peer=\(peer.id) id=\(install.meta.id) error=\(LogText.value(text))"))
        install.isBusy = false
        install.data = []
        backOff(peer)
        // What is known of the peer may be out of date, after it was replaced: it is asked again.
        peerKinds.removeValue(forKey: peer.id)
        peer.reset(next: peer.match + 1)
    }
}

// MARK: Receiving

extension RaftNode {
    /// Checks that both forms share. True if the snapshot is to be taken in.
    private func accepts(_ call: CallID, _ request: InstallSnapshotRequest, _ out: inout [RaftEffect], isPiecemeal: Bool) -> Bool {
        guard request.snapshotVersion >= 0, request.snapshotVersion <= 1 else {
            out.append(.reply(call, RaftFailure.encoded("unsupported snapshot version \(request.snapshotVersion)")))
            return false
        }
        // Whoever led once is told the present term, whatever it sends.
        if request.term >= term, request.lastTerm > request.term {
            out.append(.reply(call, RaftFailure.encoded("a snapshot that is newer than its leader")))
            return false
        }
        var response = InstallSnapshotResponse(term: term, offset: isPiecemeal ? 0 : nil)
        guard acceptLeader(request.term, request.leader, &out) else {
            response.term = term
            reply(call, response.encoded, after: storage.voteSequence, &out)
            return false
        }
        // Everything in it is committed here too: nothing to do.
        if request.lastIndex <= lastApplied, !planted(.installGoesBack) {
            response = InstallSnapshotResponse(term: term, success: true, offset: isPiecemeal ? request.size : nil)
            reply(call, response.encoded, after: storage.writeSequence, &out)
            return false
        }
        return true
    }

    func installSnapshot(_ call: CallID, _ request: InstallSnapshotRequest, _ state: ArraySlice<UInt8>, _ out: inout [RaftEffect]) {
        guard accepts(call, request, &out, isPiecemeal: false) else { return }
        guard state.count == request.size else {
            return out.append(.reply(call, RaftFailure.encoded("short read")))
        }
        if let receipt = receiptInProgress, receipt.isSame(as: request) {
            answerReceipt(receipt, failure: "superseded by a repeated call", &out)
            receipt.call = call
            return
        }
        let receipt = SnapshotReceipt(request: request, isPiecemeal: false, call: call, rest: state)
        guard let sink = openSink(for: receipt, &out) else { return }
        pieceWritten(sink, receipt, &out)
    }

    func installChunk(_ call: CallID, _ request: InstallSnapshotRequest, _ out: inout [RaftEffect]) {
        guard accepts(call, request, &out, isPiecemeal: true) else { return }
        if let sink, case .install(let receipt) = sink.purpose, receipt.isSame(as: request) {
            return nextPiece(call, request, sink, receipt, &out)
        }
        guard request.offset == 0, request.data.count <= request.size else {
            let response = InstallSnapshotResponse(term: term, success: false, offset: 0)
            return reply(call, response.encoded, after: storage.voteSequence, &out)
        }
        let receipt = SnapshotReceipt(request: request, isPiecemeal: true, call: call)
        guard let sink = openSink(for: receipt, &out) else { return }
        receivePiece(request.data, sink, receipt, &out)
    }

    private func nextPiece(
        _ call: CallID, _ request: InstallSnapshotRequest, _ sink: SnapshotSink, _ receipt: SnapshotReceipt, _ out: inout [RaftEffect]
    ) {
        // The leader may have given up the call before and try again.
        answerReceipt(receipt, failure: "superseded by a repeated call", &out)
        receipt.call = call
        guard !sink.isBusy, case .writing = sink.phase else { return }
        guard request.offset == sink.meta.size || planted(.pieceInWrongPlace), request.data.count <= request.size - request.offset else {
            return answerPiece(sink, receipt, success: false, &out)
        }
        receivePiece(request.data, sink, receipt, &out)
    }

    private func receivePiece(_ piece: [UInt8], _ sink: SnapshotSink, _ receipt: SnapshotReceipt, _ out: inout [RaftEffect]) {
        if piece.isEmpty { pieceWritten(sink, receipt, &out) } else { write(piece, to: sink, &out) }
    }

    private var receiptInProgress: SnapshotReceipt? {
        if case .install(let receipt)? = sink?.purpose { receipt } else { nil }
    }

    /// A sink for a leader's snapshot, in place of what is being written now.
    private func openSink(for receipt: SnapshotReceipt, _ out: inout [RaftEffect]) -> SnapshotSink? {
        abandonSink(.snapshot("a snapshot of the leader is being installed"), &out)
        let request = receipt.request
        var meta = SnapshotMeta(
            id: snapshotName(term: request.lastTerm, index: request.lastIndex), index: request.lastIndex, term: request.lastTerm,
            configuration: request.configuration, configurationIndex: request.configurationIndex)
        // The reference's way does not tell what a user has brought.
        meta.isRestored = request.isRestored || !receipt.isPiecemeal
        let sink = SnapshotSink(id: newSnapshotID(), meta: meta, purpose: .install(receipt))
        self.sink = sink
        out.append(.log(.info, "receiving snapshot: index=\(meta.index) size=\(request.size)"))
        return sink
    }

    /// A piece is on disk, or there was none to write yet.
    func pieceWritten(_ sink: SnapshotSink, _ receipt: SnapshotReceipt, _ out: inout [RaftEffect]) {
        if !receipt.rest.isEmpty {
            let piece = receipt.rest.prefix(config.snapshotChunkSize)
            receipt.rest = receipt.rest.dropFirst(piece.count)
            return write(Array(piece), to: sink, &out)
        }
        if sink.meta.size < receipt.request.size { return answerPiece(sink, receipt, success: true, &out) }
        if receipt.isPiecemeal, sink.checksum.value != receipt.request.checksum {
            return abandonSink(.snapshot("CRC mismatch"), &out)
        }
        if planted(.installAnsweredEarly), receipt.isPiecemeal { answerPiece(sink, receipt, success: true, &out) }
        sink.phase = .decoding(offset: 0)
        readForDecoding(sink, at: 0, &out)
    }

    private func readForDecoding(_ sink: SnapshotSink, at offset: Int, _ out: inout [RaftEffect]) {
        sink.isBusy = true
        let creation: [DiskOperation] = sink.meta.size == 0 ? [.write(file: sink.meta.stateFile, offset: 0, bytes: [])] : []
        let read = DiskOperation.read(file: sink.meta.stateFile, offset: offset, count: config.snapshotChunkSize)
        perform(creation + [read], .sink(sink.id), &out)
    }

    /// Gives the owner the next piece.
    func decode(_ sink: SnapshotSink, _ bytes: [UInt8], at offset: Int, _ out: inout [RaftEffect]) {
        let end = offset + bytes.count
        guard end <= sink.meta.size, !bytes.isEmpty || sink.meta.size == 0 else {
            return abandonSink(.snapshot("short read"), &out)
        }
        let isLast = end == sink.meta.size
        sink.phase = .decoding(offset: end)
        sink.isBusy = isLast
        out.append(.decodeSnapshot(sink.id, bytes, last: isLast))
        if !isLast { readForDecoding(sink, at: end, &out) }
    }

    /// The owner has decoded the state, or could not.
    func snapshotDecoded(_ id: SnapshotID, _ error: String?, _ out: inout [RaftEffect]) {
        guard let sink, sink.id == id, case .decoding(let offset) = sink.phase, offset == sink.meta.size else { return }
        if let error { return abandonSink(.snapshot("failed to restore snapshot: \(error)"), &out) }
        seal(sink, &out)
    }

    func finishInstall(_ sink: SnapshotSink, _ receipt: SnapshotReceipt, _ out: inout [RaftEffect]) {
        if sink.meta.index <= lastApplied, !planted(.installGoesBack) {
            // The log caught up in the meantime.
            keep(sink.meta, &out)
            out.append(.discardSnapshot(sink.id))
        } else {
            replaceLog(by: sink.meta, &out)
            out.append(.log(.info, "installed remote snapshot: index=\(sink.meta.index)"))
            out.append(.installSnapshot(sink.id, index: sink.meta.index, term: sink.meta.term))
        }
        guard let call = receipt.call else { return }
        receipt.call = nil
        let response = InstallSnapshotResponse(term: term, success: true, offset: receipt.isPiecemeal ? sink.meta.size : nil)
        reply(call, response.encoded, after: storage.writeSequence, &out)
    }

    private func answerPiece(_ sink: SnapshotSink, _ receipt: SnapshotReceipt, success: Bool, _ out: inout [RaftEffect]) {
        guard let call = receipt.call else { return }
        receipt.call = nil
        let response = InstallSnapshotResponse(term: term, success: success, offset: sink.meta.size)
        reply(call, response.encoded, after: storage.voteSequence, &out)
    }

    private func answerReceipt(_ receipt: SnapshotReceipt, failure: String, _ out: inout [RaftEffect]) {
        guard let call = receipt.call else { return }
        receipt.call = nil
        out.append(.reply(call, RaftFailure.encoded(failure)))
    }

    func refuseInstall(_ receipt: SnapshotReceipt, _ text: String, _ out: inout [RaftEffect]) {
        answerReceipt(receipt, failure: text, &out)
    }
}
