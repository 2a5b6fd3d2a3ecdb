/// Whether a server votes. The numbers are those of the wire.
public enum Suffrage: Int, Hashable, Sendable {
    case voter = 0
    /// Receives the log, neither votes nor counts.
    case nonvoter = 1
    /// Never produced by the reference; treated as a non-voter.
    case staging = 2

    /// As `meta.json` and the HTTP API spell it.
    public var name: String {
        switch self {
        case .voter: "Voter"
        case .nonvoter: "Nonvoter"
        case .staging: "Staging"
        }
    }
}

/// One server of the cluster: with Raft protocol 3 `id` is its node id, before that its address.
public struct RaftServer: Hashable, Sendable {
    public var suffrage: Suffrage
    public var id: String
    public var address: Address

    public init(suffrage: Suffrage = .voter, id: String, address: Address) {
        self.suffrage = suffrage
        self.id = id
        self.address = address
    }
}

/// A change of one server, as Raft §4.1 of the dissertation demands: any two majorities around it overlap.
public enum MembershipChange: Hashable, Sendable {
    /// Adds a voter, or makes a voter of the non-voter of that id; updates the address.
    case addVoter(id: String, address: Address)
    /// Adds a non-voter; a voter of that id stays one, but gets the address.
    case addNonvoter(id: String, address: Address)
    case demoteVoter(id: String)
    case removeServer(id: String)
    /// Removes the server of that address, whatever its id (Raft protocol 2).
    case removeAddress(Address)
}

/// The servers of the cluster: the whole set, as every configuration entry carries it (rpc-raft-wire §6).
public struct RaftConfiguration: Hashable, Sendable {
    /// In the order in which they were added.
    public var servers: [RaftServer]

    public init(servers: [RaftServer] = []) { self.servers = servers }

    public var isEmpty: Bool { servers.isEmpty }
    public var voters: [RaftServer] { servers.filter { $0.suffrage == .voter } }
    public var voterCount: Int { servers.count { $0.suffrage == .voter } }
    /// How many voters make a majority.
    public var quorum: Int { planted(.halfIsMajority) ? (voterCount + 1) / 2 : voterCount / 2 + 1 }

    public subscript(id: String) -> RaftServer? { servers.first { $0.id == id } }

    public func isVoter(_ id: String) -> Bool { servers.contains { $0.id == id && $0.suffrage == .voter } }

    /// Whether `id` is the only voter, so that it decides alone.
    public func isSoleVoter(_ id: String) -> Bool { voterCount == 1 && isVoter(id) }

    /// The configuration after `change`, or the reference's text for why it is none.
    public func applying(_ change: MembershipChange) throws(RaftError) -> RaftConfiguration {
        var next = self
        switch change {
        case .addVoter(let id, let address):
            next.set(RaftServer(suffrage: .voter, id: id, address: address))
        case .addNonvoter(let id, let address):
            let suffrage: Suffrage = isVoter(id) ? .voter : .nonvoter
            next.set(RaftServer(suffrage: suffrage, id: id, address: address))
        case .demoteVoter(let id):
            if let at = servers.firstIndex(where: { $0.id == id }) { next.servers[at].suffrage = .nonvoter }
        case .removeServer(let id):
            next.servers.removeAll { $0.id == id }
        case .removeAddress(let address):
            next.servers.removeAll { $0.address == address }
        }
        try next.validate()
        return next
    }

    private mutating func set(_ server: RaftServer) {
        if let at = servers.firstIndex(where: { $0.id == server.id }) {
            servers[at] = server
        } else {
            servers.append(server)
        }
    }

    /// Spec: rpc-raft-wire §6.
    public func validate() throws(RaftError) {
        var ids = LookupSet<String>()
        var addresses = LookupSet<String>()
        for server in servers {
            if server.id.isEmpty { throw .configuration("Empty ID in configuration: \(self)") }
            if server.address.isEmpty { throw .configuration("Empty address in configuration: \(self)") }
            if !ids.insert(server.id) { throw .configuration("Found duplicate ID in configuration: \(server.id)") }
            if !addresses.insert(server.address) {
                throw .configuration("Found duplicate address in configuration: \(server.address)")
            }
        }
        if voterCount == 0 { throw .configuration("Need at least one voter in configuration: \(self)") }
    }
}

