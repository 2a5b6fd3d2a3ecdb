/// What an archive says about the snapshot in it.
public struct ArchiveDescription: Hashable, Sendable {
    public var id = ""
    public var index: UInt64 = 0
    public var term: UInt64 = 0
    /// Of the format, 0 or 1 in all that can be restored.
    public var version: Int64 = 0
    /// Of the state, in bytes, as the description has it.
    public var size: Int64 = 0
    /// Of the state, as it is.
    public var stateSize = 0

    init() {}

    private static let refusal = "failed to decode snapshot metadata: "

    /// Reads `meta.json`.
    init(encoded bytes: [UInt8]) throws(TextError) {
        let document: DynamicValue
        do throws(JSONError) {
            document = try JSON.parseDocument(bytes)
        } catch {
            throw TextError(Self.refusal + "\(error.documentText)")
        }
        func number(_ name: String) throws(TextError) -> UInt64 {
            switch document[name] {
            case .int(let value)? where value >= 0: return UInt64(value)
            case .uint(let value)?: return value
            case nil, .null?: return 0
            default: throw TextError(Self.refusal + "\(name) is not a number of the right size")
            }
        }
        guard case .map = document else { throw TextError(Self.refusal + "it is no object") }
        if case .string(let text)? = document["ID"] { id = text }
        index = try number("Index")
        term = try number("Term")
        if index > RaftLimits.archiveIndexMax { throw TextError(Self.refusal + RaftLimits.beyond("Index", index)) }
        if term > RaftLimits.termMax { throw TextError(Self.refusal + RaftLimits.beyond("Term", term)) }
        version = Int64(clamping: try number("Version"))
        size = Int64(clamping: try number("Size"))
    }
}

/// Unpacks an archive and checks it, a slice with each call. The texts of errors are the reference's (rpc-raft-wire §8.3, http-2 §12.2).
///
/// Over 15 stored variables: where it stands in the stream, and what it has read of each part, which are checked against each other.
public struct ArchiveReader {
    public enum Progress {
        /// The next piece of the state.
        case state([UInt8])
        case working
        /// All is read, and whole.
        case done(ArchiveDescription)
    }

    private enum Phase {
        case header
        case member(Member, left: Int, padding: Int)
        case padding(Int)
        /// Behind a block of zeros.
        case secondZero
        /// Nothing may follow.
        case end
    }

    private enum Member { case meta, state, sums, ignored }

    private let archive: [UInt8]
    private var position = 0
    private let gunzip: any GunzipStream
    private let metaDigest: any DigestStream
    private let stateDigest: any DigestStream
    private var phase = Phase.header
    private var block: [UInt8] = []
    private var meta: [UInt8] = []
    private var sums: [UInt8] = []
    private var description = ArchiveDescription()
    private var stateSize = 0
    private var surplus = 0
    /// All that came out of the archive.
    private var unpackedSize = 0
    /// What it may come to.
    private let unpackedSizeMax: Int
    /// More may come out of what was taken in.
    private var hasMore = false
    private var isRead = false

    /// How much is looked at, and how much unpacked, with one call of `next`.
    static let sliceSize = 256 << 10
    /// Of the description, and of the list of sums.
    static let textSizeMax = 4 << 20
    /// An archive unpacks to this much, and to `ratioMax` times its own size: states are texts, which shrink to a tenth; what shrinks to a
    /// thousandth was made to fill memory.
    static let unpackedSizeMin = 1 << 30
    static let ratioMax = 200

    public init(_ archive: [UInt8], tools: some ArchiveTools) {
        self.init(archive, tools: tools, unpackedSizeMin: Self.unpackedSizeMin)
    }

    init(_ archive: [UInt8], tools: some ArchiveTools, unpackedSizeMin: Int) {
        self.archive = archive
        unpackedSizeMax = max(unpackedSizeMin, Self.ratioMax * archive.count)
        gunzip = tools.makeGunzip()
        metaDigest = tools.makeDigest()
        stateDigest = tools.makeDigest()
    }

    /// Unpacks the next slice.
    public mutating func next() throws(TextError) -> Progress {
        if isRead {
            description.stateSize = stateSize
            return .done(description)
        }
        if position == 0 { try checkBeginning() }
        var out: [UInt8] = []
        out.reserveCapacity(Self.sliceSize)
        var failure: TextError?
        if position < archive.count || hasMore {
            let slice = archive[position..<min(archive.count, position + Self.sliceSize)]
            do throws(TextError) {
                position += try gunzip.decompress(slice, limit: Self.sliceSize, into: &out)
            } catch {
                failure = error
            }
        }
        hasMore = out.count == Self.sliceSize
        unpackedSize += out.count
        if unpackedSize > unpackedSizeMax { throw self.failure("it unpacks to more than \(unpackedSizeMax) bytes") }
        var state: [UInt8] = []
        try take(out, &state)
        if let failure { throw try stopped(by: failure.text) }
        if position == archive.count, !hasMore {
            try end()
            isRead = true
        }
        return state.isEmpty ? .working : .state(state)
    }

