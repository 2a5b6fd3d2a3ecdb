import CSystem
import Core
import Glibc

/// Performs health checks' probes on the control loop, without ever blocking it.
///
/// Everything here is the control thread's.
final class ProbeRunner {
    let events: EventLoop
    let resolver: Resolver
    /// Outcomes that the machine has not been told yet.
    private(set) var outcomes: [AgentEvent] = []
    private var running: [UInt64: any Probe] = [:]
    private var deadlines = DeadlineQueue<UInt64>()
    private var scripts = 0
    private var waitingScripts: [(id: UInt64, request: ProbeRequest)] = []
    private var firstWaiting = 0

    /// Processes at a time; more scripts wait for their turn.
    static let scriptsMax = 128

    init(events: EventLoop, resolver: Resolver) {
        self.events = events
        self.resolver = resolver
    }

    /// When `expire` must be called.
    var deadline: Instant? { deadlines.first }
    var count: Int { running.count + waitingScripts.count - firstWaiting }

    func start(_ id: UInt64, _ request: ProbeRequest) {
        guard case .script = request.probe else { return begin(id, request) }
        if scripts < Self.scriptsMax {
            begin(id, request)
        } else {
            waitingScripts.append((id, request))
        }
    }

    private func begin(_ id: UInt64, _ request: ProbeRequest) {
        let probe: any Probe
        switch request.probe {
        case .script(let arguments, let directory):
            scripts += 1
            probe = ScriptProbe(id: id, arguments: arguments, directory: directory, outputLimit: request.outputLimit, runner: self)
        case .http(let url, let method, let headers, let body, _):
            probe = HTTPProbe(
                id: id, url: url, method: method, headers: headers, body: body, outputLimit: request.outputLimit, runner: self)
        case .tcp(let address): probe = TCPProbe(id: id, address: address, runner: self)
        }
        running[id] = probe
        deadlines[id] = SystemClock.now() + request.timeout
        probe.start()
    }

    /// No outcome will be reported.
    func cancel(_ id: UInt64) {
        if let at = waitingScripts[firstWaiting...].firstIndex(where: { $0.id == id }) {
            waitingScripts.remove(at: at)
        } else {
            running[id]?.cancel()
            deadlines[id] = nil
        }
    }

    func expire(at now: Instant) {
        while let id = deadlines.popExpired(at: now) { running[id]?.timeOut() }
    }

    /// A probe is over; nil when it was cancelled.
    func finish(_ probe: any Probe, _ outcome: CheckOutcome?) {
        guard running[probe.id] === probe else { return }
        running[probe.id] = nil
        deadlines[probe.id] = nil
        if let outcome { outcomes.append(.probed(probe.id, outcome)) }
        guard probe is ScriptProbe else { return }
        scripts -= 1
        if firstWaiting < waitingScripts.count {
            let next = waitingScripts[firstWaiting]
            firstWaiting += 1
            if firstWaiting == waitingScripts.count {
                waitingScripts.removeAll(keepingCapacity: true)
                firstWaiting = 0
            }
            begin(next.id, next.request)
        }
    }

    func takeOutcomes(into events: inout [AgentEvent]) {
        events.append(contentsOf: outcomes)
        outcomes.removeAll(keepingCapacity: true)
    }

    func resolved(_ id: UInt64, _ addresses: [SocketAddress]) {
        (running[id] as? DialingProbe)?.resolved(addresses)
    }

    /// Ends all of them, children included.
    func shutDown() {
        waitingScripts = []
        firstWaiting = 0
        for probe in running.values { probe.cancel() }
    }
}

/// What the machine asked for.
struct ProbeRequest {
    let probe: CheckProbe
    let timeout: Duration
    /// Bytes of output that are kept, the last ones.
    let outputLimit: Int
}

/// A probe under way. It reports to the runner exactly once.
protocol Probe: EventSource {
    var id: UInt64 { get }
    func start()
    func timeOut()
    func cancel()
}

/// The last bytes of an output, and how many there were in all.
struct OutputTail {
    let limit: Int
    private var bytes: [UInt8] = []
    private(set) var total = 0

    init(limit: Int) { self.limit = max(0, limit) }

    mutating func append(_ more: UnsafeRawBufferPointer) {
        total += more.count
        bytes.append(contentsOf: more.suffix(limit))
        if bytes.count > 2 * limit { bytes.removeFirst(bytes.count - limit) }
    }

    var kept: [UInt8] { Array(bytes.suffix(limit)) }
    /// What `CheckOutcome` calls `written`: 0 when everything was kept.
    var written: Int { total > limit ? total : 0 }
}
