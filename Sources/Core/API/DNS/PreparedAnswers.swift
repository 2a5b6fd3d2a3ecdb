/// Prepared answers to recent questions, each good as long as the rows that it was made of are those of the published state.
///
/// One place for each hash of a packet: a question takes the place of another one, and is prepared when it comes for the second time. Cost
/// of a state with the same catalog: none. Of another catalog: for each answer that is asked for, a walk over its rows.
struct PreparedAnswers {
    private struct Place {
        /// The packet behind its id.
        var question: [UInt8] = []
        var answer: PreparedAnswer?
        /// The catalog for which the rest is known.
        var catalog: UInt64 = 0
        /// It came again, and nothing was to prepare.
        var isPlain = false
    }

    private var places: [Place] = []
    private var state: PublishedState?
    /// Counts the states whose catalogs differ.
    private var catalog: UInt64 = 0
    /// Bytes of all answers.
    private(set) var size = 0
    /// Where to look for answers that make room.
    private var hand = 0

    static let placesCount = 512
    /// Longer packets are answered each time anew.
    static let questionSizeMax = 512
    /// Of all answers; others make room beyond.
    static let sizeMax = 8 << 20
    /// An answer that is larger is not kept.
    static let answerSizeMax = 1 << 20

    /// Writes the answer to the datagram, if it is prepared: how long it is.
    mutating func write(
        _ packet: UnsafeRawBufferPointer, _ state: PublishedState, _ random: inout Random, into out: UnsafeMutableRawBufferPointer
    ) -> Int? {
        guard size > 0, packet.count > 12, packet.count <= Self.questionSizeMax else { return nil }
        if self.state !== state { follow(state) }
        let question = UnsafeRawBufferPointer(rebasing: packet[2...])
        let at = Self.place(of: question)
        guard places[at].question.count == question.count, let answer = places[at].answer,
            places[at].question.withUnsafeBytes({ $0.elementsEqual(question) }), answer.size <= out.count
        else { return nil }
        if places[at].catalog != catalog {
            guard answer.isMade(of: state.store) || planted(.dnsPreparedNotCompared) else {
                drop(at)
                return nil
            }
            places[at].catalog = catalog
        }
        return answer.write(id: UInt16(packet[0]) << 8 | UInt16(packet[1]), random: &random, into: out)
    }

    /// A datagram was answered from this state. `prepare` is called when it comes again.
    mutating func note(_ packet: [UInt8], _ state: PublishedState, _ prepare: () -> PreparedAnswer?) {
        guard packet.count > 12, packet.count <= Self.questionSizeMax else { return }
        if places.isEmpty { places = Array(repeating: Place(), count: Self.placesCount) }
        if self.state !== state { follow(state) }
        let at = packet.withUnsafeBytes { Self.place(of: UnsafeRawBufferPointer(rebasing: $0[2...])) }
        if !places[at].question.elementsEqual(packet[2...]) {
            drop(at)
            places[at] = Place(question: Array(packet[2...]), catalog: catalog)
        } else if places[at].catalog != catalog {
            drop(at)
            (places[at].catalog, places[at].isPlain) = (catalog, false)
        } else if places[at].answer == nil, !places[at].isPlain {
            keep(prepare(), at, state.store)
        }
    }

    private mutating func keep(_ answer: PreparedAnswer?, _ at: Int, _ store: Store) {
        guard let answer, answer.noteRows(of: store), answer.memory <= Self.answerSizeMax else {
            places[at].isPlain = true
            return
        }
        while size + answer.memory > Self.sizeMax {
            drop(hand)
            hand = (hand + 1) % Self.placesCount
        }
        places[at].answer = answer
        size += answer.memory
    }

    private mutating func drop(_ at: Int) {
        guard let answer = places[at].answer else { return }
        size -= answer.memory
        places[at].answer = nil
    }

    /// Most states differ from the one before in other tables.
    private mutating func follow(_ new: PublishedState) {
        if state?.store.hasSameCatalog(as: new.store) != true { catalog += 1 }
        state = new
    }

    mutating func removeAll() { self = PreparedAnswers() }

    @inline(__always)
    private static func place(of question: UnsafeRawBufferPointer) -> Int {
        var hash: UInt64 = 0x9E37_79B9_7F4A_7C15 ^ UInt64(truncatingIfNeeded: question.count)
        var at = 0
        while at + 8 <= question.count {
            hash = (hash ^ question.loadUnaligned(fromByteOffset: at, as: UInt64.self)) &* 0x2545_F491_4F6C_DD1D
            hash ^= hash >> 29
            at += 8
        }
        while at < question.count {
            hash = (hash ^ UInt64(question[at])) &* 0x2545_F491_4F6C_DD1D
            at += 1
        }
        hash ^= hash >> 32
        return Int(truncatingIfNeeded: hash & UInt64(placesCount - 1))
    }
}

extension Store {
    /// Whether nothing in the tables has changed that services are answered from. O(1).
    fileprivate func hasSameCatalog(as other: Store) -> Bool {
        (nodes.isSame(as: other.nodes) || planted(.dnsPreparedIgnoresNodes)) && servicesByName.isSame(as: other.servicesByName)
            && servicesByConnect.isSame(as: other.servicesByConnect)
            && (checksByInstance.isSame(as: other.checksByInstance) || planted(.dnsPreparedIgnoresChecks))
    }

    /// Calls `body` with every row that the answer to the question may depend on, in an order that depends on the rows alone, until it
    /// returns false.
    fileprivate func scanRows(of question: DNSServiceQuestion, _ body: (AnyObject) -> Bool) {
        let index = question.connect ? servicesByConnect : servicesByName
        index.scan(prefix: TableKey.of(question.service)) { _, row in
            let node = TableKey.of(row.value.node)
            guard body(row) else { return false }
            if let found = nodes[node], !body(found) { return false }
            var isWanted = true
            func look(_ key: ByteString, _ check: Row<HealthCheck>) -> Bool {
                isWanted = body(check)
                return isWanted
            }
            checksByInstance.scan(prefix: TableKey.join(node, TableKey.of("")), look)
            if isWanted { checksByInstance.scan(prefix: TableKey.join(node, TableKey.of(row.value.service.id)), look) }
            return isWanted
        }
    }
}

extension PreparedAnswer {
    /// Remembers the rows that the answer is made of; false if they are too many.
    fileprivate func noteRows(of store: Store) -> Bool {
        rows = []
        store.scanRows(of: asked) { row in
            rows.append(row)
            return rows.count <= Self.rowsMax
        }
        return rows.count <= Self.rowsMax
    }

    /// Whether the rows are still those that the answer is made of.
    fileprivate func isMade(of store: Store) -> Bool {
        var at = 0
        store.scanRows(of: asked) { row in
            guard at < rows.count, rows[at] === row else {
                at = -1
                return false
            }
            at += 1
            return true
        }
        return at == rows.count
    }
}
