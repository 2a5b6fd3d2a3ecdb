/// An error that is known by its text only: the reference's words, where it has some, or what users are told.
///
/// Errors that somebody tells apart have types of their own.
public struct TextError: Error, Hashable, Sendable, CustomStringConvertible {
    public var text: String
    public init(_ text: String) { self.text = text }
    public var description: String { text }
}
