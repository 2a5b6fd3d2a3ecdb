// Packets on their way out (gossip §4).

extension Memberlist {
    var isEncrypted: Bool { !keyring.isEmpty }
    /// The version of the encryption; 0 is for peers of the oldest protocol.
    private var sealVersion: UInt8 { config.protocolVersion == 1 ? 0 : 1 }

    /// A message in a packet of its own, in which news may ride along.
    mutating func sendDirect(_ message: [UInt8], to address: Address) {
        var parts = [message]
        let sealing = isEncrypted && config.verifyOutgoing ? GossipSeal.overhead(version: sealVersion) : 0
        appendNews(limit: config.udpBufferSize - message.count - MessageWrappers.compoundOverhead - sealing, to: &parts)
        sendParts(parts, to: address, protocolMax: nil)
    }

    /// News for a few nodes of the pool (gossip §9.2).
    mutating func gossip() {
        let (own, limit) = (ownSlot, now - config.gossipToTheDeadTime)
        let targets = table.choose(config.gossipNodes, &random) { slot, entry in
            switch entry.state {
            case .alive, .suspect: slot != own
            case .dead: slot != own && entry.changed >= limit
            case .left: false
            }
        }
        let sealing = isEncrypted ? GossipSeal.overhead(version: sealVersion) : 0
        for target in targets {
            var parts: [[UInt8]] = []
            appendNews(limit: config.udpBufferSize - MessageWrappers.compoundOverhead - sealing, to: &parts)
            if parts.isEmpty { return }
            sendParts(parts, to: table[target].address.text, protocolMax: table[target].versions.protocolMax)
        }
    }

    /// Memberlist's own news first; what room they leave is the delegate's.
    private mutating func appendNews(limit: Int, to parts: inout [[UInt8]]) {
        let overhead = MessageWrappers.compoundOverhead
        let before = parts.count
        broadcasts.drain(overhead: overhead, limit: limit, nodes: table.count, to: &parts)
        let used = parts[before...].reduce(0) { $0 + overhead + $1.count }
        guard limit - used > overhead + 1, delegate.hasBroadcasts else { return }
        var messages: [[UInt8]] = []
        delegate.appendBroadcasts(overhead: overhead + 1, limit: limit - used, to: &messages)
        for message in messages { parts.append([MessageType.user.rawValue] + message) }
    }

    /// One message bare, several as compounds.
    private mutating func sendParts(_ parts: [[UInt8]], to address: Address, protocolMax: UInt8?) {
        var rest = parts[...]
        while !rest.isEmpty {
            let some = rest.prefix(MessageWrappers.compoundLimit)
            rest = rest.dropFirst(some.count)
            let packet = some.count == 1 ? some[some.startIndex] : MessageWrappers.compound(some)
            sendPacket(packet, to: address, protocolMax: protocolMax)
        }
    }

    /// `protocolMax`: what the receiver understands, where its entry is at hand; it decides about the checksum (§4.2).
    mutating func sendPacket(_ message: [UInt8], to address: Address, protocolMax: UInt8?) {
        var packet = message
        if config.enableCompression, let shorter = MessageWrappers.compressedIfShorter(packet) { packet = shorter }
        if let protocolMax, protocolMax >= 5 { packet = MessageWrappers.checksummed(packet) }
        if config.verifyOutgoing, let sealed = seal(packet, additionalData: []) { packet = sealed }
        counters.udpSent += UInt64(packet.count)
        output.append(.packet(to: address, packet))
    }

    /// nil without keys.
    private mutating func seal(_ message: [UInt8], additionalData: [UInt8]) -> [UInt8]? {
        guard let key = keyring.primary, let cipher else { return nil }
        var nonce: [UInt8] = []
        nonce.append(bigEndian: random.next())
        nonce.append(bigEndian: UInt32(truncatingIfNeeded: random.next()))
        return GossipSeal.seal(message, version: sealVersion, key: key, nonce: nonce, additionalData: additionalData, cipher: cipher)
    }

    /// A message as it goes over a stream: always compressed, longer or not.
    mutating func wrapStream(_ message: [UInt8]) -> [UInt8] {
        var bytes = config.enableCompression ? MessageWrappers.compressed(message) : message
        if isEncrypted, config.verifyOutgoing {
            var header = [MessageType.encrypt.rawValue]
            header.append(bigEndian: UInt32(GossipSeal.sealedLength(bytes.count, version: sealVersion)))
            if let sealed = seal(bytes, additionalData: header) { bytes = header + sealed }
        }
        counters.tcpSent += UInt64(bytes.count)
        return bytes
    }

    // MARK: For what rides on memberlist

    /// A user message to one address, without any guarantee. `protocolMax` as in the member's entry, where the caller has it.
    public mutating func send(
        userMessage: [UInt8], to address: Address, protocolMax: UInt8? = nil, at time: Instant, into effects: inout [GossipEffect]
    ) {
        begin(time, &effects)
        sendPacket([MessageType.user.rawValue] + userMessage, to: address, protocolMax: protocolMax)
        end(&effects)
    }
}
