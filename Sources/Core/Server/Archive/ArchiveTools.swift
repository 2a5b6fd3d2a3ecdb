/// What archives of snapshots need of the system: compression and digests. Runtime makes it of zlib and OpenSSL.
public protocol ArchiveTools: Sendable {
    func makeGzip() -> any GzipStream
    func makeGunzip() -> any GunzipStream
    func makeDigest() -> any DigestStream
}

/// Makes one gzip stream (RFC 1952) of bytes that come in pieces.
public protocol GzipStream: AnyObject {
    /// `isLast` ends the stream.
    func compress(_ bytes: [UInt8], isLast: Bool, into out: inout [UInt8])
}

/// Reads gzip streams, of one member or several.
public protocol GunzipStream: AnyObject {
    /// Decompresses the beginning of `input`, appends at most `limit` bytes to `out`, and returns how many bytes of the
    /// input it took. Fewer bytes than `limit` mean that there are no more without more input. What was appended before an error counts.
    func decompress(_ input: ArraySlice<UInt8>, limit: Int, into out: inout [UInt8]) throws(TextError) -> Int
    /// Whether the input may end here: behind a member.
    var isAtEnd: Bool { get }
}

/// A SHA-256.
public protocol DigestStream: AnyObject {
    func add(_ bytes: ArraySlice<UInt8>)
    /// 32 bytes; the stream is of no more use then.
    func finish() -> [UInt8]
}
