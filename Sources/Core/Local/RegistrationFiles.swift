// How files of the data directory are exchanged. Spec: behaviour §6.7, config §20.

/// What becomes of one file.
enum FileChange {
    case write(file: String, bytes: [UInt8])
    case remove(file: String)
    /// It has been removed already, and its folder is to say so for good.
    case gone(file: String)

    var file: String {
        switch self {
        case .write(let file, _), .remove(let file), .gone(let file): file
        }
    }

    var folder: String { DiskOperation.folder(of: file) }

    /// One change for each file, where several were planned: the last write, or the removal if there is no write.
    static func oneForEach(_ changes: [FileChange]) -> [FileChange] {
        var places = LookupTable<String, Int>()
        var kept: [FileChange] = []
        for change in changes {
            guard let at = places[change.file] else {
                places[change.file] = kept.count
                kept.append(change)
                continue
            }
            if case .write = change { kept[at] = change }
        }
        return kept
    }

    /// The name that a file has until it is complete; ignored at start.
    static func temporary(_ file: String) -> String { file + ".tmp" }

}

/// The two steps of a durable change of several files. Before the second one every file is as it was.
enum FileCommit {
    /// Writes the new contents aside, all of them before the first sync: the file system then writes them out together.
    static func preparation(of changes: [FileChange]) -> [DiskOperation] {
        var operations: [DiskOperation] = []
        var syncs: [DiskOperation] = []
        for case .write(let file, let bytes) in changes {
            let temporary = FileChange.temporary(file)
            operations += DiskOperation.contents(of: temporary, bytes)
            syncs.append(.sync(file: temporary))
        }
        return operations + syncs
    }

    /// Gives all files their names or takes them away, in the order of the changes; each folder is synced once.
    ///
    /// `durable` are the folders whose own names are known to be durable: that of a new one is made so in the data directory.
    static func exchange(of changes: [FileChange], durable: inout LookupSet<String>) -> [DiskOperation] {
        var operations: [DiskOperation] = []
        var folders: [String] = []
        for change in changes {
            switch change {
            case .write(let file, _): operations.append(.rename(from: FileChange.temporary(file), to: file))
            case .remove(let file): operations.append(.remove(file: file))
            case .gone: break
            }
            if !folders.contains(change.folder) { folders.append(change.folder) }
        }
        var isNew = false
        for folder in folders where durable.insert(folder) { isNew = true }
        if isNew { folders.append("") }
        return operations + folders.map { .syncDirectory($0) }
    }
}

/// Files that are changed without anybody waiting for it: the states of TTL checks, and what is to be cleared away.
///
/// Of every file only the last change is kept while one batch is with the disk, so that heartbeats cost the disk no more than it can
/// do. Nothing is synced: a loss of power may take the last states, as in the reference; a crash of the process does not.
final class UnsyncedFiles {
    /// Files in one batch: others may have to wait for it.
    static let batchLimit = 64

    private let context: LocalContext
    /// The last change of each file that is not with the disk yet, and the order in which they came.
    private var waiting = LookupTable<String, FileChange>()
    private var order = HeadQueue<String>()
    private var inFlight: (token: UInt64, changes: [FileChange])?
    /// Files of that batch that somebody else has changed since: they are not put back when the batch fails.
    private var superseded = LookupSet<String>()
    /// A batch has failed: so many more go one by one, that one bad file does not hinder others.
    private var goingAlone = 0
    /// The log has been told of a failure, and nothing has succeeded since.
    private var hasFailed = false

    init(_ context: LocalContext) { self.context = context }

    func add(_ change: FileChange) {
        if waiting[change.file] == nil { order.append(change.file) }
        waiting[change.file] = change
    }

    /// Somebody else is about to change the file. What is with the disk already comes before that.
    func drop(_ file: String) {
        waiting.removeValue(forKey: file)
        if inFlight != nil { superseded.insert(file) }
    }

    /// Gives the disk the next batch, unless it has one. `all` at the end of the process, when no more answers come.
    func flush(all: Bool = false, _ effects: inout [LocalEffect]) {
        guard !order.isEmpty, inFlight == nil || all else { return }
        let limit = all ? order.count : goingAlone > 0 ? 1 : UnsyncedFiles.batchLimit
        var changes: [FileChange] = []
        while changes.count < limit, let file = order.first {
            guard let change = waiting[file] else {
                // It was dropped.
                order.popFirst()
                continue
            }
            // The removal of a file that is not there ends its batch.
            if case .remove = change, !changes.isEmpty, !all { break }
            waiting.removeValue(forKey: file)
            order.popFirst()
            changes.append(change)
            if case .remove = change, !all { break }
        }
        if changes.isEmpty { return }
        // A removal of a file that is not there ends the batch: no state comes behind it.
        if all { changes = changes.filter { !$0.isRemoval } + changes.filter(\.isRemoval) }
        goingAlone = max(0, goingAlone - changes.count)
        let token = context.makeToken()
        inFlight = (token, changes)
        effects.append(.disk(token, UnsyncedFiles.operations(changes)))
    }

    private static func operations(_ changes: [FileChange]) -> [DiskOperation] {
        changes.flatMap { change -> [DiskOperation] in
            switch change {
            case .write(let file, let bytes):
                let temporary = FileChange.temporary(file)
                return DiskOperation.contents(of: temporary, bytes) + [.rename(from: temporary, to: file)]
            case .remove(let file): return [.remove(file: file)]
            case .gone: return []
            }
        }
    }

    /// Takes the answer to a batch; false if it is none of these.
    func completed(_ token: UInt64, _ failure: DiskError?, _ effects: inout [LocalEffect]) -> Bool {
        guard let batch = inFlight, batch.token == token else { return false }
        inFlight = nil
        defer { superseded = LookupSet<String>() }
        switch failure {
        case nil: hasFailed = false
        case .notFound(let file)? where batch.changes.count == 1 && batch.changes[0].isRemoval(of: file): break
        case let failure? where batch.changes.count == 1:
            // Disks that are full would otherwise fill the log.
            if !hasFailed {
                let pairs = [("file", batch.changes[0].file), ("error", "\(failure)")]
                context.log(.error, "failed to write a file", pairs, &effects)
            }
            hasFailed = true
        case .some:
            for change in batch.changes where waiting[change.file] == nil && !superseded.contains(change.file) { add(change) }
            goingAlone = batch.changes.count
        }
        return true
    }
}

extension FileChange {
    fileprivate var isRemoval: Bool { if case .remove = self { true } else { false } }

    func isRemoval(of name: String) -> Bool {
        if case .remove(let file) = self { return sameBytes(file, name) }
        return false
    }
}
