import Core
import Glibc
import Runtime

extension Console {
    /// The process's own streams, files and environment.
    static var system: Console {
        Console(
            writeOutput: { write($0, to: 1) }, writeError: { write($0, to: 2) },
            readInput: { () throws(FileFailure) in try Files.read(descriptor: 0, named: "/dev/stdin") }, readFile: Files.read,
            variable: { name in
                guard let value = getenv(name).map({ String(cString: $0) }), !value.isEmpty else { return nil }
                return value
            }, timestamp: timestampNow)
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return }
            rest = rest.dropFirst(count)
        }
    }

    private static func timestampNow() -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var parts = tm()
        localtime_r(&now.tv_sec, &parts)
        var buffer = [CChar](repeating: 0, count: 64)
        strftime(&buffer, buffer.count, "%Y-%m-%dT%H:%M:%S", &parts)
        let second = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let millisecond = String(1000 + now.tv_nsec / 1_000_000).dropFirst()
        let offset = abs(parts.tm_gmtoff) / 60
        let digits = String(10000 + offset / 60 * 100 + offset % 60).dropFirst()
        return "\(second).\(millisecond)\(offset == 0 ? "Z" : (parts.tm_gmtoff < 0 ? "-" : "+") + digits)"
    }
}

/// Whole files, with the reference's words for what goes wrong.
enum Files {
    static func read(_ path: String) throws(FileFailure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileFailure(text: "open \(path): \(SystemError.current)") }
        defer { close(descriptor) }
        return try read(descriptor: descriptor, named: path)
    }

    static func read(descriptor: Int32, named path: String) throws(FileFailure) -> [UInt8] {
        var content: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            if count < 0 { throw FileFailure(text: "read \(path): \(SystemError.current)") }
            if count == 0 { return content }
            content += buffer[..<count]
        }
    }

    /// Replaces the file's content; `mode` is for new files.
    static func write(_ path: String, _ content: [UInt8], mode: mode_t) throws(FileFailure) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw FileFailure(text: "open \(path): \(SystemError.current)") }
        defer { close(descriptor) }
        var rest = content[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            if count < 0 { throw FileFailure(text: "write \(path): \(SystemError.current)") }
            rest = rest.dropFirst(count)
        }
        if fsync(descriptor) != 0 { throw FileFailure(text: "sync \(path): \(SystemError.current)") }
    }

    /// Gives a file another name, durably.
    static func rename(_ path: String, to other: String) throws(FileFailure) {
        if Glibc.rename(path, other) != 0 { throw FileFailure(text: "rename \(path) \(other): \(SystemError.current)") }
        let folder = other.lastIndex(of: "/").map { String(other[...$0]) } ?? "."
        let descriptor = open(folder, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileFailure(text: "open \(folder): \(SystemError.current)") }
        defer { close(descriptor) }
        if fsync(descriptor) != 0 { throw FileFailure(text: "sync \(folder): \(SystemError.current)") }
    }

    enum Kind {
        case file
        case directory
    }

    /// What a path leads to, through links; nil if there is nothing.
    static func kind(_ path: String) throws(FileFailure) -> Kind? {
        var facts = stat()
        if stat(path, &facts) == 0 { return facts.st_mode & S_IFMT == S_IFDIR ? .directory : .file }
        if errno == ENOENT { return nil }
        throw FileFailure(text: "stat \(path): \(SystemError.current)")
    }

    /// Creates a directory and those above it.
    static func makeDirectory(_ path: String, mode: mode_t) throws(FileFailure) {
        if try kind(path) == .directory { return }
        if let slash = path.lastIndex(of: "/"), slash != path.startIndex { try makeDirectory(String(path[..<slash]), mode: mode) }
        if mkdir(path, mode) != 0, errno != EEXIST { throw FileFailure(text: "mkdir \(path): \(SystemError.current)") }
    }
}
