@testable import Core

/// A cluster in which nothing happens by itself: messages, disks and timers wait until the transcript says so.
final class TranscriptCluster {
    final class Server {
        let name: String
        let server: RaftServer
        let disk = TestDisk()
        var node: RaftNode?
        var machine = ToyMachine()
        var batches: [DiskBatch] = []
        var holdsDisk = false
        var captured: [SnapshotID: [UInt8]] = [:]
        var decoding: [SnapshotID: [UInt8]] = [:]
        var brought: [UInt8] = []
        var restoring: ToyMachine?

        init(_ number: Int) {
            name = "s\(number)"
            server = RaftServer(id: name, address: "10.0.0.\(number):8300")
        }
    }

    struct Message {
        var from: Server
        var to: Server
        var call: CallID
        var bytes: [UInt8]
        /// The first byte of the request that this answers; nil for a request.
        var answers: UInt8?
    }

    private(set) var servers: [Server] = []
    private var messages: [Message] = []
    /// Messages that are delayed.
    private var held: [Message] = []
    private var open: [CallID: (caller: Server, call: CallID, kind: UInt8)] = [:]
    private var nextCall: UInt64 = 1
    private var nextToken: UInt64 = 1
    private var tokens: [UInt64: String] = [:]
    private var isolated: Set<String> = []
    private var cuts: Set<Set<String>> = []
    private var reference: Set<String> = []
    private var now = Instant.zero
    private var lines: [String] = []
    private var showsHeartbeats = false
    private var config = RaftConfig()

    init() {
        config.commitTimeout = .milliseconds(50)
        config.snapshotInterval = .seconds(3600)
        config.trailingLogs = 0
        config.segmentSize = 400
        config.snapshotChunkSize = 20
    }

    // MARK: Commands

    /// Performs one line of a transcript; what happened.
    func perform(_ line: String) -> [String] {
        lines = []
        let words = line.split(separator: " ").map(String.init)
        switch words[0] {
        case "cluster": start(Int(words[1]) ?? 1, voters: words.count > 2 ? Int(words[2]) ?? 1 : Int(words[1]) ?? 1)
        case "reference":
            reference.insert(words[1])
            for server in servers { _ = server.node?.peerKinds.removeValue(forKey: words[1]) }
        case "heartbeats": showsHeartbeats = words[1] == "shown"
        case "trailing": config.trailingLogs = UInt64(words[1]) ?? 0
        case "batch": (config.appendEntriesMax, config.appendEntriesMaxExtended) = (Int(words[1]) ?? 1, Int(words[1]) ?? 1)
        case "lead": quietly { elect(server(words[1])) }
        case "approach": approach(server(words[1]), .milliseconds(Int64(words[2]) ?? 0))
        case "run": run(.milliseconds(Int64(words[1]) ?? 0))
        case "elect": elect(server(words[1]))
        case "timeout": wakeAtDeadline(server(words[1]))
        case "advance": now += .milliseconds(Int64(words[1]) ?? 0)
        case "wake": give(server(words[1]), .wake)
        case "propose": for word in words.dropFirst(2) { propose(server(words[1]), word) }
        case "propose-together": proposeTogether(server(words[1]), Array(words.dropFirst(2)))
        case "deliver": deliver(from: words.count > 1 ? words[1] : nil, to: words.count > 2 ? words[2] : nil)
        case "settle": settle()
        case "drop": messages.removeAll { $0.from.name == words[1] && (words.count < 3 || $0.to.name == words[2]) }
        case "hold":
            held += messages.filter { $0.from.name == words[1] && $0.to.name == words[2] }
            messages.removeAll { $0.from.name == words[1] && $0.to.name == words[2] }
        case "release":
            messages += held
            held = []
        case "fail": failCalls(words[1], words[2])
        case "isolate": isolated.formUnion(words.dropFirst())
        case "cut": cuts.insert([words[1], words[2]])
        case "heal": (isolated, cuts) = ([], [])
        case "sync": sync(server(words[1]))
        case "disk": setDisk(server(words[1]), words[2])
        case "crash": crash(server(words[1]))
        case "restart": restart(server(words[1]))
        case "wipe": wipe(server(words[1]))
        case "add-voter", "add-nonvoter", "demote", "remove": change(words[0], server(words[1]), server(words[2]))
        case "transfer": give(server(words[1]), .transferLeadership(token: token("transfer"), to: words.count > 2 ? words[2] : nil))
        case "verify": give(server(words[1]), .verifyLeader(token: token("read")))
        case "restore": restore(server(words[1]), UInt64(words[2]) ?? 0)
        case "snapshot": give(server(words[1]), .snapshot(token: token("snapshot")))
        case "status": status()
        default: lines.append("unknown command")
        }
        return lines
    }

