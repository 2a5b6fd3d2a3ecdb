import Core
import Glibc

/// The file that the log is written to besides standard output: `<base>-<unix nanoseconds><extension>`, a new one when the last has grown
/// too large or too old. Spec: config §23.
///
/// Used by the log's thread only, after `open`.
public final class LogFile {
    private let folder: String
    private let base: String
    private let suffix: String
    /// 0 or less: size does not count.
    private let sizeMax: Int
    private let ageMax: Duration
    /// 0: all are kept; less: none but the one that is written to.
    private let oldFilesMax: Int
    private var fd: Int32 = -1
    private var size = 0
    private var created = Instant.zero

    public static let ageMaxDefault = Duration.hours(24)

    /// - Parameter path: without an extension it gets `.log`; with `/` at its end, files are called `consul`.
    public init(path: String, sizeMax: Int, ageMax: Duration, oldFilesMax: Int) {
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        folder = slash.map { String(path[...$0]) } ?? ""
        var name = slash.map { String(path[path.utf8.index(after: $0)...]) } ?? path
        if name.isEmpty { name = "consul.log" }
        let dot = name.utf8.lastIndex(of: UInt8(ascii: "."))
        base = dot.map { String(name[..<$0]) } ?? name
        suffix = dot.map { String(name[$0...]) } ?? ".log"
        self.sizeMax = sizeMax
        self.ageMax = ageMax > .zero ? ageMax : Self.ageMaxDefault
        self.oldFilesMax = oldFilesMax
    }

    deinit {
        if fd >= 0 { close(fd) }
    }

    /// Begins a file. Throws `open logs/x-1.log: no such file or directory`.
    public func open() throws(LogFailure) {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let path = "\(folder)\(base)-\(Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec))\(suffix)"
        fd = Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o640)
        guard fd >= 0 else { throw LogFailure("open \(path): \(SystemError.current)") }
        size = 0
        created = SystemClock.now()
    }

    /// Writes one line. What cannot be written is lost: there is nobody to tell.
    func write(_ line: Slice<UnsafeRawBufferPointer>) {
        if fd < 0 || sizeMax > 0 && size >= sizeMax || SystemClock.now() - created >= ageMax { rotate() }
        if fd < 0 { return }
        var rest = line
        while !rest.isEmpty {
            let bytes = UnsafeRawBufferPointer(rebasing: rest)
            let count = retrying { Glibc.write(fd, bytes.baseAddress, bytes.count) }
            guard count > 0 else { return }
            size += count
            rest = rest.dropFirst(count)
        }
    }

    private func rotate() {
        if fd >= 0 { close(fd) }
        fd = -1
        removeOldFiles()
        try? open()
    }

    private func removeOldFiles() {
        if oldFilesMax == 0 { return }
        let files = Self.names(in: folder.isEmpty ? "." : folder).filter(isOurs).sorted()
        for name in files.prefix(max(0, files.count - max(0, oldFilesMax))) { unlink(folder + name) }
    }

    private func isOurs(_ name: String) -> Bool {
        guard name.hasPrefix(base + "-"), name.hasSuffix(suffix) else { return false }
        let number = name.dropFirst(base.count + 1).dropLast(suffix.count)
        return !number.isEmpty && number.allSatisfy { $0.isNumber }
    }

    private static func names(in folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            names.append(name)
        }
        return names
    }
}

/// Why the log cannot go where it shall.
public struct LogFailure: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}
