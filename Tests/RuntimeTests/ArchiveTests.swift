import Foundation
import Testing

@testable import Core
@testable import Runtime

/// Archives of snapshots with the real compression and digests (rpc-raft-wire §8.3).
@Suite struct ArchiveTests {
    private static let tools = SystemArchiveTools()

    private func vector(_ name: String) throws -> [UInt8] {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        return [UInt8](try Data(contentsOf: folder.appendingPathComponent("CoreTests/Vectors/\(name)")))
    }

    private func read(_ archive: [UInt8]) throws -> (description: ArchiveDescription, state: [UInt8]) {
        var reader = ArchiveReader(archive, tools: Self.tools)
        var state: [UInt8] = []
        while true {
            switch try reader.next() {
            case .state(let piece): state += piece
            case .working: break
            case .done(let description): return (description, state)
            }
        }
    }

    private func refusal(_ archive: [UInt8]) -> String? {
        do {
            _ = try read(archive)
            return nil
        } catch {
            return (error as? TextError)?.text
        }
    }

    private func unpacked(_ bytes: [UInt8]) throws -> [UInt8] {
        let gunzip = Self.tools.makeGunzip()
        var out: [UInt8] = [], at = 0
        repeat {
            let before = out.count
            at += try gunzip.decompress(bytes[at...].prefix(1_000), limit: 777, into: &out)
            if at == bytes.count, out.count - before < 777 { break }
        } while true
        #expect(gunzip.isAtEnd)
        return out
    }

    private func packed(_ bytes: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        Self.tools.makeGzip().compress(bytes, isLast: true, into: &out)
        return out
    }

    @Test func `the reference's archive is read, and written again byte by byte`() throws {
        let archive = try vector("snapshot-1.8.6.snap"), expected = try vector("snapshot-1.8.6-state.bin")
        let (description, state) = try read(archive)
        #expect(state == expected && description.id == "2-46-1795237618316" && description.index == 46 && description.term == 2)
        #expect(description.size == 11_315 && description.stateSize == 11_315 && description.version == 1)
        let tar = try unpacked(archive)
        let length = try #require(try Tar.parse(Array(tar[..<512]))).size
        let meta = try SnapshotMeta(encoded: Array(tar[512..<512 + length]))
        var writer = ArchiveWriter(meta, tools: Self.tools, unixSeconds: 0o15300223362)
        for start in stride(from: 0, to: state.count, by: 1_000) { writer.add(Array(state[start..<min(state.count, start + 1_000)])) }
        let own = writer.finish()
        #expect(try unpacked(own) == tar)
        #expect(try read(own).state == state)
    }

    @Test func `several gzip members are as good as one`() throws {
        let tar = try unpacked(try vector("snapshot-1.8.6.snap"))
        #expect(try read(packed(Array(tar[..<5_000])) + packed(Array(tar[5_000...]))).description.index == 46)
    }

    @Test func `a large state is packed and unpacked in slices`() throws {
        var random = Random(seed: 5)
        let state = (0..<3_000_000).map { _ in UInt8(random.next() & 7) }
        var meta = SnapshotMeta(id: "1-2-3", index: 2, term: 1, configuration: RaftConfiguration(), configurationIndex: 1)
        meta.size = state.count
        var writer = ArchiveWriter(meta, tools: Self.tools, unixSeconds: 0)
        writer.add(state)
        let archive = writer.finish()
        #expect(archive.count < state.count)
        #expect(try read(archive).state == state)
    }

    // MARK: Damage

    private func member(_ name: String, _ bytes: [UInt8]) -> [UInt8] {
        Tar.header(name: name, size: bytes.count, modified: 0) + bytes + [UInt8](repeating: 0, count: Tar.padding(bytes.count))
    }

    private static func sum(_ bytes: [UInt8]) -> String {
        let digest = tools.makeDigest()
        digest.add(bytes[...])
        return String(decoding: digest.finish().flatMap { [hexDigit($0 >> 4), hexDigit($0 & 15)] }, as: UTF8.self)
    }

