import Core

/// A lock for one holder: the session that has the key. Spec: cli §18.
struct Mutual: ClusterLock {
    /// Tells keys of locks from others.
    static let flags: UInt64 = 0x2DDC_CBC0_58A5_0C18
    private static let conflict = APIFailure("Existing key does not match lock use")

    let key: String
    let sessionBehavior = ""

    func attempt(_ client: LockClient, session: String, index: inout UInt64, wait: Duration) throws(APIFailure) -> LockAttempt {
        if let entry = try read(client, LockClient.waiting(wait, from: index), &index) {
            if entry.flags != Self.flags { throw Self.conflict }
            if entry.session == session { return .held }
            if !entry.session.isEmpty { return .taken }
        }
        index = 0
        let isTaken: Bool
        do {
            isTaken = try client.write(key, query: [("acquire", session), ("flags", String(Self.flags))])
        } catch {
            throw APIFailure("failed to acquire lock: \(error.text)")
        }
        if isTaken { return .held }
        let entry = try read(client, LockClient.waiting(wait, from: 0), &index)
        return entry?.session.isEmpty ?? true ? .delayed : .taken
    }

    private func read(_ client: LockClient, _ query: APIClient.Query, _ index: inout UInt64) throws(APIFailure) -> LockClient.Entry? {
        do {
            let found = try client.read(key, query: query)
            index = found.index
            return found.entries.first
        } catch {
            throw APIFailure("failed to read lock: \(error.text)")
        }
    }

    func isHeld(_ client: LockClient, session: String, index: inout UInt64) throws(APIFailure) -> Bool {
        let found = try client.read(key, query: [("consistent", "")] + (index == 0 ? [] : [("index", String(index))]))
        index = found.index
        return found.entries.first?.session == session
    }

    func release(_ client: LockClient, session: String) throws(APIFailure) {
        do {
            _ = try client.write(key, query: [("release", session), ("flags", String(Self.flags))])
        } catch {
            throw APIFailure("failed to release lock: \(error.text)")
        }
    }

    func cleanUp(_ client: LockClient) throws(APIFailure) -> Bool {
        var index: UInt64 = 0
        guard let entry = try read(client, [], &index) else { return true }
        if entry.flags != Self.flags { throw Self.conflict }
        if !entry.session.isEmpty { return false }
        do {
            return try client.delete(key, query: [("cas", String(entry.modifyIndex))])
        } catch {
            throw APIFailure("failed to remove lock: \(error.text)")
        }
    }
}

/// A lock for several holders: each has an entry of its own below the prefix, and one entry, changed by check-and-set, lists those that hold
/// it. Spec: cli §18.
struct Semaphore: ClusterLock {
    static let flags: UInt64 = 0xE0F6_9A2B_AA41_4DE0
    private static let conflict = APIFailure("Existing key does not match semaphore use")

    let prefix: String
    let limit: Int
    let sessionBehavior = "delete"

    private var key: String { Self.path(prefix, ".lock") }

    /// As Go's `path.Join`, for a prefix without `.` and `..`.
    static func path(_ prefix: String, _ name: String) -> String {
        (prefix.split(separator: "/").map(String.init) + [name]).joined(separator: "/")
    }

    /// Who holds it.
    private struct State {
        var limit: Int
        var holders: [String]

        func encoded() -> [UInt8] {
            var json = JSONWriter()
            json.beginObject()
            json.key("Limit")
            json.int(limit)
            json.key("Holders")
            json.beginObject()
            for holder in holders.sorted(by: { ByteString($0) < ByteString($1) }) {
                json.key(holder)
                json.bool(true)
            }
            json.endObject()
            json.endObject()
            return json.finish()
        }
    }

    private func state(_ entry: LockClient.Entry?) throws(APIFailure) -> State {
        guard let entry, !entry.value.isEmpty else { return State(limit: limit, holders: []) }
        let json: DynamicValue
        do { json = try JSON.parseDocument(entry.value) } catch { throw APIFailure("lock decoding failed: \(error.documentText)") }
        return State(limit: Int(json.printed("Limit")) ?? 0, holders: json["Holders"]?.members.map(\.name) ?? [])
    }

    /// The entries below the prefix: the lock's own and the state without those whose session is gone.
    private func read(_ client: LockClient, _ query: APIClient.Query) throws(APIFailure) -> (LockClient.Entry?, State, index: UInt64) {
        let found: (entries: [LockClient.Entry], index: UInt64)
        do {
            found = try client.read(prefix, query: [("recurse", "")] + query)
        } catch {
            throw APIFailure("failed to read prefix: \(error.text)")
        }
        let entry = found.entries.first { $0.key == key }
        if let entry, entry.flags != Self.flags { throw Self.conflict }
        var state = try state(entry)
        let sessions = found.entries.map(\.session)
        state.holders.removeAll { !sessions.contains($0) }
        return (entry, state, found.index)
    }

    private func write(_ client: LockClient, _ state: State, over entry: LockClient.Entry?) throws(APIFailure) -> Bool {
        do {
            return try client.write(
                key, state.encoded(), query: [("cas", String(entry?.modifyIndex ?? 0)), ("flags", String(Self.flags))])
        } catch {
            throw APIFailure("failed to update lock: \(error.text)")
        }
    }

    func attempt(_ client: LockClient, session: String, index: inout UInt64, wait: Duration) throws(APIFailure) -> LockAttempt {
        if index == 0 {
            do throws(APIFailure) {
                let query: APIClient.Query = [("acquire", session), ("flags", String(Self.flags))]
                if try !client.write(Self.path(prefix, session), query: query) { throw APIFailure("<nil>") }
            } catch {
                throw APIFailure("failed to make contender entry: \(error.text)")
            }
        }
        var (entry, state, newIndex) = try read(client, LockClient.waiting(wait, from: index))
        index = newIndex
        if state.limit != limit { throw APIFailure("semaphore limit conflict (lock: \(state.limit), local: \(limit))") }
        if state.holders.count >= state.limit { return .taken }
        state.holders.append(session)
        if try write(client, state, over: entry) { return .held }
        // Somebody else was faster; what is there now need not be waited for.
        index = 0
        return .taken
    }

    func isHeld(_ client: LockClient, session: String, index: inout UInt64) throws(APIFailure) -> Bool {
        let (_, state, newIndex) = try read(client, [("consistent", "")] + (index == 0 ? [] : [("index", String(index))]))
        index = newIndex
        return state.holders.contains(session)
    }

    func release(_ client: LockClient, session: String) throws(APIFailure) {
        while true {
            let entry: LockClient.Entry?
            do { entry = try client.read(key, query: []).entries.first } catch { throw APIFailure("failed to read lock: \(error.text)") }
            var state = try state(entry)
            guard state.holders.contains(session) else { break }
            state.holders.removeAll { $0 == session }
            if try write(client, state, over: entry) { break }
        }
        do { _ = try client.delete(Self.path(prefix, session)) } catch { throw APIFailure("failed to remove contender: \(error.text)") }
    }

    func cleanUp(_ client: LockClient) throws(APIFailure) -> Bool {
        let (entry, state, _) = try read(client, [])
        guard let entry else { return true }
        if !state.holders.isEmpty { return false }
        do {
            return try client.delete(key, query: [("cas", String(entry.modifyIndex))])
        } catch {
            throw APIFailure("failed to remove semaphore: \(error.text)")
        }
    }
}
