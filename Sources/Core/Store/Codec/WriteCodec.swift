// Writes as RPC requests, and their answers. Spec: rpc-raft-wire §3 "Write-method reply details".

extension WriteRequest {
    enum Method: String, CallMethod {
        case register = "Catalog.Register"
        case deregister = "Catalog.Deregister"
        case kv = "KVS.Apply"
        case session = "Session.Apply"
        case txn = "Txn.Apply"
        case autopilot = "Operator.AutopilotSetConfiguration"
    }

    /// The names of all methods that are writes.
    static var methods: [String] { Method.allCases.map(\.rawValue) }

    /// The method that takes this write; nil for what servers only propose themselves.
    public var rpcMethod: String? {
        switch self {
        case .register: Method.register.rawValue
        case .deregister: Method.deregister.rawValue
        case .kv: Method.kv.rawValue
        case .session: Method.session.rawValue
        case .txn: Method.txn.rawValue
        case .autopilot: Method.autopilot.rawValue
        case .tombstone, .coordinates: nil
        }
    }

    /// The body of the request.
    public func encodeRequest() -> [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: 512)
        encodeBody(into: &writer)
        return writer.bytes
    }

    /// The write that a request asks for; nil for a method that is no write of this kind.
    public static func decodeRequest(method: String, body: ArraySlice<UInt8>) throws(MessagePackError) -> WriteRequest? {
        guard let method = Method(rawValue: method) else { return nil }
        var reader = MessagePackReader(body, elementsMax: MessagePackReader.requestElementsMax)
        switch method {
        case .register: return .register(try RegisterRequest(from: &reader))
        case .deregister: return .deregister(try DeregisterRequest(from: &reader))
        case .kv: return .kv(try KVSRequest(from: &reader))
        case .session: return .session(try SessionRequest(from: &reader))
        case .txn: return .txn(try TxnRequest(from: &reader))
        case .autopilot: return .autopilot(try AutopilotRequest(from: &reader))
        }
    }

    /// The body of the answer. An error is no body: it goes into the header, and nil is returned.
    public func encodeReply(_ result: ApplyResult) -> [UInt8]? {
        var writer = MessagePackWriter()
        switch (self, result) {
        case (_, .error): return nil
        case (.kv, .bool(let done)), (.autopilot, .bool(let done)): writer.bool(done)
        // Plain writes have no outcome, which reads as false.
        case (.kv, _), (.autopilot, _): writer.bool(false)
        case (.session, .string(let id)): writer.string(id)
        case (.session, _): writer.string("")
        case (.txn, .txn(let response)): response.encode(into: &writer)
        default: writer.mapHeader(0)
        }
        return writer.bytes
    }

    /// What the body of an answer without an error says.
    public func decodeReply(_ body: ArraySlice<UInt8>) throws(MessagePackError) -> ApplyResult {
        var reader = MessagePackReader(body)
        switch self {
        case .kv(let request):
            let done = try reader.bool()
            return ["set", "delete", "delete-tree"].contains(request.op) ? .none : .bool(done)
        case .session(let request):
            let id = try reader.string()
            return request.op == "create" ? .string(id) : .none
        case .txn: return .txn(try TxnResponse(from: &reader))
        case .autopilot(let request):
            let done = try reader.bool()
            return request.cas ? .bool(done) : .none
        case .register, .deregister, .tombstone, .coordinates:
            try reader.skip()
            return .none
        }
    }
}
