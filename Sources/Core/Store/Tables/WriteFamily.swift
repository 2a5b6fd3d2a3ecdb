/// What servers hold a write against beside the state.
public struct WriteRules: Sendable {
    public var sessionTTLMin: Duration
    public init(sessionTTLMin: Duration) { self.sessionTTLMin = sessionTTLMin }
}

/// One kind of write: everything about it but how HTTP shows it. Each lives in the folder of its table; `WriteRequest` is the envelope of all.
/// Spec: rpc-raft-wire §3-4 (wire), §7 (log commands), behaviour §1, acl §13.
///
/// Nothing has a default: a write that forgets to say who may do it does not compile.
protocol WriteFamily: WireDecodable, WireEncodable, Hashable, Sendable {
    /// The type byte of its log command, without the highest bit, which lets servers ignore a command that they do not know.
    static var commandType: UInt8 { get }
    static var mayBeIgnored: Bool { get }
    /// The method that takes it; nil for what servers only propose themselves.
    static var method: String? { get }

    /// As the client named it; empty where nothing names one.
    var datacenter: String { get set }
    /// The secret that it names; empty: none.
    var token: String { get }

    /// Completes it, or returns why it is refused, in the words of the servers.
    mutating func validate(_ rules: WriteRules) -> String?
    /// Refuses what the caller may not write.
    func authorize(_ authorizer: Authorizer, in store: Store) throws(Denied)
    /// Changes the state at the index of its log entry.
    func apply(to store: inout Store, _ index: UInt64, _ changes: inout ChangeSet) throws(TextError) -> ApplyResult

    /// The body of the answer. `result` is no error: that goes into the header.
    func encodeReply(_ result: ApplyResult, into writer: inout MessagePackWriter)
    /// What the body of an answer without an error says.
    func decodeReply(_ reader: inout MessagePackReader) throws(MessagePackError) -> ApplyResult
}

extension MessagePackWriter {
    /// The outcome of a write that has one. Plain writes have none, which reads as false.
    mutating func outcome(_ result: ApplyResult) {
        if case .bool(let done) = result { bool(done) } else { bool(false) }
    }
}
