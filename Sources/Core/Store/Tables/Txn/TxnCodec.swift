// Transactions on the wire and in the log. Spec: rpc-raft-wire §4.

extension TxnOp: WireDecodable, WireEncodable {
    init(from reader: inout MessagePackReader) throws(MessagePackError) {
        self = .none
        var left = try reader.structHeader()
        while let key = try reader.nextKey(&left) {
            if reader.readNull() { continue }
            switch key {
            case "Check": try self.init(member: .check, from: &reader)
            case "Intention": self = .intention(try reader.dynamic())
            case "KV": try self.init(member: .kv, from: &reader)
            case "Node": try self.init(member: .node, from: &reader)
            case "Service": try self.init(member: .service, from: &reader)
            case "Session": try self.init(member: .session, from: &reader)
            default: try reader.skip()
            }
        }
    }

    private enum Member { case check, kv, node, service, session }

    private init(member: Member, from reader: inout MessagePackReader) throws(MessagePackError) {
        var verb = "", nodeName = ""
        var entry = DirEntry(), node = Node(), service = NodeService(), check = HealthCheck(), session = Session()
        var left = try reader.structHeader()
        while let key = try reader.nextKey(&left) {
            switch (member, key) {
            case (_, "Verb"): verb = try reader.string()
            case (.kv, "DirEnt"): entry = try DirEntry(from: &reader)
            case (.node, "Node"): node = try Node(from: &reader)
            case (.service, "Node"): nodeName = try reader.string()
            case (.service, "Service"): service = try NodeService(from: &reader)
            case (.check, "Check"): check = try HealthCheck(from: &reader)
            case (.session, "Session"): session = try Session(from: &reader)
            default: try reader.skip()
            }
        }
        self =
            switch member {
            case .check: .check(verb: CatalogVerb(verb), check)
            case .kv: .kv(verb: KVVerb(verb), entry)
            case .node: .node(verb: CatalogVerb(verb), node)
            case .service: .service(verb: CatalogVerb(verb), node: nodeName, service)
            case .session: .session(verb: SessionVerb(verb), session)
            }
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(6)
        writer.key("Check")
        if case .check(let verb, let check) = self { Self.encode("Check", check, verb.text, into: &writer) } else { writer.null() }
        writer.key("Intention")
        if case .intention(let operation) = self { writer.dynamic(operation) } else { writer.null() }
        writer.key("KV")
        if case .kv(let verb, let entry) = self { Self.encode("DirEnt", entry, verb.text, into: &writer) } else { writer.null() }
        writer.key("Node")
        if case .node(let verb, let node) = self { Self.encode("Node", node, verb.text, into: &writer) } else { writer.null() }
        writer.key("Service")
        if case .service(let verb, let node, let service) = self {
            writer.mapHeader(3)
            writer.field("Node", node)
            writer.field("Service", service)
            writer.field("Verb", verb.text)
        } else {
            writer.null()
        }
        writer.key("Session")
        if case .session(let verb, let session) = self { Self.encode("Session", session, verb.text, into: &writer) } else { writer.null() }
    }

    private static func encode(_ name: StaticString, _ value: some WireEncodable, _ verb: String, into writer: inout MessagePackWriter) {
        writer.mapHeader(2)
        writer.field(name, value)
        writer.field("Verb", verb)
    }
}

extension TxnResult: WireDecodable, WireEncodable {
    init(from reader: inout MessagePackReader) throws(MessagePackError) {
        var found: TxnResult?
        var left = try reader.structHeader()
        while let key = try reader.nextKey(&left) {
            if reader.readNull() { continue }
            switch key {
            case "Check": found = .check(try HealthCheck(from: &reader))
            case "KV": found = .kv(try DirEntry(from: &reader))
            case "Node": found = .node(try Node(from: &reader))
            case "Service": found = .service(try NodeService(from: &reader))
            default: try reader.skip()
            }
        }
        guard let found else { throw .invalid("transaction result without content") }
        self = found
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(4)
        writer.key("Check")
        if case .check(let check) = self { check.encode(into: &writer) } else { writer.null() }
        writer.key("KV")
        if case .kv(let entry) = self { entry.encode(into: &writer) } else { writer.null() }
        writer.key("Node")
        if case .node(let node) = self { node.encode(into: &writer) } else { writer.null() }
        writer.key("Service")
        if case .service(let service) = self { service.encode(into: &writer) } else { writer.null() }
    }
}

extension TxnError: WireStruct {
    init() { self.init(opIndex: 0, what: "") }

    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "OpIndex": opIndex = try reader.int()
        case "What": what = try reader.string()
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(2)
        writer.field("OpIndex", opIndex)
        writer.field("What", what)
    }
}

extension TxnResponse: WireStruct {
    init() { self.init(results: []) }

    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Errors": errors = try TxnError.array(from: &reader) ?? []
        case "Results": results = try TxnResult.array(from: &reader) ?? []
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(2)
        encodeErrors(into: &writer)
        encodeResults(into: &writer)
    }

    /// nil when there are none.
    func encodeErrors(into writer: inout MessagePackWriter) { writer.field("Errors", errors.isEmpty ? nil : errors) }
    /// nil when the transaction failed.
    func encodeResults(into writer: inout MessagePackWriter) { writer.field("Results", errors.isEmpty ? results : nil) }
}
