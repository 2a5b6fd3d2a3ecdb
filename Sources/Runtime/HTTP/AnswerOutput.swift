import CSystem
import Core
import Glibc

/// What a connection still has to send: bytes that the socket had no room for, and behind them an answer that is made in slices.
///
/// No more than a slice is made before the peer has taken the one before, so what a peer can make the agent hold does not depend on the
/// size of what it asks for.
struct AnswerOutput: ~Copyable {
    /// From `sent` on.
    private var bytes: [UInt8] = []
    private var sent = 0
    private var answer: SlicedAnswer?
    private let budget: UnsentBudget
    /// What of the budget is this one's.
    private var held = 0
    /// The peer has taken bytes since `consumeProgress`.
    private var hasMoved = false

    enum Progress {
        case done
        /// The socket takes more, and there is more to make.
        case ready
        /// The socket has no room.
        case full
        /// The connection is broken.
        case failed
    }

    init(_ budget: UnsentBudget) { self.budget = budget }

    deinit { budget.add(-held) }

    var isEmpty: Bool { bytes.isEmpty && answer == nil }
    /// The next bytes to send are yet to be made.
    var isReady: Bool { bytes.isEmpty && answer != nil }
    var hasAnswer: Bool { answer != nil }
    /// Bytes that the socket had no room for.
    var backlog: Int { bytes.count - sent }

    /// The answer follows the bytes that are given to `send` next.
    mutating func begin(_ answer: SlicedAnswer) { self.answer = answer }

    /// Sends what `buffer` holds, which is empty afterwards.
    mutating func send(_ buffer: inout [UInt8], to fd: Int32) -> Progress {
        defer { account() }
        if !bytes.isEmpty {
            if sent > 0, sent >= bytes.count / 2 {
                bytes.removeFirst(sent)
                sent = 0
            }
            bytes.append(contentsOf: buffer)
            buffer.removeAll(keepingCapacity: true)
            return .full
        }
        var done = 0
        let progress = Self.write(buffer, from: &done, to: fd)
        if done > 0 { hasMoved = true }
        if progress == .full { bytes = Array(buffer[done...]) }
        buffer.removeAll(keepingCapacity: true)
        return progress == .done && answer != nil ? .ready : progress
    }

    /// Makes the next slice in `buffer`, which is empty, and sends it.
    mutating func sendSlice(_ buffer: inout [UInt8], to fd: Int32) -> Progress {
        if answer != nil, !answer!.append(to: &buffer) { answer = nil }
        return send(&buffer, to: fd)
    }

    /// Goes on with what the socket had no room for.
    mutating func flush(to fd: Int32) -> Progress {
        let before = sent
        let progress = Self.write(bytes, from: &sent, to: fd)
        if sent > before { hasMoved = true }
        if progress == .done {
            bytes = []
            sent = 0
            account()
            if answer != nil { return .ready }
        }
        return progress
    }

    /// Whether the peer has taken bytes since the last call.
    mutating func consumeProgress() -> Bool {
        defer { hasMoved = false }
        return hasMoved
    }

    mutating func drop() {
        bytes = []
        sent = 0
        answer = nil
        account()
    }

    private mutating func account() {
        let now = bytes.count + (answer?.heldBytes ?? 0)
        if now == held { return }
        budget.add(now - held)
        held = now
    }

    private static func write(_ bytes: [UInt8], from at: inout Int, to fd: Int32) -> Progress {
        while at < bytes.count {
            let start = at
            let count = bytes.withUnsafeBytes { bytes in
                retrying { Glibc.send(fd, bytes.baseAddress! + start, bytes.count - start, Int32(MSG_NOSIGNAL)) }
            }
            if count < 0, errno == EAGAIN { return .full }
            guard count > 0 else { return .failed }
            at += count
        }
        return .done
    }
}