    private func checkBeginning() throws(TextError) {
        let problem: String? =
            switch archive.count {
            case 0: "EOF"
            case 1..<10: "unexpected EOF"
            default: archive.starts(with: [0x1F, 0x8B, 8]) ? nil : "gzip: invalid header"
            }
        if let problem { throw TextError("failed to decompress snapshot: \(problem)") }
    }

    /// What a failure to read on is called, where the reader is.
    private func stopped(by text: String) throws(TextError) -> TextError {
        switch phase {
        case .end:
            // The members are whole: those are checked first.
            try verify()
            return TextError(text)
        case .member(.meta, _, _): return failure("failed to read snapshot metadata: \(text)")
        case .member(.state, _, _): return failure("failed to read or write snapshot data: \(text)")
        case .member(.sums, _, _): return failure("failed to read snapshot hashes: \(text)")
        default: return failure("failed reading snapshot: \(text)")
        }
    }

    private func failure(_ text: String) -> TextError { TextError("failed to read snapshot file: " + text) }

    private mutating func end() throws(TextError) {
        guard gunzip.isAtEnd else { throw try stopped(by: "unexpected EOF") }
        switch phase {
        case .header where block.isEmpty, .secondZero where block.isEmpty, .end: break
        default: throw try stopped(by: "unexpected EOF")
        }
        try verify()
        if surplus > 0 { throw TextError("\(surplus) unread uncompressed bytes remain") }
    }

    // MARK: Members

    private mutating func take(_ bytes: [UInt8], _ state: inout [UInt8]) throws(TextError) {
        var at = 0
        while at < bytes.count {
            switch phase {
            case .header, .secondZero:
                let count = min(Tar.blockSize - block.count, bytes.count - at)
                block += bytes[at..<at + count]
                at += count
                if block.count == Tar.blockSize { try takeBlock() }
            case .member(let member, let left, let padding):
                let count = min(left, bytes.count - at)
                try take(bytes[at..<at + count], of: member, &state)
                at += count
                phase = .member(member, left: left - count, padding: padding)
                if left == count { try endMember(member, padding) }
            case .padding(let left):
                let count = min(left, bytes.count - at)
                at += count
                phase = left == count ? .header : .padding(left - count)
            case .end:
                surplus += bytes.count - at
                at = bytes.count
            }
        }
    }

    private mutating func takeBlock() throws(TextError) {
        let header: Tar.Header?
        do throws(TextError) { header = try Tar.parse(block) } catch { throw failure("failed reading snapshot: \(error.text)") }
        block.removeAll(keepingCapacity: true)
        guard let header else {
            if case .secondZero = phase { phase = .end } else { phase = .secondZero }
            return
        }
        if case .secondZero = phase { throw failure("failed reading snapshot: \(Tar.damage.text)") }
        let member: Member =
            switch header.name {
            case _ where header.isExtension: .ignored
            case "meta.json": .meta
            case "state.bin": .state
            case "SHA256SUMS": .sums
            default: throw failure("unexpected file \(GoQuote.quote(header.name)) in snapshot")
            }
        let padding = Tar.padding(header.size)
        phase = .member(member, left: header.size, padding: padding)
        if header.size == 0 { try endMember(member, padding) }
    }

    private mutating func take(_ bytes: ArraySlice<UInt8>, of member: Member, _ state: inout [UInt8]) throws(TextError) {
        switch member {
        case .meta:
            metaDigest.add(bytes)
            meta += bytes
            if meta.count > Self.textSizeMax { throw failure("failed to read snapshot metadata: it is too large") }
        case .state:
            stateDigest.add(bytes)
            stateSize += bytes.count
            state += bytes
        case .sums:
            sums += bytes
            if sums.count > Self.textSizeMax { throw failure("failed to read snapshot hashes: they are too large") }
        case .ignored: break
        }
    }

    private mutating func endMember(_ member: Member, _ padding: Int) throws(TextError) {
        phase = padding > 0 ? .padding(padding) : .header
        guard member == .meta else { return }
        do throws(TextError) { description = try ArchiveDescription(encoded: meta) } catch { throw failure(error.text) }
    }

    // MARK: Sums

    /// Every member has a sum, which is right, and nothing else has one.
    private func verify() throws(TextError) {
        func refusal(_ text: String) -> TextError { failure("failed checking integrity of snapshot: " + text) }
        let expected = [("meta.json", metaDigest.finish()), ("state.bin", stateDigest.finish())]
        var seen: [String] = []
        for line in sums.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\r") }
            guard fields.count >= 2, let sum = Hex.bytes(fields[0]) else { throw refusal("input does not match format") }
            let name = String(decoding: fields[1], as: UTF8.self)
            guard let member = expected.first(where: { $0.0 == name }) else {
                throw refusal("list missing hash for \(GoQuote.quote(name))")
            }
            guard member.1 == sum else { throw refusal("hash check failed for \(GoQuote.quote(name))") }
            seen.append(name)
        }
        for (name, _) in expected where !seen.contains(name) { throw refusal("file missing for \(GoQuote.quote(name))") }
    }
}
