import Core

/// What came of a client's request.
enum ClientAnswer {
    case response(HTTPClientResponse)
    case failed(ClientFailure)
    /// The answer to a DNS question, and who gave it.
    case dns(DNSMessage, LifeID)
}

/// Where an answer goes: a client of a workload, and its name for what it asked.
struct ClientAddress {
    var workload: Int
    var client: Int
    var token: UInt64
}

/// The clients' side of HTTP: requests are written and answers parsed with the production codecs.
final class ClientHub {
    /// A class, since each step of a request's way looks at one of its parts.
    private final class Request {
        let from: ClientAddress
        let server: Int
        let method: String
        let target: String
        let bytes: [UInt8]
        /// As the server parsed it, once it arrived.
        var parsed: HTTPRequest?
        var framing = HTTPFraming()
        var wasTriedByFrontEnd = false
        /// What it asks for, if the front end has found out.
        var call: RoutedCall?
        /// The life in whose core loop it waits.
        var served: LifeID?
        var isAnswered = false
        /// The life of a leader to which it came, that owes an answer whatever becomes of its leadership.
        var owed: LifeID?
        /// The life that answers it from its own state, without asking anybody.
        var local: LifeID?
        /// Of an answer of that: when it was sent, and what the server had applied long before.
        var sent = Instant.zero
        /// When the core loop began with it.
        var begun: Instant?
        var settled: UInt64 = 0

        init(from: ClientAddress, server: Int, method: String, target: String, bytes: [UInt8]) {
            (self.from, self.server, self.method, self.target, self.bytes) = (from, server, method, target, bytes)
        }

        /// Whether it is a read that may wait.
        var isBlocking: Bool { method == "GET" && target.contains("wait=") }
    }

    /// Answers larger than this are none of the simulated API's.
    private static let bodyLimit = 64 << 20

    let world: World
    let network: Network
    let timeout: Duration
    private let stays: Bool
    private var requests = Slab<Request>()
    var questions = Slab<Question>()
    /// The servers that clients use; after the faults only those that were healed.
    var usable: [Int]
    /// The agents at which services are registered.
    let agents: [Int]
    private let options: RunOptions
    /// After the faults: all agents that must work.
    var core: [Int] = []
    /// How far the servers' clocks may have leapt forward in this run.
    let clockLeaps: Duration
    var asked = 0
    var answered = 0
    var blockedReads: BlockedReads
    var probes = ProbeTargets()
    /// The lives of the agents that run.
    private var lives = SortedMap<Int, LifeID>()
    private var failed = 0

    init(world: World, network: Network, options: RunOptions) {
        self.world = world
        self.network = network
        timeout = options.clientTimeout
        stays = options.clientsStay
        self.options = options
        // Clients of the key/value store use some of the client agents, too.
        usable = Array(0..<options.servers) + (options.serverPlaces..<options.places).prefix(Self.usedAgents)
        agents = options.agents > 0 ? Array(options.serverPlaces..<options.places) : Array(0..<options.servers)
        clockLeaps = options.clockLeaps
        let restores = options.workloads.contains { $0.kind == .snapshot }
        // Clocks that leap make time pass for the leader alone.
        let kept = clockLeaps > .zero ? .zero : options.tombstoneTTL * 9 / 10
        blockedReads = BlockedReads(servers: options.places, isActive: !restores, deletionsKept: kept)
    }

    var now: Instant { world.now }

    /// Client agents beyond these are only asked about their services.
    private static let usedAgents = 4

    func name(of place: Int) -> String { options.name(of: place) }
    /// A server that is there after the faults.
    func anyServer(_ random: inout Random) -> Int { random.pick(usable.filter { $0 < options.serverPlaces }) }
    func isUsable(_ place: Int) -> Bool { core.contains(place) }
    func life(of place: Int) -> LifeID? { lives[place] }
    func started(_ life: LifeID) { lives[life.server] = life }
    func ended(_ place: Int) { lives[place] = nil }
    var allLives: [LifeID] { lives.map(\.value) }