    private func server(_ name: String) -> Server { servers.first { $0.name == name } ?? servers[0] }

    private func token(_ what: String) -> UInt64 {
        defer { nextToken += 1 }
        tokens[nextToken] = what
        return nextToken
    }

    private func start(_ count: Int, voters: Int) {
        defer { lines = [] }
        (messages, held, isolated, cuts, reference) = ([], [], [], [], [])
        servers = (1...count).map(Server.init)
        let configuration = RaftConfiguration(servers: servers.prefix(voters).map(\.server))
        for server in servers {
            boot(server)
            if servers.firstIndex(where: { $0 === server })! < voters { give(server, .bootstrap(token: token("bootstrap"), configuration)) }
        }
        quietly { settle() }
    }

    private func quietly(_ body: () -> Void) {
        let kept = lines
        body()
        lines = kept
    }

    private func boot(_ server: Server) {
        do {
            let recovered = try RaftRecovery.recover(server.disk)
            server.machine = ToyMachine()
            if let meta = recovered.snapshot {
                var reader = SnapshotReader(meta)
                var bytes: [UInt8] = []
                while let piece = try reader.next(from: server.disk) { bytes += piece }
                server.machine = ToyMachine(bytes) ?? ToyMachine()
            }
            let identity = RaftIdentity(id: server.name, address: server.server.address)
            server.node = RaftNode(
                config: config, identity: identity, recovered: recovered, seed: UInt64(server.name.utf8.last ?? 0), now: now)
            // The servers have met before.
            for peer in servers where !reference.contains(peer.name) { server.node?.peerKinds[peer.name] = .extended }
            for note in recovered.notes { lines.append("\(server.name) recovery: \(note)") }
        } catch {
            lines.append("\(server.name) does not start: \(error)")
        }
    }

    /// Runs until a server's election ends; the others' timers do not fire.
    private func elect(_ server: Server) {
        wakeAtDeadline(server)
        settle()
    }

    /// When a server acts by itself. Probes of a silent leader are left out: `run` shows them.
    private func ownDeadline(_ server: Server) -> Instant? {
        guard let node = server.node, !node.isLeader else { return server.node?.deadline }
        return node.watch.electionDeadline
    }

    private func wakeAtDeadline(_ server: Server) {
        guard let deadline = ownDeadline(server) else { return }
        now = max(now, deadline)
        give(server, .wake)
    }

    /// Time passes for all; everything is shown that is not a message or a write.
    private func run(_ duration: Duration) {
        let end = now + duration
        settle()
        while true {
            let next = servers.filter { $0.node?.deadline.map { $0 <= end } ?? false }.min { $0.node!.deadline! < $1.node!.deadline! }
            guard let next, let deadline = next.node?.deadline else { break }
            now = max(now, deadline)
            give(next, .wake)
            settle()
        }
        now = max(now, end)
        lines.removeAll { $0.contains(" > ") || $0.contains(" disk: ") }
    }

    /// Time passes up to so long before a server's own deadline.
    private func approach(_ server: Server, _ distance: Duration) {
        while let deadline = ownDeadline(server), deadline - distance > now { run(min(deadline - distance - now, .milliseconds(20))) }
    }

    private func propose(_ server: Server, _ text: String) {
        give(server, .propose([Proposal(token: token(text), data: Array(text.utf8))]))
    }

    private func proposeTogether(_ server: Server, _ texts: [String]) {
        give(server, .propose(texts.map { Proposal(token: token($0), data: Array($0.utf8)) }))
    }

    private func change(_ word: String, _ leader: Server, _ target: Server) {
        let (id, address) = (target.server.id, target.server.address)
        let change: MembershipChange =
            switch word {
            case "add-voter": .addVoter(id: id, address: address)
            case "add-nonvoter": .addNonvoter(id: id, address: address)
            case "demote": .demoteVoter(id: id)
            default: .removeServer(id: id)
            }
        give(leader, .changeMembership(token: token("\(word) \(id)"), change))
    }

