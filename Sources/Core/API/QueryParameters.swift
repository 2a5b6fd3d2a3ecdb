/// The parameters of a query string, in their order. `?a`, `?a=` are the same; of several values the first counts.
public struct QueryParameters: Sendable {
    public private(set) var items: [(name: String, value: String)] = []

    public init() {}

    /// Nil for a broken escape or a `;` (http-1 §1.2 step 3).
    public init?(_ query: ArraySlice<UInt8>) {
        for part in query.split(separator: UInt8(ascii: "&")) {
            if part.contains(UInt8(ascii: ";")) { return nil }
            let end = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
            guard let name = QueryParameters.text(part[..<end]), let value = QueryParameters.text(part[end...].dropFirst()) else {
                return nil
            }
            items.append((name, value))
        }
    }

    private static func text(_ part: ArraySlice<UInt8>) -> String? {
        if !part.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) { return String(decoding: part, as: UTF8.self) }
        return PercentEncoding.decode(part, plusIsSpace: true).map { String(decoding: $0, as: UTF8.self) }
    }

    public var isEmpty: Bool { items.isEmpty }

    public func contains(_ name: String) -> Bool { items.contains { $0.name == name } }

    /// The first value; nil when the parameter is absent.
    public func value(_ name: String) -> String? { items.first { $0.name == name }?.value }

    /// The first value; nil when the parameter is absent or empty.
    public func nonEmpty(_ name: String) -> String? {
        guard let value = value(name), !value.isEmpty else { return nil }
        return value
    }

    public func values(_ name: String) -> [String] { items.filter { $0.name == name }.map(\.value) }

    /// The whole query encoded again, sorted by name: what some error texts quote.
    public var encoded: String {
        var out: [UInt8] = []
        let sorted = items.enumerated().sorted { ($0.element.name, $0.offset) < ($1.element.name, $1.offset) }
        for (name, value) in sorted.map(\.element) {
            if !out.isEmpty { out.append(UInt8(ascii: "&")) }
            out += PercentEncoding.encodeQuery(name)
            out.append(UInt8(ascii: "="))
            out += PercentEncoding.encodeQuery(value)
        }
        return String(decoding: out, as: UTF8.self)
    }
}