    /// The server that a client asks next, given the last one and whether it answered.
    func pick(last: Int?, wasGood: Bool, _ random: inout Random) -> Int {
        if stays, wasGood, let last, usable.contains(last) { return last }
        return random.pick(usable)
    }

    // MARK: - Asking

    /// Sends a request now. The workload hears of it exactly once.
    func ask(_ from: ClientAddress, server: Int, _ method: String, _ target: String, body: [UInt8] = [], timeout: Duration? = nil) {
        let request = HTTPRequest(
            method: method, target: Array(target.utf8), headers: [("host", "consul")], body: body,
            contentLength: body.isEmpty ? nil : body.count)
        var bytes: [UInt8] = []
        HTTPSerializer.append(request, to: &bytes)
        let handle = requests.insert(Request(from: from, server: server, method: method, target: target, bytes: bytes))
        asked += 1
        let limit = timeout ?? self.timeout
        world.limit(.request, handle, to: limit)
        world.trace {
            "w\(from.workload).c\(from.client) -> \(name(of: server)) \(method) \(target) \(String(decoding: body.prefix(120), as: UTF8.self))"
        }
        switch network.send(from: network.clients, to: server, now: now) {
        case .arrives(let delay): world.schedule(.request(handle, server: server), after: delay)
        case .lost: break
        }
    }

    /// Asks for a timer of a client.
    func wake(_ address: ClientAddress, after delay: Duration) {
        world.schedule(.clientTimer(workload: address.workload, client: address.client, token: address.token), after: delay)
    }

    // MARK: - The servers' side of the connections

    func isOpen(_ handle: Handle) -> Bool { requests[handle] != nil }

    /// A request arrives at a server that answers some reads from its own state: stale ones, and default ones if it `leads`.
    func arrived(_ handle: Handle, _ life: LifeID, follows: Bool, leads: Bool) {
        guard let record = requests[handle] else { return }
        if leads, !record.isBlocking { record.owed = life }
        guard record.isBlocking, !record.target.contains("consistent") else { return }
        if record.target.contains("stale") ? follows || leads : leads { record.local = life }
    }

    /// Parses a request when it arrives at its server. `firstTry` says whether the front end was not asked yet.
    func parse(_ handle: Handle) -> (request: HTTPRequest, framing: HTTPFraming, firstTry: Bool)? {
        guard let record = requests[handle] else { return nil }
        if record.parsed == nil {
            var parser = HTTPParser(remoteAddress: "10.0.1.\(record.from.client % 250 + 1)", bodyLimit: Self.bodyLimit)
            var event = HTTPEvent.needsMore
            var at = 0
            if handle.slot & 3 == 0 {
                // Some arrive in two segments.
                let cut = record.bytes.count * Int(handle.generation & 7) / 8
                event = parser.parse(Array(record.bytes[..<cut]), at: &at)
                at = 0
                event = parser.parse(Array(record.bytes[cut...]), at: &at)
            } else {
                event = parser.parse(record.bytes, at: &at)
            }
            guard case .request(let request, let framing) = event else {
                world.report(Violation(rule: "requests can be parsed", text: String(decoding: record.bytes, as: UTF8.self)))
                return nil
            }
            record.parsed = request
            record.framing = framing
        }
        let firstTry = !record.wasTriedByFrontEnd
        record.wasTriedByFrontEnd = true
        return (record.parsed!, record.framing, firstTry)
    }

    func routed(_ handle: Handle, _ call: RoutedCall) { requests[handle]?.call = call }

    /// What the core loop gets of the request.
    func event(_ handle: Handle) -> AgentEvent? {
        guard let (request, _, _) = parse(handle) else { return nil }
        let id = RequestID(handle.raw)
        requests[handle]?.begun = now
        return requests[handle]?.call.map { .routed(id, $0) } ?? .request(id, request)
    }

    /// The request enters a core loop, which owes it an answer.
    func entered(_ handle: Handle, _ life: LifeID) { requests[handle]?.served = life }

