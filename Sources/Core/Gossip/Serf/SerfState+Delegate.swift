// What memberlist tells and asks.

extension SerfState: MemberlistDelegate {
    func nodeMeta(limit: Int) -> [UInt8] { SerfTags.encode(tags) }

    mutating func received(_ message: ArraySlice<UInt8>, at now: Instant) {
        guard let first = message.first else { return }
        guard let kind = SerfMessageKind(rawValue: first) else { return log(.warn, "Received message of unknown type: \(first)") }
        let body = message.dropFirst()
        do throws(MessagePackError) {
            switch kind {
            case .leave:
                if handle(try LeaveIntent(body: body), at: now), !planted(.leaveIntentNotSpread) {
                    broadcast(Array(message), on: \.intents, at: now)
                }
            case .join:
                if handle(try JoinIntent(body: body), at: now), !planted(.joinIntentNotSpread) {
                    broadcast(Array(message), on: \.intents, at: now)
                }
            case .userEvent:
                if handle(try UserEventMessage(body: body), at: now), !planted(.eventNotSpread) {
                    broadcast(Array(message), on: \.events, at: now)
                }
            case .query:
                if handle(try QueryMessage(body: body), at: now) { broadcast(Array(message), on: \.queries, at: now) }
            case .queryResponse:
                handle(try QueryResponseMessage(body: body), at: now)
            case .relay:
                relay(try RelayMessage(body: body))
            case .pushPull, .conflictResponse, .keyRequest, .keyResponse:
                log(.warn, "Received message of unknown type: \(first)")
            }
        } catch {
            log(.error, "Error decoding \(kind) message: \(error.text)")
        }
        armSnapshot(at: now)
    }

    var hasBroadcasts: Bool { queues.longest > 0 }

    mutating func appendBroadcasts(overhead: Int, limit: Int, to messages: inout [[UInt8]]) {
        var free = limit
        var done = messages.count
        for queue in [\SerfQueues.intents, \SerfQueues.queries, \SerfQueues.events] {
            queues[keyPath: queue].drain(overhead: overhead, limit: free, nodes: members.count, to: &messages)
            for message in messages[done...] { free -= message.count + overhead }
            done = messages.count
        }
    }

    // MARK: Whole states (gossip §12.7)

    func localState(join: Bool) -> [UInt8] {
        var state = PushPullState()
        state.ltime = clock.time
        state.eventLTime = events.clock.time
        state.queryLTime = queries.clock.time
        state.leftMembers = members.gone
        state.statusTimes = members.all.map { PushPullState.MemberTime(name: $0.name, ltime: $0.statusTime) }
        state.events = events.recent.wire
        return state.message()
    }

    mutating func merge(remoteState: ArraySlice<UInt8>, join: Bool, at now: Instant) {
        guard remoteState.first == SerfMessageKind.pushPull.rawValue else {
            return log(.error, "Remote state has bad type prefix: \(remoteState.first.map(String.init) ?? "none")")
        }
        do throws(MessagePackError) {
            merge(try PushPullState(body: remoteState.dropFirst()), join: join, at: now)
        } catch {
            log(.error, "Failed to decode remote state: \(error.text)")
        }
        armSnapshot(at: now)
    }

    private mutating func merge(_ state: PushPullState, join: Bool, at now: Instant) {
        // `witness` passes over what is out of reach.
        if state.ltime > 0 { clock.witness(state.ltime - 1) }
        if state.eventLTime > 0 { events.clock.witness(state.eventLTime - 1) }
        if state.queryLTime > 0 { queries.clock.witness(state.queryLTime - 1) }

        // Those that left first: what is said of the others is older than their leaving, or a return.
        var times = LookupTable<String, UInt64>()
        if !state.leftMembers.isEmpty {
            for member in state.statusTimes { times[member.name] = member.ltime }
        }
        for name in state.leftMembers where !planted(.leftToldAsJoined) {
            _ = handle(LeaveIntent(ltime: times[name] ?? 1, node: name, prune: false), told: true, at: now)
            times.removeValue(forKey: name)
        }
        for member in state.statusTimes where state.leftMembers.isEmpty || times.contains(member.name) {
            if member.name == config.name {
                heardOfOurReturn(member.ltime, at: now)
            } else {
                _ = handle(JoinIntent(ltime: member.ltime, node: member.name), at: now)
            }
        }

        if join, events.joinsIgnoringOld > 0, events.clock.isReachable(state.eventLTime) {
            events.joinTime = max(events.joinTime, state.eventLTime)
        }
        for slot in state.events {
            guard let slot else { continue }
            for event in slot.events {
                let event = UserEventMessage(ltime: slot.ltime, name: event.name, payload: event.payload, coalesce: false)
                _ = handle(event, isTold: true, at: now)
            }
        }
    }

    // MARK: Nodes (gossip §12.2)

