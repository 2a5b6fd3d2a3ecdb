// Snapshots on disk, in the reference's layout (rpc-raft-wire §8.1): `raft/snapshots/<term>-<index>-<milliseconds>/state.bin` and
// `meta.json`. The reference writes into a folder `.tmp` and renames that; here the file `meta.json`, which makes the folder a snapshot, is
// written aside and renamed: it takes no renaming of folders, and a folder without it is as good as none for both.

/// What `meta.json` says about a snapshot.
public struct SnapshotMeta: Hashable, Sendable {
    /// The folder's name.
    public var id: String
    /// Of the last entry that the state contains.
    public var index: UInt64
    public var term: UInt64
    public var configuration: RaftConfiguration
    /// Of the entry that set the configuration.
    public var configurationIndex: UInt64
    /// Bytes of `state.bin`.
    public var size: Int
    /// CRC-64 of `state.bin`.
    public var checksum: UInt64
    /// A user brought it. It replaced the log on one server before any other knew, so a newer leader may not have it: then it was never
    /// committed, and whoever has it starts over.
    public var isRestored = false

    public init(
        id: String, index: UInt64, term: UInt64, configuration: RaftConfiguration, configurationIndex: UInt64, size: Int = 0,
        checksum: UInt64 = 0
    ) {
        self.id = id
        self.index = index
        self.term = term
        self.configuration = configuration
        self.configurationIndex = configurationIndex
        self.size = size
        self.checksum = checksum
    }

    static let root = "raft/snapshots"
    var folder: String { "\(Self.root)/\(id)" }
    var stateFile: String { "\(folder)/state.bin" }
    var metaFile: String { "\(folder)/meta.json" }
    var temporaryMetaFile: String { "\(folder)/meta.json.tmp" }

    /// Newer snapshots come after older ones.
    static func precedes(_ a: SnapshotMeta, _ b: SnapshotMeta) -> Bool {
        if a.term != b.term { return a.term < b.term }
        if a.index != b.index { return a.index < b.index }
        return ByteString(a.id) < ByteString(b.id)
    }

    // MARK: meta.json

    /// The contents of `meta.json`; without `CRC` and the file's own checksum for archives (§8.3).
    public func encoded(withChecksum: Bool = true) -> [UInt8] {
        var writer = JSONWriter(reservingCapacity: 512)
        writer.beginObject()
        writer.key("Version")
        writer.int(1)
        writer.key("ID")
        writer.string(id)
        writer.key("Index")
        writer.uint(index)
        writer.key("Term")
        writer.uint(term)
        writer.key("Peers")
        writer.string(Base64.encode(configuration.encodedPeers))
        writer.key("Configuration")
        writer.beginObject()
        writer.key("Servers")
        writer.beginArray()
        for server in configuration.servers {
            writer.beginObject()
            writer.key("Suffrage")
            writer.int(server.suffrage.rawValue)
            writer.key("ID")
            writer.string(server.id)
            writer.key("Address")
            writer.string(server.address)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        writer.key("ConfigurationIndex")
        writer.uint(configurationIndex)
        writer.key("Size")
        writer.int(size)
        if withChecksum {
            writer.key("CRC")
            writer.string(Base64.encode((0..<8).map { UInt8(truncatingIfNeeded: checksum >> UInt64(56 - 8 * $0)) }))
            // The reference ignores keys that it does not know.
            if isRestored {
                writer.key("Restored")
                writer.bool(true)
            }
        }
        writer.endObject()
        return withChecksum ? Self.sealed(writer.finish()) : writer.finish() + [UInt8(ascii: "\n")]
    }

    /// Reads `meta.json`; the error says what is wrong with it.
    public init(encoded bytes: [UInt8]) throws(RaftError) {
        let document: DynamicValue
        do throws(JSONError) {
            document = try JSON.parseDocument(bytes)
        } catch {
            throw .snapshot(error.documentText)
        }
        func number(_ name: String) throws(RaftError) -> UInt64 {
            switch document[name] {
            case .int(let value)? where value >= 0: return UInt64(value)
            case .uint(let value)?: return value
            case .double(let value)?:
                guard let whole = UInt64(exactly: value) else { throw .snapshot("\(name) is not a number of the right size") }
                return whole
            case nil, .null?: return 0
            default: throw .snapshot("\(name) is not a number of the right size")
            }
        }
        func text(_ name: String) -> String {
            if case .string(let value)? = document[name] { value } else { "" }
        }
        let version = try number("Version")
        guard version <= 1 else { throw .snapshot("unsupported snapshot version \(version)") }
        let crc = (try? Base64.decode(text("CRC"))) ?? []
        let peers = (try? Base64.decode(text("Peers"))) ?? []
        let configuration: RaftConfiguration
        if version == 0 {
            configuration = (try? RaftConfiguration(encodedPeers: peers)) ?? RaftConfiguration()
        } else {
            configuration = try Self.configuration(document["Configuration"])
        }
        guard let size = Int(exactly: try number("Size")) else { throw .snapshot("Size is not a number of the right size") }
        self.init(
            id: text("ID"), index: try number("Index"), term: try number("Term"), configuration: configuration,
            configurationIndex: try number("ConfigurationIndex"), size: size,
            checksum: crc.reduce(0) { $0 << 8 | UInt64($1) })
        guard index <= RaftLimits.indexMax, configurationIndex <= RaftLimits.indexMax else {
            throw .snapshot(RaftLimits.beyond("index", max(index, configurationIndex)))
        }
        guard term <= RaftLimits.termMax else { throw .snapshot(RaftLimits.beyond("term", term)) }
        isRestored = document["Restored"] == .bool(true)
    }

    private static func configuration(_ value: DynamicValue?) throws(RaftError) -> RaftConfiguration {
        guard case .array(let elements)? = value?["Servers"] else { return RaftConfiguration() }
        var servers: [RaftServer] = []
        for element in elements {
            guard case .string(let id)? = element["ID"], case .string(let address)? = element["Address"] else {
                throw .snapshot("a server of the configuration has no ID or no Address")
            }
            var suffrage = Suffrage.voter
            if let number = element["Suffrage"] {
                switch number {
                case .int(0), .double(0): suffrage = .voter
                case .int(1), .double(1): suffrage = .nonvoter
                case .int(2), .double(2): suffrage = .staging
                default: throw .snapshot("a server of the configuration has an unknown suffrage")
                }
            }
            servers.append(RaftServer(suffrage: suffrage, id: id, address: address))
        }
        return RaftConfiguration(servers: servers)
    }
}

/// The disk operations around a snapshot.
enum SnapshotStorage {
    /// `<term>-<index>-<milliseconds>`, with the next free number of milliseconds.
    static func name(term: UInt64, index: UInt64, milliseconds: Int64, taken: [SnapshotMeta]) -> String {
        var number = max(0, milliseconds)
        while true {
            let name = "\(term)-\(index)-\(number)"
            if !taken.contains(where: { $0.id == name }) { return name }
            number += 1
        }
    }

