/// The tar format as far as archives of snapshots need it: POSIX ustar, regular files (rpc-raft-wire §8.3).
enum Tar {
    static let blockSize = 512

    /// What precedes a member.
    struct Header: Equatable {
        var name: String
        /// Of the member, in bytes.
        var size: Int
        var kind: UInt8

        /// Says something about the member that follows, which may be ignored here.
        var isExtension: Bool { [UInt8(ascii: "x"), UInt8(ascii: "g"), UInt8(ascii: "L"), UInt8(ascii: "K")].contains(kind) }
    }

    static let damage = TextError("archive/tar: invalid tar header")

    /// How many bytes fill the last block of a member.
    static func padding(_ size: Int) -> Int { (blockSize - size % blockSize) % blockSize }

    // MARK: Writing

    /// One block, for a file that its owner may read and write. `modified` is in seconds since 1970.
    static func header(name: String, size: Int, modified: Int64) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: blockSize)
        block.replaceSubrange(0..<name.utf8.count, with: name.utf8)
        put(0o600, at: 100, digits: 7, &block)
        put(0, at: 108, digits: 7, &block)
        put(0, at: 116, digits: 7, &block)
        put(UInt64(size), at: 124, digits: 11, &block)
        put(UInt64(max(0, modified)), at: 136, digits: 11, &block)
        block[156] = UInt8(ascii: "0")
        block.replaceSubrange(257..<265, with: [0x75, 0x73, 0x74, 0x61, 0x72, 0, 0x30, 0x30])
        put(0, at: 329, digits: 7, &block)
        put(0, at: 337, digits: 7, &block)
        put(checksum(block[...]), at: 148, digits: 6, &block)
        block[155] = UInt8(ascii: " ")
        return block
    }

    /// Octal digits; the byte behind them stays 0.
    private static func put(_ value: UInt64, at start: Int, digits: Int, _ block: inout [UInt8]) {
        for place in 0..<digits {
            block[start + place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value >> UInt64(3 * (digits - 1 - place)) & 7)
        }
    }

    /// The sum of all bytes, with blanks in place of the sum itself.
    private static func checksum(_ block: ArraySlice<UInt8>) -> UInt64 {
        var sum: UInt64 = 8 * 32
        for (place, byte) in block.enumerated() where !(148..<156).contains(place) { sum += UInt64(byte) }
        return sum
    }

    // MARK: Reading

    /// nil for a block of zeros.
    static func parse(_ block: [UInt8]) throws(TextError) -> Header? {
        if block.allSatisfy({ $0 == 0 }) { return nil }
        guard block.count == blockSize, try number(block[148..<156]) == Int(checksum(block[...])) else { throw damage }
        var name = text(block[0..<100])
        let isPOSIX = block[257..<263].elementsEqual([0x75, 0x73, 0x74, 0x61, 0x72, 0])
        let prefix = isPOSIX ? text(block[345..<500]) : ""
        if !prefix.isEmpty { name = prefix + "/" + name }
        let kind = block[156] == 0 || block[156] == UInt8(ascii: "7") ? UInt8(ascii: "0") : block[156]
        // Links, devices and folders have no contents, whatever they say.
        let isBare = (UInt8(ascii: "1")...UInt8(ascii: "6")).contains(kind)
        return Header(name: name, size: isBare ? 0 : try number(block[124..<136]), kind: kind)
    }

    private static func text(_ field: ArraySlice<UInt8>) -> String {
        let bytes = field.prefix { $0 != 0 }
        return UTF8Text.repaired(bytes.span)
    }

    /// Octal digits between blanks, or binary if the highest bit is set.
    private static func number(_ field: ArraySlice<UInt8>) throws(TextError) -> Int {
        var value: UInt64 = 0
        if let first = field.first, first & 0x80 != 0 {
            if first & 0x40 != 0 { throw damage }
            for (place, byte) in field.enumerated() {
                guard value >> 55 == 0 else { throw damage }
                value = value << 8 | UInt64(place == 0 ? byte & 0x3F : byte)
            }
            return Int(value)
        }
        let blank: (UInt8) -> Bool = { $0 == 0 || $0 == UInt8(ascii: " ") }
        for byte in field.drop(while: blank).prefix(while: { !blank($0) }) {
            guard (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(byte), value >> 60 == 0 else { throw damage }
            value = value << 3 | UInt64(byte - UInt8(ascii: "0"))
        }
        guard let number = Int(exactly: value) else { throw damage }
        return number
    }
}
