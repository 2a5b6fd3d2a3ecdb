import Core

/// Files that are gone with the process, for agents without a data directory (`-dev`).
public final class MemoryDisk: BatchDisk {
    private var files: [String: [UInt8]] = [:]

    public init() {}

    public func list(_ directory: String) throws(DiskError) -> [String] {
        let prefix = directory.isEmpty ? "" : directory + "/"
        return files.keys.filter { $0.utf8.starts(with: prefix.utf8) }.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
    }

    public func size(_ file: String) throws(DiskError) -> Int {
        guard let bytes = files[file] else { throw .notFound(file) }
        return bytes.count
    }

    public func read(_ file: String, offset: Int, count: Int) throws(DiskError) -> [UInt8] {
        guard let bytes = files[file] else { throw .notFound(file) }
        guard offset >= 0, count >= 0 else { throw .failed("read \(file): negative offset or count") }
        return offset >= bytes.count ? [] : Array(bytes[offset...].prefix(count))
    }

    public func perform(_ operations: [DiskOperation]) throws(DiskError) {
        for operation in operations { _ = try perform(operation) }
    }

    public func perform(_ operation: DiskOperation) throws(DiskError) -> [UInt8]? {
        switch operation {
        case .write(let file, let offset, let bytes): try write(file, offset: offset, bytes)
        case .truncate(let file, let size):
            guard size >= 0 else { throw .failed("truncate \(file): negative size") }
            try write(file, offset: 0, [])
            resize(file, to: size)
        case .rename(let from, let to):
            guard let bytes = files.removeValue(forKey: from) else { throw .notFound(from) }
            files[to] = bytes
        case .remove(let file):
            guard files.removeValue(forKey: file) != nil else { throw .notFound(file) }
        case .sync(let file): _ = try size(file)
        case .syncDirectory: break
        case .read(let file, let offset, let count): return try read(file, offset: offset, count: count)
        }
        return nil
    }

    private func write(_ file: String, offset: Int, _ bytes: [UInt8]) throws(DiskError) {
        guard offset >= 0 else { throw .failed("write \(file): negative offset") }
        let end = offset + bytes.count
        if (files[file]?.count ?? -1) < end { resize(file, to: end) }
        files[file]!.replaceSubrange(offset..<end, with: bytes)
    }

    private func resize(_ file: String, to size: Int) {
        let now = files[file]?.count ?? 0
        if size < now {
            files[file]!.removeLast(now - size)
        } else {
            files[file, default: []].append(contentsOf: repeatElement(0, count: size - now))
        }
    }
}
