/// A compiled filter expression (`?filter=`). Spec: http-1 §2.
public final class Filter: Sendable {
    private indirect enum Node: Sendable {
        case and([Node])
        case or([Node])
        case not(Node)
        case term(FilterTerm)
    }

    /// As the client wrote it.
    public let text: String
    private let root: Node

    /// Nil for an empty text, which filters nothing.
    public static func compile(_ text: String, _ schema: FilterSchema) throws(FilterError) -> Filter? {
        text.isEmpty ? nil : try Filter(text, schema)
    }

    private init(_ text: String, _ schema: FilterSchema) throws(FilterError) {
        self.text = text
        root = try Filter.compile(try FilterParser.parse(text), schema)
    }

    private static func compile(_ expression: FilterExpression, _ schema: FilterSchema) throws(FilterError) -> Node {
        switch expression {
        case .and(let parts): return .and(try compile(parts, schema))
        case .or(let parts): return .or(try compile(parts, schema))
        case .not(let part): return .not(try compile(part, schema))
        case .match(let match): return .term(try FilterTerm(match, schema))
        }
    }

    private static func compile(_ parts: [FilterExpression], _ schema: FilterSchema) throws(FilterError) -> [Node] {
        var nodes: [Node] = []
        nodes.reserveCapacity(parts.count)
        for part in parts { nodes.append(try compile(part, schema)) }
        return nodes
    }

    public func matches(_ row: some FilterRow) -> Bool { Filter.evaluate(root, row) }

    private static func evaluate(_ node: Node, _ row: some FilterRow) -> Bool {
        switch node {
        case .and(let parts): parts.allSatisfy { evaluate($0, row) }
        case .or(let parts): parts.contains { evaluate($0, row) }
        case .not(let part): !evaluate(part, row)
        case .term(let term): row.satisfies(term, 0)
        }
    }
}

/// What filters can be applied to.
public protocol FilterRow {
    static var filterSchema: FilterSchema { get }

    /// Compares the field that the term's selector names from step `at` on.
    func satisfies(_ term: FilterTerm, _ at: Int) -> Bool
}

extension FilterTerm {
    /// The field that a structure is to look at; its fields are numbered by `Name`.
    func field<Name: RawRepresentable<Int>>(_ at: Int) -> Name {
        guard at < steps.count, case .field(let id) = steps[at], let name = Name(rawValue: id) else {
            preconditionFailure("a selector was resolved with the schema of the row that it is applied to")
        }
        return name
    }
}
