import Core
import Glibc
import Runtime

/// Finds and reads configuration files. Spec: config §1.1.
struct ConfigFiles {
    var sources: [ConfigSource] = []
    var warnings: [String] = []
    /// Every file is read in this format; nil: by extension.
    let format: ConfigFormat?

    /// - Parameter formatName: `hcl`, `json` or empty.
    init(_ paths: [String], formatName: String) throws(TextError) {
        switch formatName {
        case "": format = nil
        case "hcl": format = .hcl
        case "json": format = .json
        default: throw TextError("config: -config-format must be either 'hcl' or 'json'")
        }
        for path in paths { try add(path) }
    }

    private mutating func add(_ path: String) throws(TextError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw TextError("config: Open failed on \(path). open \(path): \(SystemError.current)") }
        close(descriptor)
        var facts = stat()
        guard stat(path, &facts) == 0 else { throw TextError("config: Stat failed on \(path). stat \(path): \(SystemError.current)") }
        guard facts.st_mode & S_IFMT == S_IFDIR else { return try addFile(path) }
        for name in try Self.entries(of: path) {
            let entry = path.hasSuffix("/") ? path + name : "\(path)/\(name)"
            guard lstat(entry, &facts) == 0 else {
                throw TextError("config: Stat failed on \(entry). lstat \(entry): \(SystemError.current)")
            }
            var resolved = entry
            if facts.st_mode & S_IFMT == S_IFLNK {
                guard let target = realpath(entry, nil) else {
                    throw TextError("config: Stat failed on \(entry). lstat \(entry): \(SystemError.current)")
                }
                resolved = String(cString: target)
                free(target)
                stat(resolved, &facts)
            }
            if facts.st_mode & S_IFMT != S_IFDIR { try addFile(resolved) }
        }
    }

    private mutating func addFile(_ path: String) throws(TextError) {
        let byExtension: ConfigFormat? = path.hasSuffix(".json") ? .json : path.hasSuffix(".hcl") ? .hcl : nil
        guard let format = format ?? byExtension else {
            warnings.append("skipping file \(path), extension must be .hcl or .json, or config format must be set")
            return
        }
        do {
            sources.append(ConfigSource(name: path, format: format, text: try Files.read(path)))
        } catch {
            throw TextError("config: failed to read \(path): \(error.text)")
        }
    }

    /// The names in a directory in the order of their bytes.
    private static func entries(of path: String) throws(TextError) -> [String] {
        guard let directory = opendir(path) else {
            throw TextError("config: Readdir failed on \(path). open \(path): \(SystemError.current)")
        }
        defer { closedir(directory) }
        var names: [ByteString] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(ByteString(name)) }
        }
        return names.sorted().map(\.string)
    }
}