    mutating func joined(_ node: MemberlistNode, at now: Instant) {
        if let place = members.place(node.name) {
            let known = members[place]
            if known.status == .failed, now - known.leftAt < config.flapTimeout { counters.flaps += 1 }
            members.setStatus(.alive, at: place)
            members.update(node, at: place)
        } else {
            let intent = intents[node.name]
            var member = SerfMember(node, status: intent?.isLeave == true ? .leaving : .alive)
            member.statusTime = intent?.time ?? 0
            members.insert(member)
        }
        counters.joined += 1
        log(.info, "EventMemberJoin: \(node.name) \(node.address.ipText)")
        if let place = members.place(node.name) { tell(.joined, members[place].member, at: now) }
    }

    mutating func left(_ node: MemberlistNode, at now: Instant) {
        guard let place = members.place(node.name) else { return }
        let kind: MemberEventKind
        switch members[place].status {
        case .leaving:
            members.setLeft(at: now, at: place)
            members.setStatus(planted(.leaveTakenForFailure) ? .failed : .left, at: place)
            armReap(after: now + config.tombstoneTimeout)
            counters.left += 1
            kind = .left
        case .alive:
            members.setLeft(at: now, at: place)
            members.setStatus(planted(.failureTakenForLeave) ? .left : .failed, at: place)
            armReap(after: now + config.reconnectTimeout)
            arm(.reconnect, at: tick(config.reconnectInterval, atOrAfter: now + .nanoseconds(1)))
            counters.failed += 1
            kind = .failed
        case .none, .left, .failed:
            return log(.warn, "Bad state when leave: \(members[place].status.rawValue)")
        }
        log(.info, "\(kind == .left ? "EventMemberLeave" : "EventMemberFailed"): \(node.name) \(node.address.ipText)")
        tell(kind, members[place].member, at: now)
    }

    mutating func updated(_ node: MemberlistNode, at now: Instant) {
        guard let place = members.place(node.name) else { return }
        members.update(node, at: place)
        counters.updated += 1
        log(.info, "EventMemberUpdate: \(node.name)")
        if planted(.tagsNotTold) { return }
        tell(.updated, members[place].member, at: now)
    }

    /// Gossip §12.11.
    mutating func conflict(existing: MemberlistNode, other: MemberlistNode, at now: Instant) {
        guard existing.name == config.name else {
            return log(.warn, "Name conflict for '\(existing.name)' both \(existing.address.text) and \(other.address.text) are claiming")
        }
        log(
            .error,
            "Node name conflicts with another node at \(other.address.text). Names must be unique! "
                + "(Resolution enabled: \(config.resolvesNameConflicts))")
        if config.resolvesNameConflicts { requests.append(.resolveConflict) }
    }

    // MARK: Vetoes (gossip §15.5)

    mutating func mergeVeto(_ peers: [MemberlistNode]) -> String? {
        config.check == .none ? nil : config.check.veto(peers.map { Member($0) })
    }

    mutating func aliveVeto(_ peer: MemberlistNode) -> String? {
        if config.check == .none { return nil }
        // Who got in with these tags may stay; this is asked far more often than tags change.
        if let known = members[peer.name], known.meta == peer.meta { return nil }
        return config.check.veto([Member(peer)])
    }

    // MARK: Pings (gossip §16.5)

    func ackPayload() -> [UInt8] { PingPayload.encode(coordinates.client.coordinate) }

    mutating func pingCompleted(_ node: MemberlistNode, roundTrip: Duration, payload: ArraySlice<UInt8>, at now: Instant) {
        guard let version = payload.first else { return }
        guard version == PingPayload.version else { return log(.error, "Unsupported ping version: \(version)") }
        let other: Coordinate
        do throws(MessagePackError) {
            other = try PingPayload.decode(payload.dropFirst())
        } catch {
            return log(.error, "Failed to decode coordinate from ping: \(error.text)")
        }
        if roundTrip == .zero { counters.zeroRoundTrips += 1 }
        do throws(TextError) {
            try coordinates.client.update(node: node.name, other: other, rtt: roundTrip)
            coordinates.known[node.name] = other
            coordinates.known[config.name] = coordinates.client.coordinate
        } catch {
            counters.coordinatesRejected += 1
            log(.trace, "Rejected coordinate from \(node.name): \(error.text)")
        }
    }

    // MARK: Ends of what was asked for

    mutating func joinFinished(token: UInt64, contacted: Int, error: String?, at now: Instant) {
        requests.append(.joinFinished(token: token, contacted: contacted, error: error))
    }

    mutating func leaveFinished(error: String?, at now: Instant) { requests.append(.leaveFinished(error: error)) }

    mutating func updateFinished(token: UInt64, error: String?, at now: Instant) {
        requests.append(.updateFinished(token: token, error: error))
    }
}
