// How much of an answer fits. Spec: dns §12.
extension DNSLookup {
    private static let plainSize = 512
    private static let tcpSize = 65_523
    /// What is kept free of a UDP payload.
    private static let reserve = 7
    private static let answerLimit = 8
    private static let tcpAnswerLimit = 4_096
    private static let tcpServiceLimit = 1_024

    var hasOptions: Bool { transport.options != nil }

    /// The payload that the client takes.
    private var sizeLimit: Int {
        transport.tcp ? Self.tcpSize : max(Self.plainSize, Int(transport.options?.payloadSize ?? 0))
    }

    private var udpAnswerLimit: Int { min(Self.answerLimit, zone.config.udpAnswerLimit) }

    /// How many answers are worth making: one more than can be sent shows that some were cut. A record has at least 16 bytes.
    var answersWanted: Int {
        if transport.tcp { return type == DNSType.srv ? Self.tcpServiceLimit : Self.tcpAnswerLimit }
        return sizeLimit == Self.plainSize ? udpAnswerLimit + 1 : sizeLimit / 16 + 2
    }

    /// Cuts answers that do not fit; true if there were any.
    mutating func truncate() -> Bool {
        let count = answers.count
        var room = sizeLimit
        var compressing = zone.compressing
        var shortener = Shortener(additional)
        if !transport.tcp {
            room -= Self.reserve
            if sizeLimit == Self.plainSize && count > udpAnswerLimit {
                shortener.cut(&self, to: udpAnswerLimit)
                // Measured without compression from here on, although it is sent with it.
                compressing = false
            }
        }
        while answers.count > 1 {
            let size = size(compressing)
            if size <= room { break }
            if size - sizeLimit > 100 {
                shortener.cut(&self, to: max(1, longestFit(&shortener, compressing)))
            } else {
                shortener.cut(&self, to: answers.count - 1)
            }
        }
        return answers.count < count
    }

    private func size(_ compressing: Bool) -> Int {
        var message = DNSMessage(id: 0, question: question)
        message.answers = answers
        message.additional = additional
        return message.encoded(compressed: compressing).count
    }

    /// How many answers fit the client's payload, by bisection.
    private func longestFit(_ shortener: inout Shortener, _ compressing: Bool) -> Int {
        var low = 0, high = answers.count + 1
        while high - low > 1 {
            let middle = low + (high - low) / 2
            var shorter = self
            shortener.cut(&shorter, to: middle)
            let size = shorter.size(compressing)
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

/// Cuts answers together with what the additional section says about them.
private struct Shortener {
    private let additional: [DNSRecord]
    /// The first additional record of each owner in lower case; made when first needed.
    private var index: LookupTable<DNSName, Int>?

    init(_ additional: [DNSRecord]) { self.additional = additional }

    /// Keeps the first answers, and of the additional records the first one of each target of a kept SRV, with the aliases it leads to.
    mutating func cut(_ lookup: inout DNSLookup, to count: Int) {
        lookup.answers.removeLast(lookup.answers.count - count)
        if additional.isEmpty { return }
        let index = self.index ?? makeIndex()
        self.index = index
        var kept: [DNSRecord] = []
        var resolved = LookupSet<DNSName>()
        for answer in lookup.answers {
            guard case .srv(_, _, _, var target) = answer.data else { continue }
            while resolved.insert(target.lowercased), let at = index[target.lowercased] {
                kept.append(additional[at])
                guard case .cname(let next) = additional[at].data else { break }
                target = next
            }
        }
        lookup.additional = kept
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
