import Core
import Dispatch
import Runtime
import Synchronization

/// Something that only so many may hold at a time, kept in the key/value store and tied to a session.
protocol ClusterLock: Sendable {
    /// What is made for whoever wants the lock, besides name and TTL.
    var sessionBehavior: String { get }
    /// Tries once: waits for a change for at most `wait` if somebody else holds it.
    func attempt(_ client: LockClient, session: String, index: inout UInt64, wait: Duration) throws(APIFailure) -> LockAttempt
    /// Whether the session still holds it; waits for a change from `index` on.
    func isHeld(_ client: LockClient, session: String, index: inout UInt64) throws(APIFailure) -> Bool
    func release(_ client: LockClient, session: String) throws(APIFailure)
    /// Removes what is left in the store; false if somebody else uses it.
    func cleanUp(_ client: LockClient) throws(APIFailure) -> Bool
}

enum LockAttempt {
    case held
    /// Somebody else has it.
    case taken
    /// It was lost a short while ago: nobody has it, and nobody may take it yet.
    case delayed
}

/// The requests that locks are made of.
struct LockClient: Sendable {
    let api: APIClient

    struct Entry {
        var key: String
        var value: [UInt8]
        var flags: UInt64
        var session: String
        var modifyIndex: UInt64

        init(_ json: DynamicValue) {
            key = json.text("Key")
            value = (try? Base64.decode(json.text("Value"))) ?? []
            flags = UInt64(json.printed("Flags")) ?? 0
            session = json.text("Session")
            modifyIndex = UInt64(json.printed("ModifyIndex")) ?? 0
        }
    }

    /// The entries at or below a key, and the index to wait from.
    func read(_ key: String, query: APIClient.Query) throws(APIFailure) -> (entries: [Entry], index: UInt64) {
        let answer = try api.send("GET", KVCommands.path(key), query: query)
        switch answer.status {
        case 200: return (try APIClient.decoded(answer.body).elements.map(Entry.init), answer.index)
        case 404: return ([], answer.index)
        default: throw APIFailure("Unexpected response code: \(answer.status)")
        }
    }

    /// `wait` and `index` of a read that waits for a change.
    static func waiting(_ wait: Duration, from index: UInt64) -> APIClient.Query {
        [("wait", "\(max(1, wait.nanoseconds / 1_000_000))ms")] + (index == 0 ? [] : [("index", String(index))])
    }

    func write(_ key: String, _ value: [UInt8] = [], query: APIClient.Query) throws(APIFailure) -> Bool {
        KVPut.isTrue(try api.body("PUT", KVCommands.path(key), query: query, body: value))
    }

    func delete(_ key: String, query: APIClient.Query = []) throws(APIFailure) -> Bool {
        KVPut.isTrue(try api.body("DELETE", KVCommands.path(key), query: query))
    }

    /// A session of the agent's own node and with its health; or of another node, whose health does not matter.
    func createSession(name: String, behavior: String, boundTo node: String? = nil) throws(APIFailure) -> String {
        var json = JSONWriter()
        json.beginObject()
        json.key("Name")
        json.string(name)
        json.key("TTL")
        json.string("15s")
        if !behavior.isEmpty {
            json.key("Behavior")
            json.string(behavior)
        }
        if let node {
            json.key("Node")
            json.string(node)
            json.key("Checks")
            json.strings([])
        }
        json.endObject()
        return try APIClient.decoded(try api.body("PUT", "/v1/session/create", body: json.finish() + [10])).text("ID")
    }

    func renew(_ session: String) throws(APIFailure) { _ = try api.body("PUT", "/v1/session/renew/\(session)") }
    func destroy(_ session: String) throws(APIFailure) { _ = try api.body("PUT", "/v1/session/destroy/\(session)") }
}

/// Holds a lock on behalf of a command: takes it, keeps its session alive, and tells when it is lost.
final class LockHolder: Sendable {
    enum Outcome {
        case held
        case timedOut
        case failed(String)
    }

    private static let sessionTTL: Duration = .seconds(15)
    private static let waitMax: Duration = .seconds(15)
    /// How long nobody may take a lock that was lost: a session's usual lock delay is longer.
    private static let delayedRetry: Duration = .seconds(5)
    private static let monitorRetry: Duration = .seconds(1)

    let client: LockClient
    let lock: any ClusterLock
    private let sessionID = Mutex("")
    private let isStopped = Atomic(false)

    init(_ client: APIClient, _ lock: any ClusterLock) {
        self.client = LockClient(api: client)
        self.lock = lock
    }

    var session: String { sessionID.withLock { $0 } }

    /// Waits until the lock is held, at most `timeout` if there is one.
    func acquire(sessionName: String, timeout: Duration?) -> Outcome {
        do {
            let session = try client.createSession(name: sessionName, behavior: lock.sessionBehavior)
            sessionID.withLock { $0 = session }
        } catch {
            return .failed("failed to create session: \(error.text)")
        }
        DispatchQueue(label: "renew").async { self.keepAlive() }
        let start = SystemClock.now()
        var index: UInt64 = 0
        var isFirst = true
        while !isStopped.load(ordering: .relaxed) {
            let left = timeout.map { $0 - (SystemClock.now() - start) }
            if let left, !isFirst, left < .zero { return .timedOut }
            isFirst = false
            do {
                switch try lock.attempt(client, session: session, index: &index, wait: min(left ?? Self.waitMax, Self.waitMax)) {
                case .held: return .held
                case .taken: break
                case .delayed: pause(for: min(left ?? Self.delayedRetry, Self.delayedRetry))
                }
            } catch {
                return .failed(error.text)
            }
        }
        return .timedOut
    }

    /// Returns when the lock is lost, or watching it failed more often than `retries` in a row.
    func waitUntilLost(retries: Int) {
        var left = retries
        var index: UInt64 = 0
        while !isStopped.load(ordering: .relaxed) {
            do {
                if try !lock.isHeld(client, session: session, index: &index) { return }
                left = retries
            } catch {
                // Only what may pass is worth another try.
                let isRefusal = error.text.hasPrefix("Unexpected response code: ") && !error.text.hasPrefix("Unexpected response code: 5")
                if left == 0 || isRefusal { return }
                left -= 1
                index = 0
                pause(for: Self.monitorRetry)
            }
        }
    }

    func release() throws(APIFailure) { try lock.release(client, session: session) }

    /// Ends the session, without which nothing is held.
    func end() {
        isStopped.store(true, ordering: .relaxed)
        let session = sessionID.withLock { id in
            defer { id = "" }
            return id
        }
        if !session.isEmpty { try? client.destroy(session) }
    }

    private func keepAlive() {
        var lastRenewal = SystemClock.now()
        var delay = Self.sessionTTL / 2
        while true {
            pause(for: delay)
            if isStopped.load(ordering: .relaxed) || SystemClock.now() - lastRenewal > Self.sessionTTL { return }
            do {
                try client.renew(session)
                lastRenewal = SystemClock.now()
                delay = Self.sessionTTL / 2
            } catch {
                delay = .seconds(1)
            }
        }
    }

    private func pause(for duration: Duration) {
        let end = SystemClock.now() + duration
        // In slices, so that the end of the command is not held up.
        while SystemClock.now() < end, !isStopped.load(ordering: .relaxed) {
            let slice = min(end - SystemClock.now(), .milliseconds(100))
            if slice > .zero { DispatchSemaphore(value: 0).pause(slice) }
        }
    }
}

extension DispatchSemaphore {
    fileprivate func pause(_ duration: Duration) { _ = wait(timeout: .now() + .nanoseconds(Int(duration.nanoseconds))) }
}