    private func restore(_ server: Server, _ index: UInt64) {
        var machine = ToyMachine()
        machine.count = index
        server.brought = machine.encoded
        server.restoring = machine
        give(server, .restore(token: token("restore"), index: index))
    }

    private func setDisk(_ server: Server, _ word: String) {
        switch word {
        case "held": server.holdsDisk = true
        case "free":
            server.holdsDisk = false
            sync(server)
        case "full": server.disk.isFull = true
        case "roomy": server.disk.isFull = false
        default: server.disk.failsSync = true
        }
    }

    private func crash(_ server: Server) {
        var random = Random(seed: 1)
        server.node = nil
        server.batches = []
        server.captured = [:]
        server.decoding = [:]
        server.disk.crash(&random, .nothing)
        messages.removeAll { $0.from === server && $0.answers != nil || $0.to === server && $0.answers != nil }
    }

    private func restart(_ server: Server) {
        boot(server)
        status(server)
    }

    private func wipe(_ server: Server) {
        for name in (try? server.disk.list("raft")) ?? [] { _ = try? server.disk.apply(.remove(file: name)) }
        for folder in ["raft/log", "raft", ""] { _ = try? server.disk.apply(.syncDirectory(folder)) }
    }

    // MARK: What waits

    private func sync(_ server: Server) {
        let batches = server.batches
        server.batches = []
        for batch in batches where server.node != nil { give(server, .disk(server.disk.perform(batch))) }
    }

    private func deliver(from: String?, to: String?) {
        let chosen = messages.filter { (from == nil || $0.from.name == from) && (to == nil || $0.to.name == to) }
        messages.removeAll { (from == nil || $0.from.name == from) && (to == nil || $0.to.name == to) }
        for message in chosen { deliver(message) }
    }

    private func deliver(_ message: Message) {
        let isCut =
            cuts.contains([message.from.name, message.to.name]) || isolated.contains(message.from.name)
            || isolated.contains(message.to.name) || message.to.node == nil
        if message.answers != nil {
            if !isCut { give(message.to, .answered(message.call, message.bytes)) }
            return
        }
        if isCut || reference.contains(message.to.name) && message.bytes[0] >= RaftMessageKind.requestPreVote.rawValue {
            return give(message.from, .callFailed(message.call, isCut ? "connection refused" : "EOF"))
        }
        let call = CallID(incoming: nextCall)
        nextCall += 1
        open[call] = (message.from, message.call, message.bytes[0])
        give(message.to, .call(call, from: message.from.server.address, message.bytes))
    }

    /// The calls that wait between two servers fail.
    private func failCalls(_ from: String, _ to: String) {
        let lost = messages.filter { $0.from.name == from && $0.to.name == to && $0.answers == nil }
        messages.removeAll { $0.from.name == from && $0.to.name == to && $0.answers == nil }
        for message in lost { give(message.from, .callFailed(message.call, "i/o timeout")) }
    }

    /// Delivers until nothing waits; disks that are held stay held.
    private func settle() {
        for _ in 0..<10_000 {
            if !messages.isEmpty {
                deliver(messages.removeFirst())
            } else if let server = servers.first(where: { !$0.holdsDisk && !$0.batches.isEmpty }) {
                sync(server)
            } else {
                return
            }
        }
        lines.append("there is no end to it")
    }

    private func give(_ server: Server, _ event: RaftEvent) {
        guard let node = server.node else { return }
        var effects: [RaftEffect] = []
        node.handle(event, at: now, into: &effects)
        node.flush(at: now, into: &effects)
        for effect in effects { perform(effect, server) }
    }

    // MARK: Effects

