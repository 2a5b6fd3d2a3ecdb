// The configuration of autopilot on the wire, in the log and in snapshots. Spec: rpc-raft-wire §4.8.

extension AutopilotConfiguration: WireStruct {
    init(from reader: inout MessagePackReader) throws(MessagePackError) {
        self = .zero
        try readFields(from: &reader)
    }

    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "CleanupDeadServers": cleanupDeadServers = try reader.bool()
        case "CreateIndex": index.create = try reader.uint64()
        case "DisableUpgradeMigration": disableUpgradeMigration = try reader.bool()
        case "LastContactThreshold": lastContactThreshold = try reader.duration()
        case "MaxTrailingLogs": maxTrailingLogs = try reader.uint64()
        case "MinQuorum": minQuorum = try reader.uint64()
        case "ModifyIndex": index.modify = try reader.uint64()
        case "RedundancyZoneTag": redundancyZoneTag = try reader.string()
        case "ServerStabilizationTime": serverStabilizationTime = try reader.duration()
        case "UpgradeVersionTag": upgradeVersionTag = try reader.string()
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(10)
        writer.field("CleanupDeadServers", cleanupDeadServers)
        writer.field("CreateIndex", index.create)
        writer.field("DisableUpgradeMigration", disableUpgradeMigration)
        writer.field("LastContactThreshold", lastContactThreshold)
        writer.field("MaxTrailingLogs", maxTrailingLogs)
        writer.field("MinQuorum", minQuorum)
        writer.field("ModifyIndex", index.modify)
        writer.field("RedundancyZoneTag", redundancyZoneTag)
        writer.field("ServerStabilizationTime", serverStabilizationTime)
        writer.field("UpgradeVersionTag", upgradeVersionTag)
    }
}

extension AutopilotRequest: WireStruct {
    init(from reader: inout MessagePackReader) throws(MessagePackError) {
        self.init()
        configuration = .zero
        try readFields(from: &reader)
    }

    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "CAS": cas = try reader.bool()
        case "Config": configuration = try AutopilotConfiguration(from: &reader)
        case "Datacenter": datacenter = try reader.string()
        case "Token": token = try reader.string()
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(4)
        writer.field("CAS", cas)
        writer.field("Config", configuration)
        writer.field("Datacenter", datacenter)
        writer.field("Token", token)
    }
}

extension AutopilotRequest: WriteFamily {
    static let commandType: UInt8 = 9
    static let mayBeIgnored = false
    static let method: String? = "Operator.AutopilotSetConfiguration"

    func validate(_ rules: WriteRules) -> String? { nil }
    func authorize(_ authorizer: Authorizer, in store: Store) throws(Denied) { try authorizer.require(.operatorWrite) }

    func apply(to store: inout Store, _ index: UInt64, _ changes: inout ChangeSet) throws(TextError) -> ApplyResult {
        store.applyAutopilot(self, index, &changes)
    }

    func encodeReply(_ result: ApplyResult, into writer: inout MessagePackWriter) { writer.outcome(result) }

    func decodeReply(_ reader: inout MessagePackReader) throws(MessagePackError) -> ApplyResult {
        let done = try reader.bool()
        return cas ? .bool(done) : .none
    }
}
