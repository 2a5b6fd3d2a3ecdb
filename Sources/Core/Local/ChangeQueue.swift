/// Requests that change what is registered, in the order in which they came.
///
/// Nothing changes before the files that keep it are durable; when they cannot be, nothing has changed and the request is refused.
/// Changes that wait together and have nothing to do with each other share one commit: all new files are written and synced, then all
/// are renamed and their folders synced.
final class ChangeQueue {
    enum Request {
        case client(LocalRequest, Authorizer)
        /// A service whose check has been critical for too long.
        case reap(service: ByteString, check: ByteString)
    }

    private struct Waiting {
        var requester: RequestID?
        let request: Request
    }

    private enum Step {
        /// The new contents are written aside; what is registered is as it was.
        case preparing
        /// Files get their names.
        case exchanging
    }

    /// Changes whose files are with the disk.
    private struct Commit {
        let token: UInt64
        let step: Step
        var changes: [PlannedChange]
    }

    /// Requests that may wait for the disk; further ones are refused.
    static let waitingLimit = 65_536
    /// Files in one commit: the log may have to wait for them.
    static let filesLimit = 48

    private let context: LocalContext
    private let registry: Registry
    private let registrations: Registrations
    private let sync: CatalogSync
    private let unsyncedFiles: UnsyncedFiles
    private var waiting = HeadQueue<Waiting>()
    private var commit: Commit?
    /// Folders that have been made durable since the start.
    private var durableFolders = LookupSet<String>()
    /// Of a commit that failed: each is tried on its own, since the others may be all right.
    private var alone: [PlannedChange] = []

    init(_ context: LocalContext, _ registry: Registry, _ registrations: Registrations, _ sync: CatalogSync, _ unsyncedFiles: UnsyncedFiles)
    {
        (self.context, self.registry, self.registrations) = (context, registry, registrations)
        (self.sync, self.unsyncedFiles) = (sync, unsyncedFiles)
    }

    func add(_ request: Request, for requester: RequestID?, _ effects: inout [LocalEffect]) {
        guard waiting.count < ChangeQueue.waitingLimit else {
            return refuse(requester, .failed("Too many registrations wait for the disk"), &effects)
        }
        waiting.append(Waiting(requester: requester, request: request))
    }

    /// Its client has gone: the change is made all the same.
    func cancel(_ requester: RequestID) {
        waiting.forEach { if $0.requester == requester { $0.requester = nil } }
        if let at = commit?.changes.firstIndex(where: { $0.requester == requester }) { commit?.changes[at].requester = nil }
        for at in alone.indices where alone[at].requester == requester { alone[at].requester = nil }
    }

    /// Makes or commits what waits, unless a commit is under way.
    func proceed(_ now: Instant, _ effects: inout [LocalEffect]) {
        while commit == nil, !alone.isEmpty { prepare([alone.removeFirst()], now, &effects) }
        var group: [PlannedChange] = []
        var services = LookupSet<ByteString>(), checks = LookupSet<ByteString>()
        var files = 0
        while commit == nil, let next = waiting.first {
            if !group.isEmpty, next.request.dependsOnEverything { break }
            let change: PlannedChange
            do throws(LocalRefusal) {
                change = try plan(next.request, for: next.requester, now)
            } catch {
                // What the group changes may be what it needs.
                if !group.isEmpty { break }
                waiting.popFirst()
                refuse(next.requester, error, &effects)
                continue
            }
            let isIndependent = !change.services.contains { services.contains($0) } && !change.checks.contains { checks.contains($0) }
            if !group.isEmpty, !isIndependent || files + change.files.count > ChangeQueue.filesLimit { break }
            waiting.popFirst()
            if change.files.isEmpty, group.isEmpty {
                make(change, now, &effects)
                continue
            }
            for id in change.services { services.insert(id) }
            for id in change.checks { checks.insert(id) }
            files += change.files.count
            group.append(change)
        }
        if !group.isEmpty { prepare(group, now, &effects) }
    }

    private func prepare(_ changes: [PlannedChange], _ now: Instant, _ effects: inout [LocalEffect]) {
        for file in changes.lazy.flatMap(\.files) {
            unsyncedFiles.drop(file.file)
            unsyncedFiles.drop(FileChange.temporary(file.file))
        }
        if planted(.registrationNotDurable) {
            for file in changes.flatMap(\.files) { unsyncedFiles.add(file) }
            for change in changes { make(change, now, &effects) }
            return
        }
        let operations = FileCommit.preparation(of: changes.flatMap(\.files))
        if operations.isEmpty { return exchange(changes, now, &effects) }
        commit = Commit(token: context.makeToken(), step: .preparing, changes: changes)
        effects.append(.disk(commit!.token, operations))
    }

