import CSystem
import Core
import Glibc

/// The files of a data directory, as `Core` sees them.
///
/// Not thread-safe: used by start-up and afterwards by whoever performs the disk queue, one at a time.
///
/// Files below `logFolder` are written ahead with zeros in steps of `stepSize`, so that the syncs of most writes touch data blocks
/// only: growing a file costs a commit of the file system's journal with every sync. (Measured on ext4, virtio: 95 µs instead of
/// 142 µs for a write of 200 bytes with `fdatasync`.) The log's format takes zeros for its end.
public final class FileDisk: BatchDisk {
    /// Files in this folder get space ahead.
    public static let logFolder = "raft/log/"
    /// How far ahead.
    public static let stepSize = 1 << 20
    /// Files that are kept open between operations: those of the log and all that one batch writes before it syncs them.
    static let openFilesMax = 64

    /// The data directory, absolute or relative to where the process was started.
    public let root: String
    private let directory: FileDescriptor
    private let lock: FileDescriptor
    private var open: [OpenFile] = []

    private struct OpenFile {
        let name: String
        let fd: Int32
        /// The file's size, including what was written ahead.
        var size: Int
        let hasSpaceAhead: Bool
    }

    /// Opens the directory, creating it (0700) if need be, and takes its lock: only one process at a time may work on it.
    public init(root: String) throws(DiskError) {
        self.root = root
        try Self.makeFolders(root)
        directory = FileDescriptor(openat(AT_FDCWD, root, O_RDONLY | O_DIRECTORY | O_CLOEXEC))
        guard directory.isOpen else { throw Self.error("open", root) }
        lock = FileDescriptor(openat(directory.raw, Self.lockName, O_RDWR | O_CREAT | O_CLOEXEC, 0o600))
        guard lock.isOpen else { throw Self.error("open", root + "/" + Self.lockName) }
        guard Self.take(lock.raw) else {
            if errno == EWOULDBLOCK { throw .failed("data directory \(root) is in use by another agent\(Self.holder(of: lock.raw))") }
            throw Self.error("lock", root + "/" + Self.lockName)
        }
        let text = Array("\(getpid())\n".utf8)
        ftruncate(lock.raw, 0)
        _ = text.withUnsafeBytes { pwrite(lock.raw, $0.baseAddress!, $0.count, 0) }
    }

    deinit { for file in open { close(file.fd) } }

    /// Holds the number of the process that works on the directory. The lock is the kernel's: it goes with the process.
    static let lockName = ".lock"

    /// Tries for a moment: a child that an agent was just starting holds its lock a little longer than the agent itself.
    private static func take(_ lock: Int32) -> Bool {
        for attempt in 1...20 {
            if attempt > 1 { usleep(10_000) }
            if csystem_flock(lock, LOCK_EX | LOCK_NB) == 0 { return true }
            if errno != EWOULDBLOCK { return false }
        }
        return false
    }

    private static func holder(of lock: Int32) -> String {
        var text = [UInt8](repeating: 0, count: 16)
        let count = text.withUnsafeMutableBytes { pread(lock, $0.baseAddress!, $0.count, 0) }
        let digits = text.prefix(max(0, count)).prefix { $0 >= 0x30 && $0 <= 0x39 }
        return digits.isEmpty ? "" : " (process \(String(decoding: digits, as: UTF8.self)))"
    }

    // MARK: Reading

    public func list(_ directory: String) throws(DiskError) -> [String] {
        var names: [String] = []
        try collect(directory, into: &names)
        return names.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
    }

    private func collect(_ folder: String, into names: inout [String]) throws(DiskError) {
        try Self.check(folder, allowsEmpty: true)
        let fd = openat(directory.raw, folder.isEmpty ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard fd >= 0 else {
            if errno == ENOENT { return }
            throw Self.error("open", folder)
        }
        guard let stream = fdopendir(fd) else {
            close(fd)
            throw Self.error("open", folder)
        }
        var folders: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name == "." || name == ".." { continue }
            let path = folder.isEmpty ? name : folder + "/" + name
            if path == Self.lockName { continue }
            var info = stat()
            guard fstatat(directory.raw, path, &info, 0) == 0 else { continue }
            switch info.st_mode & S_IFMT {
            case S_IFDIR: folders.append(path)
            case S_IFREG: names.append(path)
            default: break
            }
        }
        closedir(stream)
        for path in folders { try collect(path, into: &names) }
    }

    public func size(_ file: String) throws(DiskError) -> Int {
        try Self.check(file)
        var info = stat()
        guard fstatat(directory.raw, file, &info, 0) == 0 else { throw Self.error("stat", file) }
        return Int(info.st_size)
    }