extension RaftConfiguration: CustomStringConvertible {
    /// As Go prints the struct, since it is part of error texts.
    public var description: String {
        let list = servers.map { "{\($0.suffrage.name) \($0.id) \($0.address)}" }
        return "{[\(list.joined(separator: " "))]}"
    }
}

// MARK: Encodings

extension RaftConfiguration {
    /// The data of a configuration entry: a map of `Servers`.
    public var encoded: [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: 16 + servers.count * 96)
        writer.mapHeader(1)
        writer.key("Servers")
        writer.arrayHeader(servers.count)
        for server in servers {
            writer.mapHeader(3)
            writer.field("Address", server.address)
            writer.field("ID", server.id)
            writer.field("Suffrage", server.suffrage.rawValue)
        }
        return writer.bytes
    }

    public init(encoded bytes: [UInt8]) throws(MessagePackError) {
        var reader = MessagePackReader(bytes)
        var servers: [RaftServer] = []
        var left = try reader.structHeader()
        while let key = try reader.nextKey(&left) {
            switch key {
            case "Servers": servers = try reader.array { reader throws(MessagePackError) in try RaftServer(&reader) } ?? []
            default: try reader.skip()
            }
        }
        self.init(servers: servers)
    }

    /// The voters' addresses as an array of raws: what `Peers` of InstallSnapshot and `meta.json` hold.
    public var encodedPeers: [UInt8] {
        let voters = self.voters
        var writer = MessagePackWriter(reservingCapacity: 8 + voters.count * 24)
        writer.arrayHeader(voters.count)
        for voter in voters { writer.string(voter.address) }
        return writer.bytes
    }

    /// From the deprecated form, in which an address is its server's id too.
    public init(encodedPeers bytes: [UInt8]) throws(MessagePackError) {
        var reader = MessagePackReader(bytes)
        let addresses = try reader.strings() ?? []
        self.init(servers: addresses.map { RaftServer(id: $0, address: $0) })
    }

    /// The configuration that an entry of the log sets; nil if it sets none.
    public init?(entry: borrowing LogEntry) throws(MessagePackError) {
        switch entry.kind {
        case .configuration: try self.init(encoded: entry.data)
        case .addPeer, .removePeer: try self.init(encodedPeers: entry.data)
        case .command, .noop, .barrier: return nil
        }
    }
}

extension RaftServer {
    fileprivate init(_ reader: inout MessagePackReader) throws(MessagePackError) {
        self.init(id: "", address: "")
        var left = try reader.structHeader()
        while let key = try reader.nextKey(&left) {
            switch key {
            case "Address": address = try reader.string()
            case "ID": id = try reader.string()
            case "Suffrage":
                // Only voters vote, whatever else there may be.
                suffrage = Suffrage(rawValue: try reader.int()) ?? .staging
            default: try reader.skip()
            }
        }
    }
}

// MARK: peers.json

extension RaftConfiguration {
    /// Reads `peers.json` (rpc-raft-wire §9): objects with `id`, `address` and `non_voter` for Raft protocol 3, else plain addresses.
    /// The error's text follows `recovery failed to parse peers.json: `.
    public init(peersJSON bytes: [UInt8]) throws(RaftError) {
        let document: DynamicValue
        do throws(JSONError) {
            document = try JSON.parseDocument(bytes)
        } catch {
            throw .configuration(error.documentText)
        }
        guard case .array(let elements) = document else { throw .configuration("expected a list of servers") }
        var servers: [RaftServer] = []
        for element in elements {
            switch element {
            case .string(let address):
                servers.append(RaftServer(id: address, address: address))
            case .map:
                guard case .string(let id)? = element["id"], case .string(let address)? = element["address"] else {
                    throw .configuration("every server needs an id and an address")
                }
                servers.append(RaftServer(suffrage: element["non_voter"] == .bool(true) ? .nonvoter : .voter, id: id, address: address))
            default:
                throw .configuration("a server is neither an address nor an object")
            }
        }
        self.init(servers: servers)
        try validate()
    }
}
