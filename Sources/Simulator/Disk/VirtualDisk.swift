import Core

/// A server's data directory: what the running system shows, and what a loss of power would leave.
///
/// As pessimistic as POSIX: contents are durable after `sync` of the file, names after `syncDirectory` of their folder, and what is
/// neither may or may not survive, each piece on its own.
final class VirtualDisk: Disk {
    private enum Entry {
        case file(VirtualFile)
        case folder
    }

    /// A change of names in one folder that is not durable yet.
    private enum NameChange {
        case create(String, Entry)
        case rename(from: String, to: String, VirtualFile)
        case remove(String)
    }

    /// Names below the data directory; folders are entries too, the data directory itself always exists.
    private var names = SortedMap<ByteString, Entry>()
    private var durableNames = SortedMap<ByteString, Entry>()
    private var pendingNames: [(folder: String, change: NameChange)] = []

    /// Writes that make a file longer fail.
    var isFull = false
    /// At which operation the machine loses power; nil: at none.
    var plannedCrash: CrashPoint?
    /// The planned crash has come: nothing is done any more until power is back.
    private(set) var hasCrashed = false
    /// What happens to the next operation that it can happen to.
    var plannedFailure: DiskFailure?
    /// An operation has failed since this was last cleared.
    var hasFailed = false
    private(set) var bytesWritten = 0

    init() {}

    // MARK: - Operations

    func apply(_ operation: DiskOperation) throws(DiskError) -> [UInt8]? {
        guard let crash = plannedCrash?.meets(operation) else { return try carryOut(operation) }
        if crash == .after { _ = try carryOut(operation) }
        plannedCrash = nil
        hasCrashed = true
        throw .failed("the machine lost power")
    }

    private func carryOut(_ operation: DiskOperation) throws(DiskError) -> [UInt8]? {
        switch operation {
        case .write(let name, let offset, let bytes):
            try write(name, offset, bytes)
        case .sync(let name):
            try sync(name)
        case .truncate(let name, let size):
            try file(name).truncate(to: size)
        case .rename(let from, let to):
            let moved = try file(from)
            try createFolders(of: to)
            names[ByteString(from)] = nil
            names[ByteString(to)] = .file(moved)
            pendingNames.append((Self.folder(of: to), .rename(from: from, to: to, moved)))
        case .remove(let name):
            _ = try file(name)
            names[ByteString(name)] = nil
            pendingNames.append((Self.folder(of: name), .remove(name)))
        case .syncDirectory(let folder):
            guard folder.isEmpty || names[ByteString(folder)] != nil else { throw .notFound(folder) }
            syncFolder(folder)
        case .read(let name, let offset, let count):
            return try read(name, offset: offset, count: count)
        }
        return nil
    }

    private func write(_ name: String, _ offset: Int, _ bytes: [UInt8]) throws(DiskError) {
        if isFull {
            guard case .file(let file)? = names[ByteString(name)], offset + bytes.count <= file.contents.count else { throw .noSpace }
        }
        if case .write(let part) = plannedFailure {
            failed()
            if case .file(let file)? = names[ByteString(name)] { file.write(Array(bytes.prefix(bytes.count * part / 100)), at: offset) }
            throw .failed("write \(name): input/output error")
        }
        if names[ByteString(name)] == nil {
            try createFolders(of: name)
            let entry = Entry.file(VirtualFile())
            names[ByteString(name)] = entry
            pendingNames.append((Self.folder(of: name), .create(name, entry)))
        }
        try file(name).write(bytes, at: offset)
        bytesWritten += bytes.count
    }

    private func sync(_ name: String) throws(DiskError) {
        let file = try file(name)
        guard case .sync(let forgets) = plannedFailure else { return file.sync() }
        failed()
        if forgets { file.forgetPending() }
        throw .failed("sync \(name): input/output error")
    }

    private func failed() {
        plannedFailure = nil
        hasFailed = true
    }

    private func createFolders(of name: String) throws(DiskError) {
        let folder = Self.folder(of: name)
        guard !folder.isEmpty else { return }
        switch names[ByteString(folder)] {
        case .folder?: return
        case .file?: throw .failed("mkdir \(folder): not a directory")
        case nil:
            try createFolders(of: folder)
            names[ByteString(folder)] = .folder
            pendingNames.append((Self.folder(of: folder), .create(folder, .folder)))
        }
    }

