// Operations as calls of the server port. Spec: rpc-raft-wire §3, §4.4, §4.8.

extension ServerOperation {
    enum Method: String, CallMethod {
        case ping = "Status.Ping"
        case leader = "Status.Leader"
        case peers = "Status.Peers"
        case raftStatistics = "Status.RaftStats"
        case datacenters = "Catalog.ListDatacenters"
        case datacenterCoordinates = "Coordinate.ListDatacenters"
        case updateCoordinate = "Coordinate.Update"
        case keyring = "Internal.KeyringOperation"
        case fireEvent = "Internal.EventFire"
        case raftConfiguration = "Operator.RaftGetConfiguration"
        case removePeerByID = "Operator.RaftRemovePeerByID"
        case removePeerByAddress = "Operator.RaftRemovePeerByAddress"
        case serverHealth = "Operator.ServerHealth"
    }

    /// nil for what has no method.
    var method: Method? {
        switch self {
        case .ping: .ping
        case .leader: .leader
        case .peers: .peers
        case .raftStatistics: .raftStatistics
        case .datacenters: .datacenters
        case .datacenterCoordinates: .datacenterCoordinates
        case .keyring: .keyring
        case .fireEvent: .fireEvent
        case .raftConfiguration: .raftConfiguration
        case .removeRaftPeer(.id): .removePeerByID
        case .removeRaftPeer(.address): .removePeerByAddress
        case .serverHealth: .serverHealth
        case .updateCoordinate: .updateCoordinate
        case .transferLeadership, .restore, .saveSnapshot, .restoreSnapshot: nil
        }
    }

    /// The body of the request.
    func encodeRequest(_ options: QueryOptions) -> [UInt8] {
        switch self {
        case .ping, .raftStatistics, .datacenterCoordinates, .transferLeadership, .restore, .saveSnapshot, .restoreSnapshot: return [0x80]
        case .leader, .peers, .raftConfiguration, .serverHealth: return options.encodeDatacenter()
        case .removeRaftPeer, .updateCoordinate: return encodeWrite(options)
        case .datacenters:
            var writer = QueryWriter(options, fields: 0)
            return writer.finish()
        case .fireEvent(let name, let payload):
            var writer = QueryWriter(options, fields: 3)
            writer.datacenter()
            writer.field("Name", name)
            writer.field("Payload", payload)
            return writer.finish()
        case .keyring(let request):
            var writer = QueryWriter(options, fields: 6)
            writer.datacenter()
            writer.field("Forwarded", request.forwarded)
            writer.field("Key", request.key)
            writer.field("LocalOnly", request.localOnly)
            writer.field("Operation", request.operation.rawValue)
            writer.field("RelayFactor", Int(request.relayFactor))
            return writer.finish()
        }
    }

