/// The term and the vote, as `raft/meta` keeps them (Raft §5.1, "persistent state").
struct VoteRecord: Hashable, Sendable {
    /// Counts the writes, so that the newer of two slots is known.
    var sequence: UInt64 = 0
    var term: UInt64 = 0
    /// The term in which `candidate` got the vote; 0 for none yet.
    var votedTerm: UInt64 = 0
    /// The term in which this server threw away its log; 0 for none. Entries that it had acknowledged may be committed, and its log may not
    /// show them any more: it votes for nobody whose log ends before that term.
    var forgotIn: UInt64 = 0
    /// The address of who got it.
    var candidate: [UInt8] = []

    /// Whether this may be the record of a server that has not taken part in anything yet. Bootstrapping writes term 1 beside the first
    /// entry of the log; a power loss can leave the one without the other. Elections begin with term 2.
    var isPristine: Bool { term <= 1 && votedTerm == 0 && forgotIn == 0 }

    static let file = "raft/meta"
    /// Each slot has a block of its own, so that a torn write of one leaves the other.
    static let slotSize = 4096
    static let candidateMax = 1024
    private static let magic: UInt64 = 0x3145_544F_5654_4652
    private static let fixedSize = 56

    // magic, sequence, term, votedTerm, forgotIn, length of the candidate (u64 each), zeros (u32), CRC-32C of all that and of the candidate
    // (u32), candidate.
    var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.fixedSize + candidate.count)
        for field in [Self.magic, sequence, term, votedTerm, forgotIn, UInt64(candidate.count)] { bytes.append(littleEndian: field) }
        bytes.append(littleEndian: UInt32(0))
        let checksum = CRC32C.checksum(bytes + candidate)
        bytes.append(littleEndian: checksum)
        bytes.append(contentsOf: candidate)
        return bytes
    }

    init() {}

    /// nil unless `bytes` begin with an intact record.
    init?(encoded bytes: ArraySlice<UInt8>) {
        guard bytes.count >= Self.fixedSize else { return nil }
        let start = bytes.startIndex
        func field(_ number: Int) -> UInt64 {
            var value: UInt64 = 0
            for at in (0..<8).reversed() { value = value << 8 | UInt64(bytes[start + number * 8 + at]) }
            return value
        }
        let size = field(5)
        guard field(0) == Self.magic, size <= UInt64(min(Self.candidateMax, bytes.count - Self.fixedSize)) else { return nil }
        candidate = Array(bytes[(start + Self.fixedSize)..<(start + Self.fixedSize + Int(size))])
        let checksum = CRC32C.checksum(Array(bytes[start..<start + 52]) + candidate)
        guard UInt64(checksum) == field(6) >> 32, field(6) & 0xFFFF_FFFF == 0 else { return nil }
        (sequence, term, votedTerm, forgotIn) = (field(1), field(2), field(3), field(4))
    }

    /// Writes and syncs both slots, one after the other: with either of them lost or torn, the other holds what was acknowledged.
    /// `first` is the slot that does not hold the only good copy.
    func operations(first: Int) -> [DiskOperation] {
        let bytes = encoded
        return (planted(.oneVoteSlot) ? [0] : [first, 1 - first]).flatMap { slot -> [DiskOperation] in
            [.write(file: Self.file, offset: slot * Self.slotSize, bytes: bytes)]
                + (planted(.voteWithoutSync) ? [] : [.sync(file: Self.file)])
        }
    }
}
