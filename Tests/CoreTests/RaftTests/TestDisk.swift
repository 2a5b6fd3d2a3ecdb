import Core

/// A disk in memory that forgets at a crash what POSIX lets it forget: contents that were not synced, names whose folder was not.
final class TestDisk: Disk {
    enum Change {
        case write(offset: Int, bytes: [UInt8])
        case truncate(Int)
    }

    final class File {
        var contents: [UInt8] = []
        var durable: [UInt8] = []
        var pending: [Change] = []

        static func apply(_ change: Change, to bytes: inout [UInt8]) {
            switch change {
            case .write(let offset, let new):
                if bytes.count < offset + new.count {
                    bytes.append(contentsOf: [UInt8](repeating: 0, count: offset + new.count - bytes.count))
                }
                bytes.replaceSubrange(offset..<offset + new.count, with: new)
            case .truncate(let size):
                if bytes.count > size {
                    bytes.removeLast(bytes.count - size)
                } else {
                    bytes += [UInt8](repeating: 0, count: size - bytes.count)
                }
            }
        }

        func change(_ change: Change) {
            Self.apply(change, to: &contents)
            pending.append(change)
        }

        func sync() {
            for change in pending { Self.apply(change, to: &durable) }
            pending = []
        }
    }

    enum NameChange {
        case set(String, File)
        case folder(String)
        case remove(String)
        case rename(String, String, File)
    }

    enum Survival: CaseIterable {
        case nothing, everything, prefix, anything
    }

    private(set) var files: [String: File] = [:]
    private var durableFiles: [String: File] = [:]
    private var folders: Set<String> = []
    private var durableFolders: Set<String> = []
    private var pendingNames: [(folder: String, change: NameChange)] = []
    var isFull = false
    /// The next operation of that kind fails for good.
    var failsSync = false
    /// After that many operations of a recovery the power fails.
    var operationsLeft: Int?

    static func folder(of name: String) -> String {
        guard let slash = name.lastIndex(of: "/") else { return "" }
        return String(name[..<slash])
    }

    // MARK: Disk

    func list(_ directory: String) throws(DiskError) -> [String] {
        files.keys.filter { directory.isEmpty || $0.hasPrefix(directory + "/") }.sorted()
    }

    private func file(_ name: String) throws(DiskError) -> File {
        guard let file = files[name] else { throw .notFound(name) }
        return file
    }

    func size(_ name: String) throws(DiskError) -> Int { try file(name).contents.count }

    func read(_ name: String, offset: Int, count: Int) throws(DiskError) -> [UInt8] {
        let contents = try file(name).contents
        guard offset < contents.count else { return [] }
        return Array(contents[offset..<min(contents.count, offset + count)])
    }

    func perform(_ operations: [DiskOperation]) throws(DiskError) {
        for operation in operations {
            if let left = operationsLeft {
                if left == 0 { throw .failed("power lost") }
                operationsLeft = left - 1
            }
            _ = try apply(operation)
        }
        for file in files.values { file.sync() }
        for folder in folders { syncFolder(folder) }
        syncFolder("")
    }

    // MARK: Operations

    func perform(_ batch: DiskBatch) -> DiskCompletion {
        var found: [[UInt8]] = []
        do throws(DiskError) {
            for operation in batch.operations {
                if let bytes = try apply(operation) { found.append(bytes) }
            }
            return DiskCompletion(of: batch, .success(found))
        } catch {
            return DiskCompletion(of: batch, .failure(error))
        }
    }

    func apply(_ operation: DiskOperation) throws(DiskError) -> [UInt8]? {
        switch operation {
        case .write(let name, let offset, let bytes):
            if isFull { throw .noSpace }
            if files[name] == nil { create(name) }
            try file(name).change(.write(offset: offset, bytes: bytes))
        case .sync(let name):
            if failsSync { throw .failed("sync \(name): input/output error") }
            try file(name).sync()
        case .truncate(let name, let size):
            try file(name).change(.truncate(size))
        case .rename(let from, let to):
            let moved = try file(from)
            files[from] = nil
            files[to] = moved
            pendingNames.append((Self.folder(of: to), .rename(from, to, moved)))
        case .remove(let name):
            _ = try file(name)
            files[name] = nil
            pendingNames.append((Self.folder(of: name), .remove(name)))
        case .syncDirectory(let folder):
            guard folder.isEmpty || folders.contains(folder) else { throw .notFound(folder) }
            syncFolder(folder)
        case .read(let name, let offset, let count):
            return try read(name, offset: offset, count: count)
        }
        return nil
    }

