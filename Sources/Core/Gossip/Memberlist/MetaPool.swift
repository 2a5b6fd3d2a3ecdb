/// Keeps one copy of what many memberlists of one process hold alike. A simulation gives one to all of its machines, so that the
/// metadata of a member, and the news of it, is in memory once and not once per machine. Has no influence on what the machines do.
public final class MetaPool {
    private static let limit = 65_536
    private var known = LookupTable<[UInt8], [UInt8]>()

    public init() {}

    func shared(_ bytes: [UInt8]) -> [UInt8] {
        if let same = known[bytes] { return same }
        if known.count >= Self.limit { known.removeAll() }
        known[bytes] = bytes
        return bytes
    }
}
