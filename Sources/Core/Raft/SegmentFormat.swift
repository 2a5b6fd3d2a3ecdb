// The bytes of a segment of the log, `raft/log/<first index, 16 hexadecimal digits>.seg`.
//
// A segment is a header of 64 bytes and then records, each padded to a multiple of 8 bytes. All integers are little-endian.
//
//     header   0  magic "RAFTLOG1"           8  index of the first record     16  term of the entry before it
//             24  salt (u32)                 28  zeros                        60  CRC-32C of bytes 0..<60
//     record   0  CRC-32C of the rest (u32)   4  length without padding (u32)   8  index    16  term
//             24  salt (u32)                 28  synced (u32)                 32  kind (u8)  33  zeros  36  length of extensions (u32)
//             40  extensions, then data, then zeros up to a multiple of 8
//
// Two fields make recovery certain of what it sees:
// - `salt` is drawn per segment, so what a file system leaves of an older file is never taken for a record.
// - `synced` is the offset in the segment up to which everything was durable before this record was written. A crash may keep any part
//   of what was not synced, so a bad record followed by a good one is no damage as such; but a good one that says "everything up to 4096 was
//   durable" proves that a bad one at 1000 was durable once, and so is damage, not a torn write.
// A length of zero, like the end of the file, ends the segment: files may be longer than their records and filled with zeros.

/// Names and bytes of segments.
enum SegmentFormat {
    static let folder = "raft/log"
    static let headerSize = 64
    static let recordHeaderSize = 40
    /// Bytes of one entry, so that lengths and offsets fit their fields.
    static let entrySizeMax = 256 << 20
    private static let magic: UInt64 = 0x3147_4F4C_5446_4152

    struct Header: Equatable {
        var first: UInt64
        var previousTerm: UInt64
        var salt: UInt32
    }

    /// A record as it stands in a buffer; ranges are relative to the buffer.
    struct Record {
        var index: UInt64
        var term: UInt64
        var salt: UInt32
        var synced: UInt32
        var kind: LogKind
        var extensions: Range<Int>
        var data: Range<Int>
        /// Where the next record begins.
        var end: Int
    }

    static func file(first: UInt64) -> String {
        var name: [UInt8] = []
        name.reserveCapacity(32)
        name.append(text: "raft/log/")
        for shift in stride(from: 56, through: 0, by: -8) { name.append(hex: UInt8(truncatingIfNeeded: first >> UInt64(shift))) }
        name.append(text: ".seg")
        return String(decoding: name, as: UTF8.self)
    }

    /// The first index in a name made by `file(first:)`.
    static func first(ofFile name: String) -> UInt64? {
        let bytes = Array(name.utf8)
        guard bytes.count == 29, name.hasPrefix("raft/log/"), name.hasSuffix(".seg") else { return nil }
        var value: UInt64 = 0
        for digit in bytes[9..<25] {
            guard let digit = hexValue(digit) else { return nil }
            value = value << 4 | UInt64(digit)
        }
        return value
    }

    // MARK: Writing

    static func size(_ entry: borrowing LogEntry) -> Int {
        (recordHeaderSize + entry.extensions.count + entry.data.count + 7) & ~7
    }

    static func append(_ header: Header, to bytes: inout [UInt8]) {
        let start = bytes.count
        bytes.append(littleEndian: magic)
        bytes.append(littleEndian: header.first)
        bytes.append(littleEndian: header.previousTerm)
        bytes.append(littleEndian: header.salt)
        bytes.append(contentsOf: repeatElement(0, count: 32))
        bytes.append(littleEndian: CRC32C.checksum(bytes.span.bytes.extracting(start..<bytes.count)))
    }

