/// A value whose shape is not known beforehand: decoded JSON, MessagePack or HCL.
///
/// Maps keep the order in which their keys were read. Integers that fit `Int64` are `.int`, larger ones `.uint`.
public indirect enum DynamicValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case int(Int64)
    case uint(UInt64)
    case double(Double)
    /// Text; in MessagePack every raw that is valid UTF-8 may be read as such.
    case string(String)
    /// Raw bytes that are not text.
    case bytes([UInt8])
    case array([DynamicValue])
    case map([DynamicMember])

    /// The first member of that exact name, if this is a map.
    public subscript(name: String) -> DynamicValue? {
        guard case .map(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }
}

/// One member of a `DynamicValue.map`.
public struct DynamicMember: Hashable, Sendable {
    public var name: String
    public var value: DynamicValue
    public init(_ name: String, _ value: DynamicValue) {
        self.name = name
        self.value = value
    }
}
