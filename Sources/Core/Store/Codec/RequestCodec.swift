// Requests to write, as RPC bodies and, behind a type byte, as log commands. Spec: rpc-raft-wire §4, §7.

extension RegisterRequest: WireStruct {
    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Address": address = try reader.string()
        case "Check": check = try HealthCheck.optional(from: &reader)
        case "Checks": checks = try HealthCheck.array(from: &reader)
        case "CreateIndex": index.create = try reader.uint64()
        case "Datacenter": datacenter = try reader.string()
        case "ID": id = try reader.string()
        case "ModifyIndex": index.modify = try reader.uint64()
        case "Node": node = try reader.string()
        case "NodeMeta": nodeMeta = try reader.stringMap()
        case "Service": service = try NodeService.optional(from: &reader)
        case "SkipNodeUpdate": skipNodeUpdate = try reader.bool()
        case "TaggedAddresses": taggedAddresses = try reader.stringMap()
        case "Token": token = try reader.string()
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(13)
        writer.field("Address", address)
        writer.field("Check", check)
        writer.field("Checks", checks)
        writer.field("CreateIndex", index.create)
        writer.field("Datacenter", datacenter)
        writer.field("ID", id)
        writer.field("ModifyIndex", index.modify)
        writer.field("Node", node)
        writer.field("NodeMeta", nodeMeta)
        writer.field("Service", service)
        writer.field("SkipNodeUpdate", skipNodeUpdate)
        writer.field("TaggedAddresses", taggedAddresses)
        writer.field("Token", token)
    }
}

extension DeregisterRequest: WireStruct {
    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "CheckID": checkID = try reader.string()
        case "Datacenter": datacenter = try reader.string()
        case "Node": node = try reader.string()
        case "ServiceID": serviceID = try reader.string()
        case "Token": token = try reader.string()
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(5)
        writer.field("CheckID", checkID)
        writer.field("Datacenter", datacenter)
        writer.field("Node", node)
        writer.field("ServiceID", serviceID)
        writer.field("Token", token)
    }
}

extension KVSRequest: WireStruct {
    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Datacenter": datacenter = try reader.string()
        case "DirEnt": dirEnt = try DirEntry(from: &reader)
        case "Op": op = try reader.string()
        case "Token": token = try reader.string()
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(4)
        writer.field("Datacenter", datacenter)
        writer.field("DirEnt", dirEnt)
        writer.field("Op", op)
        writer.field("Token", token)
    }
}

extension SessionRequest: WireStruct {
    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Datacenter": datacenter = try reader.string()
        case "Op": op = try reader.string()
        case "Session": session = try Session(from: &reader)
        case "Token": token = try reader.string()
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(4)
        writer.field("Datacenter", datacenter)
        writer.field("Op", op)
        writer.field("Session", session)
        writer.field("Token", token)
    }
}

extension TombstoneRequest: WireStruct {
    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Datacenter": datacenter = try reader.string()
        case "Op": op = try reader.string()
        case "ReapIndex": reapIndex = try reader.uint64()
        case "Token": token = try reader.string()
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(4)
        writer.field("Datacenter", datacenter)
        writer.field("Op", op)
        writer.field("ReapIndex", reapIndex)
        writer.field("Token", token)
    }
}

extension TxnRequest: WireStruct {
    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Datacenter": datacenter = try reader.string()
        case "Ops": ops = try TxnOp.array(from: &reader) ?? []
        case "Token": token = try reader.string()
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(3)
        writer.field("Datacenter", datacenter)
        writer.field("Ops", ops.isEmpty ? nil : ops)
        writer.field("Token", token)
    }
}

extension WriteRequest {
    /// The type byte and the body that stand in the log.
    public var logCommand: [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: 512)
        writer.bytes.append(commandType)
        encodeBody(into: &writer)
        return writer.bytes
    }

    /// The type byte of the log command.
    public var commandType: UInt8 {
        switch self {
        case .register: 0
        case .deregister: 1
        case .kv: 2
        case .session: 3
        case .tombstone: 5
        // The highest bit lets servers ignore it that do not know the command.
        case .coordinates: 6 | 0x80
        case .txn: 8
        case .autopilot: 9
        }
    }

    func encodeBody(into writer: inout MessagePackWriter) {
        switch self {
        case .register(let request): request.encode(into: &writer)
        case .deregister(let request): request.encode(into: &writer)
        case .kv(let request): request.encode(into: &writer)
        case .session(let request): request.encode(into: &writer)
        case .txn(let request): request.encode(into: &writer)
        case .tombstone(let request): request.encode(into: &writer)
        case .coordinates(let updates):
            writer.arrayHeader(updates.count)
            for update in updates { update.encode(into: &writer) }
        case .autopilot(let request): request.encode(into: &writer)
        }
    }

    /// The request of a log command; nil when its type is not one of these.
    public init?(logCommand: ArraySlice<UInt8>) throws(MessagePackError) {
        guard let type = logCommand.first else { throw .truncated }
        var reader = MessagePackReader(logCommand.dropFirst())
        switch type & 0x7F {
        case 0: self = .register(try RegisterRequest(from: &reader))
        case 1: self = .deregister(try DeregisterRequest(from: &reader))
        case 2: self = .kv(try KVSRequest(from: &reader))
        case 3: self = .session(try SessionRequest(from: &reader))
        case 5: self = .tombstone(try TombstoneRequest(from: &reader))
        case 6: self = .coordinates(try NodeCoordinate.array(from: &reader) ?? [])
        case 8: self = .txn(try TxnRequest(from: &reader))
        case 9: self = .autopilot(try AutopilotRequest(from: &reader))
        default: return nil
        }
    }
}

extension Store {
    /// Applies a committed log command (type byte and body, rpc-raft-wire §7) at the index of its entry.
    ///
    /// A command that cannot be decoded changes nothing and is answered with an error; so is one of an unknown type, unless its highest bit
    /// says that it may be ignored.
    public mutating func apply(_ command: ArraySlice<UInt8>, index: UInt64, changes: inout ChangeSet) -> ApplyResult {
        do {
            if let request = try WriteRequest(logCommand: command) { return apply(request, index: index, changes: &changes) }
        } catch {
            return .error(Self.refusal(error).text)
        }
        let type = command.first!
        let before = self, mark = changes.mark
        do {
            if let result = try applyOpaque(type & 0x7F, command.dropFirst(), index, &changes) { return result }
            return type & 0x80 != 0 ? .none : .error("unknown log command type \(type)")
        } catch {
            self = before
            changes.rollBack(to: mark)
            return .error(Self.refusal(error).text)
        }
    }

    public mutating func apply(_ command: [UInt8], index: UInt64, changes: inout ChangeSet) -> ApplyResult {
        apply(command[...], index: index, changes: &changes)
    }
}
