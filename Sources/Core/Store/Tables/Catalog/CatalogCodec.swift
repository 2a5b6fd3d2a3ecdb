// Rows of the catalog on the wire. Spec: rpc-raft-wire §4.2.

extension Node: WireStruct {
    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Address": address = try reader.string()
        case "CreateIndex": index.create = try reader.uint64()
        case "Datacenter": datacenter = try reader.string()
        case "ID": id = try reader.string()
        case "Meta": meta = try reader.stringMap()
        case "ModifyIndex": index.modify = try reader.uint64()
        case "Node": node = try reader.string()
        case "TaggedAddresses": taggedAddresses = try reader.stringMap()
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(8)
        writer.field("Address", address)
        writer.field("CreateIndex", index.create)
        writer.field("Datacenter", datacenter)
        writer.field("ID", id)
        writer.field("Meta", meta)
        writer.field("ModifyIndex", index.modify)
        writer.field("Node", node)
        writer.field("TaggedAddresses", taggedAddresses)
    }
}

extension NodeService: WireStruct {
    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Address": address = try reader.string()
        case "Connect": connect = try ServiceConnect(from: &reader)
        case "CreateIndex": index.create = try reader.uint64()
        case "EnableTagOverride": enableTagOverride = try reader.bool()
        case "ID": id = try reader.string()
        case "Kind": kind = try reader.string()
        case "LocallyRegisteredAsSidecar": locallyRegisteredAsSidecar = try reader.bool()
        case "Meta": meta = try reader.stringMap()
        case "ModifyIndex": index.modify = try reader.uint64()
        case "Port": port = try reader.int()
        case "Proxy": proxy = try ConnectProxyConfig(from: &reader)
        case "Service": service = try reader.string()
        case "TaggedAddresses": taggedAddresses = try reader.serviceAddresses()
        case "Tags": tags = try reader.strings()
        case "Weights":
            weights = try Weights.optional(from: &reader)
            if planted(.weightsNotDecoded) { weights = nil }
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(15)
        writer.field("Address", address)
        writer.field("Connect", connect)
        writer.field("CreateIndex", index.create)
        writer.field("EnableTagOverride", enableTagOverride)
        writer.field("ID", id)
        writer.field("Kind", kind)
        writer.field("LocallyRegisteredAsSidecar", locallyRegisteredAsSidecar)
        writer.field("Meta", meta)
        writer.field("ModifyIndex", index.modify)
        writer.field("Port", port)
        writer.field("Proxy", proxy)
        writer.field("Service", service)
        writer.field("TaggedAddresses", taggedAddresses)
        writer.field("Tags", tags)
        writer.field("Weights", weights)
    }
}

extension MessagePackReader {
    /// nil for nil.
    mutating func serviceAddresses() throws(MessagePackError) -> SortedMap<String, ServiceAddress>? {
        guard let count = try mapHeader() else { return nil }
        var map = SortedMap<String, ServiceAddress>()
        for _ in 0..<count {
            let name = try string()
            map[name] = try ServiceAddress(from: &self)
        }
        return map
    }

    /// A member of any shape; nil for nil.
    mutating func dynamicOrNil() throws(MessagePackError) -> DynamicValue? { readNull() ? nil : try dynamic() }
}

extension MessagePackWriter {
    mutating func field(_ name: StaticString, _ map: SortedMap<String, ServiceAddress>?) {
        key(name)
        guard let map else { return null() }
        mapHeader(map.count)
        for (name, address) in map {
            string(name)
            address.encode(into: &self)
        }
    }

    /// The rows of an answer: nil when there are none, as in the reference.
    mutating func field(_ name: StaticString, rows: [Row<some WireEncodable & Sendable>]) {
        key(name)
        if rows.isEmpty { return null() }
        arrayHeader(rows.count)
        for row in rows { row.value.encode(into: &self) }
    }
}

extension ServiceAddress: WireStruct {
    init() { self.init(address: "", port: 0) }

    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Address": address = try reader.string()
        case "Port": port = try reader.int()
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(2)
        writer.field("Address", address)
        writer.field("Port", port)
    }
}

