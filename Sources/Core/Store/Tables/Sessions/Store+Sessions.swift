// Sessions, and the many ways in which they end. Spec: behaviour §1.10, http-2 §3-4.
extension Store {
    /// The longest lock-delay; longer ones are cut when they are used.
    static let lockDelayMax = Duration.seconds(60)

    /// nil for what is no UUID, and for no session at all.
    static func sessionKey(_ id: String) -> ByteString? {
        if id.isEmpty { return nil }
        return (try? UUIDText.parse(id)).map { ByteString($0) }
    }

    static func lookUpKey(_ id: String) throws(TextError) -> ByteString {
        do { return ByteString(try UUIDText.parse(id)) } catch { throw TextError("failed session lookup: index error: \(error.text)") }
    }

    /// The session of that ID in any spelling of it. Fails when the ID is no UUID.
    public func session(_ id: String) throws(TextError) -> Row<Session>? { sessions[try Self.lookUpKey(id)] }

    mutating func applySession(_ request: SessionRequest, _ index: UInt64, _ changes: inout ChangeSet) throws(TextError) -> ApplyResult {
        switch request.op {
        case .create: return .string(try createSession(request.session, index, &changes))
        case .destroy:
            deleteSession(try Self.lookUpKey(request.session.id), index, &changes)
            return .none
        case .unknown(let op): throw TextError("Invalid Session operation '\(op)'")
        }
    }

    private mutating func createSession(_ session: Session, _ index: UInt64, _ changes: inout ChangeSet) throws(TextError) -> String {
        if session.id.isEmpty { throw TextError("Missing session ID") }
        var session = session
        switch session.behavior {
        case "": session.behavior = "release"
        case "release", "delete": break
        default: throw TextError("Invalid session behavior: \(session.behavior)")
        }
        session.index = RaftIndex(create: index, modify: index)
        guard nodes.contains(TableKey.of(session.node)) || planted(.sessionOfUnknownNode) else {
            throw TextError("Missing node registration")
        }
        for id in session.checkIDs {
            guard let check = checks[TableKey.of(session.node, id)] else { throw TextError("Missing check '\(id)' registration") }
            if check.value.status == CheckStatus.critical, !planted(.sessionOfCriticalCheck) {
                throw TextError("Check '\(id)' is in \(check.value.status) state")
            }
        }
        let key: ByteString
        do { key = ByteString(try UUIDText.parse(session.id)) } catch { throw TextError("failed inserting session: \(error.text)") }
        let row = Row(session)
        insert(row, key)
        raise(IndexName.sessions, to: index)
        addTopics(of: row, key, &changes)
        changes.add(.created(row))
        return session.id
    }

    mutating func insert(_ row: Row<Session>, _ key: ByteString) {
        if let old = sessions.updateValue(row, forKey: key) { removeSecondary(old.value, key) }
        sessionsByNode[TableKey.join(TableKey.of(row.value.node), key)] = row
        for id in row.value.checkIDs { sessionChecks[TableKey.join(TableKey.of(row.value.node, id), key)] = row }
    }

    private mutating func removeSecondary(_ session: Session, _ key: ByteString) {
        sessionsByNode[TableKey.join(TableKey.of(session.node), key)] = nil
        for id in session.checkIDs { sessionChecks[TableKey.join(TableKey.of(session.node, id), key)] = nil }
    }

    private func addTopics(of row: Row<Session>, _ key: ByteString, _ changes: inout ChangeSet) {
        changes.add(.table(.sessions))
        changes.add(.session(key))
        changes.add(.nodeSessions(TableKey.of(row.value.node)))
    }

    /// Ends a session: what it holds is released or deleted, and may not be locked again during the lock-delay.
    mutating func deleteSession(_ key: ByteString, _ index: UInt64, _ changes: inout ChangeSet) {
        guard let row = sessions.removeValue(forKey: key) else { return }
        let session = row.value
        removeSecondary(session, key)
        if !planted(.sessionIndexNotRaised) { raise(IndexName.sessions, to: index) }
        if !planted(.sessionNotWoken) { addTopics(of: row, key, &changes) }
        changes.add(.ended(row))

        let delay = min(session.lockDelay, Self.lockDelayMax)
        for held in keysHeld(bySession: key) where !planted(.sessionKeepsLocks) {
            if session.behavior == "delete" && !planted(.deleteBehaviourReleases) || planted(.releaseBehaviourDeletes) {
                deleteEntry(held, index, &changes)
            } else if var entry = kvs[held] {
                entry.session = ""
                setEntry(held, entry, keepingSession: false, index, &changes)
            }
            if delay > .zero, !planted(.lockDelayNotStarted) { changes.addLockDelay(held, delay) }
            if planted(.sessionReleasesOne) { break }
        }
        deletePreparedQueries(ofSession: key, index, &changes)
    }

    /// Ends the sessions that depend on a check.
    mutating func deleteSessions(ofCheck check: ByteString, _ index: UInt64, _ changes: inout ChangeSet) {
        if sessionChecks.isEmpty { return }
        var doomed: [ByteString] = []
        sessionChecks.scan(prefix: check) { key, _ in
            doomed.append(ByteString(Array(key.bytes[check.count...])))
            return true
        }
        for key in doomed { deleteSession(key, index, &changes) }
    }

    mutating func deleteSessions(ofNode node: ByteString, _ index: UInt64, _ changes: inout ChangeSet) {
        var doomed: [ByteString] = []
        sessionsByNode.scan(prefix: node) { key, _ in
            doomed.append(ByteString(Array(key.bytes[node.count...])))
            return true
        }
        for key in doomed { deleteSession(key, index, &changes) }
    }
}

extension Session {
    /// Every check that the session depends on, of the node or of its services alike.
    public var checkIDs: [String] {
        (checks ?? []) + (nodeChecks ?? []) + (planted(.serviceChecksIgnored) ? [] : serviceChecks ?? []).map(\.id)
    }
}
