/// Writes a message, with pointers to names that occurred before (RFC 1035 §4.1.4): in owners and in the data of NS, CNAME, PTR and SOA.
/// Targets of SRV are written out, and later names may point into them.
struct DNSWriter {
    private(set) var bytes: [UInt8] = []
    private let compressing: Bool
    /// A hash table of the offsets of names and of their tails; zero is a free slot. Its size is a power of two.
    private var slots: [UInt16] = []
    private var used = 0

    init(compressing: Bool) {
        self.compressing = compressing
        bytes.reserveCapacity(512)
    }

    mutating func write(_ message: DNSMessage) {
        bytes.append(bigEndian: message.id)
        bytes.append(bigEndian: message.flags)
        bytes.append(bigEndian: message.question == nil ? 0 : 1 as UInt16)
        bytes.append(bigEndian: UInt16(truncatingIfNeeded: message.answers.count))
        bytes.append(bigEndian: UInt16(truncatingIfNeeded: message.authority.count))
        bytes.append(bigEndian: UInt16(truncatingIfNeeded: message.additional.count + (message.options == nil ? 0 : 1)))
        if let question = message.question {
            name(question.name, mayPoint: true)
            bytes.append(bigEndian: question.type)
            bytes.append(bigEndian: question.recordClass)
        }
        for record in message.answers { self.record(record, asked: message.question?.name) }
        for record in message.authority { self.record(record, asked: message.question?.name) }
        for record in message.additional { self.record(record, asked: message.question?.name) }
        if let options = message.options { self.options(options) }
    }

    private mutating func record(_ record: DNSRecord, asked: DNSName?) {
        // Most owners are the name asked for, which stands right behind the header.
        if compressing && asked == record.owner && !record.owner.isRoot {
            bytes.append(bigEndian: 0xC00C as UInt16)
        } else {
            name(record.owner, mayPoint: true)
        }
        bytes.append(bigEndian: record.data.type)
        bytes.append(bigEndian: 1 as UInt16)
        bytes.append(bigEndian: record.ttl)
        let length = bytes.count
        bytes.append(bigEndian: 0 as UInt16)
        data(record.data)
        let count = bytes.count - length - 2
        bytes[length] = UInt8(truncatingIfNeeded: count >> 8)
        bytes[length + 1] = UInt8(truncatingIfNeeded: count)
    }

    private mutating func data(_ data: DNSData) {
        switch data {
        case .a(let address): bytes.append(bigEndian: address)
        case .aaaa(let high, let low):
            bytes.append(bigEndian: high)
            bytes.append(bigEndian: low)
        case .ns(let target), .cname(let target), .ptr(let target): name(target, mayPoint: true)
        case .soa(let soa):
            name(soa.primary, mayPoint: true)
            name(soa.mailbox, mayPoint: true)
            bytes.append(bigEndian: soa.serial)
            bytes.append(bigEndian: soa.refresh)
            bytes.append(bigEndian: soa.retry)
            bytes.append(bigEndian: soa.expire)
            bytes.append(bigEndian: soa.minimum)
        case .srv(let priority, let weight, let port, let target):
            bytes.append(bigEndian: priority)
            bytes.append(bigEndian: weight)
            bytes.append(bigEndian: port)
            name(target, mayPoint: false)
        case .txt(let text):
            var start = 0
            repeat {
                let end = min(text.count, start + 255)
                bytes.append(UInt8(end - start))
                bytes.append(contentsOf: text[start..<end])
                start = end
            } while start < text.count
        case .other(_, let data): bytes.append(contentsOf: data)
        }
    }

    private mutating func options(_ options: DNSOptions) {
        bytes.append(0)
        bytes.append(bigEndian: DNSType.opt)
        bytes.append(bigEndian: options.payloadSize)
        bytes.append(bigEndian: 0 as UInt32)
        guard let subnet = options.clientSubnet else { return bytes.append(bigEndian: 0 as UInt16) }
        bytes.append(bigEndian: UInt16(truncatingIfNeeded: subnet.address.count + 8))
        bytes.append(bigEndian: 8 as UInt16)
        bytes.append(bigEndian: UInt16(truncatingIfNeeded: subnet.address.count + 4))
        bytes.append(bigEndian: subnet.family)
        bytes.append(subnet.sourcePrefix)
        bytes.append(subnet.scopePrefix)
        bytes.append(contentsOf: subnet.address)
    }

    // MARK: Names

