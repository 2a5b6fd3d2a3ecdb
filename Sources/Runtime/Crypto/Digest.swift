import COpenSSL
import Core

/// Digests, from OpenSSL.
public enum Digest {
    /// 32 lower-case hexadecimal digits: what the files of registrations are named after (config §20).
    public static func md5Hex(_ bytes: [UInt8]) -> String { Hex.text(digest(bytes, EVP_md5(), size: 16)) }

    public static func sha512(_ bytes: [UInt8]) -> [UInt8] { digest(bytes, EVP_sha512(), size: 64) }

    private static func digest(_ bytes: [UInt8], _ type: OpaquePointer?, size: Int) -> [UInt8] {
        var out = [UInt8](repeating: 0, count: size)
        let ok = bytes.withUnsafeBytes { copenssl_digest(type, $0.baseAddress, $0.count, &out) }
        precondition(ok == 1, "OpenSSL provides this digest")
        return out
    }
}