    private func exchange(_ changes: [PlannedChange], _ now: Instant, _ effects: inout [LocalEffect]) {
        let operations = FileCommit.exchange(of: changes.flatMap(\.files), durable: &durableFolders)
        if operations.isEmpty {
            commit = nil
            for change in changes { make(change, now, &effects) }
            return
        }
        commit = Commit(token: context.makeToken(), step: .exchanging, changes: changes)
        effects.append(.disk(commit!.token, operations))
    }

    /// Takes the answer to a batch; false if it is none of these.
    func completed(_ token: UInt64, _ failure: DiskError?, _ now: Instant, _ effects: inout [LocalEffect]) -> Bool {
        guard let commit, commit.token == token else { return false }
        self.commit = nil
        if failure != nil { durableFolders = LookupSet<String>() }
        switch (failure, commit.step) {
        case (nil, .preparing): exchange(commit.changes, now, &effects)
        case (nil, .exchanging): for change in commit.changes { make(change, now, &effects) }
        case (let failure?, _) where commit.changes.count == 1: failed(commit.changes[0], commit.step, failure, now, &effects)
        case (.some, _): alone = commit.changes
        }
        return true
    }

    private func failed(_ change: PlannedChange, _ step: Step, _ failure: DiskError, _ now: Instant, _ effects: inout [LocalEffect]) {
        if case .notFound(let name) = failure, let rest = change.without(name) { return prepare([rest], now, &effects) }
        for file in change.files {
            if step == .exchanging { restore(file) }
            if case .write(let name, _) = file { unsyncedFiles.add(.remove(file: FileChange.temporary(name))) }
        }
        let pairs = [("file", change.files.first?.file ?? ""), ("error", "\(failure)")]
        context.log(.error, "failed to persist a registration", pairs, &effects)
        refuse(change.requester, .failed("\(failure)"), &effects)
    }

    /// Makes a file say again what is registered; the exchange may have come so far or not.
    private func restore(_ change: FileChange) {
        for (id, entry) in registry.services.all where change.file == PersistedFile.service(id, context.md5Hex) {
            if entry.persisted, !entry.sync.deleted { return registrations.write(entry).forEach(unsyncedFiles.add) }
        }
        for (id, entry) in registry.checks.all where change.file == PersistedFile.check(id, context.md5Hex) {
            if entry.persisted, !entry.sync.deleted { return registrations.write(entry).forEach(unsyncedFiles.add) }
        }
        unsyncedFiles.add(.remove(file: change.file))
    }

    private func make(_ change: PlannedChange, _ now: Instant, _ effects: inout [LocalEffect]) {
        switch change.action {
        case .registerCheck(let check, _) where !hasService(of: check):
            for file in change.files { unsyncedFiles.add(.remove(file: file.file)) }
            let text = "ServiceID \(GoQuote.quote(check.check.serviceID)) does not exist"
            return refuse(change.requester, .failed(text), &effects)
        case .enterMaintenance(_, let check, _) where !hasService(of: check):
            for file in change.files { unsyncedFiles.add(.remove(file: file.file)) }
            return refuse(change.requester, .unknownService(check.check.serviceID), &effects)
        case .reap(let service, let check) where !registrations.isOverdue(check, of: service, now):
            // It has recovered meanwhile: what is registered gets its files back.
            if let rest = registrations.planRewrite(of: change) { alone.append(rest) }
            return
        default: break
        }
        registrations.make(change.action, now, &effects)
        if let requester = change.requester { sync.answerWhenSent(requester) }
    }

    /// Whether the check's service, if it has one, is still there: a reload may have taken it meanwhile.
    private func hasService(of check: CheckRegistration) -> Bool {
        check.check.serviceID.isEmpty || registry.liveService(ByteString(check.check.serviceID)) != nil
    }

    private func refuse(_ requester: RequestID?, _ refusal: LocalRefusal, _ effects: inout [LocalEffect]) {
        if let requester { effects.append(.respond(requester, .refused(refusal))) }
    }

    // MARK: Planning

    /// Examines a request against what is registered now. Nothing changes.
    private func plan(_ request: Request, for requester: RequestID?, _ now: Instant) throws(LocalRefusal) -> PlannedChange {
        switch request {
        case .client(let request, let authorizer): try registrations.plan(request, for: requester, authorizer)
        case .reap(let service, let check):
            registrations.isOverdue(check, of: service, now)
                ? registrations.planRemoval(ofService: service, .reap(service: service, check: check), for: requester)
                : PlannedChange(requester: nil, action: .none, files: [], services: [service], checks: [check])
        }
    }
}

extension ChangeQueue.Request {
    /// Whether it must see all changes before it: a sidecar gets a port that no service has.
    fileprivate var dependsOnEverything: Bool {
        if case .client(.registerService(let definition, _, _), _) = self { return definition.sidecar != nil }
        return false
    }
}
