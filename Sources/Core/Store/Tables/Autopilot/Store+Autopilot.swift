// The configuration of autopilot in the state. Spec: behaviour §4.4.
extension Store {
    /// The configuration of autopilot; nil before a leader has written the first one.
    public var autopilot: AutopilotConfiguration? {
        guard let row = row(.autopilot, ByteString([])) else { return nil }
        var reader = MessagePackReader(row.encoded)
        return try? AutopilotConfiguration(from: &reader)
    }

    mutating func applyAutopilot(_ request: AutopilotRequest, _ index: UInt64, _ changes: inout ChangeSet) -> ApplyResult {
        let key = OpaqueTable.autopilot.fullKey(ByteString([])), stored = opaque[key]?.index
        if request.cas, stored?.modify != request.configuration.index.modify { return .bool(false) }
        var configuration = request.configuration
        configuration.index = RaftIndex(create: stored?.create ?? index, modify: index)
        opaque[key] = OpaqueRow(encoded: configuration.encoded, index: configuration.index)
        touch(.autopilot, index, &changes)
        return request.cas ? .bool(true) : .none
    }
}
