// Streams: push/pull, pings, user messages (gossip §6).

/// Why a stream was not read or its content not taken.
enum StreamFailure: Error {
    /// The other side closed without a byte.
    case ended
    case other(String)

    var text: String {
        switch self {
        case .ended: "EOF"
        case .other(let text): text
        }
    }
}

extension Memberlist {
    /// What a call of ours is for.
    enum Call {
        case ping(sequence: UInt32)
        /// The periodic exchange with a member of that name.
        case pushPull(String)
        /// A join's exchange with its current target.
        case join(token: UInt64)
    }

    mutating func call(_ purpose: Call, to address: Address, _ message: [UInt8], timeout: Duration) {
        let id = callCounter.next()
        calls[id] = purpose
        counters.tcpConnect += 1
        output.append(.call(id, to: address, wrapStream(message), timeout: timeout))
    }

    // MARK: Reading

    /// Type and body of the message that a stream brought (§6.1); `from` is empty for the answer to a call of this member.
    mutating func openStream(_ bytes: [UInt8], from: Address = "") throws(StreamFailure) -> (type: UInt8, body: ArraySlice<UInt8>) {
        var message = bytes[...]
        if message.isEmpty { throw .ended }
        if message.first == MessageType.encrypt.rawValue {
            guard isEncrypted, let cipher else { throw .other("Remote state is encrypted and encryption is not configured") }
            guard let length = GossipStream.sealedLength(message) else { throw .other("unexpected EOF") }
            guard length <= GossipStream.sizeLimit else { throw .other("Remote node state is larger than limit (\(length))") }
            guard message.count - 5 >= length else { throw .other("unexpected EOF") }
            do throws(GossipSeal.Failure) {
                let sealed = message.dropFirst(5).prefix(length)
                message = try GossipSeal.open(sealed, keyring: keyring, additionalData: Array(message.prefix(5)), cipher: cipher)[...]
            } catch {
                throw .other(error.text)
            }
        } else if isEncrypted, config.verifyIncoming {
            throw .other("Encryption is configured but remote state is not encrypted")
        }
        if message.first == MessageType.compress.rawValue {
            message = try decompress(message.dropFirst(), from, \.streamBudget)[...]
        }
        guard let type = message.first else { throw .other("unexpected EOF") }
        return (type, message.dropFirst())
    }

    // MARK: Streams of others

    mutating func receive(call id: CallID, from: Address, _ bytes: [UInt8]) {
        log(.debug, "Stream connection from=\(from)")
        counters.tcpAccept += 1
        let (type, body): (UInt8, ArraySlice<UInt8>)
        do throws(StreamFailure) {
            (type, body) = try openStream(bytes, from: from)
        } catch {
            guard case .other(let text) = error else { return output.append(.refuse(id)) }
            log(.error, "failed to receive: \(text) from=\(from)")
            return output.append(.reply(id, wrapStream(ErrorMessage(text: text).encoded)))
        }
        switch MessageType(rawValue: type) {
        case .user: receive(userStream: body, id, from)
        case .pushPull: receive(pushPull: body, id, from)
        case .ping: receive(pingStream: body, id, from)
        default: refuse(id, .error, "Received invalid msgType (\(type)) from=\(from)")
        }
    }

    private mutating func refuse(_ id: CallID, _ level: LogLevel, _ text: String) {
        log(level, text)
        output.append(.refuse(id))
    }

    private mutating func receive(userStream body: ArraySlice<UInt8>, _ id: CallID, _ from: Address) {
        var reader = MessagePackReader(body)
        let header: UserHeader
        do { header = try UserHeader(from: &reader) } catch {
            return refuse(id, .error, "Failed to receive user message: \(error.text) from=\(from)")
        }
        guard header.length >= 0, header.length <= reader.rest.count else {
            return refuse(id, .error, "Failed to receive user message: unexpected EOF from=\(from)")
        }
        if header.length > 0 { delegate.received(reader.rest.prefix(header.length), at: now) }
        output.append(.reply(id, []))
    }

    private mutating func receive(pingStream body: ArraySlice<UInt8>, _ id: CallID, _ from: Address) {
        let ping: PingMessage
        do { ping = try PingMessage(body) } catch {
            return refuse(id, .error, "Failed to decode ping: \(error.text) from=\(from)")
        }
        guard ping.node.isEmpty || ping.node == config.name else {
            return refuse(id, .warn, "Got ping for unexpected node \(ping.node) from=\(from)")
        }
        output.append(.reply(id, wrapStream(AckMessage(sequence: ping.sequence).encoded)))
    }

    private mutating func receive(pushPull body: ArraySlice<UInt8>, _ id: CallID, _ from: Address) {
        let remote: PushPull
        do { remote = try PushPull(body) } catch {
            return refuse(id, .error, "Failed to read remote state: \(error.text) from=\(from)")
        }
        // The answer goes first: the other side learns of us even where we refuse it.
        output.append(.reply(id, wrapStream(localState(join: remote.join))))
        if let reason = merge(remote, join: remote.join) { log(.error, "Failed push/pull merge: \(reason) from=\(from)") }
    }

    // MARK: Our own streams

    mutating func receive(answer bytes: [UInt8], to id: CallID) {
        switch calls.removeValue(forKey: id) {
        case .ping(let sequence): receive(pingAnswer: bytes, sequence: sequence)
        case .pushPull(let name): reportPushPull(with: name, mergeAnswer(bytes, join: false))
        case .join(let token): continueJoin(token, failure: mergeAnswer(bytes, join: true))
        case nil: break
        }
    }

    mutating func receive(failure text: String, of id: CallID) {
        switch calls.removeValue(forKey: id) {
        // To be expected of a node that is dead.
        case .ping: break
        case .pushPull(let name): reportPushPull(with: name, text)
        case .join(let token): continueJoin(token, failure: text)
        case nil: break
        }
    }

    private mutating func reportPushPull(with name: String, _ failure: String?) {
        if let failure { log(.error, "Push/Pull with \(name) failed: \(failure)") }
    }

    /// Why nothing came of an exchange; nil: it is done.
    private mutating func mergeAnswer(_ bytes: [UInt8], join: Bool) -> String? {
        do throws(StreamFailure) {
            let (type, body) = try openStream(bytes)
            switch MessageType(rawValue: type) {
            case .error:
                do { return "remote error: \(try ErrorMessage(body).text)" } catch { return error.text }
            case .pushPull:
                let remote: PushPull
                do { remote = try PushPull(body) } catch { return error.text }
                return merge(remote, join: join)
            default:
                return "received invalid msgType (\(type)), expected pushPullMsg (\(MessageType.pushPull.rawValue))"
            }
        } catch {
            return error.text
        }
    }
}
