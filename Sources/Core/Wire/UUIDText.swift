/// UUIDs as keys of sessions, queries and tokens. Spec: http-2 §3.6.
public enum UUIDText {
    /// The bytes that the reference's tables look an ID up by: 16, or up to 18 if hyphens are missing from the 36 characters.
    public static func parse(_ text: String) throws(TextError) -> [UInt8] {
        if text.utf8.count != 36 { throw TextError("UUID must be 36 characters") }
        return try parsePrefix(text)
    }

    /// The leading bytes that a part of an ID spells.
    public static func parsePrefix(_ text: String) throws(TextError) -> [UInt8] {
        let hyphen = UInt8(ascii: "-")
        let hyphens = text.utf8.count { $0 == hyphen }
        if hyphens > 4 { throw TextError("UUID should have maximum of 4 \"-\"; got \(hyphens)") }
        if (text.utf8.count - hyphens) % 2 != 0 { throw TextError("Input (without hyphens) must be even length") }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(18)
        var high: UInt8?
        for character in text.utf8 where character != hyphen {
            guard let digit = hexValue(character) else { throw TextError("Invalid UUID: \(Self.invalidHex(character))") }
            if let first = high {
                bytes.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        return bytes
    }

    /// Go's `hex.InvalidByteError`, which reads the byte as Latin-1.
    static func invalidHex(_ byte: UInt8) -> String {
        let scalar = Unicode.Scalar(byte)
        let text = "encoding/hex: invalid byte: U+00" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        return GoQuote.isPrintable(scalar) ? text + " '\(scalar)'" : text
    }
}
