/// What the snapshot file of a pool says (gossip §14): who was there, and how far the clocks were.
public struct SerfSnapshot: Hashable, Sendable {
    /// Addresses as `ip:port`, by the names of members.
    public var alive: SortedMap<String, Address> = [:]
    public var clock: UInt64 = 0
    public var eventClock: UInt64 = 0
    public var queryClock: UInt64 = 0
    /// The bytes of the file that are of use: all but a line without an end.
    public var size = 0
    /// Whether there is such a line.
    public var isTorn = false
    /// Of a line that nobody understands, so many bytes are shown, of so many such lines as there are warnings at most.
    static let shownMax = 256
    /// Lines that nobody understands.
    public var warnings: [String] = []

    public init() {}

    /// Reads a file as it was found. `rejoinAfterLeave`: members stay known although the pool was left.
    public init(parsing bytes: [UInt8], rejoinAfterLeave: Bool) {
        var start = 0
        while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
            apply(bytes[start..<end], rejoinAfterLeave: rejoinAfterLeave)
            start = end + 1
        }
        size = start
        isTorn = start < bytes.count
    }

    private mutating func apply(_ line: ArraySlice<UInt8>, rejoinAfterLeave: Bool) {
        if let rest = Self.rest(line, behind: "alive: ") {
            // Names may have spaces, addresses have none.
            guard let space = rest.lastIndex(of: UInt8(ascii: " ")) else { return warn("Failed to parse address", line) }
            alive[String(repairing: rest[..<space])] = String(repairing: rest[(space + 1)...])
        } else if let rest = Self.rest(line, behind: "not-alive: ") {
            alive[String(repairing: rest)] = nil
        } else if let rest = Self.rest(line, behind: "clock: ") {
            clock = number(rest, line) ?? clock
        } else if let rest = Self.rest(line, behind: "event-clock: ") {
            eventClock = number(rest, line) ?? eventClock
        } else if let rest = Self.rest(line, behind: "query-clock: ") {
            queryClock = number(rest, line) ?? queryClock
        } else if line.elementsEqual("leave".utf8) {
            if rejoinAfterLeave { return }
            alive = [:]
            (clock, eventClock, queryClock) = (0, 0, 0)
        } else if Self.rest(line, behind: "coordinate: ") == nil, line.first != UInt8(ascii: "#") {
            warn("Unrecognized snapshot line", line)
        }
    }

    private static func rest(_ line: ArraySlice<UInt8>, behind prefix: StaticString) -> ArraySlice<UInt8>? {
        prefix.withUTF8Buffer { line.starts(with: $0) ? line.dropFirst($0.count) : nil }
    }

    private mutating func number(_ text: ArraySlice<UInt8>, _ line: ArraySlice<UInt8>) -> UInt64? {
        let number = UInt64(String(repairing: text))
        if number == nil { warn("Failed to convert clock time", line) }
        return number
    }

    private mutating func warn(_ reason: String, _ line: ArraySlice<UInt8>) {
        if warnings.count < 16 { warnings.append("\(reason): \(String(repairing: line.prefix(Self.shownMax)))") }
    }
}

/// Keeps the snapshot file of a pool: appends what happens, and writes it anew when it has grown too long (gossip §14).
struct SnapshotWriter {
    /// How long lines may wait to be written together.
    static let flushInterval: Duration = .milliseconds(500)
    /// A file is not written anew below it,
    static let compactionSizeMin = 128 << 10
    /// nor below twice this for every member.
    static let bytesPerMember = 128
    /// Members with longer names are not written down.
    static let nameSizeMax = 1_024
    /// After a failure the file is written anew, no sooner than this after the last attempt.
    static let recoveryInterval: Duration = .seconds(30)

    private let file: String
    private let keepsMembersOnLeave: Bool
    private var alive: SortedMap<String, Address>
    private var lastClock: UInt64
    private var lastEventClock: UInt64
    private var lastQueryClock: UInt64
    /// Of the file, once the lines that wait are written.
    private var size: Int
    private var lines: [UInt8] = []
    private var isTorn: Bool
    private var isLeaving = false
    /// A write failed; nothing can be appended before the file was written anew.
    private(set) var isBroken = false
    private var lastRecovery: Instant?