    private func create(_ name: String) {
        var folder = Self.folder(of: name)
        var missing: [String] = []
        while !folder.isEmpty, !folders.contains(folder) {
            missing.append(folder)
            folder = Self.folder(of: folder)
        }
        for folder in missing.reversed() {
            folders.insert(folder)
            pendingNames.append((Self.folder(of: folder), .folder(folder)))
        }
        let file = File()
        files[name] = file
        pendingNames.append((Self.folder(of: name), .set(name, file)))
    }

    private func syncFolder(_ folder: String) {
        for entry in pendingNames where entry.folder == folder { makeDurable(entry.change) }
        pendingNames.removeAll { $0.folder == folder }
    }

    private func makeDurable(_ change: NameChange) {
        switch change {
        case .set(let name, let file): durableFiles[name] = file
        case .folder(let name): durableFolders.insert(name)
        case .remove(let name): durableFiles[name] = nil
        case .rename(let from, let to, let file):
            if durableFiles[from] === file { durableFiles[from] = nil }
            durableFiles[to] = file
        }
    }

    // MARK: Crashes

    /// The power fails: chance decides what is left of the things that were not synced.
    func crash(_ random: inout Random, _ survival: Survival? = nil) {
        let survival = survival ?? Survival.allCases[Int(random.next() % 4)]
        for entry in pendingNames {
            switch survival {
            case .nothing: continue
            case .everything: makeDurable(entry.change)
            case .prefix, .anything: if random.chance(0.5) { makeDurable(entry.change) }
            }
        }
        pendingNames = []
        for name in durableFiles.keys.sorted() {
            guard let file = durableFiles[name] else { continue }
            lose(file, survival, &random)
        }
        // The files of a removed folder are removed.
        durableFiles = durableFiles.filter { name, _ in
            var folder = Self.folder(of: name)
            while !folder.isEmpty {
                if !durableFolders.contains(folder) { return false }
                folder = Self.folder(of: folder)
            }
            return true
        }
        files = durableFiles
        folders = durableFolders
    }

    private func lose(_ file: File, _ survival: Survival, _ random: inout Random) {
        let kept = Int(random.next() % UInt64(file.pending.count + 1))
        for (at, change) in file.pending.enumerated() {
            switch survival {
            case .nothing: continue
            case .everything: File.apply(change, to: &file.durable)
            case .prefix:
                if at < kept { File.apply(change, to: &file.durable) } else if at == kept { tear(change, file, &random, sectors: false) }
            case .anything: tear(change, file, &random, sectors: true)
            }
        }
        file.pending = []
        file.contents = file.durable
    }

    private func tear(_ change: Change, _ file: File, _ random: inout Random, sectors: Bool) {
        guard case .write(let offset, let bytes) = change, !bytes.isEmpty else {
            if random.chance(0.5) { File.apply(change, to: &file.durable) }
            return
        }
        if !sectors {
            let count = Int(random.next() % UInt64(bytes.count))
            File.apply(.write(offset: offset, bytes: Array(bytes[..<count])), to: &file.durable)
            return
        }
        if random.chance(0.3), file.durable.count < offset + bytes.count { File.apply(.truncate(offset + bytes.count), to: &file.durable) }
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, ((offset + start) / 512 + 1) * 512 - offset)
            if random.chance(0.5) { File.apply(.write(offset: offset + start, bytes: Array(bytes[start..<end])), to: &file.durable) }
            start = end
        }
    }

    /// A copy of the durable state, with changes of one file's bytes.
    func copy() -> TestDisk {
        let copy = TestDisk()
        for (name, file) in files {
            let twin = File()
            twin.contents = file.contents
            twin.durable = file.contents
            copy.files[name] = twin
            copy.durableFiles[name] = twin
        }
        copy.folders = folders
        copy.durableFolders = folders
        return copy
    }

    func set(_ name: String, _ bytes: [UInt8]) {
        if files[name] == nil { create(name) }
        files[name]?.contents = bytes
        files[name]?.durable = bytes
        files[name]?.pending = []
        for entry in pendingNames { makeDurable(entry.change) }
        pendingNames = []
    }
}
