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
    private let budget: AnswerBudget
    /// What of the budget is this one's, and how the budget calls it.
    private var held = AnswerBudget.Held()
    var holder: AnswerBudget.Holder?
    /// When something was taken for the last time, of what is held.
    private var since = Instant.zero
    /// The peer has taken bytes since `consumeProgress`.
    private var hasMoved = false
    /// What the kernel had of the bytes that were sent, when that was looked at for the last time.
    private var queued = 0
    /// The budget is exceeded.
    private(set) var exceedsBudget = false

    enum Progress {
        case done
        /// The socket takes more, and there is more to make.
        case ready
        /// The socket has no room.
        case full
        /// The connection is broken.
        case failed
    }

    init(_ budget: AnswerBudget) { self.budget = budget }

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
        if !bytes.isEmpty {
            if sent > 0, sent >= bytes.count / 2 {
                bytes.removeFirst(sent)
                sent = 0
            }
            bytes.append(contentsOf: buffer)
            buffer.removeAll(keepingCapacity: true)
            account(hasMoved: false)
            return .full
        }
        var done = 0
        let progress = Self.write(buffer, from: &done, to: fd)
        if done > 0 { hasMoved = true }
        if progress == .full { bytes = Array(buffer[done...]) }
        buffer.removeAll(keepingCapacity: true)
        account(hasMoved: done > 0)
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
            queued = 0
        }
        account(hasMoved: sent > before || progress == .done)
        return progress == .done && answer != nil ? .ready : progress
    }

    /// Looks whether the peer has taken some of what the kernel has for it. A deep buffer takes nothing new for minutes while a slow peer
    /// reads from it.
    mutating func noteTaken(from fd: Int32) {
        if bytes.isEmpty { return }
        let now = max(0, Int(csystem_unacknowledged(fd)))
        defer { queued = now }
        if now < queued {
            hasMoved = true
            account(hasMoved: true)
        }
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
        account(hasMoved: false)
    }

    private mutating func account(hasMoved: Bool) {
        let now = AnswerBudget.Held(unsent: bytes.count + (answer?.heldBytes ?? 0), retained: answer?.retained ?? 0)
        let isEmpty = now == AnswerBudget.Held()
        guard let holder, now != held || (hasMoved && !isEmpty) else {
            exceedsBudget = false
            return
        }
        if !isEmpty, hasMoved || held == AnswerBudget.Held() { since = SystemClock.now() }
        exceedsBudget = budget.set(holder, now, since: since)
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
