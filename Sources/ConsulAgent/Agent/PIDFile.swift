import Core
import Glibc

/// The file that tells others the process's id while it runs. Spec: config §23.
enum PIDFile {
    /// Writes the decimal id without newline; the error is the reference's.
    static func write(_ path: String) throws(FileFailure) {
        if path.isEmpty { return }
        do {
            try Files.write(path, Array(String(getpid()).utf8), mode: 0o666)
        } catch {
            throw FileFailure(text: "Could not open pid file: \(error.text)")
        }
    }

    static func remove(_ path: String) {
        if !path.isEmpty { unlink(path) }
    }
}
