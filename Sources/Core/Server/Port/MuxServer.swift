/// RPC over many streams of one connection. A stream has one call at a time; what comes behind it stays in the stream's window
/// (rpc-raft-wire §1.4, §2.1).
final class MuxServer {
    var session: YamuxSession
    private let limits: PortLimits
    private var streams = LookupTable<UInt32, Stream>()
    /// The stream of every call that is not answered.
    private var asked = LookupTable<UInt32, UInt32>()
    private var nextSerial: UInt32 = 0
    /// Bytes of unfinished messages, all streams together.
    private var assemblySize = 0

    private struct Stream {
        var assembler: MessageAssembler
        var call: UInt32?
        var backlog: [UInt8] = []
        var hasBegun = false
        var isPeerDone = false
    }

    init(_ limits: PortLimits, at now: Instant) {
        self.limits = limits
        session = YamuxSession(.server, streamsMax: limits.streamsMax, at: now)
    }

    func receive(_ input: UnsafeRawBufferPointer, _ at: inout Int, into calls: inout [InboundCall]) throws(PortError) {
        do throws(YamuxError) {
            while let event = try session.next(input, &at) {
                switch event {
                case .opened(let id): streams[id] = Stream(assembler: MessageAssembler(.rpc, limits))
                case .data(let id, let range):
                    take(UnsafeRawBufferPointer(rebasing: input[range]), of: id, into: &calls)
                case .ended(let id): ended(id)
                case .reset(let id): forget(id)
                }
            }
        } catch {
            throw PortError(error.text)
        }
        if assemblySize > limits.assemblySizeMax { throw PortError("too many unfinished messages") }
    }

    private func take(_ input: UnsafeRawBufferPointer, of id: UInt32, into calls: inout [InboundCall]) {
        guard var stream = streams.removeValue(forKey: id) else { return session.consumed(id, input.count) }
        // Six would be the first byte of an area's gossip (§1.1).
        if !stream.hasBegun, input[0] == 6 {
            session.consumed(id, input.count)
            return session.close(id)
        }
        stream.hasBegun = true
        guard stream.call == nil else {
            stream.backlog.append(0..<input.count, of: input)
            streams[id] = stream
            return
        }
        assemblySize -= stream.assembler.partial.count
        var at = 0
        do throws(PortError) {
            if let bytes = try stream.assembler.take(input, &at) {
                stream.call = ask(bytes, id, &calls)
                stream.backlog.append(at..<input.count, of: input)
            }
        } catch {
            // As the reference: nothing is answered to what cannot be read.
            session.consumed(id, input.count)
            return session.close(id)
        }
        assemblySize += stream.assembler.partial.count
        streams[id] = stream
        session.consumed(id, at)
    }

    private func ask(_ bytes: [UInt8], _ stream: UInt32, _ calls: inout [InboundCall]) -> UInt32 {
        nextSerial &+= 1
        asked[nextSerial] = stream
        calls.append(InboundCall(serial: nextSerial, channel: .rpc, bytes: bytes))
        return nextSerial
    }

    private func ended(_ id: UInt32) {
        if streams[id]?.call == nil {
            forget(id)
            session.close(id)
        } else {
            streams[id]?.isPeerDone = true
        }
    }

    private func forget(_ id: UInt32) {
        guard let stream = streams.removeValue(forKey: id) else { return }
        assemblySize -= stream.assembler.partial.count
        if let call = stream.call { asked.removeValue(forKey: call) }
    }

    func reply(_ serial: UInt32, _ bytes: [UInt8], into calls: inout [InboundCall]) throws(PortError) {
        guard let id = asked.removeValue(forKey: serial), streams.contains(id) else { return }
        session.send(id, bytes)
        if RPCReply.endsStream(bytes) { return drop(id) }
        var backlog: [UInt8] = []
        if var stream = streams.removeValue(forKey: id) {
            stream.call = nil
            swap(&backlog, &stream.backlog)
            if backlog.isEmpty, stream.isPeerDone { return session.close(id) }
            streams[id] = stream
        }
        if backlog.isEmpty { return }
        backlog.withUnsafeBytes { take($0, of: id, into: &calls) }
        if streams[id]?.isPeerDone == true { ended(id) }
    }

    /// The caller sees the end of its stream.
    func refuse(_ serial: UInt32) {
        guard let id = asked.removeValue(forKey: serial) else { return }
        drop(id)
    }

    /// Closes a stream on which no call is under way.
    private func drop(_ id: UInt32) {
        let rest = streams.removeValue(forKey: id)?.backlog.count ?? 0
        session.close(id)
        session.consumed(id, rest)
    }
}
