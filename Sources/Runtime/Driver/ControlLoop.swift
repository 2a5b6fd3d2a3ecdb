import CSystem
import Core
import Glibc
import Synchronization

/// What the control loop is told by other threads.
enum ControlMessage {
    case probe(UInt64, ProbeRequest)
    case cancelProbe(UInt64)
    case resolved(UInt64, [SocketAddress])
    case readConfiguration
    case examineHost(UInt64)
    case logged(LogLevel, String, String)
    case exit(String?)
}

/// The loop of the main thread: the machine's timer, signals, health checks, and the end of the process.
final class ControlLoop: @unchecked Sendable {
    // Unchecked: `inbox` and `isWoken` are guarded by `lock`; `timer` and `waker` are used by calls that are safe everywhere; everything
    // else is the thread's that runs the loop.
    private let lock = Lock()
    private var inbox: [ControlMessage] = []
    private let waker: Waker
    private let timer: TimerSource

    private let events: EventLoop
    private let signals: SignalSource?
    private let core: any EventQueue
    private let afterCore: () -> Void
    private let behaviour: SignalBehaviour
    private let logger: Logger
    private let readConfiguration: (() -> ConfigurationReading)?
    private(set) var probes: ProbeRunner!
    private let probesNow = Atomic<Int>(0)
    private var outgoing: [AgentEvent] = []
    private var exitCode: Int32?
    /// When a graceful leave has taken too long.
    private var leaveDeadline: Instant?

    static let leaveTimeout = Duration.seconds(15)
    private var wallOffset = SystemClock.wallOffset()
    /// In nanoseconds; what is less may come from reading two clocks one after the other.
    private static let wallClockTolerance: Int64 = 500_000_000

    /// `afterCore` is called when the machine may have run on this thread.
    init(
        core: any EventQueue, behaviour: SignalBehaviour, handlesSignals: Bool, logger: Logger,
        readConfiguration: (() -> ConfigurationReading)?, afterCore: @escaping () -> Void
    ) throws(SystemError) {
        self.core = core
        self.behaviour = behaviour
        self.logger = logger
        self.readConfiguration = readConfiguration
        self.afterCore = afterCore
        events = try EventLoop()
        waker = try Waker()
        timer = try TimerSource()
        signals = handlesSignals ? try SignalSource([SIGINT, SIGTERM, SIGHUP, SIGUSR1]) : nil
        try waker.attach(to: events)
        try timer.attach(to: events)
        try signals?.attach(to: events)
        let resolver = Resolver { [weak self] id, addresses in
            self?.post([.resolved(id, addresses)])
        }
        probes = ProbeRunner(events: events, resolver: resolver)
    }

    // MARK: From other threads

    func arm(_ instant: Instant) { timer.arm(instant) }

    /// As of the last turn.
    var probeCount: Int { probesNow.load(ordering: .relaxed) }

    func post(_ messages: [ControlMessage]) {
        lock.holding { inbox.append(contentsOf: messages) }
        waker.wake()
    }

    // MARK: The loop

    /// Runs until the machine or a signal ends it; the exit code.
    func run() -> Int32 {
        while exitCode == nil {
            let count = events.wait(milliseconds: timeout())
            events.dispatch(count)
            if let received = signals?.take() { for signal in received { take(signal) } }
            takeInbox()
            let now = SystemClock.now()
            probes.expire(at: now)
            watchWallClock()
            if let leaveDeadline, now >= leaveDeadline {
                logger.log(.error, "agent", "Timeout on graceful leave. Exiting")
                exitCode = 1
            }
            probes.takeOutcomes(into: &outgoing)
            probesNow.store(probes.count, ordering: .relaxed)
            if timer.take() { core.deadlineHasCome() }
            core.post(&outgoing)
            while core.run() {}
            afterCore()
        }
        probes.shutDown()
        return exitCode ?? 0
    }

    private func timeout() -> Int32 {
        let next = min(probes.deadline ?? .distantFuture, leaveDeadline ?? .distantFuture)
        if next == .distantFuture { return -1 }
        return Int32(clamping: max(0, ((next - SystemClock.now()).nanoseconds + 999_999) / 1_000_000))
    }

    private func takeInbox() {
        var messages: [ControlMessage] = []
        lock.holding { swap(&messages, &inbox) }
        for message in messages {
            switch message {
            case .probe(let id, let request): probes.start(id, request)
            case .cancelProbe(let id): probes.cancel(id)
            case .resolved(let id, let addresses): probes.resolved(id, addresses)
            case .readConfiguration: reload()
            case .examineHost(let token): outgoing.append(.hostExamined(token, HostExaminer.examine()))
            case .logged(let level, let module, let message): outgoing.append(.logged(level, module, message))
            case .exit(let failure): exit(failure)
            }
        }
    }

    private func exit(_ failure: String?) {
        if let failure {
            logger.log(.error, "agent", failure)
            exitCode = 1
        } else {
            if leaveDeadline != nil { logger.log(.info, "agent", "Graceful exit completed") }
            exitCode = 0
        }
    }

    private func reload() {
        switch readConfiguration?() ?? .failure(ConfigurationFailure("there is no configuration to read again")) {
        case .success(let new): outgoing.append(.reload(new))
        case .failure(let failure):
            logger.log(.error, "agent", "Reload config failed: error=\(LogText.value(failure.description))")
            outgoing.append(.reloadFailed(failure.description))
        }
    }

    /// Tells the machine when somebody has set the wall clock.
    private func watchWallClock() {
        let offset = SystemClock.wallOffset()
        if abs(offset &- wallOffset) < Self.wallClockTolerance { return }
        wallOffset = offset
        outgoing.append(.wallClock(offset))
    }

    /// config §22.
    private func take(_ signal: Int32) {
        if signal == SIGUSR1 { return outgoing.append(.dumpMetrics) }
        let name = signal == SIGHUP ? "hangup" : signal == SIGINT ? "interrupt" : "terminated"
        if leaveDeadline != nil {
            logger.log(.info, "agent", "Caught second signal, Exiting: signal=\(name)")
            exitCode = 1
            return
        }
        logger.log(.info, "agent", "Caught: signal=\(name)")
        if signal == SIGHUP {
            reload()
        } else if signal == SIGINT ? behaviour.leavesOnInterrupt : behaviour.leavesOnTerminate {
            logger.log(.info, "agent", "Gracefully shutting down agent...")
            leaveDeadline = SystemClock.now() + Self.leaveTimeout
            outgoing.append(.leave)
        } else {
            logger.log(.info, "agent", "Graceful shutdown disabled. Exiting")
            exitCode = 1
        }
    }
}

/// What SIGINT and SIGTERM lead to: a graceful leave, or an immediate exit with code 1.
public struct SignalBehaviour: Sendable {
    public var leavesOnInterrupt: Bool
    public var leavesOnTerminate: Bool

    public init(leavesOnInterrupt: Bool = false, leavesOnTerminate: Bool = false) {
        self.leavesOnInterrupt = leavesOnInterrupt
        self.leavesOnTerminate = leavesOnTerminate
    }
}

/// What the configuration files came to.
public typealias ConfigurationReading = Result<Reloadable, ConfigurationFailure>

public struct ConfigurationFailure: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}
