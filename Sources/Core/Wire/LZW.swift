/// Lempel-Ziv-Welch with codes from the low bit of each byte upward and literals of 8 bits, as in GIF (gossip §2.4).
///
/// The encoder gives the reference's bytes.
enum LZW {
    enum Failure: Error, Hashable {
        /// The input ends before the end code.
        case truncated
        /// A code that nothing stands for yet.
        case invalidCode
        case tooLong
    }

    private static let clear = 256, end = 257
    private static let widest = 12, most = 1 << widest

    // MARK: Encoding

    /// Codes on their way into bytes.
    private struct Packer {
        var output: [UInt8] = []
        var pending: UInt32 = 0
        var pendingBits: UInt32 = 0
        var width: UInt32 = 9
        /// The code given last, or that would be were the dictionary not behind by one.
        var high = LZW.end

        mutating func put(_ code: Int) {
            pending |= UInt32(truncatingIfNeeded: code) << pendingBits
            pendingBits += width
            while pendingBits >= 8 {
                output.append(UInt8(truncatingIfNeeded: pending))
                pending >>= 8
                pendingBits -= 8
            }
        }

        /// The next code; false when all are given and the dictionary was cleared.
        mutating func advance() -> Bool {
            high += 1
            if high == 1 << Int(width) { width += 1 }
            guard high == LZW.most - 1 else { return true }
            put(LZW.clear)
            width = 9
            high = LZW.end
            return false
        }
    }

    /// nil once the result is longer than `limit`.
    static func compress(_ input: [UInt8], limit: Int = .max) -> [UInt8]? {
        // Twice as many places as there can be entries; small inputs get small tables.
        var bits = 4
        while bits < widest + 2, 1 << bits < 2 * input.count { bits += 1 }
        let mask = 1 << bits - 1
        return withUnsafeTemporaryAllocation(of: UInt32.self, capacity: mask + 1) { table in
            // An entry is prefix (12 bits), byte (8) and code (12); no code is 0.
            table.initialize(repeating: 0)
            var packer = Packer()
            packer.output.reserveCapacity(min(limit, input.count) + 16)
            packer.put(clear)
            guard var code = input.first.map({ Int($0) }) else {
                packer.put(end)
                return finish(&packer, limit)
            }
            for byte in input.dropFirst() {
                let key = UInt32(code) << 8 | UInt32(byte)
                var at = Int((key ^ key >> 12 &* 0x9E5) & 0xF_FFFF) & mask
                while table[at] != 0, table[at] >> 12 != key { at = (at + 1) & mask }
                if table[at] != 0 {
                    code = Int(table[at] & 0xFFF)
                    continue
                }
                packer.put(code)
                code = Int(byte)
                if packer.advance() {
                    table[at] = key << 12 | UInt32(packer.high)
                } else {
                    table.update(repeating: 0)
                }
                if packer.output.count > limit { return nil }
            }
            packer.put(code)
            _ = packer.advance()
            packer.put(end)
            return finish(&packer, limit)
        }
    }

    private static func finish(_ packer: inout Packer, _ limit: Int) -> [UInt8]? {
        if packer.pendingBits > 0 { packer.output.append(UInt8(truncatingIfNeeded: packer.pending)) }
        return packer.output.count > limit ? nil : packer.output
    }

    // MARK: Decoding

    /// At most `limit` bytes; what follows the end code is ignored. Time and memory are those of input and output together.
    static func decompress(_ input: ArraySlice<UInt8>, limit: Int) throws(Failure) -> [UInt8] { try decompress(input.span, limit) }

    /// What a code stands for lies in the output already: where it began, and how long it is.
    private struct Entry {
        var start: Int
        var length: Int
    }

    private static func decompress(_ input: Span<UInt8>, _ limit: Int) throws(Failure) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(min(limit, 4 * input.count))
        /// Of the codes behind `end`; a code takes a byte of the input at least.
        var table: [Entry] = []
        table.reserveCapacity(min(most, input.count))
        var bits: UInt32 = 0, bitCount = 0, at = 0
        var width = 9
        /// The next free code, once there was a code to extend.
        var next = end + 1
        var previous: Entry?
        while true {
            while bitCount < width {
                guard at < input.count else { throw .truncated }
                bits |= UInt32(input[at]) << UInt32(bitCount)
                at += 1
                bitCount += 8
            }
            let code = Int(bits & (1 << UInt32(width) - 1))
            bits >>= UInt32(width)
            bitCount -= width
            if code == clear {
                width = 9
                next = end + 1
                table.removeAll(keepingCapacity: true)
                previous = nil
                continue
            }
            if code == end { return output }
            let start = output.count
            let length: Int
            if code < clear {
                length = 1
                output.append(UInt8(code))
            } else {
                guard let previous else { throw .invalidCode }
                // The code that is being defined is its predecessor and the first byte of that.
                guard code < next || code == next && next < most else { throw .invalidCode }
                let entry = code < next ? table[code - end - 1] : Entry(start: previous.start, length: previous.length + 1)
                length = entry.length
                guard start + length <= limit else { throw .tooLong }
                for offset in 0..<length { output.append(output[entry.start + offset]) }
            }
            guard output.count <= limit else { throw .tooLong }
            if let previous, next < most {
                table.append(Entry(start: previous.start, length: previous.length + 1))
                next += 1
            }
            previous = Entry(start: start, length: length)
            if next == 1 << width, width < widest { width += 1 }
        }
    }
}
