/// Reads of what operators keep in the log. Spec: http-2 §10, rpc-raft-wire §4.8.
public enum OperatorQuery: Hashable, Sendable {
    /// Fails before a leader has written the first one.
    case autopilotConfiguration
}

extension OperatorQuery: QueryFamily {
    enum Method: String, CallMethod {
        case autopilotConfiguration = "Operator.AutopilotGetConfiguration"
    }

    var method: Method { .autopilotConfiguration }

    static func decode(_ method: Method, _ reader: inout MessagePackReader) throws(MessagePackError) -> (OperatorQuery, QueryOptions) {
        (.autopilotConfiguration, try OptionFields(from: &reader).options)
    }

    func encode(_ options: QueryOptions) -> [UInt8] { options.encodeDatacenter() }

    var problem: String? { nil }
    var canWait: Bool { false }

    func evaluate(_ store: Store, _ options: QueryOptions) throws(TextError) -> (result: QueryResult, index: UInt64) {
        guard let configuration = store.autopilot else { throw TextError("autopilot config not initialized yet") }
        return (.autopilot(configuration), configuration.index.modify)
    }

    func topics(in store: Store, _ options: QueryOptions) -> [WatchTopic] { [.table(.autopilot)] }

    func authorize(_ authorizer: Authorizer, _ result: inout QueryResult) throws(Denied) { try authorizer.require(.operatorRead) }

    /// The configuration comes by itself, without the metadata of reads.
    func encodeReply(_ result: QueryResult, _ meta: QueryMeta) -> [UInt8] {
        guard case .autopilot(let configuration) = result else { preconditionFailure("a read of the configuration finds one") }
        return configuration.encoded
    }

    var emptyResult: QueryResult { .autopilot(.zero) }

    func readReply(
        _ name: MessagePackKey, _ reader: inout MessagePackReader, _ result: inout QueryResult
    ) throws(MessagePackError) -> Bool {
        guard case .autopilot(var configuration) = result, try configuration.read(name, from: &reader) else { return false }
        result = .autopilot(configuration)
        return true
    }
}
