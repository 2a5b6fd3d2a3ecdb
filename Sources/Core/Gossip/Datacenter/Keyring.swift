/// The keys with which a gossip pool begins, and the file that keeps them. Spec: gossip §13.5, §15.10; config §20.
public struct KeyringSetup: Hashable, Sendable {
    /// The first one is used to encrypt. Empty: gossip is not encrypted.
    public var keys: [[UInt8]] = []
    /// What the file must be created with before the agent goes on; nil: it stays as it is.
    public var newFile: [UInt8]?
    /// Whether key operations rewrite the file.
    public var usesFile = false
    /// For the log; pairs included.
    public var warning: String?

    public init() {}

    /// The name of a pool's file, relative to the data directory.
    public static func fileName(_ pool: GossipPool) -> String { pool == .lan ? "serf/local.keyring" : "serf/remote.keyring" }

    /// Decides between the configured key and the file: the file wins.
    ///
    /// - Parameters:
    ///   - key: `GossipSettings.encryptKey`.
    ///   - file: the file's content; nil where there is none.
    ///   - path: the file's path for error texts.
    /// - Throws: the reference's words, to be shown behind `Failed to configure keyring: `.
    public static func decide(
        key: [UInt8]?, file: [UInt8]?, isFileDisabled: Bool, pool: GossipPool, path: String
    ) throws(TextError) -> Self {
        var setup = KeyringSetup()
        if isFileDisabled {
            if let key { setup.keys = [try Keyring.validated(key)] }
            return setup
        }
        if let file {
            setup.keys = try Keyring.decode(file, path: path)
            if let key, !setup.keys.contains(key) {
                let name = pool == .lan ? "LAN" : "WAN"
                setup.warning = " keyring doesn't include key provided with -encrypt, using keyring: keyring=\(name)"
            }
            setup.usesFile = true
        } else if let key {
            do { setup.keys = [try Keyring.validated(key)] } catch { throw TextError("Invalid key: \(error.text)") }
            setup.newFile = Keyring.encodeInitial(key)
            setup.usesFile = true
        }
        return setup
    }
}

/// Lists of gossip keys as files hold them: JSON arrays of base64 texts, the primary key first.
public enum Keyring {
    public static func validated(_ key: [UInt8]) throws(TextError) -> [UInt8] {
        if [16, 24, 32].contains(key.count) { return key }
        throw TextError("key size must be 16, 24 or 32 bytes")
    }

    /// A new file: `["<key>"]`.
    public static func encodeInitial(_ key: [UInt8]) -> [UInt8] { Array("[\"\(Base64.encode(key))\"]".utf8) }

    /// As key operations rewrite a file: a key a line, indented by two blanks, no newline at the end.
    public static func encode(_ keys: [[UInt8]]) -> [UInt8] {
        if keys.isEmpty { return Array("[]".utf8) }
        return Array(("[\n" + keys.map { "  \"\(Base64.encode($0))\"" }.joined(separator: ",\n") + "\n]").utf8)
    }

    /// The keys of a file, each once.
    public static func decode(_ file: [UInt8], path: String) throws(TextError) -> [[UInt8]] {
        let json: DynamicValue
        do { json = try JSON.parseDocument(file) } catch { throw TextError(error.documentText) }
        var keys: [[UInt8]] = []
        switch json {
        case .null: break
        case .array(let elements):
            for element in elements {
                guard case .string(let text) = element else {
                    throw TextError("json: cannot unmarshal \(kind(element)) into Go value of type string")
                }
                let key: [UInt8]
                do { key = try Base64.decode(text) } catch { throw TextError(error.text) }
                if !keys.contains(key) { keys.append(try validated(key)) }
            }
        default: throw TextError("json: cannot unmarshal \(kind(json)) into Go value of type []string")
        }
        if keys.isEmpty { throw TextError("no keys present in keyring: \(path)") }
        return keys
    }

    private static func kind(_ json: DynamicValue) -> String {
        switch json {
        case .null: "null"
        case .bool: "bool"
        case .int, .uint, .double: "number"
        case .string, .bytes: "string"
        case .array: "array"
        case .map: "object"
        }
    }
}
