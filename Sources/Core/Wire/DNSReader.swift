public enum DNSError: Error, Hashable, Sendable {
    /// Fewer bytes than a header has.
    case noHeader
    case malformed
}

extension DNSMessage {
    /// The counts of a header's sections.
    struct Counts: Hashable {
        var questions: UInt16, answers: UInt16, authority: UInt16, additional: UInt16
    }

    /// Reads only the header, without which there can be no answer.
    static func header(_ bytes: [UInt8]) -> (id: UInt16, flags: UInt16, counts: Counts)? {
        if bytes.count < 12 { return nil }
        func word(_ at: Int) -> UInt16 { UInt16(bytes[at]) << 8 | UInt16(bytes[at + 1]) }
        return (word(0), word(2), Counts(questions: word(4), answers: word(6), authority: word(8), additional: word(10)))
    }

    /// Reads a message. As in the reference's library, counts may promise more than there is: the message ends where its bytes end.
    /// Of several questions the first is kept, of several OPT records the last.
    public init(decoding bytes: [UInt8]) throws(DNSError) {
        guard let (id, flags, counts) = Self.header(bytes) else { throw .noHeader }
        self.init(id: id, flags: flags, question: nil)
        var reader = DNSReader(bytes: bytes, at: 12)
        for _ in 0..<counts.questions where !reader.isAtEnd {
            let question = try reader.question()
            self.question = self.question ?? question
        }
        answers = try reader.records(counts.answers, &options)
        authority = try reader.records(counts.authority, &options)
        additional = try reader.records(counts.additional, &options)
    }
}

private struct DNSReader {
    let bytes: [UInt8]
    var at: Int

    var isAtEnd: Bool { at >= bytes.count }

    mutating func word() throws(DNSError) -> UInt16 {
        guard at + 2 <= bytes.count else { throw .malformed }
        at += 2
        return UInt16(bytes[at - 2]) << 8 | UInt16(bytes[at - 1])
    }

    mutating func long() throws(DNSError) -> UInt32 { UInt32(try word()) << 16 | UInt32(try word()) }

    mutating func name() throws(DNSError) -> DNSName {
        var wire: [UInt8] = []
        var position = at
        // Every pointer must lead to before where the last one led to, so that none leads in circles.
        var limit = at
        var followed = false
        while true {
            guard position < bytes.count else { throw .malformed }
            let length = Int(bytes[position])
            if length >= 0xC0 {
                guard position + 1 < bytes.count else { throw .malformed }
                if !followed { at = position + 2 }
                followed = true
                position = (length & 0x3F) << 8 | Int(bytes[position + 1])
                guard position < limit else { throw .malformed }
                limit = position
                continue
            }
            guard length <= DNSName.labelLimit, position + length < bytes.count,
                wire.count + length + 1 <= DNSName.lengthLimit
            else { throw .malformed }
            wire.append(contentsOf: bytes[position...(position + length)])
            position += length + 1
            if length == 0 { break }
        }
        if !followed { at = position }
        return DNSName(unchecked: wire)
    }

    mutating func question() throws(DNSError) -> DNSQuestion {
        let name = try name()
        if isAtEnd { return DNSQuestion(name: name, type: 0, recordClass: 0) }
        let type = try word()
        if isAtEnd { return DNSQuestion(name: name, type: type, recordClass: 0) }
        return DNSQuestion(name: name, type: type, recordClass: try word())
    }

    mutating func records(_ count: UInt16, _ options: inout DNSOptions?) throws(DNSError) -> [DNSRecord] {
        var records: [DNSRecord] = []
        for _ in 0..<count where !isAtEnd {
            let owner = try name()
            let type = try word()
            let recordClass = try word()
            let ttl = try long()
            let length = Int(try word())
            guard at + length <= bytes.count else { throw .malformed }
            let end = at + length
            if type == DNSType.opt {
                options = try self.options(payloadSize: recordClass, end: end)
            } else {
                records.append(DNSRecord(owner: owner, ttl: ttl, data: try data(type, end: end)))
            }
            guard at == end else { throw .malformed }
        }
        return records
    }

    private mutating func data(_ type: UInt16, end: Int) throws(DNSError) -> DNSData {
        switch type {
        case DNSType.a where end - at == 4: return .a(try long())
        case DNSType.aaaa where end - at == 16:
            let high = UInt64(try long()) << 32 | UInt64(try long())
            return .aaaa(high: high, low: UInt64(try long()) << 32 | UInt64(try long()))
        case DNSType.a, DNSType.aaaa: throw .malformed
        case DNSType.ns: return .ns(try name())
        case DNSType.cname: return .cname(try name())
        case DNSType.ptr: return .ptr(try name())
        case DNSType.soa:
            return .soa(
                DNSStartOfAuthority(
                    primary: try name(), mailbox: try name(), serial: try long(), refresh: try long(), retry: try long(),
                    expire: try long(), minimum: try long()))
        case DNSType.srv: return .srv(priority: try word(), weight: try word(), port: try word(), target: try name())
        case DNSType.txt:
            var text: [UInt8] = []
            while at < end {
                let length = Int(bytes[at])
                guard at + 1 + length <= end else { throw .malformed }
                text.append(contentsOf: bytes[(at + 1)..<(at + 1 + length)])
                at += 1 + length
            }
            return .txt(text)
        default:
            defer { at = end }
            return .other(type: type, Array(bytes[at..<end]))
        }
    }

    private mutating func options(payloadSize: UInt16, end: Int) throws(DNSError) -> DNSOptions {
        var options = DNSOptions(payloadSize: payloadSize)
        while at < end {
            let code = try word()
            let length = Int(try word())
            guard at + length <= end else { throw .malformed }
            let next = at + length
            if code == 8 { options.clientSubnet = try clientSubnet(end: next) }
            at = next
        }
        return options
    }

    private mutating func clientSubnet(end: Int) throws(DNSError) -> DNSOptions.ClientSubnet {
        guard end - at >= 4 else { throw .malformed }
        let family = try word()
        let source = bytes[at], scope = bytes[at + 1]
        let longest: UInt8 = family == 1 ? 32 : family == 2 ? 128 : 0
        guard family <= 2, source <= longest, scope <= longest else { throw .malformed }
        // Bits behind the prefix are not given back.
        var address = Array(bytes[(at + 2)..<min(end, at + 2 + (Int(source) + 7) / 8)])
        while address.count < (Int(source) + 7) / 8 { address.append(0) }
        if source % 8 != 0, let last = address.indices.last { address[last] &= 0xFF << (8 - source % 8) }
        return DNSOptions.ClientSubnet(family: family, sourcePrefix: source, scopePrefix: scope, address: address)
    }
}
