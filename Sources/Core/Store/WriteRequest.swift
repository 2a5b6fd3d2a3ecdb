/// A write as the API or an RPC hands it to the servers, and, behind a type byte, a log command: one case for each kind. What a write is, does
/// and needs is in the kind's own file; this is the envelope that passes it on. Nothing here may have a default.
public enum WriteRequest: Hashable, Sendable {
    indirect case register(RegisterRequest)
    case deregister(DeregisterRequest)
    case kv(KVSRequest)
    case session(SessionRequest)
    case txn(TxnRequest)
    case tombstone(TombstoneRequest)
    case autopilot(AutopilotRequest)
    case coordinates(CoordinateBatch)

    /// The names of all methods that are writes.
    static var methods: [String] {
        [
            RegisterRequest.method, DeregisterRequest.method, KVSRequest.method, SessionRequest.method, TxnRequest.method,
            TombstoneRequest.method, AutopilotRequest.method, CoordinateBatch.method,
        ].compactMap { $0 }
    }

    /// The write that a request asks for; nil for a method that is no write of this kind.
    public static func decodeRequest(method: String, body: ArraySlice<UInt8>) throws(MessagePackError) -> WriteRequest? {
        var reader = MessagePackReader(body, elementsMax: MessagePackReader.requestElementsMax)
        switch method {
        case RegisterRequest.method: return .register(try RegisterRequest(from: &reader))
        case DeregisterRequest.method: return .deregister(try DeregisterRequest(from: &reader))
        case KVSRequest.method: return .kv(try KVSRequest(from: &reader))
        case SessionRequest.method: return .session(try SessionRequest(from: &reader))
        case TxnRequest.method: return .txn(try TxnRequest(from: &reader))
        case TombstoneRequest.method: return .tombstone(try TombstoneRequest(from: &reader))
        case AutopilotRequest.method: return .autopilot(try AutopilotRequest(from: &reader))
        case CoordinateBatch.method: return .coordinates(try CoordinateBatch(from: &reader))
        default: return nil
        }
    }

    /// The request of a log command; nil when its type is not one of these.
    public init?(logCommand: ArraySlice<UInt8>) throws(MessagePackError) {
        guard let type = logCommand.first else { throw .truncated }
        var reader = MessagePackReader(logCommand.dropFirst())
        switch type & 0x7F {
        case RegisterRequest.commandType: self = .register(try RegisterRequest(from: &reader))
        case DeregisterRequest.commandType: self = .deregister(try DeregisterRequest(from: &reader))
        case KVSRequest.commandType: self = .kv(try KVSRequest(from: &reader))
        case SessionRequest.commandType: self = .session(try SessionRequest(from: &reader))
        case TxnRequest.commandType: self = .txn(try TxnRequest(from: &reader))
        case TombstoneRequest.commandType: self = .tombstone(try TombstoneRequest(from: &reader))
        case AutopilotRequest.commandType: self = .autopilot(try AutopilotRequest(from: &reader))
        case CoordinateBatch.commandType: self = .coordinates(try CoordinateBatch(from: &reader))
        default: return nil
        }
    }
}

extension WriteRequest {
    /// The method that takes this write; nil for what servers only propose themselves.
    public var rpcMethod: String? {
        switch self {
        case .register: RegisterRequest.method
        case .deregister: DeregisterRequest.method
        case .kv: KVSRequest.method
        case .session: SessionRequest.method
        case .txn: TxnRequest.method
        case .tombstone: TombstoneRequest.method
        case .autopilot: AutopilotRequest.method
        case .coordinates: CoordinateBatch.method
        }
    }

    /// The type byte of the log command.
    public var commandType: UInt8 {
        func type<Family: WriteFamily>(_ family: Family.Type) -> UInt8 { family.commandType | (family.mayBeIgnored ? 0x80 : 0) }
        return switch self {
        case .register: type(RegisterRequest.self)
        case .deregister: type(DeregisterRequest.self)
        case .kv: type(KVSRequest.self)
        case .session: type(SessionRequest.self)
        case .txn: type(TxnRequest.self)
        case .tombstone: type(TombstoneRequest.self)
        case .autopilot: type(AutopilotRequest.self)
        case .coordinates: type(CoordinateBatch.self)
        }
    }