    init(file: String, continuing snapshot: SerfSnapshot, keepsMembersOnLeave: Bool) {
        self.file = file
        self.keepsMembersOnLeave = keepsMembersOnLeave
        alive = snapshot.alive
        lastClock = snapshot.clock
        lastEventClock = snapshot.eventClock
        lastQueryClock = snapshot.queryClock
        size = snapshot.size
        isTorn = snapshot.isTorn
    }

    // MARK: What happens

    mutating func record(_ kind: MemberEventKind, _ member: Member, clock: UInt64) {
        if isLeaving { return }
        switch kind {
        case .joined where Self.fitsLine(member.name):
            let address = NodeAddress(member.address, port: member.port)?.text ?? ""
            alive[member.name] = address
            append("alive: \(member.name) \(address)")
        case .left where Self.fitsLine(member.name), .failed where Self.fitsLine(member.name):
            alive[member.name] = nil
            append("not-alive: \(member.name)")
        case .joined, .left, .failed, .updated, .reaped:
            break
        }
        record(clock: clock)
    }

    /// Whether a name stays within its line: anybody can choose one, and a line end in it would make lines of its own.
    private static func fitsLine(_ name: String) -> Bool {
        name.utf8.count <= nameSizeMax && !name.utf8.contains { $0 < 0x20 || $0 == 0x7F }
    }

    mutating func recordEvent(_ time: UInt64) {
        if isLeaving || time <= lastEventClock { return }
        lastEventClock = time
        append("event-clock: \(time)")
    }

    mutating func recordQuery(_ time: UInt64) {
        if isLeaving || time <= lastQueryClock { return }
        lastQueryClock = time
        append("query-clock: \(time)")
    }

    /// The pool is left: after a restart it is not joined again, unless that is wanted.
    mutating func recordLeave() {
        isLeaving = true
        if !keepsMembersOnLeave { alive = [:] }
        append("leave")
    }

    private mutating func record(clock: UInt64) {
        let seen = clock - 1
        if seen <= lastClock { return }
        lastClock = seen
        append("clock: \(seen)")
    }

    private mutating func append(_ line: String) {
        // A broken file is written anew as a whole: what waits for it need not be kept.
        if isBroken { return }
        lines.append(text: line)
        lines.append(UInt8(ascii: "\n"))
    }

    // MARK: Writing

    /// Whether there is something to write.
    func wantsFlush(clock: UInt64) -> Bool { !lines.isEmpty || clock - 1 > lastClock || isBroken }

    /// What writes the lines that wait; `isLast`: and makes all durable.
    mutating func flush(clock: UInt64, isLast: Bool = false, at now: Instant) -> [DiskOperation] {
        record(clock: clock)
        if isBroken {
            if let lastRecovery, now - lastRecovery < Self.recoveryInterval, !isLast { return [] }
            lastRecovery = now
            isBroken = false
            return compaction()
        }
        if size + lines.count > max(Self.compactionSizeMin, 2 * Self.bytesPerMember * alive.count) { return compaction() }
        var operations: [DiskOperation] = []
        if isTorn {
            // What follows must not become part of the torn line.
            operations.append(.truncate(file: file, size: size))
            isTorn = false
        }
        if !lines.isEmpty {
            operations.append(.write(file: file, offset: size, bytes: lines))
            size += lines.count
            lines = []
        }
        if isLast, size > 0 { operations.append(.sync(file: file)) }
        return operations
    }

    /// When a broken file may be written anew.
    var recoveryAt: Instant? { isBroken ? lastRecovery.map { $0 + Self.recoveryInterval } : nil }

    mutating func failed() { isBroken = true }

    private mutating func compaction() -> [DiskOperation] {
        lines = []
        for (name, address) in alive { append("alive: \(name) \(address)") }
        append("clock: \(lastClock)")
        append("event-clock: \(lastEventClock)")
        append("query-clock: \(lastQueryClock)")
        if isLeaving && !keepsMembersOnLeave { append("leave") }
        size = lines.count
        isTorn = false
        defer { lines = [] }
        return DiskOperation.replace(file, aside: file + ".compact", with: lines)
    }
}
