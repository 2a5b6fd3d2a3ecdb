/// A byte string compared byte by byte, unlike `String`, for which differently composed accents are equal.
///
/// Keys of the key/value store and of every table. Holds the bytes in one allocation.
public struct ByteString: Hashable, Comparable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    public var bytes: [UInt8]

    @inlinable public init(_ bytes: [UInt8]) { self.bytes = bytes }
    @inlinable public init(_ text: String) { bytes = Array(text.utf8) }
    public init(_ bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }
    public init(stringLiteral text: String) { self.init(text) }

    @inlinable public var count: Int { bytes.count }
    @inlinable public var isEmpty: Bool { bytes.isEmpty }

    /// The bytes as text; invalid UTF-8 is replaced by U+FFFD.
    public var description: String { String(decoding: bytes, as: UTF8.self) }
    public var string: String { description }

    // Eight bytes at a time in both: every look-up in a table comes through here.

    public static func == (a: ByteString, b: ByteString) -> Bool {
        a.bytes.withUnsafeBytes { x in
            b.bytes.withUnsafeBytes { y in
                if x.count != y.count { return false }
                var at = 0
                while at &+ 8 <= x.count {
                    if x.loadUnaligned(fromByteOffset: at, as: UInt64.self) != y.loadUnaligned(fromByteOffset: at, as: UInt64.self) {
                        return false
                    }
                    at &+= 8
                }
                while at < x.count {
                    if x[at] != y[at] { return false }
                    at &+= 1
                }
                return true
            }
        }
    }

    public static func < (a: ByteString, b: ByteString) -> Bool {
        a.bytes.withUnsafeBytes { x in
            b.bytes.withUnsafeBytes { y in
                let n = min(x.count, y.count)
                var at = 0
                while at &+ 8 <= n {
                    let left = x.loadUnaligned(fromByteOffset: at, as: UInt64.self).bigEndian
                    let right = y.loadUnaligned(fromByteOffset: at, as: UInt64.self).bigEndian
                    if left != right { return left < right }
                    at &+= 8
                }
                while at < n {
                    if x[at] != y[at] { return x[at] < y[at] }
                    at &+= 1
                }
                return x.count < y.count
            }
        }
    }

    public func hasPrefix(_ prefix: ByteString) -> Bool {
        bytes.withUnsafeBytes { x in
            prefix.bytes.withUnsafeBytes { y in
                guard x.count >= y.count else { return false }
                var at = 0
                while at < y.count {
                    if x[at] != y[at] { return false }
                    at &+= 1
                }
                return true
            }
        }
    }
}

extension ByteString {
    /// The first string behind all that start with this one; nil if there is none.
    public var endOfPrefix: ByteString? {
        guard let last = bytes.lastIndex(where: { $0 != 0xFF }) else { return nil }
        var end = Array(bytes[...last])
        end[last] += 1
        return ByteString(end)
    }
}

extension String.UTF8View {
    /// Whether the bytes of `part` stand anywhere in the text; of an empty part they do.
    public func contains(_ part: String) -> Bool {
        var text = String(self), part = part
        return text.withUTF8 { text in
            part.withUTF8 { part in
                if part.isEmpty { return true }
                guard part.count <= text.count else { return false }
                return (0...(text.count - part.count)).contains { at in
                    text[at] == part[0] && text[at..<(at + part.count)].elementsEqual(part)
                }
            }
        }
    }
}