    private func file(_ name: String) throws(DiskError) -> VirtualFile {
        guard case .file(let file)? = names[ByteString(name)] else { throw .notFound(name) }
        return file
    }

    private static func folder(of name: String) -> String {
        guard let slash = name.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "" }
        return String(name[..<slash])
    }

    private func syncFolder(_ folder: String) {
        var later: [(folder: String, change: NameChange)] = []
        for entry in pendingNames {
            if entry.folder == folder { makeDurable(entry.change) } else { later.append(entry) }
        }
        pendingNames = later
    }

    private func makeDurable(_ change: NameChange) {
        switch change {
        case .create(let name, let entry):
            durableNames[ByteString(name)] = entry
        case .rename(let from, let to, let file):
            if case .file(let old)? = durableNames[ByteString(from)], old === file { durableNames[ByteString(from)] = nil }
            durableNames[ByteString(to)] = .file(file)
        case .remove(let name):
            durableNames[ByteString(name)] = nil
        }
    }

    // MARK: - Crashes

    /// The machine loses power: of what was not durable, chance keeps some.
    func losePower(_ random: inout Random) {
        plannedCrash = nil
        hasCrashed = false
        let survival = random.pick(Survival.allCases)
        for (at, entry) in pendingNames.enumerated() {
            let keeps: Bool
            switch survival {
            case .nothing: keeps = false
            case .everything: keeps = true
            // A journal keeps its order; the next change is undone with all that follow.
            case .prefix: keeps = random.chance(Double(pendingNames.count - at) / Double(pendingNames.count + 1))
            case .anyPart: keeps = random.chance(0.5)
            }
            if keeps { makeDurable(entry.change) } else if survival == .prefix { break }
        }
        pendingNames.removeAll()
        // Contents are drawn per name in the order of names; a file that lost its name is gone.
        for (_, entry) in durableNames {
            if case .file(let file) = entry { file.losePower(survival, &random) }
        }
        dropOrphans()
        names = durableNames
    }

    /// Files and folders whose folder did not survive are gone with it.
    private func dropOrphans() {
        for (name, _) in durableNames {
            let folder = Self.folder(of: name.string)
            // Names are sorted, a folder comes before what it holds.
            if !folder.isEmpty, durableNames[ByteString(folder)] == nil { durableNames[name] = nil }
        }
    }

    /// Whether everything written is durable, so that a loss of power changes nothing.
    var isClean: Bool {
        pendingNames.isEmpty
            && names.allSatisfy {
                if case .file(let file) = $0.value { file.pending.isEmpty } else { true }
            }
    }

    /// Damages one synced byte of `name`. Returns whether there was one.
    func damage(_ name: String, at offset: Int) -> Bool {
        guard case .file(let file)? = names[ByteString(name)], offset < file.durable.count else { return false }
        file.damage(at: offset)
        return true
    }

    // MARK: - Disk

    func list(_ directory: String) throws(DiskError) -> [String] {
        let prefix = ByteString(directory.isEmpty ? "" : directory + "/")
        return names.compactMap { name, entry in
            if case .file = entry, name.hasPrefix(prefix) { name.string } else { nil }
        }
    }

    func size(_ name: String) throws(DiskError) -> Int { try file(name).contents.count }

    func read(_ name: String, offset: Int, count: Int) throws(DiskError) -> [UInt8] {
        let contents = try file(name).contents
        guard offset < contents.count, count > 0 else { return [] }
        return Array(contents[offset..<min(contents.count, offset + count)])
    }

    func perform(_ operations: [DiskOperation]) throws(DiskError) {
        for operation in operations { _ = try apply(operation) }
        for operation in operations {
            switch operation {
            case .write(let name, _, _), .truncate(let name, _):
                // It may have been renamed or removed since.
                if case .file? = names[ByteString(name)] { try sync(name) }
                syncFolders(above: name)
            case .rename(_, let name), .remove(let name):
                syncFolders(above: name)
            case .sync, .syncDirectory, .read:
                break
            }
        }
    }

    private func syncFolders(above name: String) {
        var folder = Self.folder(of: name)
        while !folder.isEmpty {
            syncFolder(folder)
            folder = Self.folder(of: folder)
        }
        syncFolder("")
    }
}

/// One operation fails, once.
enum DiskFailure: Hashable {
    /// So many hundredths of a write reach a file that is already there.
    case write(part: Int)
    /// Nothing becomes durable. With `forgets` what was written is gone from the system's memory as well: reads show what is durable.
    case sync(forgets: Bool)
}
