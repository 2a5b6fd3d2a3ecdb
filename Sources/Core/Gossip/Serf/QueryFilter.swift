/// Which members a query is for (gossip §13.2).
public enum QueryFilter: Hashable, Sendable {
    case nodes([String])
    /// An unanchored regular expression on the value of a tag; a tag that is missing is empty.
    case tag(String, expression: String)

    var encoded: [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: 64)
        switch self {
        case .nodes(let names):
            writer.bytes.append(0)
            writer.strings(names)
        case .tag(let tag, let expression):
            writer.bytes.append(1)
            writer.mapHeader(2)
            writer.field("Expr", expression)
            writer.field("Tag", tag)
        }
        return writer.bytes
    }

    /// nil for what is no filter, or one of an unknown kind.
    init?(encoded: [UInt8]) {
        var reader = MessagePackReader(encoded[min(1, encoded.count)...])
        do throws(MessagePackError) {
            switch encoded.first {
            case 0:
                self = .nodes(try reader.strings() ?? [])
            case 1:
                var tag = "", expression = ""
                var fields = try GossipFields(&reader, order: ["Tag", "Expr"])
                while let key = try fields.next(&reader) {
                    switch key {
                    case "Tag": tag = try reader.gossipString()
                    case "Expr": expression = try reader.gossipString()
                    default: try reader.skip()
                    }
                }
                self = .tag(tag, expression: expression)
            default:
                return nil
            }
        } catch {
            return nil
        }
    }

    /// An expression that does not compile matches nobody.
    func matches(node: String, tags: StringMap) -> Bool {
        switch self {
        case .nodes(let names):
            return names.contains(node)
        case .tag(let tag, let expression):
            guard let expression = try? RegularExpression(expression) else { return false }
            return expression.matches(tags[tag] ?? "")
        }
    }
}
