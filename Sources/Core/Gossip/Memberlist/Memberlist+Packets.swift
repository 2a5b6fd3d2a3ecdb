// Packets as they come in (gossip §2, §9.6).

/// What one packet may cost. The nesting and the sizes of honest packets are far below.
private struct PacketBudget {
    static let depthLimit = 8
    static let partLimit = 4_096

    /// Messages of any kind.
    var parts = Self.partLimit
    /// Messages that change what is known, or go to the delegate.
    var handoffs: Int
}

extension Memberlist {
    mutating func receive(packet: [UInt8], from: Address) {
        counters.udpReceived += UInt64(packet.count)
        var message = packet[...]
        if isEncrypted, let cipher {
            do throws(GossipSeal.Failure) {
                message = try GossipSeal.open(message, keyring: keyring, additionalData: [], cipher: cipher)[...]
            } catch {
                // Otherwise it may be plain.
                if config.verifyIncoming { return log(.error, "Decrypt packet failed: \(error.text) from=\(from)") }
            }
        }
        if message.count >= 5, message.first == MessageType.checksum.rawValue {
            let stated = message.dropFirst().prefix(4).reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
            message = message.dropFirst(5)
            let actual = CRC32.checksum(message)
            guard actual == stated else {
                return log(
                    .warn, "Got invalid checksum for UDP packet: \(String(actual, radix: 16)), \(String(stated, radix: 16))")
            }
        }
        var budget = PacketBudget(handoffs: config.handoffQueueDepth)
        dispatch(message, from, depth: 0, &budget)
    }

    private mutating func dispatch(_ message: ArraySlice<UInt8>, _ from: Address, depth: Int, _ budget: inout PacketBudget) {
        guard let first = message.first else { return }
        guard depth < PacketBudget.depthLimit, budget.parts > 0 else { return log(.error, "Message is nested too deeply from=\(from)") }
        budget.parts -= 1
        guard let type = MessageType(rawValue: first) else { return log(.error, "msg type (\(first)) not supported from=\(from)") }
        let body = message.dropFirst()
        switch type {
        case .compound: dispatchParts(body, from, depth: depth, &budget)
        case .compress:
            do throws(StreamFailure) {
                let inner = try decompress(body, from, \.packetBudget)
                dispatch(inner[...], from, depth: depth + 1, &budget)
            } catch {
                if case .other(let text) = error { log(.error, "Failed to decompress packet: \(text) from=\(from)") }
            }
        case .alive, .suspect, .dead, .user:
            guard budget.handoffs > 0 else {
                return log(.warn, "handler queue full, dropping message (\(first)) from=\(from)")
            }
            budget.handoffs -= 1
            handle(type, body, from)
        case .ping, .indirectPing, .ack, .nack:
            handle(type, body, from)
        case .pushPull, .encrypt, .checksum, .error:
            log(.error, "msg type (\(first)) not supported from=\(from)")
        }
    }

    /// Within the budget of the source. The error is `ended` if the message is passed over and that was logged in this second.
    mutating func decompress(
        _ body: ArraySlice<UInt8>, _ from: Address, _ budget: WritableKeyPath<Self, DecompressionBudget>
    ) throws(StreamFailure) -> [UInt8] {
        let source = DecompressionBudget.source(from)
        let limit = self[keyPath: budget].allowance(of: source, at: now)
        guard limit > 0 else {
            throw self[keyPath: budget].exhaust() ? .other("too much to decompress within a second") : .ended
        }
        do throws(MessageWrappers.DecompressionError) {
            let message = try MessageWrappers.decompressed(body, limit: limit)
            self[keyPath: budget].spend(message.count, by: source)
            return message
        } catch {
            // How far it came is not known.
            if case .lzw = error { self[keyPath: budget].spend(limit, by: source) }
            throw .other(error.text)
        }
    }

    private mutating func dispatchParts(_ body: ArraySlice<UInt8>, _ from: Address, depth: Int, _ budget: inout PacketBudget) {
        guard let (parts, truncated) = MessageWrappers.parts(of: body) else {
            return log(.error, "Failed to decode compound request: truncated len slice from=\(from)")
        }
        if truncated > 0 { log(.warn, "Compound request had \(truncated) truncated messages from=\(from)") }
        for part in parts { dispatch(part, from, depth: depth + 1, &budget) }
    }

    private mutating func handle(_ type: MessageType, _ body: ArraySlice<UInt8>, _ from: Address) {
        do throws(MessagePackError) {
            switch type {
            case .ping: receive(try PingMessage(body), from: from)
            case .indirectPing: receive(try IndirectPingMessage(body), from: from)
            case .ack: receive(try AckMessage(body))
            case .nack: receive(try NackMessage(body))
            case .suspect: apply(try SuspectMessage(body))
            case .dead: apply(try DeadMessage(body))
            case .alive: receive(try AliveMessage(body), from: from)
            case .user: delegate.received(body, at: now)
            default: break
            }
        } catch {
            log(.error, "Failed to decode \(Self.nameForErrors(type)): \(error.text) from=\(from)")
        }
    }

    private static func nameForErrors(_ type: MessageType) -> String {
        switch type {
        case .ping: "ping request"
        case .indirectPing: "indirect ping request"
        case .ack: "ack response"
        case .nack: "nack response"
        case .suspect: "suspect message"
        case .dead: "dead message"
        case .alive: "alive message"
        default: "message"
        }
    }

    private mutating func receive(_ alive: AliveMessage, from: Address) {
        if config.allowedNetworks != nil {
            guard let sender = NodeAddress(from), isAllowed(sender.ip) else {
                return log(.debug, "Blocked alive message: \(from) is not allowed from=\(from)")
            }
        }
        var alive = alive
        if alive.port == 0 || config.protocolVersion < 2 { alive.port = config.bindPort }
        apply(alive)
    }
}