    private mutating func name(_ name: DNSName, mayPoint: Bool) {
        guard compressing && !name.isRoot else { return bytes.append(contentsOf: name.wire) }
        if slots.isEmpty { slots = [UInt16](repeating: 0, count: 64) }
        let base = bytes.count
        withUnsafeTemporaryAllocation(of: (start: UInt8, hash: UInt32).self, capacity: 128) { labels in
            let count = Self.hashTails(name.wire, into: labels)
            var fresh = 0
            var pointer: UInt16?
            while fresh < count {
                pointer = find(name.wire, from: Int(labels[fresh].start), labels[fresh].hash)
                if pointer != nil { break }
                fresh += 1
            }
            if mayPoint, let pointer {
                bytes.append(contentsOf: name.wire[..<Int(labels[fresh].start)])
                bytes.append(bigEndian: 0xC000 | pointer)
            } else {
                bytes.append(contentsOf: name.wire)
            }
            // Offsets beyond 14 bits cannot be pointed to.
            for at in 0..<fresh where base + Int(labels[at].start) < 0x4000 {
                insert(UInt16(base + Int(labels[at].start)), labels[at].hash)
            }
        }
    }

    /// The start of each label and a hash of the name from there on; returns their number.
    private static func hashTails(_ wire: [UInt8], into labels: UnsafeMutableBufferPointer<(start: UInt8, hash: UInt32)>) -> Int {
        var count = 0, at = 0
        while wire[at] != 0 && count < 128 {
            labels[count] = (UInt8(truncatingIfNeeded: at), 0)
            count += 1
            at += 1 + Int(wire[at])
        }
        var hash: UInt32 = 2_166_136_261
        for index in stride(from: count - 1, through: 0, by: -1) {
            let start = Int(labels[index].start)
            for byte in wire[start...(start + Int(wire[start]))] { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
            labels[index].hash = hash
        }
        return count
    }

    /// The offset of an earlier name that equals `wire` from `start` on.
    private func find(_ wire: [UInt8], from start: Int, _ hash: UInt32) -> UInt16? {
        let mask = slots.count - 1
        var slot = Int(hash) & mask
        while slots[slot] != 0 {
            if equals(wire, from: start, at: Int(slots[slot])) { return slots[slot] }
            slot = (slot + 1) & mask
        }
        return nil
    }

    /// Compares with the name in the message at that offset, which may itself end with a pointer.
    private func equals(_ wire: [UInt8], from start: Int, at offset: Int) -> Bool {
        var at = start, offset = offset
        while offset < bytes.count {
            let length = Int(bytes[offset])
            if length >= 0xC0 {
                guard offset + 1 < bytes.count else { return false }
                offset = (length & 0x3F) << 8 | Int(bytes[offset + 1])
                continue
            }
            if offset + length >= bytes.count || Int(wire[at]) != length { return false }
            if length == 0 { return true }
            for step in 1...length where wire[at + step] != bytes[offset + step] { return false }
            at += 1 + length
            offset += 1 + length
        }
        return false
    }

    private mutating func insert(_ offset: UInt16, _ hash: UInt32) {
        if used * 4 >= slots.count * 3 { grow() }
        place(offset, hash)
        used += 1
    }

    private mutating func place(_ offset: UInt16, _ hash: UInt32) {
        let mask = slots.count - 1
        var slot = Int(hash) & mask
        while slots[slot] != 0 { slot = (slot + 1) & mask }
        slots[slot] = offset
    }

    /// Offsets do not keep their hashes, so they are computed anew from the message. There are at most 2^14 offsets.
    private mutating func grow() {
        let old = slots
        slots = [UInt16](repeating: 0, count: old.count * 8)
        for offset in old where offset != 0 {
            guard let wire = tail(at: Int(offset)) else { continue }
            let hash = withUnsafeTemporaryAllocation(of: (start: UInt8, hash: UInt32).self, capacity: 128) { labels in
                Self.hashTails(wire, into: labels) > 0 ? labels[0].hash : 0
            }
            place(offset, hash)
        }
    }

    /// The uncompressed name at an offset.
    private func tail(at offset: Int) -> [UInt8]? {
        var wire: [UInt8] = []
        var offset = offset
        while offset < bytes.count {
            let length = Int(bytes[offset])
            if length >= 0xC0 {
                guard offset + 1 < bytes.count else { return nil }
                offset = (length & 0x3F) << 8 | Int(bytes[offset + 1])
                continue
            }
            if offset + length >= bytes.count { return nil }
            wire.append(contentsOf: bytes[offset...(offset + length)])
            if length == 0 { return wire }
            offset += 1 + length
        }
        return nil
    }
}