    private static let end = [UInt8](repeating: 0, count: 1_024)
    private static let meta = Array(#"{"Version":1,"ID":"1-2-3","Index":2,"Term":1,"Size":5}"#.utf8)
    private static let state = Array("state".utf8)

    private func sums(meta: [UInt8] = meta, state: [UInt8] = state) -> String {
        "\(Self.sum(meta))  meta.json\n\(Self.sum(state))  state.bin\n"
    }

    private func archive(meta: [UInt8]? = meta, state: [UInt8]? = state, sums: String?, more: [UInt8] = [], end: [UInt8] = end) -> [UInt8] {
        let parts = [
            meta.map { member("meta.json", $0) }, state.map { member("state.bin", $0) }, sums.map { member("SHA256SUMS", Array($0.utf8)) },
        ]
        return packed(parts.compactMap { $0 }.flatMap { $0 } + more + end)
    }

    @Test func `damage is told in the reference's words`() {
        let file = "failed to read snapshot file: ", integrity = file + "failed checking integrity of snapshot: "
        #expect(refusal(archive(sums: sums())) == nil)
        #expect(refusal(archive(sums: sums(), end: [])) == nil)
        #expect(refusal([]) == "failed to decompress snapshot: EOF")
        #expect(refusal([0x1F, 0x8B]) == "failed to decompress snapshot: unexpected EOF")
        #expect(refusal(Array("not a snapshot".utf8)) == "failed to decompress snapshot: gzip: invalid header")
        #expect(refusal(archive(sums: sums(), more: member("extra", [1]))) == file + "unexpected file \"extra\" in snapshot")
        #expect(
            refusal(archive(meta: Array("{".utf8), sums: sums()))
                == file + "failed to decode snapshot metadata: unexpected end of JSON input")
        #expect(refusal(archive(sums: nil)) == integrity + "file missing for \"meta.json\"")
        #expect(refusal(archive(state: nil, sums: sums())) == integrity + "hash check failed for \"state.bin\"")
        let single = "\(Self.sum(Self.meta))  meta.json\n"
        #expect(refusal(archive(sums: single)) == integrity + "file missing for \"state.bin\"")
        #expect(refusal(archive(sums: sums() + "\(Self.sum([]))  zz\n")) == integrity + "list missing hash for \"zz\"")
        #expect(refusal(archive(sums: sums(state: [1]))) == integrity + "hash check failed for \"state.bin\"")
        #expect(refusal(archive(sums: "nonsense\n")) == integrity + "input does not match format")
        #expect(
            refusal(archive(sums: sums(), end: [UInt8](repeating: 0, count: 1_024 + 5_120))) == "5120 unread uncompressed bytes remain")
        #expect(refusal(packed([UInt8](repeating: 65, count: 512))) == file + "failed reading snapshot: archive/tar: invalid tar header")
        #expect(refusal(archive(sums: sums()) + [0x1F, 0x8B, 8]) == "unexpected EOF")
        #expect(refusal(archive(sums: sums()) + Array("more than ten bytes".utf8)) == "gzip: invalid header")
    }

    @Test func `whatever is cut off is missed`() throws {
        let archive = try vector("snapshot-1.8.6.snap")
        // Everywhere near the ends, here and there between: each one unpacks what is left.
        let lengths = Array(0..<40) + stride(from: 40, to: archive.count - 40, by: 151) + Array(archive.count - 40..<archive.count)
        for length in lengths { #expect(refusal(Array(archive[..<length])) != nil, "\(length)") }
        let tar = try unpacked(archive)
        let file = "failed to read snapshot file: "
        #expect(refusal(packed(Array(tar[..<600]))) == file + "failed to read snapshot metadata: unexpected EOF")
        #expect(refusal(packed(Array(tar[..<2_000]))) == file + "failed to read or write snapshot data: unexpected EOF")
        #expect(refusal(packed(Array(tar[..<300]))) == file + "failed reading snapshot: unexpected EOF")
    }

    @Test(arguments: 0..<60) func `whatever is changed is noticed, or does not matter`(seed: Int) throws {
        let whole = try vector("snapshot-1.8.6.snap"), state = try vector("snapshot-1.8.6-state.bin")
        var random = Random(seed: UInt64(seed))
        var archive = whole
        for _ in 0...seed % 3 { archive[Int.random(in: 0..<archive.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random) }
        if let found = try? read(archive) { #expect(found.state == state && found.description.index == 46) }
    }

    @Test func `an archive that unpacks to far more than it is is refused on the way`() {
        // A state of zeros, of which a mebibyte takes a kibibyte in the archive.
        let zeros = [UInt8](repeating: 0, count: 1 << 20)
        let gzip = Self.tools.makeGzip()
        var bytes: [UInt8] = []
        let header = member("meta.json", Self.meta) + Tar.header(name: "state.bin", size: 1 << 32, modified: 0)
        gzip.compress(header, isLast: false, into: &bytes)
        for _ in 0..<6 { gzip.compress(zeros, isLast: false, into: &bytes) }
        gzip.compress([], isLast: true, into: &bytes)
        #expect(bytes.count < 64 << 10)
        var reader = ArchiveReader(bytes, tools: Self.tools, unpackedSizeMin: 4 << 20)
        var size = 0
        var refusal = ""
        do throws(TextError) {
            while true { if case .state(let piece) = try reader.next() { size += piece.count } }
        } catch {
            refusal = error.text
        }
        let most = max(4 << 20, ArchiveReader.ratioMax * bytes.count)
        #expect(refusal == "failed to read snapshot file: it unpacks to more than \(most) bytes" && size <= most)
    }

    @Test func `what grows without end when it is unpacked needs no memory`() {
        // 256 MiB of zeros behind the end: counted, not kept.
        let zeros = [UInt8](repeating: 0, count: 1 << 20)
        let gzip = Self.tools.makeGzip()
        var bytes: [UInt8] = []
        gzip.compress(member("meta.json", Self.meta) + member("state.bin", Self.state), isLast: false, into: &bytes)
        gzip.compress(member("SHA256SUMS", Array(sums().utf8)) + Self.end, isLast: false, into: &bytes)
        for _ in 0..<64 { gzip.compress(zeros, isLast: false, into: &bytes) }
        gzip.compress([], isLast: true, into: &bytes)
        #expect(refusal(bytes) == "\(64 << 20) unread uncompressed bytes remain")
    }
}
