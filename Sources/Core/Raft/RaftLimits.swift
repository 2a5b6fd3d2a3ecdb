/// The largest values that are taken from messages, files and archives. Each is far beyond what any cluster reaches and far below what
/// arithmetic on it could overflow, so values within these limits can be incremented without a check.
enum RaftLimits {
    /// An election every microsecond takes 140,000 years to get there.
    static let termMax: UInt64 = 1 << 62
    static let indexMax: UInt64 = 1 << 62
    /// Of an archive that an operator restores: as many entries again fit behind it.
    static let archiveIndexMax: UInt64 = 1 << 61
    /// Bytes of the state in one snapshot.
    static let snapshotSizeMax = 1 << 44
    /// Bytes of data and extensions of one entry, so that it fits a record of the log and a message with room to spare.
    static let entryPayloadMax = 128 << 20

    /// How far one message of a known server raises the term: an election per second for 136 years. A server that is further behind
    /// catches up with several messages; whoever wants to exhaust the terms needs 2^30 of them, each written to the disk.
    static let termStepMax: UInt64 = 1 << 32
    /// How far ahead a server that is unknown here may be: an election per second for twelve days, during which all servers of the
    /// configuration were replaced as well. A message beyond it changes nothing.
    static let strangerTermStepMax: UInt64 = 1 << 20

    static func beyond(_ name: String, _ value: UInt64) -> String { "\(name) \(value) " + beyondSuffix }
    static let beyondSuffix = "is beyond any that a cluster reaches"
}

extension MessagePackReader {
    mutating func raftTerm() throws(MessagePackError) -> UInt64 {
        let value = try uint64()
        guard value <= RaftLimits.termMax else { throw .invalid(RaftLimits.beyond("term", value)) }
        return value
    }

    mutating func raftIndex() throws(MessagePackError) -> UInt64 {
        let value = try uint64()
        guard value <= RaftLimits.indexMax else { throw .invalid(RaftLimits.beyond("index", value)) }
        return value
    }
}
