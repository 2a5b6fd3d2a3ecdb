/// The answer to one question about a service, encoded as far as it is the same each time: records are only drawn and copied.
///
/// Byte for byte what `DNSLookup` and `DNSWriter` make of the same draw. Cost: of the records that are sent, whatever the service has.
final class PreparedAnswer {
    /// Header and question.
    private let head: [UInt8]
    /// The OPT record, if the client speaks EDNS.
    private let tail: [UInt8]
    private var units: [Unit] = []
    /// Answers, then records that begin with a pointer to their answer's target.
    private var bytes: [UInt8] = []
    /// The unit of each instance, and a permutation of the instances, shuffled a bit further by each answer.
    private var unitOf: [UInt32] = []
    private var order: [UInt32] = []
    /// How many answers are sent.
    private let wanted: Int
    let asked: DNSServiceQuestion
    /// What it is made of: instances, their nodes and checks. A row is never changed, but replaced.
    var rows: [AnyObject] = []
    /// Of the answer that is being written: its units, and where their targets stand.
    private var chosen: [(unit: UInt32, target: UInt16)] = []
    private var sizeMax = 0

    struct Unit {
        var answer: Range<Int>
        /// Start of each further record, and the end of the last one.
        var records: [Int] = []
    }

    /// Services with more instances are not prepared: it would take milliseconds.
    static let instancesMax = 1_024
    /// Services of which more rows would have to be compared after each change are not prepared.
    static let rowsMax = 8_192

    /// `head`: header, with counts of zero, and question.
    init(_ asked: DNSServiceQuestion, head: [UInt8], tail: [UInt8], wanted: Int) {
        self.asked = asked
        self.head = head
        self.tail = tail
        self.wanted = wanted
    }

    var unitCount: Int { units.count }

    /// Of what goes with each answer only the first record, its address, stays.
    func dropMetadata() {
        for at in units.indices where units[at].records.count > 2 { units[at].records.removeLast(units[at].records.count - 2) }
    }

    /// The most that an answer takes.
    var size: Int { sizeMax }

    /// About the bytes that this takes in memory.
    var memory: Int {
        512 + bytes.count + units.reduce(0) { $0 + 56 + $1.records.count * 8 } + unitOf.count * 8 + rows.count * 8 + chosen.count * 8
    }

    /// A further instance; `unit` is one that was added before, or the next.
    func addInstance(unit: Int) {
        order.append(UInt32(order.count))
        unitOf.append(UInt32(unit))
    }

    /// An answer and the records that go with it: those begin with two bytes for the pointer.
    func addUnit(_ answer: [UInt8], _ records: [[UInt8]]) -> Int {
        var unit = Unit(answer: bytes.count..<bytes.count + answer.count)
        bytes += answer
        for record in records {
            unit.records.append(bytes.count)
            bytes += record
        }
        if !records.isEmpty { unit.records.append(bytes.count) }
        units.append(unit)
        return units.count - 1
    }

    /// Once all is added.
    func finish() {
        let largest = units.map { $0.answer.count + (($0.records.last ?? 0) - ($0.records.first ?? 0)) }.max() ?? 0
        sizeMax = head.count + wanted * largest + tail.count
        chosen = Array(repeating: (0, 0), count: wanted)
    }

    /// Draws, and writes the message; how long it is. `out` has room for `size`.
    func write(id: UInt16, random: inout Random, into out: UnsafeMutableRawBufferPointer) -> Int {
        precondition(out.count >= sizeMax, "there is room for the largest answer")
        var at = Self.copy(head, 0..<head.count, to: out, at: 0)
        out[0] = UInt8(truncatingIfNeeded: id >> 8)
        out[1] = UInt8(truncatingIfNeeded: id)
        var count = 0, drawn = 0
        while count < wanted, drawn < order.count {
            let left = UInt64(truncatingIfNeeded: order.count - drawn)
            order.swapAt(drawn, drawn + Int(truncatingIfNeeded: ((random.next() >> 32) &* left) >> 32))
            let unit = unitOf[Int(order[drawn])]
            drawn += 1
            if units.count < order.count, chosen[..<count].contains(where: { $0.unit == unit }) { continue }
            // Behind owner, type, class, TTL, length, priority, weight and port.
            chosen[count] = (unit, 0xC000 | UInt16(truncatingIfNeeded: at + 18))
            count += 1
            at = Self.copy(bytes, units[Int(unit)].answer, to: out, at: at)
        }
        var additional = tail.isEmpty ? 0 : 1
        for place in 0..<count {
            let (unit, target) = chosen[place]
            let starts = units[Int(unit)].records
            if starts.isEmpty { continue }
            for record in 0..<starts.count - 1 {
                out[at] = UInt8(truncatingIfNeeded: target >> 8)
                out[at + 1] = UInt8(truncatingIfNeeded: target)
                at = Self.copy(bytes, (starts[record] + 2)..<starts[record + 1], to: out, at: at + 2)
                additional += 1
            }
        }
        at = Self.copy(tail, 0..<tail.count, to: out, at: at)
        out[6] = UInt8(truncatingIfNeeded: count >> 8)
        out[7] = UInt8(truncatingIfNeeded: count)
        out[10] = UInt8(truncatingIfNeeded: additional >> 8)
        out[11] = UInt8(truncatingIfNeeded: additional)
        return at
    }

