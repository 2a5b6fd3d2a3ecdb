// Is everybody still there? (gossip §9.1)

extension Memberlist {
    /// The probe that is under way; there is one at a time.
    struct Probe {
        let sequence: UInt32
        /// As it was at the start.
        let target: MemberlistNode
        let start: Instant
        /// Until then the target itself may answer in peace.
        let directEnd: Instant
        let end: Instant
        var isIndirect = false
        var expectedNacks = 0
        var nacks = 0
        var reachedByStream = false

        var deadline: Instant { isIndirect ? end : directEnd }
    }

    /// Probes the next node of the order.
    mutating func probeNext() {
        var looked = 0
        while looked < table.count {
            guard probeIndex < table.count else {
                table.beginRound(forgettingDeadBefore: now - config.gossipToTheDeadTime, own: ownSlot, &random)
                probeIndex = 0
                looked += 1
                continue
            }
            let slot = table.slot(at: probeIndex)
            probeIndex += 1
            if slot != ownSlot, !table[slot].state.isGone, !(planted(.suspectsNotProbed) && table[slot].state == .suspect),
                !(planted(.someNotProbed) && slot == 1)
            {
                return startProbe(table[slot].node)
            }
            looked += 1
        }
    }

    private mutating func startProbe(_ target: MemberlistNode) {
        let interval = awareness.scale(config.probeInterval)
        if awareness.score > 0 { counters.degradedProbe += 1 }
        sequence &+= 1
        probe = Probe(
            sequence: sequence, target: target, start: now, directEnd: now + min(config.probeTimeout, interval), end: now + interval)
        let ping = ownPing(sequence, target.name).encoded
        if target.state == .suspect, config.usesBuddySystem {
            let claim = Accusation(incarnation: target.incarnation, node: target.name, from: config.name)
            let parts = [ping, SuspectMessage(accusation: claim).encoded]
            sendPacket(MessageWrappers.compound(parts[...]), to: target.address.text, protocolMax: target.versions.protocolMax)
        } else {
            sendDirect(ping, to: target.address.text)
        }
    }

    private var ownSource: PingSource {
        PingSource(address: config.advertise.bytes[...], port: config.advertise.port, node: config.name)
    }

    private func ownPing(_ sequence: UInt32, _ node: String) -> PingMessage {
        PingMessage(sequence: sequence, node: node, source: ownSource)
    }

    /// The time of the direct ping, or of the whole probe, is over.
    mutating func continueProbe() {
        guard let current = probe else { return }
        guard current.isIndirect || current.end <= now else { return probeIndirectly() }
        probe = nil
        if current.reachedByStream, !planted(.streamAnswerIgnored) {
            log(.warn, "Was able to connect to \(current.target.name) but other probes failed, network may be misconfigured")
            return awareness.apply(-1)
        }
        // Helpers that did not even send a nack speak of our own connection.
        awareness.apply(current.expectedNacks > 0 ? max(0, current.expectedNacks - current.nacks) : 1)
        log(.info, "Suspect \(current.target.name) has failed, no acks received")
        let claim = Accusation(incarnation: current.target.incarnation, node: current.target.name, from: config.name)
        apply(SuspectMessage(accusation: claim))
    }

    private mutating func probeIndirectly() {
        guard var current = probe else { return }
        let target = current.target
        log(.debug, "Failed ping: \(target.name) (timeout reached)")
        current.isIndirect = true
        let targetSlot = table.slot(target.name)
        let helpers = table.choose(planted(.indirectNotAsked) ? 0 : config.indirectChecks, &random) { slot, entry in
            entry.state == .alive && slot != ownSlot && slot != targetSlot
        }
        var request = IndirectPingMessage(
            sequence: current.sequence, target: target.address.bytes[...], port: target.address.port, node: target.name, source: ownSource)
        for helper in helpers {
            request.nack = config.usesAwareness && table[helper].versions.protocolMax >= 4
            if request.nack { current.expectedNacks += 1 }
            sendDirect(request.encoded, to: table[helper].address.text)
        }
        if !config.disableTCPPings, target.versions.protocolMax >= 3 {
            call(
                .ping(sequence: current.sequence), to: target.address.text, ownPing(current.sequence, target.name).encoded,
                timeout: current.end - now)
        }
        probe = current
    }

    // MARK: Answers

    mutating func receive(_ ack: AckMessage) {
        if let current = probe, current.sequence == ack.sequence || planted(.ackOfOldProbe) {
            probe = nil
            awareness.apply(-1)
            if !current.isIndirect {
                delegate.pingCompleted(current.target, roundTrip: now - current.start, payload: ack.payload, at: now)
            }
        } else if let relay = relays.remove(ack.sequence), !planted(.relayToRequester) {
            sendDirect(AckMessage(sequence: relay.sequence).encoded, to: relay.requester)
        }
    }

    mutating func receive(_ nack: NackMessage) {
        if probe?.sequence == nack.sequence { probe?.nacks += 1 }
    }

    /// The answer to the ping over a stream.
    mutating func receive(pingAnswer bytes: [UInt8], sequence: UInt32) {
        guard !bytes.isEmpty else { return }
        let text: String
        do throws(StreamFailure) {
            let (type, body) = try openStream(bytes)
            guard type == MessageType.ack.rawValue else { throw .other("Unexpected msgType (\(type)) from ping") }
            let ack: AckMessage
            do { ack = try AckMessage(body) } catch { throw .other(error.text) }
            guard ack.sequence == sequence else {
                throw .other("Sequence number from ack (\(ack.sequence)) doesn't match ping (\(sequence))")
            }
            if probe?.sequence == sequence { probe?.reachedByStream = true }
            return
        } catch {
            text = error.text
        }
        log(.error, "Failed fallback ping: \(text)")
    }

    // MARK: Others' pings

    mutating func receive(_ ping: PingMessage, from: Address) {
        guard ping.node.isEmpty || ping.node == config.name else {
            return log(.warn, "Got ping for unexpected node '\(ping.node)' from=\(from)")
        }
        let payload = delegate.ackPayload()
        sendDirect(AckMessage(sequence: ping.sequence, payload: payload[...]).encoded, to: destination(ping.source, from))
    }

    /// Where a ping names no sender, the answer goes to where it came from.
    private func destination(_ source: PingSource, _ from: Address) -> Address {
        guard source.port > 0, let address = NodeAddress(source.address, port: source.port) else { return from }
        return address.text
    }

    mutating func receive(_ request: IndirectPingMessage, from: Address) {
        guard let target = NodeAddress(request.target, port: request.port == 0 ? config.bindPort : request.port) else { return }
        guard relays.count < RelayTable.limit else { return log(.warn, "Too many pings for others, dropping one from=\(from)") }
        sequence &+= 1
        let relay = Relay(requester: destination(request.source, from), sequence: request.sequence, wantsNack: request.nack)
        relays.add(relay, under: sequence, until: now + config.probeTimeout)
        sendDirect(ownPing(sequence, request.node).encoded, to: target.text)
    }

    /// The target did not answer.
    mutating func relayEnded(_ relay: Relay) {
        guard relay.wantsNack else { return }
        sendDirect(NackMessage(sequence: relay.sequence).encoded, to: relay.requester)
    }
}
