/// An error that users know by its text only: the words of the reference's runtime library.
public struct GoError: Error, Hashable, Sendable, CustomStringConvertible {
    public var text: String
    public init(_ text: String) { self.text = text }
    public var description: String { text }
}
