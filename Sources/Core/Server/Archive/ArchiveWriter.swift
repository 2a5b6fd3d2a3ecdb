/// Packs a snapshot into an archive, a compressed tar of `meta.json`, `state.bin` and `SHA256SUMS` (rpc-raft-wire §8.3). The state comes in
/// pieces of any size.
struct ArchiveWriter {
    private let meta: SnapshotMeta
    private let gzip: any GzipStream
    private let digest: any DigestStream
    private let modified: Int64
    private var sums: [UInt8] = []
    /// Bytes of the state that are still to come.
    private var left: Int
    private var archive: [UInt8] = []

    /// `meta` tells the size of the state; `unixSeconds` is when the files are said to have been written.
    init(_ meta: SnapshotMeta, tools: some ArchiveTools, unixSeconds: Int64) {
        self.meta = meta
        gzip = tools.makeGzip()
        digest = tools.makeDigest()
        modified = unixSeconds
        left = meta.size
        let description = meta.encoded(withChecksum: false)
        let digest = tools.makeDigest()
        digest.add(description[...])
        list(digest, "meta.json")
        add(member: "meta.json", description)
        write(Tar.header(name: "state.bin", size: meta.size, modified: modified))
    }

    private mutating func write(_ bytes: [UInt8], isLast: Bool = false) { gzip.compress(bytes, isLast: isLast, into: &archive) }

    private mutating func add(member name: String, _ bytes: [UInt8]) {
        let padding = [UInt8](repeating: 0, count: Tar.padding(bytes.count))
        write(Tar.header(name: name, size: bytes.count, modified: modified) + bytes + padding)
    }

    private mutating func list(_ digest: any DigestStream, _ name: String) {
        for byte in digest.finish() { sums.append(hex: byte) }
        sums += Array("  \(name)\n".utf8)
    }

    /// The next piece of the state.
    mutating func add(_ piece: [UInt8]) {
        precondition(piece.count <= left, "a state is as long as its description says")
        left -= piece.count
        digest.add(piece[...])
        write(piece)
    }

    /// The whole archive, once all of the state is added.
    mutating func finish() -> [UInt8] {
        precondition(left == 0, "a state is as long as its description says")
        write([UInt8](repeating: 0, count: Tar.padding(meta.size)))
        list(digest, "state.bin")
        add(member: "SHA256SUMS", sums)
        // Two blocks and no more: the reference refuses archives that are padded further.
        write([UInt8](repeating: 0, count: 2 * Tar.blockSize), isLast: true)
        return archive
    }
}