    @inline(__always)
    private static func copy(_ bytes: [UInt8], _ range: Range<Int>, to out: UnsafeMutableRawBufferPointer, at: Int) -> Int {
        if range.isEmpty { return at }
        bytes.withUnsafeBytes { source in
            UnsafeMutableRawBufferPointer(rebasing: out[at..<at + range.count])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[range]))
        }
        return at + range.count
    }
}

extension DNSLookup {
    /// Prepares what this look-up, which has answered `reply`, answers each time; nil where it is not only a matter of the draw.
    func prepared(_ reply: DNSMessage) -> PreparedAnswer? {
        guard let asked, zone.compressing, !question.name.isRoot, reply.authority.isEmpty, reply.code == DNSCode.noError,
            type == DNSType.a || type == DNSType.aaaa || type == DNSType.srv, !reply.answers.isEmpty
        else { return nil }
        // Only the draw: the caller's numbers are none of it.
        var random = random, source = source
        guard var instances = try? source.instances(of: asked) else { return nil }
        var head = reply
        (head.answers, head.additional, head.options) = ([], [], nil)
        var tail = DNSMessage(id: 0, question: nil)
        tail.options = reply.options
        let answer = PreparedAnswer(
            asked, head: head.encoded(), tail: Array(tail.encoded().dropFirst(12)), wanted: reply.answers.count)
        let ttl = zone.serviceTTL(asked.service)
        var places = LookupTable<DNSAddress, Int>(), names = LookupSet<DNSName>()
        var instancesLeft = PreparedAnswer.instancesMax
        // What the answers may take: metadata does not survive a cut, and nothing else is prepared than what always fits.
        let room = min(sizeLimit - DNSLimits.reserve, 0x3FFF) - 16 - question.name.wire.count
        let mayBeCut = reply.answers.count == plainAnswerLimit
        // Of each answer with its address, uncompressed; and of the metadata of all.
        var lengths: [Int] = [], sum = 0, metadata = 0
        var withMetadata = type == DNSType.srv && zone.config.nodeMetaTXT
        while let instance = instances.draw(&random) {
            instancesLeft -= 1
            guard instancesLeft >= 0, case .address(let address, let isNodes) = target(of: instance) else { return nil }
            if type != DNSType.srv {
                if !address.answers(type) { continue }
                let unit = places[address] ?? answer.addUnit(pointed(0xC00C, ttl, address.data), [])
                places[address] = unit
                answer.addInstance(unit: unit)
                continue
            }
            let node = instance.node
            // A target that occurs twice is written, and cut, together with the first.
            guard let target = isNodes ? DNSName(node.value.node, suffix: zone.nodeSuffix) : addressName(address),
                target.lowercased != question.name.lowercased, names.insert(target.lowercased)
            else { return nil }
            var records = [pointed(0, ttl, address.data)]
            if withMetadata, node.value.meta?.isEmpty == false {
                guard isNodes else { return nil }
                records += Self.metadata(of: node, owner: target, ttl: ttl).map { pointed(0, ttl, $0.data) }
            }
            let service = pointed(0xC00C, ttl, serviceRecord(instance, target))
            lengths.append(question.name.wire.count + service.count + records[0].count + target.wire.count)
            sum += lengths.last ?? 0
            metadata += records.dropFirst().reduce(0) { $0 + $1.count + target.wire.count }
            answer.addInstance(unit: answer.addUnit(service, records))
            if sum + metadata <= room { continue }
            // All of them do not fit: either some are always cut, or it is not only a matter of the draw.
            guard mayBeCut else { return nil }
            if withMetadata { answer.dropMetadata() }
            (withMetadata, metadata) = (false, 0)
        }
        if type == DNSType.srv {
            // Whatever is drawn fits, so that the number of answers is always the same.
            let isCut = answer.unitCount > plainAnswerLimit
            let largest = lengths.sorted(by: >).prefix(reply.answers.count).reduce(0, +)
            guard reply.answers.count == min(answer.unitCount, plainAnswerLimit), largest <= room else { return nil }
            if isCut {
                answer.dropMetadata()
            } else if zone.config.nodeMetaTXT && !withMetadata {
                return nil
            }
        } else if answer.unitCount < reply.answers.count {
            return nil
        }
        answer.finish()
        return answer.size <= 0x3FFF ? answer : nil
    }

    /// A record whose owner is a pointer.
    private func pointed(_ pointer: UInt16, _ ttl: UInt32, _ data: DNSData) -> [UInt8] {
        var message = DNSMessage(id: 0, question: nil)
        message.answers = [DNSRecord(owner: .root, ttl: ttl, data: data)]
        // Behind the header and the root's single byte.
        var record: [UInt8] = []
        record.append(bigEndian: pointer)
        return record + message.encoded(compressed: false).dropFirst(13)
    }
}
