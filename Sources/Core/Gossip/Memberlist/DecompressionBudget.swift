/// How much decompression others may cause: bytes of output per second, for each source and for all together. Addresses of packets can be
/// forged, so the budget of all is what bounds the work; the budget of a source keeps one of them from using it up.
///
/// A second is a window that begins with the first message after the last one has ended.
struct DecompressionBudget {
    struct Limits {
        /// Of one message.
        var message: Int
        /// Of one source in a second.
        var source: Int
        /// Of all sources in a second.
        var total: Int

        /// Packets are at most 64 KiB long; members send them with up to 1,400 bytes, compressed or not.
        static let packets = Limits(message: 64 << 10, source: 512 << 10, total: 8 << 20)
        /// The state of a pool of 50,000 members has about 20 MB.
        static let streams = Limits(message: GossipStream.decompressedLimit, source: 96 << 20, total: 256 << 20)
    }

    /// Sources that are told apart within one second; those beyond share what is left of the total.
    static let sourcesMax = 4096

    let limits: Limits
    private var windowEnd = Instant(nanoseconds: .min)
    private var spent = 0
    private var spentBySource = LookupTable<String, Int>()
    /// A message was refused in this window.
    private(set) var isExhausted = false

    init(_ limits: Limits) { self.limits = limits }

    /// How many bytes a message of that source may have when it is decompressed, 0 for none.
    mutating func allowance(of source: String, at now: Instant) -> Int {
        if now >= windowEnd {
            windowEnd = now + .seconds(1)
            spent = 0
            spentBySource = LookupTable()
            isExhausted = false
        }
        return max(0, min(limits.message, limits.total - spent, limits.source - (spentBySource[source] ?? 0)))
    }

    mutating func spend(_ bytes: Int, by source: String) {
        spent += bytes
        guard spentBySource[source] != nil || spentBySource.count < Self.sourcesMax else { return }
        spentBySource[source] = (spentBySource[source] ?? 0) + bytes
    }

    /// Takes down that a message is refused; false if one was before, in this window.
    mutating func exhaust() -> Bool {
        if isExhausted { return false }
        isExhausted = true
        return true
    }

    /// The address without its port.
    static func source(_ address: Address) -> String {
        guard let colon = address.utf8.lastIndex(of: UInt8(ascii: ":")) else { return address }
        return String(address[..<colon])
    }
}