    private func perform(_ effect: RaftEffect, _ server: Server) {
        func say(_ text: String) { lines.append("\(server.name) \(text)") }
        switch effect {
        case .call(let id, let target, _, let bytes, _):
            let to = self.server(target)
            messages.append(Message(from: server, to: to, call: id, bytes: bytes, answers: nil))
            let text = RaftDescription.request(bytes)
            if showsHeartbeats || text != RaftDescription.heartbeat { say("> \(to.name) \(text)") }
        case .reply(let id, let bytes):
            guard let (caller, call, kind) = open.removeValue(forKey: id) else { return say("answers a call twice") }
            messages.append(Message(from: server, to: caller, call: call, bytes: strip(bytes, server, kind), answers: kind))
            let text = RaftDescription.answer(bytes, to: kind)
            if showsHeartbeats || !text.hasSuffix(RaftDescription.plainSuccess) { say("> \(caller.name) \(text)") }
        case .close(let id):
            if let (caller, call, _) = open.removeValue(forKey: id) { give(caller, .callFailed(call, "EOF")) }
        case .disk(let batch):
            server.batches.append(batch)
            if let text = RaftDescription.disk(batch) { say("disk: \(text)") }
        case .committed(let entries):
            for entry in entries { server.machine.apply(entry) }
            say("applies \(entries.map(RaftDescription.entry).joined(separator: " "))")
        case .rejected(let token, let error): say("refuses \(tokens[token] ?? "?"): \(error)")
        case .verified(_, .success(let index)): say("may be read up to \(index)")
        case .verified(_, .failure(let error)): say("may not be read: \(error)")
        case .membershipDone(let token, let result):
            if tokens[token] == "bootstrap" { return }
            switch result {
            case .success(let index): say("has done: \(tokens[token] ?? "?") at \(index)")
            case .failure(let error): say("has not done: \(tokens[token] ?? "?"): \(error)")
            }
        case .transferred(_, .success): say("has handed over")
        case .transferred(_, .failure(let error)): say("has not handed over: \(error)")
        case .becameLeader(let term): say("leads in term \(term)")
        case .lostLeadership(let term): say("does not lead any more, term \(term)")
        case .leaderChanged(let leader): say("follows \(leader.map { $0.id.isEmpty ? $0.address : $0.id } ?? "nobody")")
        case .configurationChanged(let configuration): say("configuration: \(RaftDescription.configuration(configuration))")
        case .leaseChanged: break
        case .captureSnapshot(let id, let index, let term):
            server.captured[id] = server.machine.encoded
            say("freezes its state at \(index)/\(term)")
        case .provideSnapshot(let id, let count):
            let rest = server.captured[id] ?? server.brought
            if server.captured[id] == nil {
                server.brought = Array(rest.dropFirst(count))
            } else {
                server.captured[id] = Array(rest.dropFirst(count))
            }
            give(server, rest.isEmpty ? .snapshotFinished(id) : .snapshotChunk(id, Array(rest.prefix(count))))
        case .releaseSnapshot(let id): server.captured[id] = nil
        case .snapshotTaken(_, .success(let meta)): say("has a snapshot at \(meta.index)/\(meta.term)")
        case .snapshotTaken(_, .failure(let error)): say("has no snapshot: \(error)")
        case .decodeSnapshot(let id, let bytes, let last):
            server.decoding[id, default: []] += bytes
            if last {
                let isGood = ToyMachine(server.decoding[id] ?? []) != nil
                give(server, .snapshotDecoded(id, error: isGood ? nil : "garbage"))
            }
        case .discardSnapshot(let id): server.decoding[id] = nil
        case .installSnapshot(let id, let index, let term):
            if let machine = ToyMachine(server.decoding[id] ?? []) ?? server.restoring { server.machine = machine }
            server.restoring = nil
            say("takes over the state at \(index)/\(term)")
        case .resetState:
            server.machine = ToyMachine()
            say("starts over")
        case .restored(_, .success(let index)): say("has restored at \(index)")
        case .restored(_, .failure(let error)): say("has not restored: \(error)")
        case .log(let level, let text): if level >= .warn { say("[\(level)] \(text)") }
        case .fatal(let text):
            say("stops: \(text)")
            server.node = nil
        }
    }

    /// Servers of the reference do not say that they know pre-votes.
    private func strip(_ bytes: [UInt8], _ server: Server, _ kind: UInt8) -> [UInt8] {
        guard reference.contains(server.name), kind == RaftMessageKind.requestVote.rawValue else { return bytes }
        var reader = MessagePackReader(bytes)
        guard (try? RaftFailure.read(&reader)) == "", let vote = try? VoteResponse(from: &reader) else { return bytes }
        return VoteResponse(term: vote.term, granted: vote.granted).encoded(.requestVote)
    }

    private func status() { for server in servers { status(server) } }

    private func status(_ server: Server) {
        guard let node = server.node else { return lines.append("\(server.name) is down") }
        let log = "log \(node.firstIndex)-\(node.lastLogIndex)/\(node.lastLogTerm)"
        let applied = "commit \(node.commitIndex) applied \(node.lastApplied) durable \(node.durableIndex)"
        lines.append("\(server.name) \(node.role.rawValue) term \(node.currentTerm) leader \(node.leaderID ?? "-") \(log) \(applied)")
    }
}

