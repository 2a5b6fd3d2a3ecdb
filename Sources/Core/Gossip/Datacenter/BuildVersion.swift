/// The first `x.y.z` in the tag `build` (gossip §15.4).
public struct BuildVersion: Hashable, Comparable, Sendable {
    public var major: Int
    public var minor: Int
    public var patch: Int

    public init(_ major: Int, _ minor: Int, _ patch: Int) {
        self.major = major
        self.minor = minor
        self.patch = patch
    }

    /// nil unless three numbers with dots between them stand somewhere in the text.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        var start = 0
        while start < bytes.count {
            if let version = Self.version(bytes, at: start) {
                self = version
                return
            }
            start += 1
        }
        return nil
    }

    /// As in `build` without what follows the numbers.
    public var text: String { "\(major).\(minor).\(patch)" }

    public static func < (a: Self, b: Self) -> Bool { (a.major, a.minor, a.patch) < (b.major, b.minor, b.patch) }

    private static func version(_ bytes: [UInt8], at start: Int) -> BuildVersion? {
        var at = start
        guard let major = number(bytes, &at), dot(bytes, &at), let minor = number(bytes, &at), dot(bytes, &at) else { return nil }
        guard let patch = number(bytes, &at) else { return nil }
        return BuildVersion(major, minor, patch)
    }

    private static func dot(_ bytes: [UInt8], _ at: inout Int) -> Bool {
        guard at < bytes.count, bytes[at] == UInt8(ascii: ".") else { return false }
        at += 1
        return true
    }

    private static func number(_ bytes: [UInt8], _ at: inout Int) -> Int? {
        var value: Int?
        while at < bytes.count, bytes[at] >= 0x30, bytes[at] <= 0x39 {
            let (product, overflow) = (value ?? 0).multipliedReportingOverflow(by: 10)
            let (sum, overflow2) = product.addingReportingOverflow(Int(bytes[at] - 0x30))
            if overflow || overflow2 { return nil }
            value = sum
            at += 1
        }
        return value
    }
}
