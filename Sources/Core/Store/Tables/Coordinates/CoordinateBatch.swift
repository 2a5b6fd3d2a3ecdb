/// What the leader has collected of its nodes' `Coordinate.Update`; an array on the wire.
public struct CoordinateBatch: Hashable, Sendable, ExpressibleByArrayLiteral {
    public var updates: [NodeCoordinate]
    public init(_ updates: [NodeCoordinate]) { self.updates = updates }
    public init(arrayLiteral elements: NodeCoordinate...) { updates = elements }
}

/// The leader's alone.
extension CoordinateBatch: WriteFamily {
    static let commandType: UInt8 = 6
    static let mayBeIgnored = true
    static let method: String? = nil

    init(from reader: inout MessagePackReader) throws(MessagePackError) { self.init(try NodeCoordinate.array(from: &reader) ?? []) }

    func encode(into writer: inout MessagePackWriter) {
        writer.arrayHeader(updates.count)
        for update in updates { update.encode(into: &writer) }
    }

    /// Its log command names none.
    var datacenter: String {
        get { "" }
        set {}
    }
    var token: String { "" }

    func validate(_ rules: WriteRules) -> String? { nil }
    func authorize(_ authorizer: Authorizer, in store: Store) throws(Denied) { try authorizer.require(.operatorWrite) }

    func apply(to store: inout Store, _ index: UInt64, _ changes: inout ChangeSet) throws(TextError) -> ApplyResult {
        store.applyCoordinates(updates, index, &changes)
        return .none
    }

    func encodeReply(_ result: ApplyResult, into writer: inout MessagePackWriter) { writer.mapHeader(0) }

    func decodeReply(_ reader: inout MessagePackReader) throws(MessagePackError) -> ApplyResult {
        try reader.skip()
        return .none
    }
}
