import Core
import CSystem
import Glibc
import Synchronization

/// Writes log lines in the reference's format, from a thread of its own (config §23):
///
///     2020-09-10T12:34:56.789Z [INFO]  agent: message
///
/// Whoever logs only formats a line: a terminal or pipe that takes nothing must not stop the agent. When the buffer is full, lines are
/// dropped and counted.
public final class Logger: @unchecked Sendable {
    // Unchecked: guarded by the lock.
    private let lock = Lock()
    private let change = Condition()
    private var buffer: [UInt8] = []
    private var isWriting = false
    private var isHeld: Bool
    private var dropped = 0
    private var level: LogLevel
    private let isJSON: Bool
    private let fd: Int32
    private var second = Int.min
    private var clock: (prefix: [UInt8], zone: [UInt8]) = ([], [])
    private var hasThread = false
    /// The same lines without blanks before them, banner and `==> ` lines, where there are other places that want them.
    private var copies: [UInt8] = []
    private let file: LogFile?
    private let syslog: Syslog?
    /// Gets what `log` is called with, of this level and above.
    private var followed: LogLevel?
    private var follower: (@Sendable (LogLevel, String, String) -> Void)?

    /// The least level that anybody wants, for those who would make a line in vain.
    private let least: Atomic<UInt8>

    static let bufferMax = 1 << 20

    /// With `isHeld`, nothing is written before `release`: the banner comes first.
    public init(
        level: LogLevel = .info, isJSON: Bool = false, isHeld: Bool = false, fd: Int32 = 1, file: LogFile? = nil, syslog: Syslog? = nil
    ) {
        self.level = level
        least = Atomic(level.rawValue)
        self.file = file
        self.syslog = syslog
        self.isJSON = isJSON
        self.isHeld = isHeld
        self.fd = fd
    }

    public func setLevel(_ new: LogLevel) {
        lock.holding {
            level = new
            noteLeast()
        }
    }
    public var currentLevel: LogLevel { lock.holding { level } }

    /// Has a follower get the lines of that level and above that `log` writes; nil: of none.
    func follow(_ level: LogLevel?) {
        lock.holding {
            followed = level
            noteLeast()
        }
    }

    private func noteLeast() { least.store(min(level, followed ?? level).rawValue, ordering: .relaxed) }

    /// Whether a line of that level goes anywhere.
    func wants(_ level: LogLevel) -> Bool { level.rawValue >= least.load(ordering: .relaxed) }

    /// To be called before there are other threads. The follower must not log.
    func setFollower(_ follower: @escaping @Sendable (LogLevel, String, String) -> Void) { self.follower = follower }

    /// `module` is `agent`, `agent.server.raft`, ...; the message has its `key=value` pairs already.
    public func log(_ level: LogLevel, _ module: String, _ message: String) {
        write(level, module, message)
        if lock.holding({ followed.map { level >= $0 } ?? false }) { follower?(level, module, message) }
    }

    /// Logs without telling the follower, who knows.
    func write(_ level: LogLevel, _ module: String, _ message: String) {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        lock.holding {
            if level < self.level { return }
            if buffer.count > Self.bufferMax {
                dropped += 1
                return
            }
            if dropped > 0 {
                let count = dropped
                dropped = 0
                append(.warn, "agent", "log lines were dropped: count=\(count)", now)
            }
            append(level, module, message, now)
            startWriting()
        }
    }

    /// Writes the banner or a `==> ` line; not with JSON, which has none.
    public func show(_ text: String) {
        if isJSON { return }
        lock.holding {
            buffer.append(contentsOf: text.utf8)
            buffer.append(0x0A)
            startWriting()
        }
    }