    /// The type byte and the body that stand in the log.
    public var logCommand: [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: 512)
        writer.bytes.append(commandType)
        encodeBody(into: &writer)
        return writer.bytes
    }

    /// The body of the request.
    public func encodeRequest() -> [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: 512)
        encodeBody(into: &writer)
        return writer.bytes
    }

    private func encodeBody(into writer: inout MessagePackWriter) {
        switch self {
        case .register(let request): request.encode(into: &writer)
        case .deregister(let request): request.encode(into: &writer)
        case .kv(let request): request.encode(into: &writer)
        case .session(let request): request.encode(into: &writer)
        case .txn(let request): request.encode(into: &writer)
        case .tombstone(let request): request.encode(into: &writer)
        case .autopilot(let request): request.encode(into: &writer)
        case .coordinates(let request): request.encode(into: &writer)
        }
    }

    /// The secret that it names; empty: none.
    var token: String {
        switch self {
        case .register(let request): request.token
        case .deregister(let request): request.token
        case .kv(let request): request.token
        case .session(let request): request.token
        case .txn(let request): request.token
        case .tombstone(let request): request.token
        case .autopilot(let request): request.token
        case .coordinates(let request): request.token
        }
    }

    /// As the client named it, or the agent's own; empty where nothing names one.
    public var datacenter: String {
        get {
            switch self {
            case .register(let request): request.datacenter
            case .deregister(let request): request.datacenter
            case .kv(let request): request.datacenter
            case .session(let request): request.datacenter
            case .txn(let request): request.datacenter
            case .tombstone(let request): request.datacenter
            case .autopilot(let request): request.datacenter
            case .coordinates(let request): request.datacenter
            }
        }
        set { change(SetDatacenter(datacenter: newValue)) }
    }

    private struct SetDatacenter: WriteChange {
        let datacenter: String
        func change(_ request: inout some WriteFamily) { request.datacenter = datacenter }
    }

    /// Completes it, or returns why it is refused, in the words of the servers. Lock-delays are not looked at; the operations of a transaction
    /// are examined by `WriteValidation.precheck`.
    mutating func validate(_ rules: WriteRules) -> String? { change(Validate(rules: rules)) }

    private struct Validate: WriteChange {
        let rules: WriteRules
        func change(_ request: inout some WriteFamily) -> String? { request.validate(rules) }
    }

    @discardableResult
    private mutating func change<Change: WriteChange>(_ change: Change) -> Change.Outcome {
        switch self {
        case .register(var request):
            let outcome = change.change(&request)
            self = .register(request)
            return outcome
        case .deregister(var request):
            let outcome = change.change(&request)
            self = .deregister(request)
            return outcome
        case .kv(var request):
            let outcome = change.change(&request)
            self = .kv(request)
            return outcome
        case .session(var request):
            let outcome = change.change(&request)
            self = .session(request)
            return outcome
        case .txn(var request):
            let outcome = change.change(&request)
            self = .txn(request)
            return outcome
        case .tombstone(var request):
            let outcome = change.change(&request)
            self = .tombstone(request)
            return outcome
        case .autopilot(var request):
            let outcome = change.change(&request)
            self = .autopilot(request)
            return outcome
        case .coordinates(var request):
            let outcome = change.change(&request)
            self = .coordinates(request)
            return outcome
        }
    }

    /// Refuses what the caller may not write. Of a transaction each operation is judged by itself, and reported with the others' problems.
    func authorize(_ authorizer: Authorizer, in store: Store) throws(Denied) {
        if authorizer.view == .everything { return }
        switch self {
        case .register(let request): try request.authorize(authorizer, in: store)
        case .deregister(let request): try request.authorize(authorizer, in: store)
        case .kv(let request): try request.authorize(authorizer, in: store)
        case .session(let request): try request.authorize(authorizer, in: store)
        case .txn(let request): try request.authorize(authorizer, in: store)
        case .tombstone(let request): try request.authorize(authorizer, in: store)
        case .autopilot(let request): try request.authorize(authorizer, in: store)
        case .coordinates(let request): try request.authorize(authorizer, in: store)
        }
    }

    fileprivate func apply(to store: inout Store, _ index: UInt64, _ changes: inout ChangeSet) throws(TextError) -> ApplyResult {
        switch self {
        case .register(let request): try request.apply(to: &store, index, &changes)
        case .deregister(let request): try request.apply(to: &store, index, &changes)
        case .kv(let request): try request.apply(to: &store, index, &changes)
        case .session(let request): try request.apply(to: &store, index, &changes)
        case .txn(let request): try request.apply(to: &store, index, &changes)
        case .tombstone(let request): try request.apply(to: &store, index, &changes)
        case .autopilot(let request): try request.apply(to: &store, index, &changes)
        case .coordinates(let request): try request.apply(to: &store, index, &changes)
        }
    }

    // MARK: Answers

    /// The body of the answer. An error is no body: it goes into the header, and nil is returned.
    public func encodeReply(_ result: ApplyResult) -> [UInt8]? {
        if case .error = result { return nil }
        var writer = MessagePackWriter()
        switch self {
        case .register(let request): request.encodeReply(result, into: &writer)
        case .deregister(let request): request.encodeReply(result, into: &writer)
        case .kv(let request): request.encodeReply(result, into: &writer)
        case .session(let request): request.encodeReply(result, into: &writer)
        case .txn(let request): request.encodeReply(result, into: &writer)
        case .tombstone(let request): request.encodeReply(result, into: &writer)
        case .autopilot(let request): request.encodeReply(result, into: &writer)
        case .coordinates(let request): request.encodeReply(result, into: &writer)
        }
        return writer.bytes
    }

    /// What the body of an answer without an error says.
    public func decodeReply(_ body: ArraySlice<UInt8>) throws(MessagePackError) -> ApplyResult {
        var reader = MessagePackReader(body)
        return switch self {
        case .register(let request): try request.decodeReply(&reader)
        case .deregister(let request): try request.decodeReply(&reader)
        case .kv(let request): try request.decodeReply(&reader)
        case .session(let request): try request.decodeReply(&reader)
        case .txn(let request): try request.decodeReply(&reader)
        case .tombstone(let request): try request.decodeReply(&reader)
        case .autopilot(let request): try request.decodeReply(&reader)
        case .coordinates(let request): try request.decodeReply(&reader)
        }
    }
}

/// Something that is done to a write of whatever kind.
private protocol WriteChange {
    associatedtype Outcome
    func change(_ request: inout some WriteFamily) -> Outcome
}

/// What applying a log command came to (rpc-raft-wire §7, column "result").
public enum ApplyResult: Hashable, Sendable {
    /// nil in the reference: done.
    case none
    case bool(Bool)
    /// The id of a created session.
    case string(String)
    case index(UInt64)
    case txn(TxnResponse)
    /// Nothing changed; the text is the answer, verbatim.
    case error(String)
}

extension Store {
    /// Applies a committed request at the index of its log entry, collecting in `changes` what readers may be waiting for.
    public mutating func apply(_ request: WriteRequest, index: UInt64, changes: inout ChangeSet) -> ApplyResult {
        do throws(TextError) {
            return try request.apply(to: &self, index, &changes)
        } catch {
            return .error(error.text)
        }
    }

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
