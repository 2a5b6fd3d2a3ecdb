// How much of an answer fits. Spec: dns §12.
extension DNSLookup {
    var hasOptions: Bool { transport.options != nil }

    /// The payload that the client takes.
    var sizeLimit: Int {
        transport.tcp ? DNSLimits.tcpSize : max(DNSLimits.plainSize, Int(transport.options?.payloadSize ?? 0))
    }

    /// How many answers a client without EDNS gets at most, or one that takes no more than such a client.
    var plainAnswerLimit: Int {
        transport.tcp || sizeLimit > DNSLimits.plainSize ? .max : min(DNSLimits.answerLimit, zone.config.udpAnswerLimit)
    }

    /// How many answers are worth making: one more than can be sent shows that some were cut. A record has at least 16 bytes.
    var answersWanted: Int {
        if transport.tcp { return type == DNSType.srv ? DNSLimits.tcpServiceLimit : DNSLimits.tcpAnswerLimit }
        return plainAnswerLimit < .max ? plainAnswerLimit + 1 : sizeLimit / 16 + 2
    }

    /// Cuts answers that do not fit; true if there were any. `isCut`: some were left out beforehand because of `plainAnswerLimit`.
    mutating func truncate(isCut: Bool) -> Bool {
        let count = answers.count
        // Measured without compression after such a cut, although it is sent with it.
        var compressing = zone.compressing && !isCut
        var shortener = Shortener(additional)
        if isCut || count > plainAnswerLimit {
            shortener.cut(&self, to: min(count, plainAnswerLimit))
            compressing = false
        }
        let room = transport.tcp ? sizeLimit : sizeLimit - DNSLimits.reserve
        while answers.count > 1 {
            let size = size(compressing, room)
            if size <= room { break }
            if size - sizeLimit > 100 {
                shortener.cut(&self, to: max(1, longestFit(&shortener, compressing)))
            } else {
                shortener.cut(&self, to: answers.count - 1)
            }
        }
        return isCut || answers.count < count
    }

    /// The size of the message without its OPT record. What fits uncompressed is not measured more closely.
    private func size(_ compressing: Bool, _ room: Int) -> Int {
        var message = DNSMessage(id: 0, question: question)
        message.answers = answers
        message.additional = additional
        let size = message.uncompressedSize
        return compressing && size > room ? message.encoded().count : size
    }

    /// How many answers fit the client's payload, by bisection.
    private func longestFit(_ shortener: inout Shortener, _ compressing: Bool) -> Int {
        var low = 0, high = answers.count + 1
        while high - low > 1 {
            let middle = low + (high - low) / 2
            var shorter = self
            shortener.cut(&shorter, to: middle)
            let size = shorter.size(compressing, 0)
            if size > sizeLimit {
                high = middle
            } else if sizeLimit - size < 10 {
                return middle
            } else {
                low = middle
            }
        }
        return low
    }
}

enum DNSLimits {
    static let plainSize = 512
    static let tcpSize = 65_523
    /// What is kept free of a UDP payload.
    static let reserve = 7
    static let answerLimit = 8
    static let tcpAnswerLimit = 4_096
    static let tcpServiceLimit = 1_024
}

/// Cuts answers together with what the additional section says about them.
private struct Shortener {
    private let additional: [DNSRecord]
    /// Up to this number of records is searched one by one.
    private static let few = 16
    /// The first additional record of each owner in lower case; made when first needed.
    private var index: LookupTable<DNSName, Int>?

    init(_ additional: [DNSRecord]) { self.additional = additional }

    /// Keeps the first answers, and of the additional records the first one of each target of a kept SRV, with the aliases it leads to.
    mutating func cut<Source>(_ lookup: inout DNSLookup<Source>, to count: Int) {
        lookup.answers.removeLast(lookup.answers.count - count)
        if additional.isEmpty { return }
        if index == nil && additional.count > Self.few { index = makeIndex() }
        var kept: [DNSRecord] = []
        kept.reserveCapacity(count)
        var resolved = Seen<DNSName>()
        for answer in lookup.answers {
            guard case .srv(_, _, _, var target) = answer.data else { continue }
            while resolved.insert(target.lowercased), let at = first(of: target.lowercased) {
                kept.append(additional[at])
                guard case .cname(let next) = additional[at].data else { break }
                target = next
            }
        }
        lookup.additional = kept
    }

    private func first(of owner: DNSName) -> Int? {
        if let index { return index[owner] }
        return additional.firstIndex { $0.owner == owner || $0.owner.lowercased == owner }
    }

    private func makeIndex() -> LookupTable<DNSName, Int> {
        var index = LookupTable<DNSName, Int>()
        for (at, record) in additional.enumerated() {
            let owner = record.owner.lowercased
            if index[owner] == nil { index[owner] = at }
        }
        return index
    }
}