    static func append(_ entry: borrowing LogEntry, salt: UInt32, synced: Int, to bytes: inout [UInt8]) {
        let start = bytes.count
        let length = recordHeaderSize + entry.extensions.count + entry.data.count
        precondition(length <= entrySizeMax, "an entry exceeds the limit of the log's format")
        bytes.append(littleEndian: UInt64(UInt32(length)) << 32)
        bytes.append(littleEndian: entry.index)
        bytes.append(littleEndian: entry.term)
        bytes.append(littleEndian: UInt64(UInt32(synced)) << 32 | UInt64(salt))
        bytes.append(littleEndian: UInt64(UInt32(entry.extensions.count)) << 32 | UInt64(entry.kind.rawValue))
        bytes.append(contentsOf: entry.extensions)
        bytes.append(contentsOf: entry.data)
        bytes.append(contentsOf: repeatElement(0, count: -length & 7))
        let checksum = CRC32C.checksum(bytes.span.bytes.extracting((start + 4)..<(start + length)))
        for at in 0..<4 { bytes[start + at] = UInt8(truncatingIfNeeded: checksum >> UInt32(8 * at)) }
    }

    // MARK: Reading

    static func header(_ bytes: RawSpan) -> Header? {
        guard bytes.byteCount >= headerSize, load(bytes, 0, UInt64.self) == magic else { return nil }
        guard CRC32C.checksum(bytes.extracting(0..<60)) == load(bytes, 60, UInt32.self) else { return nil }
        let header = Header(
            first: load(bytes, 8, UInt64.self), previousTerm: load(bytes, 16, UInt64.self), salt: load(bytes, 24, UInt32.self))
        return header.first > 0 && header.first <= RaftLimits.indexMax && header.previousTerm <= RaftLimits.termMax ? header : nil
    }

    /// The intact record at `offset`, or nil. One with an index or a term that no cluster reaches is none.
    static func record(_ bytes: RawSpan, at offset: Int) -> Record? {
        guard bytes.byteCount - offset >= recordHeaderSize else { return nil }
        let length = Int(load(bytes, offset + 4, UInt32.self))
        guard length >= recordHeaderSize, length <= bytes.byteCount - offset else { return nil }
        let extensions = Int(load(bytes, offset + 36, UInt32.self))
        guard extensions <= length - recordHeaderSize, let kind = LogKind(rawValue: load(bytes, offset + 32, UInt8.self)) else {
            return nil
        }
        let checksum = CRC32C.checksum(bytes.extracting((offset + 4)..<(offset + length)))
        guard checksum == load(bytes, offset, UInt32.self) || planted(.recordChecksumIgnored) else { return nil }
        let payload = offset + recordHeaderSize
        let (index, term) = (load(bytes, offset + 8, UInt64.self), load(bytes, offset + 16, UInt64.self))
        guard index <= RaftLimits.indexMax, term <= RaftLimits.termMax else { return nil }
        return Record(
            index: index, term: term,
            salt: load(bytes, offset + 24, UInt32.self), synced: load(bytes, offset + 28, UInt32.self), kind: kind,
            extensions: payload..<(payload + extensions), data: (payload + extensions)..<(offset + length), end: offset + (length + 7) & ~7)
    }

    static func entry(_ bytes: RawSpan, _ record: Record) -> LogEntry {
        LogEntry(
            index: record.index, term: record.term, kind: record.kind, data: Array(copying: bytes.extracting(record.data)),
            extensions: Array(copying: bytes.extracting(record.extensions)))
    }

    /// The entries `first...last` whose records begin `bytes`; nil if they do not stand there intact.
    static func entries(_ bytes: [UInt8], first: UInt64, last: UInt64, salt: UInt32) -> [LogEntry]? {
        let buffer = bytes.span.bytes
        var entries: [LogEntry] = []
        entries.reserveCapacity(Int(last - first + 1))
        var offset = 0
        for index in first...last {
            guard let record = record(buffer, at: offset), record.index == index, record.salt == salt else { return nil }
            entries.append(entry(buffer, record))
            offset = record.end
        }
        return entries
    }

    /// The load is named for types that not every sequence of bits is a value of; its bounds are checked.
    @inline(__always)
    static func load<T: FixedWidthInteger & BitwiseCopyable>(_ bytes: RawSpan, _ offset: Int, _ type: T.Type) -> T {
        T(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: T.self))
    }
}