    /// Makes state and description durable, everything but the name that counts.
    static func seal(_ meta: SnapshotMeta) -> [DiskOperation] {
        [
            .sync(file: planted(.snapshotWithoutSync) ? meta.temporaryMetaFile : meta.stateFile),
            .write(file: meta.temporaryMetaFile, offset: 0, bytes: meta.encoded()),
            .sync(file: meta.temporaryMetaFile),
            .syncDirectory(meta.folder), .syncDirectory(SnapshotMeta.root), .syncDirectory("raft"), .syncDirectory(""),
        ]
    }

    /// Makes it a snapshot.
    static func publish(_ meta: SnapshotMeta) -> [DiskOperation] {
        [.rename(from: meta.temporaryMetaFile, to: meta.metaFile)] + (planted(.snapshotNameNotSynced) ? [] : [.syncDirectory(meta.folder)])
    }

    /// Removes a snapshot: first what makes it one.
    static func remove(_ meta: SnapshotMeta) -> [DiskOperation] {
        [.remove(file: meta.metaFile), .syncDirectory(meta.folder), .remove(file: meta.stateFile)]
    }
}

/// Reads the state of a snapshot piece by piece, and knows at the end whether it was whole.
public struct SnapshotReader {
    public let meta: SnapshotMeta
    private var offset = 0
    private var checksum = CRC64()

    public init(_ meta: SnapshotMeta) { self.meta = meta }

    /// The next piece of `state.bin`; nil at its end. Throws at a disk's error, and at the end if size or checksum do not match.
    public mutating func next(from disk: some Disk, count: Int = 1 << 20) throws(RecoveryError) -> [UInt8]? {
        let bytes: [UInt8]
        do throws(DiskError) {
            bytes = try disk.read(meta.stateFile, offset: offset, count: count)
        } catch {
            throw RecoveryError(error)
        }
        if bytes.isEmpty {
            guard offset == meta.size else { throw damage("the file has \(offset) bytes instead of \(meta.size)") }
            guard checksum.value == meta.checksum || planted(.snapshotChecksumIgnored) else { throw damage("CRC mismatch") }
            return nil
        }
        checksum.update(bytes)
        offset += bytes.count
        return bytes
    }

    private func damage(_ what: String) -> RecoveryError {
        RecoveryError(file: meta.stateFile, offset: offset, what: what, remedy: "remove the folder \(meta.folder)")
    }
}