extension Weights: WireDecodable, WireEncodable {
    init(from reader: inout MessagePackReader) throws(MessagePackError) {
        self.init(passing: 0, warning: 0)
        var left = try reader.structHeader()
        while let key = try reader.nextKey(&left) {
            switch key {
            case "Passing": passing = try reader.int()
            case "Warning": warning = try reader.int()
            default: try reader.skip()
            }
        }
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(2)
        writer.field("Passing", passing)
        writer.field("Warning", warning)
    }
}

extension HealthCheck: WireStruct {
    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "CheckID": checkID = try reader.string()
        case "CreateIndex": index.create = try reader.uint64()
        case "Definition": definition = try HealthCheckDefinition(from: &reader)
        case "ModifyIndex": index.modify = try reader.uint64()
        case "Name": name = try reader.string()
        case "Node": node = try reader.string()
        case "Notes": notes = try reader.string()
        case "Output": output = try reader.string()
        case "ServiceID": serviceID = try reader.string()
        case "ServiceName": serviceName = try reader.string()
        case "ServiceTags": serviceTags = try reader.strings()
        case "Status": status = try reader.string()
        case "Type": type = try reader.string()
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(13)
        writer.field("CheckID", checkID)
        writer.field("CreateIndex", index.create)
        writer.field("Definition", definition)
        writer.field("ModifyIndex", index.modify)
        writer.field("Name", name)
        writer.field("Node", node)
        writer.field("Notes", notes)
        writer.field("Output", planted(.outputNotEncoded) ? "" : output)
        writer.field("ServiceID", serviceID)
        writer.field("ServiceName", serviceName)
        writer.field("ServiceTags", serviceTags)
        writer.field("Status", status)
        writer.field("Type", type)
    }
}

extension HealthCheckDefinition: WireStruct {
    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "AliasNode": aliasNode = try reader.string()
        case "AliasService": aliasService = try reader.string()
        case "Body": body = try reader.string()
        case "DeregisterCriticalServiceAfter": deregisterCriticalServiceAfter = try reader.duration()
        case "DockerContainerID": dockerContainerID = try reader.string()
        case "GRPC": grpc = try reader.string()
        case "GRPCUseTLS": grpcUseTLS = try reader.bool()
        case "HTTP": http = try reader.string()
        case "Header": header = try Self.header(from: &reader)
        case "Interval": interval = try reader.duration()
        case "Method": method = try reader.string()
        case "OutputMaxSize": outputMaxSize = try reader.uint64()
        case "ScriptArgs": scriptArgs = try reader.strings()
        case "Shell": shell = try reader.string()
        case "TCP": tcp = try reader.string()
        case "TLSSkipVerify": tlsSkipVerify = try reader.bool()
        case "TTL": ttl = try reader.duration()
        case "Timeout": timeout = try reader.duration()
        default: return false
        }
        return true
    }

    private static func header(from reader: inout MessagePackReader) throws(MessagePackError) -> SortedMap<String, [String]>? {
        guard let count = try reader.mapHeader() else { return nil }
        var map = SortedMap<String, [String]>()
        for _ in 0..<count {
            let name = try reader.string()
            map[name] = try reader.strings() ?? []
        }
        return map
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(18)
        writer.field("AliasNode", aliasNode)
        writer.field("AliasService", aliasService)
        writer.field("Body", body)
        writer.field("DeregisterCriticalServiceAfter", deregisterCriticalServiceAfter)
        writer.field("DockerContainerID", dockerContainerID)
        writer.field("GRPC", grpc)
        writer.field("GRPCUseTLS", grpcUseTLS)
        writer.field("HTTP", http)
        writer.key("Header")
        encodeHeader(into: &writer)
        writer.field("Interval", interval)
        writer.field("Method", method)
        writer.field("OutputMaxSize", outputMaxSize)
        writer.field("ScriptArgs", scriptArgs)
        writer.field("Shell", shell)
        writer.field("TCP", tcp)
        writer.field("TLSSkipVerify", tlsSkipVerify)
        writer.field("TTL", ttl)
        writer.field("Timeout", timeout)
    }

    private func encodeHeader(into writer: inout MessagePackWriter) {
        guard let header else { return writer.null() }
        writer.mapHeader(header.count)
        for (name, values) in header {
            writer.string(name)
            writer.strings(values)
        }
    }
}