    private func encodeWrite(_ options: QueryOptions) -> [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: 256)
        switch self {
        case .removeRaftPeer(let peer):
            var id = "", address = ""
            switch peer {
            case .id(let text): id = text
            case .address(let text): address = text
            }
            writer.mapHeader(4)
            writer.field("Address", address)
            writer.field("Datacenter", options.datacenter)
            writer.field("ID", id)
        case .updateCoordinate(let update):
            writer.mapHeader(5)
            writer.field("Coord", update.coordinate)
            writer.field("Datacenter", options.datacenter)
            writer.field("Node", update.node)
            writer.field("Segment", update.segment)
        default: preconditionFailure("only these two are encoded as writes")
        }
        writer.field("Token", options.token)
        return writer.bytes
    }

    /// nil for a method that is no operation.
    static func decodeRequest(
        method: String, body: ArraySlice<UInt8>
    ) throws(MessagePackError) -> (operation: ServerOperation, options: QueryOptions)? {
        guard let method = Method(rawValue: method) else { return nil }
        var reader = MessagePackReader(body, elementsMax: MessagePackReader.requestElementsMax)
        let fields = try OperationFields(from: &reader)
        let operation: ServerOperation =
            switch method {
            case .ping: .ping
            case .leader: .leader
            case .peers: .peers
            case .raftStatistics: .raftStatistics
            case .datacenters: .datacenters
            case .datacenterCoordinates: .datacenterCoordinates
            case .updateCoordinate: .updateCoordinate(fields.coordinate)
            case .fireEvent: .fireEvent(name: fields.name, payload: fields.payload)
            case .raftConfiguration: .raftConfiguration
            case .removePeerByID: .removeRaftPeer(.id(fields.id))
            case .removePeerByAddress: .removeRaftPeer(.address(fields.address))
            case .serverHealth: .serverHealth
            case .keyring: .keyring(try fields.keyringRequest)
            }
        return (operation, fields.options)
    }

    // MARK: Answers

    /// The body of the answer.
    func encodeReply(_ result: ServerOperationResult, _ meta: QueryMeta) -> [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: 256)
        switch result {
        case .done:
            if case .fireEvent = self { return meta.encoded }
            writer.mapHeader(0)
        case .text(let text): writer.string(text)
        case .texts(let texts): writer.strings(texts)
        case .raftStatistics(let statistics): statistics.encode(into: &writer)
        case .raftConfiguration(let servers):
            writer.mapHeader(2)
            writer.field("Index", 0)
            writer.field("Servers", servers)
        case .health(let health): health.encode(into: &writer)
        case .datacenterCoordinates(let maps):
            writer.arrayHeader(maps.count)
            for map in maps { map.encode(into: &writer) }
        case .keyring(let responses):
            writer.mapHeader(5)
            meta.encodeFields(into: &writer)
            writer.field("Responses", responses)
        case .snapshot(let archive, let meta): return SnapshotResponse(meta: meta).encoded + archive
        }
        return writer.bytes
    }

    /// What the body of an answer says.
    func decodeReply(_ body: ArraySlice<UInt8>) throws(MessagePackError) -> ServerOperationResult {
        var reader = MessagePackReader(body)
        switch self {
        case .ping, .fireEvent, .removeRaftPeer, .updateCoordinate, .transferLeadership, .restore, .restoreSnapshot: return .done
        case .saveSnapshot:
            let response = try SnapshotResponse(from: &reader)
            return .snapshot(Array(reader.rest), response.meta)
        case .leader: return .text(try reader.string())
        case .peers, .datacenters: return .texts(try reader.strings() ?? [])
        case .raftStatistics: return .raftStatistics(try RaftStatistics(from: &reader))
        case .datacenterCoordinates: return .datacenterCoordinates(try DatacenterCoordinates.array(from: &reader) ?? [])
        case .serverHealth: return .health(try ClusterHealth(from: &reader))
        case .raftConfiguration:
            return .raftConfiguration(
                try Self.member("Servers", of: &reader) { (reader) throws(MessagePackError) in
                    try RaftServerDescription.array(from: &reader) ?? []
                } ?? [])
        case .keyring:
            return .keyring(
                try Self.member("Responses", of: &reader) { (reader) throws(MessagePackError) in
                    try KeyringResponse.array(from: &reader) ?? []
                } ?? [])
        }
    }

    private static func member<Value>(
        _ name: StaticString, of reader: inout MessagePackReader,
        _ read: (inout MessagePackReader) throws(MessagePackError) -> Value
    ) throws(MessagePackError) -> Value? {
        var value: Value?
        var left = try reader.structHeader()
        while let key = try reader.nextKey(&left) {
            if key == name { value = try read(&reader) } else { try reader.skip() }
        }
        return value
    }
}

/// The union of the fields of these requests.
private struct OperationFields: WireFields {
    var options = QueryOptions()
    var id = "", address = "", name = "", keyringOperation = ""
    var payload: [UInt8] = []
    var coordinate = NodeCoordinate()
    var keyring = KeyringRequest()

    var keyringRequest: KeyringRequest {
        get throws(MessagePackError) {
            guard let operation = KeyringRequest.Operation(rawValue: keyringOperation) else { throw .invalid("unknown keyring operation") }
            var request = keyring
            request.operation = operation
            return request
        }
    }

    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Datacenter": options.datacenter = try reader.string()
        case "Token": options.token = try reader.string()
        case "AllowStale": options.allowStale = try reader.bool()
        case "ID": id = try reader.string()
        case "Address": address = try reader.string()
        case "Name": name = try reader.string()
        case "Payload": payload = try reader.bytes()
        case "Coord": coordinate.coordinate = try Coordinate.optional(from: &reader)
        case "Node": coordinate.node = try reader.string()
        case "Segment": coordinate.segment = try reader.string()
        case "Operation": keyringOperation = try reader.string()
        case "Key": keyring.key = try reader.string()
        case "RelayFactor": keyring.relayFactor = UInt8(clamping: try reader.uint64())
        case "LocalOnly": keyring.localOnly = try reader.bool()
        case "Forwarded": keyring.forwarded = try reader.bool()
        default: return false
        }
        return true
    }
}
