/// The file in which a pool's keys are kept, and what a pool starts with (gossip §15.10).
public enum KeyringFile {
    /// Reads an array of keys in base64, the primary first. `path` is for the error of an empty one.
    public static func decode(_ bytes: [UInt8], path: String) throws(GoError) -> [[UInt8]] {
        let value: DynamicValue
        do throws(JSONError) {
            value = try JSON.parseDocument(bytes)
        } catch {
            throw GoError(error.documentText)
        }
        var texts: [String] = []
        switch value {
        case .null: break
        case .array(let elements):
            for element in elements {
                guard case .string(let text) = element else { throw GoError("json: cannot unmarshal into Go value of type string") }
                texts.append(text)
            }
        default: throw GoError("json: cannot unmarshal into Go value of type []string")
        }
        if texts.isEmpty { throw GoError("no keys present in keyring: \(path)") }
        var keys: [[UInt8]] = []
        for text in texts { keys.append(try key(text)) }
        return keys
    }

    /// As a change of the keys writes it.
    public static func encode(_ keys: [[UInt8]]) -> [UInt8] {
        var text: [UInt8] = []
        text.append(text: "[")
        for (index, key) in keys.enumerated() {
            text.append(text: index == 0 ? "\n  \"" : ",\n  \"")
            Base64.append(key, to: &text)
            text.append(text: "\"")
        }
        text.append(text: keys.isEmpty ? "]" : "\n]")
        return text
    }

    /// A key in base64, of a length that AES knows.
    public static func key(_ text: String) throws(GoError) -> [UInt8] {
        let key: [UInt8]
        do throws(Base64Error) {
            key = try Base64.decode(text)
        } catch {
            throw GoError(error.text)
        }
        if ![16, 24, 32].contains(key.count) { throw GoError("key size must be 16, 24 or 32 bytes") }
        return key
    }

    /// What a pool starts with.
    public struct Start: Hashable, Sendable {
        /// The primary first; none: the pool does not encrypt.
        public var keys: [[UInt8]] = []
        /// What the file has to hold from now on, where it does not exist yet.
        public var newFile: [UInt8]?
        /// Whether changes of the keys are written to the file.
        public var usesFile = false
        /// For the log.
        public var warning: String?
    }

    /// - Parameters:
    ///   - encrypt: the configured key in base64, or empty.
    ///   - file: what the file holds; nil if there is none.
    ///   - path: of the file, for errors; nil where keys are not to be kept in one (`disable_keyring_file`, development mode).
    ///   - pool: for the warning.
    public static func start(encrypt: String, file: [UInt8]?, path: String?, pool: GossipPool) throws(GoError) -> Start {
        var start = Start()
        guard let path else {
            if !encrypt.isEmpty { start.keys = [try key(encrypt)] }
            return start
        }
        if let file {
            start.keys = try decode(file, path: path)
            start.usesFile = true
            if !encrypt.isEmpty, let configured = try? Base64.decode(encrypt), !start.keys.contains(configured) {
                start.warning = "keyring doesn't include key provided with -encrypt, using keyring: keyring=\(pool == .lan ? "LAN" : "WAN")"
            }
        } else if !encrypt.isEmpty {
            do throws(GoError) {
                start.keys = [try key(encrypt)]
            } catch {
                throw GoError("Invalid key: " + error.text)
            }
            start.newFile = Array("[\"\(encrypt)\"]".utf8)
            start.usesFile = true
        }
        return start
    }
}