    /// Writes text to standard error, as it is.
    public func report(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { bytes in retrying { Glibc.write(2, bytes.baseAddress, bytes.count) } }
            if count <= 0 { return }
            rest = rest.dropFirst(count)
        }
    }

    /// Writes `banner`, then what was logged meanwhile, then everything as it comes.
    public func release(banner: String) {
        lock.holding {
            if !isJSON { buffer.insert(contentsOf: Array(banner.utf8), at: 0) }
            isHeld = false
            startWriting()
        }
    }

    /// Returns when everything logged so far is written, or could not be for a second.
    public func flush() {
        let deadline = SystemClock.now() + .seconds(1)
        while lock.holding({ !isHeld && (isWriting || !buffer.isEmpty) }), SystemClock.now() < deadline { usleep(1000) }
    }

    // MARK: Lines

    private func append(_ level: LogLevel, _ module: String, _ message: String, _ now: timespec) {
        if now.tv_sec != second { tell(now.tv_sec) }
        buffer.append(contentsOf: repeatElement(0x20, count: 4))
        let start = buffer.count
        if isJSON { appendJSON(level, module, message, now) } else { appendText(level, module, message, now) }
        if file != nil || syslog != nil { copies.append(contentsOf: buffer[start...]) }
    }

    private func appendText(_ level: LogLevel, _ module: String, _ message: String, _ now: timespec) {
        buffer.append(contentsOf: clock.prefix)
        Self.append(now.tv_nsec / 1_000_000, digits: 3, to: &buffer)
        buffer.append(contentsOf: clock.zone)
        buffer.append(contentsOf: Self.column(level).utf8)
        buffer.append(contentsOf: module.utf8)
        buffer.append(contentsOf: ": ".utf8)
        LogText.append(message, to: &buffer)
        buffer.append(0x0A)
    }

    private func appendJSON(_ level: LogLevel, _ module: String, _ message: String, _ now: timespec) {
        var stamp = clock.prefix
        Self.append(now.tv_nsec / 1_000, digits: 6, to: &stamp)
        stamp += clock.zone.dropLast()
        buffer += LogStream.jsonLine(level, module: module, message, time: stamp)
    }

    /// Makes the parts of a time stamp that stand still for a second: up to the point, and the zone with the blank after it.
    private func tell(_ now: Int) {
        second = now
        var now = now
        var parts = tm()
        localtime_r(&now, &parts)
        func padded(_ number: Int32, _ width: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
        }
        let date = "\(padded(parts.tm_year + 1900, 4))-\(padded(parts.tm_mon + 1, 2))-\(padded(parts.tm_mday, 2))"
        let time = "\(padded(parts.tm_hour, 2)):\(padded(parts.tm_min, 2)):\(padded(parts.tm_sec, 2))."
        let offset = Int32(abs(parts.tm_gmtoff) / 60)
        let zone = offset == 0 ? "Z" : (parts.tm_gmtoff < 0 ? "-" : "+") + padded(offset / 60, 2) + padded(offset % 60, 2)
        clock = (Array("\(date)T\(time)".utf8), Array("\(zone) ".utf8))
    }

    private static func append(_ number: Int, digits: Int, to out: inout [UInt8]) {
        var divisor = 1
        for _ in 1..<digits { divisor *= 10 }
        while divisor > 0 {
            out.append(UInt8(0x30 + number / divisor % 10))
            divisor /= 10
        }
    }

    private static func column(_ level: LogLevel) -> String {
        switch level {
        case .trace: "[TRACE] "
        case .debug: "[DEBUG] "
        case .info: "[INFO]  "
        case .warn: "[WARN]  "
        case .error: "[ERROR] "
        }
    }

    // MARK: Writing

    /// The lock is held.
    private func startWriting() {
        if isHeld || buffer.isEmpty { return }
        if !hasThread { hasThread = (try? Thread(name: "log") { [self] in work() }) != nil }
        change.signal()
    }

    private func work() {
        lock.lock()
        while true {
            while buffer.isEmpty || isHeld { change.wait(lock) }
            var lines: [UInt8] = [], copied: [UInt8] = []
            swap(&lines, &buffer)
            swap(&copied, &copies)
            isWriting = true
            lock.unlock()
            // A terminal that takes nothing must not keep lines from the file.
            copy(copied)
            write(lines)
            lock.lock()
            isWriting = false
        }
    }

    private func copy(_ lines: [UInt8]) {
        if lines.isEmpty { return }
        lines.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while let end = rest.firstIndex(of: 0x0A) {
                file?.write(rest[...end])
                syslog?.write(rest[..<end])
                rest = rest[(end + 1)...]
            }
        }
    }

    private func write(_ lines: [UInt8]) {
        var done = 0
        while done < lines.count {
            let count = lines.withUnsafeBytes { bytes in retrying { Glibc.write(fd, bytes.baseAddress! + done, bytes.count - done) } }
            if count < 0, errno == EAGAIN {
                // Somebody made the terminal non-blocking.
                _ = waitUntilReady(fd, Int32(POLLOUT), by: .distantFuture)
                continue
            }
            // Nobody to tell.
            if count <= 0 { return }
            done += count
        }
    }
}