/// Messages and batches as a line of text.
enum RaftDescription {
    static let heartbeat = "heartbeat"
    static let plainSuccess = "ok"

    static func entry(_ entry: LogEntry) -> String {
        let what =
            switch entry.kind {
            case .command: String(decoding: entry.data, as: UTF8.self)
            case .configuration: ((try? RaftConfiguration(encoded: entry.data)).map(configuration)) ?? "?"
            default: "\(entry.kind)"
            }
        return "\(entry.index)/\(entry.term):\(what)"
    }

    static func configuration(_ configuration: RaftConfiguration) -> String {
        "(" + configuration.servers.map { $0.suffrage == .voter ? $0.id : "\($0.id)-nonvoter" }.joined(separator: " ") + ")"
    }

    static func request(_ bytes: [UInt8]) -> String {
        guard let request = try? RaftRequest(bytes) else { return "?" }
        switch request {
        case .appendEntries(let request):
            if request.isHeartbeat { return heartbeat }
            let entries = request.entries.map(entry).joined(separator: " ")
            return
                "append term \(request.term) after \(request.previousIndex)/\(request.previousTerm)"
                + " commit \(request.commitIndex) [\(entries)]"
        case .requestVote(let request):
            if request.term == 0 { return "probe" }
            return "vote term \(request.term) log \(request.lastIndex)/\(request.lastTerm)\(request.isTransfer ? " transfer" : "")"
        case .requestPreVote(let request): return "pre-vote term \(request.term) log \(request.lastIndex)/\(request.lastTerm)"
        case .installSnapshot(let request, let state):
            return "snapshot \(request.lastIndex)/\(request.lastTerm) whole, \(state.count) bytes"
        case .installChunk(let request):
            return "snapshot \(request.lastIndex)/\(request.lastTerm) bytes \(request.offset)+\(request.data.count) of \(request.size)"
        case .timeoutNow: return "timeout now"
        }
    }

    static func answer(_ bytes: [UInt8], to kind: UInt8) -> String {
        var reader = MessagePackReader(bytes)
        guard let failure = try? RaftFailure.read(&reader) else { return "?" }
        if !failure.isEmpty { return "failure: \(failure)" }
        switch RaftMessageKind(rawValue: kind) {
        case .appendEntries:
            guard let answer = try? AppendEntriesResponse(from: &reader) else { return "?" }
            return answer.success ? plainSuccess : "rejected term \(answer.term) last \(answer.lastLog)"
        case .requestVote, .requestPreVote:
            guard let answer = try? VoteResponse(from: &reader) else { return "?" }
            return (answer.granted ? "granted" : "denied") + " term \(answer.term)" + (answer.knowsPreVote ? ", knows pre-votes" : "")
        case .installSnapshot, .installChunk:
            guard let answer = try? InstallSnapshotResponse(from: &reader) else { return "?" }
            return "snapshot \(answer.success ? "taken" : "not taken")" + (answer.offset.map { " up to byte \($0)" } ?? "")
        case .timeoutNow, nil: return plainSuccess
        }
    }

    /// What a batch writes; nil if it only reads.
    static func disk(_ batch: DiskBatch) -> String? {
        var parts: [String] = []
        for operation in batch.operations {
            switch operation {
            case .write(VoteRecord.file, _, let bytes):
                guard let vote = VoteRecord(encoded: bytes[...]) else { continue }
                let text =
                    "term \(vote.term)" + (vote.votedTerm == vote.term ? " vote \(String(decoding: vote.candidate, as: UTF8.self))" : "")
                if parts.last != text { parts.append(text) }
            case .write(let file, let offset, let bytes) where file.hasPrefix(SegmentFormat.folder):
                var records: [String] = []
                var at = offset == 0 ? SegmentFormat.headerSize : 0
                while let record = SegmentFormat.record(bytes.span.bytes, at: at) {
                    records.append("\(record.index)/\(record.term)")
                    at = record.end
                }
                parts.append("entries \(records.joined(separator: " "))")
            case .truncate(let file, _): parts.append("truncate \(file.dropFirst(9))")
            case .rename(_, let file): parts.append("publish \(file.split(separator: "/")[2])")
            case .remove(let file): parts.append("remove \(file.dropFirst(5))")
            case .write, .sync, .syncDirectory, .read: break
            }
        }
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }
}
