/// What a user event of the LAN pool means to Consul (gossip §15.6, §15.7).
public enum ConsulEvent: Hashable, Sendable {
    /// A server has become leader: its node name.
    case newLeader(String)
    /// What somebody fired, not yet filtered.
    case user(UserEventPayload)
    /// It bears Consul's prefix, but nothing is known of it.
    case unknown(String)
    /// A fired event that cannot be read, with the reason.
    case malformed(String)

    static let prefix = "consul:"
    static let userPrefix = "consul:event:"
    /// The name of the event that a new leader fires; the payload is its node name.
    public static let newLeaderName = "consul:new-leader"

    /// The user event that asks for a command to be run.
    public static let remoteExecName = "_rexec"

    /// The name under which a user's event goes through Serf.
    public static func serfName(_ name: String) -> String { userPrefix + name }

    /// nil for events of others, which are passed over.
    public init?(name: String, payload: [UInt8]) {
        guard name.utf8.starts(with: Self.prefix.utf8) else { return nil }
        if name == Self.newLeaderName {
            self = .newLeader(String(repairing: payload))
        } else if name.utf8.starts(with: Self.userPrefix.utf8) {
            do throws(MessagePackError) {
                self = .user(try UserEventPayload(decoding: payload))
            } catch {
                self = .malformed(error.text)
            }
        } else {
            self = .unknown(name)
        }
    }
}

/// A user's event as it travels in a Serf event (gossip §15.6).
public struct UserEventPayload: Hashable, Sendable {
    /// A UUID.
    public var id = ""
    /// Without Consul's prefix.
    public var name = ""
    public var payload: [UInt8] = []
    /// Regular expressions; empty ones let everything pass.
    public var nodeFilter = ""
    public var serviceFilter = ""
    public var tagFilter = ""
    /// Of the format.
    public var version: Int64 = 1

    public init(id: String, name: String, payload: [UInt8] = []) {
        self.id = id
        self.name = name
        self.payload = payload
    }

    init(decoding bytes: [UInt8]) throws(MessagePackError) {
        version = 0
        var reader = MessagePackReader(bytes)
        var fields = try GossipFields(&reader, order: ["ID", "n", "p", "nf", "sf", "tf", "v"])
        while let key = try fields.next(&reader) {
            switch key {
            case "ID": id = try reader.string()
            case "n": name = try reader.string()
            case "p": payload = try reader.bytes()
            case "nf": nodeFilter = try reader.string()
            case "sf": serviceFilter = try reader.string()
            case "tf": tagFilter = try reader.string()
            case "v": version = try reader.int64()
            default: try reader.skip()
            }
        }
    }

    /// In the newer MessagePack, with `str8` and `bin`, unlike everything else in gossip.
    public var encoded: [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: 96 + payload.count)
        writer.mapHeader(3 + [payload.isEmpty, nodeFilter.isEmpty, serviceFilter.isEmpty, tagFilter.isEmpty].count { !$0 })
        writer.modernField("ID", id)
        writer.modernField("n", name)
        if !nodeFilter.isEmpty { writer.modernField("nf", nodeFilter) }
        if !payload.isEmpty {
            writer.key("p")
            writer.modernBytes(payload)
        }
        if !serviceFilter.isEmpty { writer.modernField("sf", serviceFilter) }
        if !tagFilter.isEmpty { writer.modernField("tf", tagFilter) }
        writer.key("v")
        writer.int(version)
        return writer.bytes
    }
}

extension MessagePackWriter {
    fileprivate mutating func modernField(_ name: StaticString, _ text: String) {
        key(name)
        let count = text.utf8.count
        if count < 32 || count > 0xFF { return string(text) }
        bytes.append(0xD9)
        bytes.append(UInt8(count))
        bytes.append(text: text)
    }

    fileprivate mutating func modernBytes(_ value: [UInt8]) {
        if value.count <= 0xFF {
            bytes.append(0xC4)
            bytes.append(UInt8(value.count))
        } else if value.count <= 0xFFFF {
            bytes.append(0xC5)
            bytes.append(bigEndian: UInt16(value.count))
        } else {
            bytes.append(0xC6)
            bytes.append(bigEndian: UInt32(truncatingIfNeeded: value.count))
        }
        bytes.append(contentsOf: value)
    }
}
