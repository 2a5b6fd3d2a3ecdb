import CSystem
import Glibc

/// Randomness from the kernel: for seeds, keys and identifiers.
public enum SystemRandom {
    public static func bytes(_ count: Int) -> [UInt8] {
        var out = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = out.withUnsafeMutableBytes { buffer in
                retrying { getrandom(buffer.baseAddress! + filled, count - filled, 0) }
            }
            precondition(got > 0, "the kernel gives random bytes")
            filled += got
        }
        return out
    }

    /// A seed for a `Random`.
    public static func seed() -> UInt64 { bytes(8).reduce(0) { $0 << 8 | UInt64($1) } }
}
