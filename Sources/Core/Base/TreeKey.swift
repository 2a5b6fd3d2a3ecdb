/// A key of a `PersistentMap`.
///
/// A node keeps a number for each of its keys, which says of most pairs of keys which one is less. For keys `a`, `b` whose first
/// `skip` units are the same: `a < b` implies `a.head(after: skip) <= b.head(after: skip)`.
public protocol TreeKey: Comparable, Sendable {
    func head(after skip: Int) -> UInt64
    /// How many units both keys begin with; 0 for keys without units.
    func sharedPrefix(with other: Self) -> Int
}

extension UInt64: TreeKey {
    public func head(after skip: Int) -> UInt64 { self }
    public func sharedPrefix(with other: UInt64) -> Int { 0 }
}

extension Int: TreeKey {
    public func head(after skip: Int) -> UInt64 { UInt64(bitPattern: Int64(self)) ^ 1 << 63 }
    public func sharedPrefix(with other: Int) -> Int { 0 }
}

extension ByteString: TreeKey {
    /// The eight bytes after `skip`, zeros beyond the end.
    public func head(after skip: Int) -> UInt64 {
        bytes.withUnsafeBytes { bytes in
            if skip &+ 8 <= bytes.count { return bytes.loadUnaligned(fromByteOffset: skip, as: UInt64.self).bigEndian }
            var head: UInt64 = 0
            var at = skip
            while at < skip &+ 8 {
                head = head << 8 | (at < bytes.count ? UInt64(bytes[at]) : 0)
                at &+= 1
            }
            return head
        }
    }

    public func sharedPrefix(with other: ByteString) -> Int {
        bytes.withUnsafeBytes { x in
            other.bytes.withUnsafeBytes { y in
                let n = min(x.count, y.count)
                var at = 0
                while at &+ 8 <= n {
                    let difference =
                        x.loadUnaligned(fromByteOffset: at, as: UInt64.self) ^ y.loadUnaligned(fromByteOffset: at, as: UInt64.self)
                    if difference != 0 { return at &+ difference.littleEndian.trailingZeroBitCount / 8 }
                    at &+= 8
                }
                while at < n && x[at] == y[at] { at &+= 1 }
                return at
            }
        }
    }
}
