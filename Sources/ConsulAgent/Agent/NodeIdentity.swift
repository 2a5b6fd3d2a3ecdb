import Core
import Runtime

/// Finds or makes the node's id. Spec: config §19.
enum NodeIdentity {
    /// The error is to be shown behind `failed to setup node ID: `.
    static func resolve(_ process: ProcessConfig) throws(FileFailure) -> String {
        if !process.nodeID.isEmpty {
            if let problem = NodeID.problem(process.nodeID) { throw FileFailure(text: "specified NodeID is invalid: \(problem)") }
            return process.nodeID
        }
        if process.dataDirectory.isEmpty { return make(process) }
        let path = process.dataDirectory + "/node-id"
        if try Files.kind(path) != nil {
            let id = TextLayout.trimmed(String(decoding: try Files.read(path), as: UTF8.self)).lowercased()
            if let problem = NodeID.problem(id) { throw FileFailure(text: "NodeID in \(path) is invalid: \(problem)") }
            return id
        }
        let id = make(process)
        try Files.makeDirectory(process.dataDirectory, mode: 0o755)
        try Files.write(path, Array(id.utf8), mode: 0o600)
        return id
    }

    private static func make(_ process: ProcessConfig) -> String {
        if !process.disableHostNodeID, let host = hostUUID { return NodeID.text(Digest.sha512(Array(host.utf8))) }
        return NodeID.text(SystemRandom.bytes(16))
    }

    /// The machine's own UUID, in lower case.
    private static var hostUUID: String? {
        for path in ["/sys/class/dmi/id/product_uuid", "/etc/machine-id", "/proc/sys/kernel/random/boot_id"] {
            guard let content = try? Files.read(path) else { continue }
            let text = TextLayout.trimmed(String(decoding: content, as: UTF8.self)).lowercased()
            if NodeID.problem(text) == nil { return text }
            if let bytes = Hex.bytes(text.utf8), bytes.count == 16 { return NodeID.text(bytes) }
        }
        return nil
    }
}