    public func read(_ file: String, offset: Int, count: Int) throws(DiskError) -> [UInt8] {
        try Self.check(file)
        guard offset >= 0, count >= 0 else { throw .failed("read \(file): negative offset or count") }
        let fd: Int32
        let isKept: Bool
        if let at = open.firstIndex(where: { $0.name == file }) {
            (fd, isKept) = (open[at].fd, true)
        } else {
            (fd, isKept) = (openat(directory.raw, file, O_RDONLY | O_CLOEXEC), false)
            guard fd >= 0 else { throw Self.error("open", file) }
        }
        defer { if !isKept { close(fd) } }
        // Never more than the file has: a request for a gigabyte of a small file must not allocate one.
        var info = stat()
        guard fstat(fd, &info) == 0 else { throw Self.error("stat", file) }
        let wanted = max(0, min(count, Int(info.st_size) - offset))
        var filled = 0
        var failure: DiskError?
        let bytes = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, initialized in
            while filled < wanted {
                let got = retrying { pread(fd, buffer.baseAddress! + filled, wanted - filled, off_t(offset + filled)) }
                if got < 0 { failure = Self.error("read", file) }
                if got <= 0 { break }
                filled += got
            }
            initialized = filled
        }
        if let failure { throw failure }
        return bytes
    }

    // MARK: Writing

    public func perform(_ operations: [DiskOperation]) throws(DiskError) {
        var files: [String] = []
        var folders: [String] = []
        func note(_ name: String, in list: inout [String]) { if !list.contains(name) { list.append(name) } }
        for operation in operations {
            _ = try perform(operation)
            switch operation {
            case .write(let file, _, _), .truncate(let file, _):
                note(file, in: &files)
                note(Self.folder(of: file), in: &folders)
            case .rename(let from, let to):
                files.removeAll { $0 == from }
                note(Self.folder(of: from), in: &folders)
                note(Self.folder(of: to), in: &folders)
            case .remove(let file):
                files.removeAll { $0 == file }
                note(Self.folder(of: file), in: &folders)
            case .sync, .syncDirectory, .read: break
            }
        }
        for file in files { try sync(file) }
        // A folder may have gone with its last file.
        for folder in folders where folder.isEmpty || size(ifAny: folder) != nil { try syncDirectory(folder) }
    }

    public func perform(_ operation: DiskOperation) throws(DiskError) -> [UInt8]? {
        switch operation {
        case .write(let file, let offset, let bytes): try write(file, offset: offset, bytes)
        case .sync(let file): try sync(file)
        case .truncate(let file, let size): try truncate(file, size: size)
        case .rename(let from, let to): try rename(from, to)
        case .remove(let file): try remove(file)
        case .syncDirectory(let folder): try syncDirectory(folder)
        case .read(let file, let offset, let count): return try read(file, offset: offset, count: count)
        }
        return nil
    }

    func write(_ file: String, offset: Int, _ bytes: [UInt8]) throws(DiskError) {
        guard offset >= 0 else { throw .failed("write \(file): negative offset") }
        let at = try opened(file)
        try put(bytes, at: offset, in: at)
        if open[at].hasSpaceAhead, offset + bytes.count > open[at].size { try addSpace(at, beyond: offset + bytes.count) }
        open[at].size = max(open[at].size, offset + bytes.count)
    }

    private func put(_ bytes: [UInt8], at offset: Int, in at: Int) throws(DiskError) {
        let (fd, name) = (open[at].fd, open[at].name)
        var failure: DiskError?
        bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let count = retrying { pwrite(fd, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done)) }
                if count <= 0 {
                    failure = count == 0 ? .failed("write \(name): nothing was written") : Self.error("write", name)
                    return
                }
                done += count
            }
        }
        if let failure { throw failure }
    }

    /// Writes zeros from the file's end up to the next multiple of the step after `end`. Failing to is no failure of the write:
    /// a disk that is full says so when the space is needed.
    private func addSpace(_ at: Int, beyond end: Int) throws(DiskError) {
        let start = max(open[at].size, end)
        let limit = (end / Self.stepSize + 1) * Self.stepSize
        guard start < limit else { return }
        do {
            try put([UInt8](repeating: 0, count: limit - start), at: start, in: at)
            open[at].size = limit
        } catch {
            var info = stat()
            guard fstat(open[at].fd, &info) == 0 else { throw Self.error("stat", open[at].name) }
            open[at].size = Int(info.st_size)
        }
    }

    func sync(_ file: String) throws(DiskError) {
        let at = try opened(file, creating: false)
        guard retrying({ fdatasync(open[at].fd) }) == 0 else { throw Self.error("sync", file) }
    }

    func truncate(_ file: String, size: Int) throws(DiskError) {
        let at = try opened(file)
        guard size >= 0 else { throw .failed("truncate \(file): negative size") }
        if open[at].size == size { return }
        guard retrying({ ftruncate(open[at].fd, off_t(size)) }) == 0 else { throw Self.error("truncate", file) }
        open[at].size = size
    }

    func rename(_ from: String, _ to: String) throws(DiskError) {
        try Self.check(from)
        try Self.check(to)
        forget(from)
        forget(to)
        if renameat(directory.raw, from, directory.raw, to) == 0 { return }
        guard errno == ENOENT, size(ifAny: from) != nil else { throw Self.error("rename", from) }
        try makeFolder(Self.folder(of: to))
        guard renameat(directory.raw, from, directory.raw, to) == 0 else { throw Self.error("rename", from) }
    }

    func remove(_ file: String) throws(DiskError) {
        try Self.check(file)
        forget(file)
        guard unlinkat(directory.raw, file, 0) == 0 else { throw Self.error("remove", file) }
        let folder = Self.folder(of: file)
        // A snapshot has a folder of its own, which goes with its last file; it fails while there are others.
        if folder.hasPrefix(Self.snapshotFolders) { _ = unlinkat(directory.raw, folder, AT_REMOVEDIR) }
    }

    private static let snapshotFolders = "raft/snapshots/"

    func syncDirectory(_ folder: String) throws(DiskError) {
        try Self.check(folder, allowsEmpty: true)
        let fd = openat(directory.raw, folder.isEmpty ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard fd >= 0 else { throw Self.error("open", folder) }
        defer { close(fd) }
        guard retrying({ fsync(fd) }) == 0 else { throw Self.error("sync", folder) }
    }

    // MARK: Open files

    private func size(ifAny file: String) -> Int? {
        var info = stat()
        return fstatat(directory.raw, file, &info, 0) == 0 ? Int(info.st_size) : nil
    }

    /// The position of the file among the open ones.
    private func opened(_ file: String, creating: Bool = true) throws(DiskError) -> Int {
        if let at = open.lastIndex(where: { $0.name == file }) { return at }
        try Self.check(file)
        let flags = O_RDWR | O_CLOEXEC | (creating ? O_CREAT : 0)
        let mode = Self.mode(of: file)
        var fd = openat(directory.raw, file, flags, mode.file)
        if fd < 0, errno == ENOENT, creating {
            try makeFolder(Self.folder(of: file), mode: mode.folder)
            fd = openat(directory.raw, file, flags, mode.file)
        }
        guard fd >= 0 else { throw Self.error("open", file) }
        var info = stat()
        guard fstat(fd, &info) == 0 else {
            close(fd)
            throw Self.error("stat", file)
        }
        if open.count == Self.openFilesMax { close(open.removeFirst().fd) }
        open.append(OpenFile(name: file, fd: fd, size: Int(info.st_size), hasSpaceAhead: file.hasPrefix(Self.logFolder)))
        return open.count - 1
    }

    private func forget(_ file: String) {
        guard let at = open.firstIndex(where: { $0.name == file }) else { return }
        close(open.remove(at: at).fd)
    }

    // MARK: Names and folders

    /// What a file, and the folder that is made for it, is created with; the process's mask applies. Spec: config §20.
    private static func mode(of file: String) -> (file: mode_t, folder: mode_t) {
        if file == "raft/peers.info" { return (0o644, 0o700) }
        if folder(of: file) == "serf", file.contains(".snapshot") { return (0o600, 0o755) }
        return (0o600, 0o700)
    }

    static func folder(of file: String) -> String {
        guard let slash = file.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "" }
        return String(file[..<slash])
    }

    /// Names are relative and stay below the root.
    private static func check(_ name: String, allowsEmpty: Bool = false) throws(DiskError) {
        if name.isEmpty && allowsEmpty { return }
        let parts = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        for part in parts where part.isEmpty || part.elementsEqual(".".utf8) || part.elementsEqual("..".utf8) || part.contains(0) {
            throw .failed("not a name of a file in the data directory: \"\(name)\"")
        }
    }

    /// Creates the folder and those above it, each made durable in the one above.
    private func makeFolder(_ folder: String, mode: mode_t = 0o700) throws(DiskError) {
        var path = ""
        for part in folder.utf8.split(separator: UInt8(ascii: "/")) {
            let parent = path
            path += (path.isEmpty ? "" : "/") + String(decoding: part, as: UTF8.self)
            if mkdirat(directory.raw, path, mode) == 0 {
                try syncDirectory(parent)
            } else if errno != EEXIST {
                throw Self.error("mkdir", path)
            }
        }
    }

    /// Creates `path` and those above it.
    private static func makeFolders(_ path: String) throws(DiskError) {
        if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
        let parent = folder(of: path)
        guard errno == ENOENT, !parent.isEmpty else { throw error("mkdir", path) }
        try makeFolders(parent)
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw error("mkdir", path) }
    }

    /// The error that the last system call left in `errno`.
    private static func error(_ operation: String, _ name: String) -> DiskError {
        let error = SystemError.current
        switch error.code {
        case ENOSPC, EDQUOT: return .noSpace
        case ENOENT: return .notFound(name)
        default: return .failed("\(operation) \(name): \(error)")
        }
    }
}
