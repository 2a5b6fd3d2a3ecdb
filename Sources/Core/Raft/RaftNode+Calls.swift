// Messages between servers: which is which.

extension RaftNode {
    /// A peer calls.
    func receive(_ call: CallID, from address: Address, _ bytes: [UInt8], _ out: inout [RaftEffect]) {
        let request: RaftRequest?
        do throws(MessagePackError) {
            request = try RaftRequest(bytes)
        } catch {
            out.append(.log(.error, "failed to decode incoming command: error=\(LogText.value(error.text))"))
            out.append(.close(call))
            return
        }
        switch request {
        case .appendEntries(let request):
            // The reference's fast path takes heartbeats before it looks at the version.
            let isChecked = !request.isHeartbeat || request.previousIndex != 0
            guard !isChecked || RaftProtocol.isSupported(request.version) else { return refuse(call, &out) }
            appendEntries(call, from: address, request, &out)
        case .requestVote(let request):
            guard RaftProtocol.isSupported(request.version) else { return refuse(call, &out) }
            requestVote(call, request, &out)
        case .requestPreVote(let request):
            guard RaftProtocol.isSupported(request.version) else { return refuse(call, &out) }
            requestPreVote(call, request, &out)
        case .installSnapshot(let request, let state):
            guard RaftProtocol.isSupported(request.version) else { return refuse(call, &out) }
            installSnapshot(call, request, state, &out)
        case .installChunk(let request):
            guard RaftProtocol.isSupported(request.version) else { return refuse(call, &out) }
            installChunk(call, request, &out)
        case .timeoutNow(let version, let leaderTerm):
            guard RaftProtocol.isSupported(version) else { return refuse(call, &out) }
            timeoutNow(call, from: address, leaderTerm, &out)
        case nil:
            out.append(.log(.error, "failed to decode incoming command: error=\"unknown rpc type \(bytes.first ?? 0)\""))
            out.append(.close(call))
        }
    }

    private func refuse(_ call: CallID, _ out: inout [RaftEffect]) {
        out.append(.reply(call, RaftFailure.encoded(RaftProtocol.versionError)))
    }

    /// A call of ours was answered. One that was given up is not known any more.
    func answered(_ id: CallID, _ bytes: [UInt8], _ out: inout [RaftEffect]) {
        guard let call = calls.removeValue(forKey: id) else { return }
        var reader = MessagePackReader(bytes)
        do throws(MessagePackError) {
            let failure = try RaftFailure.read(&reader)
            guard failure.isEmpty else { return failed(call, failure, &out) }
            measureAnswer(to: call)
            switch call.purpose {
            case .preVote(let tally): preVoteAnswered(call, tally, try VoteResponse(from: &reader), &out)
            case .probe(let tally): probeAnswered(call, tally, try VoteResponse(from: &reader), &out)
            case .identify(let peer): identified(call, peer, try VoteResponse(from: &reader))
            case .vote: voteAnswered(call, try VoteResponse(from: &reader), &out)
            case .heartbeat(let peer, let round): heartbeatAnswered(call, peer, round, try AppendEntriesResponse(from: &reader), &out)
            case .append(let peer, let epoch, let previous, let last, let bytes):
                let response = try AppendEntriesResponse(from: &reader)
                appendAnswered(call, peer, epoch: epoch, previous: previous, last: last, bytes: bytes, response, &out)
            case .install(let peer, let install): installAnswered(call, peer, install, try InstallSnapshotResponse(from: &reader), &out)
            case .timeoutNow, .leaderProbe: break
            }
        } catch {
            failed(call, error.text, &out)
        }
    }

    func callFailed(_ id: CallID, _ text: String, _ out: inout [RaftEffect]) {
        guard let call = calls.removeValue(forKey: id) else { return }
        failed(call, text, &out)
    }

    private func failed(_ call: Call, _ text: String, _ out: inout [RaftEffect]) {
        switch call.purpose {
        case .preVote(let tally): preVoteFailed(call, tally, &out)
        case .probe: break
        case .identify(let peer): identifyFailed(peer)
        case .leaderProbe: leaderProbeFailed(call, text, &out)
        case .vote: out.append(.log(.debug, "failed to make requestVote RPC: target=\(call.server) error=\(LogText.value(text))"))
        case .heartbeat(let peer, _): heartbeatFailed(peer, text, &out)
        case .append(let peer, let epoch, let previous, _, _): appendFailed(peer, epoch: epoch, previous: previous, text, &out)
        case .install(let peer, let install): installFailed(peer, install, text, &out)
        case .timeoutNow: transferFailed(call, text, &out)
        }
    }
}