    /// Turns an answer of the core loop into bytes; nil if nobody waits for it any more.
    func serialize(_ handle: Handle, _ response: HTTPResponse, from life: LifeID, date: [UInt8], into out: inout [UInt8]) -> Bool {
        guard let record = requests[handle], record.served == life else { return false }
        guard !record.isAnswered else {
            world.report(Violation(rule: "one answer per request", text: "\(name(of: life.server)) answers a request twice"))
            return false
        }
        HTTPSerializer.append(response, framing: record.framing, date: date, to: &out)
        return true
    }

    /// Sends the bytes of an answer to the client.
    func transmit(_ handle: Handle, _ bytes: [UInt8], from server: Int) {
        if let record = requests[handle] {
            record.isAnswered = true
            record.sent = now
            if record.local != nil { record.settled = blockedReads.settled(of: server, at: now) }
        }
        switch network.send(from: server, to: network.clients, now: now) {
        case .arrives(let delay): world.schedule(.response(handle, bytes), after: delay)
        case .lost:
            let delay = network.failureDelay(timeout: timeout)
            if delay < timeout { world.schedule(.requestFailed(handle, .broken), after: delay) }
        }
    }

    func openRequests(servedBy life: LifeID) -> [Handle] {
        requests.handles { $0.served == life && !$0.isAnswered }
    }

    // MARK: - Answers

    func responseArrived(_ handle: Handle, _ bytes: [UInt8], _ workloads: [any Workload]) {
        guard let record = requests.remove(handle) else { return }
        world.count(kind: 12, place: record.from.client)
        world.mix(bytes)
        answered += 1
        var parser = HTTPResponseParser(bodyLimit: Self.bodyLimit)
        parser.expect(method: record.method)
        var at = 0
        guard case .response(let response) = parser.parse(bytes, at: &at) else {
            world.report(Violation(rule: "answers can be parsed", text: String(decoding: bytes, as: UTF8.self)))
            return
        }
        world.trace {
            "w\(record.from.workload).c\(record.from.client) <- \(name(of: record.server)) \(response.status) \(summary(response))"
        }
        if let life = record.local { judge(record, of: life, response) }
        workloads[record.from.workload].answered(record.from, .response(response), self)
    }

    private func judge(_ record: Request, of life: LifeID, _ response: HTTPClientResponse) {
        guard response.status == 200 || response.status == 404, let index = response.consulIndex else { return }
        var digest = EventDigest()
        digest.mix(UInt64(response.status))
        digest.mix(response.body)
        let (target, asked) = BlockedReads.parts(of: record.target)
        let question = BlockedReads.Question(workload: record.from.workload, client: record.from.client, target: target)
        let answer = BlockedReads.Answer(
            life: life, asked: asked, index: index, digest: digest.value, settled: record.settled, sent: record.sent,
            waited: record.begun.map { record.sent - $0 } ?? .zero, isEmpty: response.status == 404)
        do throws(Violation) { try blockedReads.take(question, answer) } catch { world.report(error) }
    }

    private func summary(_ response: HTTPClientResponse) -> String {
        let index = response.header("x-consul-index").map { "index \($0) " } ?? ""
        return index + String(decoding: response.body.prefix(160), as: UTF8.self)
    }

    func failed(_ handle: Handle, _ failure: ClientFailure, _ workloads: [any Workload]) {
        guard let record = requests.remove(handle) else { return }
        world.count(kind: 13 + failure.rawValue, place: record.from.client)
        failed += 1
        world.trace { "w\(record.from.workload).c\(record.from.client) <- \(name(of: record.server)) \(failure)" }
        workloads[record.from.workload].answered(record.from, .failed(failure), self)
    }

    /// The life that should have answered a request that nobody waits for any more.
    func debtor(_ handle: Handle) -> LifeID? {
        guard let record = requests[handle], !record.isAnswered, let life = record.owed, lives[life.server] == life else { return nil }
        return life
    }

    /// The life that must be told that nobody waits for its answer.
    func abandoned(_ handle: Handle) -> LifeID? {
        guard let record = requests[handle], !record.isAnswered else { return nil }
        return record.served
    }
}
