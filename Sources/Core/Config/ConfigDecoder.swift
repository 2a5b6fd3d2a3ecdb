/// How a configuration text is written.
public enum ConfigFormat: Sendable {
    case hcl
    case json
}

/// One text of configuration, named as error messages name it.
public struct ConfigSource: Sendable {
    public var name: String
    public var format: ConfigFormat
    public var text: [UInt8]

    public init(name: String, format: ConfigFormat, text: [UInt8]) {
        self.name = name
        self.format = format
        self.text = text
    }

    /// The text as a tree that holds known keys only, in their canonical spelling and of their types: blocks are maps, lists of blocks
    /// arrays of maps. A single `check` or `service` stands at the end of `checks` or `services`.
    func decoded(warnings: inout [String]) throws(TextError) -> DynamicValue {
        var decoder = ConfigDecoder(format: format)
        do {
            let tree = try decoder.decode(parsed(), ConfigSchema.root)
            for name in decoder.enforcedVersion8 { warnings.append("config key \"\(name)\" is deprecated and should be removed") }
            return tree
        } catch {
            throw TextError("failed to parse \(name): \(error.text)")
        }
    }

    private func parsed() throws(TextError) -> [DynamicMember] {
        let value: DynamicValue
        if text.isEmpty { return [] }
        switch format {
        case .hcl:
            do { value = try HCL.parse(text) } catch { throw TextError(error.description) }
        case .json:
            do { value = try JSON.parseDocument(text) } catch { throw TextError(error.documentText) }
        }
        let kind: String
        switch value {
        case .map(let members): return members
        case .null: return []
        case .array: kind = "array"
        case .bool: kind = "bool"
        case .string, .bytes: kind = "string"
        case .int, .uint, .double: kind = "number"
        }
        throw TextError("json: cannot unmarshal \(kind) into Go value of type map[string]interface {}")
    }
}

/// Checks a tree against a schema. Spec: config §3.
struct ConfigDecoder {
    let format: ConfigFormat
    private var errors: [String] = []
    private var unknown: [String] = []
    /// Spellings of a key that is read and dropped with a warning.
    private(set) var enforcedVersion8: [String] = []

    init(format: ConfigFormat) { self.format = format }

    mutating func decode(_ members: [DynamicMember], _ keys: [ConfigKey]) throws(TextError) -> DynamicValue {
        let decoded = decodeBlock(members, keys, "")
        if !errors.isEmpty {
            let lines = errors.map { "* \($0)" }.sorted()
            throw TextError("\(lines.count) error(s) decoding:\n\n\(lines.joined(separator: "\n"))")
        }
        if !unknown.isEmpty { throw TextError(MultipleErrors.text(unknown.map { "invalid config key \($0)" })) }
        return .map(Self.withSinglesAppended(decoded))
    }

    private static func withSinglesAppended(_ members: [DynamicMember]) -> [DynamicMember] {
        var result = members.filter { $0.name != "check" && $0.name != "service" && $0.name != "acl_enforce_version_8" }
        for (single, list) in [("check", "checks"), ("service", "services")] {
            guard let value = DynamicValue.map(members)[single] else { continue }
            if let index = result.firstIndex(where: { $0.name == list }), case .array(let elements) = result[index].value {
                result[index].value = .array(elements + [value])
            } else {
                result.append(DynamicMember(list, .array([value])))
            }
        }
        return result
    }

    // MARK: Values

    private mutating func decode(_ value: DynamicValue, _ type: ConfigType, _ path: String) -> DynamicValue? {
        switch type {
        case .strings: return decodeList(value, path) { decoder, element, path in decoder.decode(element, .string, path) }
        case .blocks(let keys): return decodeList(value, path) { decoder, element, path in decoder.decode(element, .block(keys), path) }
        case .freeList: return decodeList(value, path) { decoder, element, path in decoder.decode(element, .free, path) }
        default: break
        }
        // A list of one element stands for it where no list is expected: blocks are lists.
        var value = value
        if case .array(let elements) = value, elements.count == 1 { value = elements[0] }
        if case .null = value { return nil }
        switch type {
        case .string:
            guard case .string = value else { return mismatch(value, "string", path) }
            return value
        case .bool:
            guard case .bool = value else { return mismatch(value, "bool", path) }
            return value
        case .int:
            guard let number = Self.truncated(value) else { return mismatch(value, "int", path) }
            return .int(number)
        case .uint:
            guard let number = Self.truncated(value) else { return mismatch(value, "uint", path) }
            if number >= 0 { return .int(number) }
            errors.append("cannot parse '\(path)', \(format == .json ? "\(number).000000" : "\(number)") overflows uint")
            return nil
        case .float:
            guard let number = Self.floating(value) else { return mismatch(value, "float64", path) }
            return .double(number)
        case .block(let keys):
            guard case .map(let members) = value else { return expectedMap(value, path) }
            return .map(decodeBlock(members, keys, path))
        case .stringMap: return decodeMap(value, .string, path)
        case .stringListMap: return decodeMap(value, .strings, path)
        case .namedBlocks(let keys): return decodeMap(value, .block(keys), path)
        case .free:
            guard case .map(let members) = value else { return expectedMap(value, path) }
            return .map(members.map { DynamicMember($0.name, Self.unwrapped($0.value)) })
        case .strings, .blocks, .freeList: return nil
        }
    }

    private mutating func decodeBlock(_ members: [DynamicMember], _ keys: [ConfigKey], _ path: String) -> [DynamicMember] {
        var used: [String] = []
        var result: [DynamicMember] = []
        let folded = members.map { $0.name.lowercased() }
        for key in keys {
            guard let index = Self.find(key, members, folded) else { continue }
            used.append(members[index].name)
            if key.name == "acl_enforce_version_8" { enforcedVersion8.append(members[index].name) }
            if let value = decode(members[index].value, key.type, Self.join(path, key.name)) {
                result.append(DynamicMember(key.name, value))
            }
        }
        var unused: [String] = []
        for member in members where !used.contains(member.name) && !unused.contains(member.name) { unused.append(member.name) }
        unknown += unused.sorted().map { Self.join(path, $0) }
        return result
    }

    /// The last member of the key's name, else of any spelling of it, else of an alias.
    private static func find(_ key: ConfigKey, _ members: [DynamicMember], _ folded: [String]) -> Int? {
        if let index = members.lastIndex(where: { $0.name == key.name }) { return index }
        if let index = folded.lastIndex(of: key.name) { return index }
        return key.aliases.isEmpty ? nil : folded.lastIndex { key.aliases.contains($0) }
    }

    private static func join(_ path: String, _ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    private mutating func decodeList(
        _ value: DynamicValue, _ path: String, _ element: (inout Self, DynamicValue, String) -> DynamicValue?
    ) -> DynamicValue? {
        if case .null = value { return nil }
        guard case .array(let elements) = value else {
            errors.append("'\(path)': source data must be an array or slice, got \(kind(value))")
            return nil
        }
        var result: [DynamicValue] = []
        for (index, value) in elements.enumerated() {
            if let decoded = element(&self, value, "\(path)[\(index)]") { result.append(decoded) }
        }
        return .array(result)
    }

    private mutating func decodeMap(_ value: DynamicValue, _ type: ConfigType, _ path: String) -> DynamicValue? {
        guard case .map(let members) = value else { return expectedMap(value, path) }
        var result: [DynamicMember] = []
        for member in members {
            if let decoded = decode(member.value, type, "\(path)[\(member.name)]") { result.append(DynamicMember(member.name, decoded)) }
        }
        return .map(result)
    }

    private static func unwrapped(_ value: DynamicValue) -> DynamicValue {
        switch value {
        case .array(let elements) where elements.count == 1: unwrapped(elements[0])
        case .array(let elements): .array(elements.map(unwrapped))
        case .map(let members): .map(members.map { DynamicMember($0.name, unwrapped($0.value)) })
        default: value
        }
    }

    private static func truncated(_ value: DynamicValue) -> Int64? {
        switch value {
        case .int(let number): number
        case .uint: .max
        case .double(let number): Int64(exactly: number.rounded(.towardZero)) ?? (number < 0 ? .min : .max)
        default: nil
        }
    }

    private static func floating(_ value: DynamicValue) -> Double? {
        switch value {
        case .int(let number): Double(number)
        case .uint(let number): Double(number)
        case .double(let number): number
        default: nil
        }
    }

    // MARK: Mistakes, in the reference's names of types

    private mutating func mismatch(_ value: DynamicValue, _ expected: String, _ path: String) -> DynamicValue? {
        errors.append("'\(path)' expected type '\(expected)', got unconvertible type '\(typeName(value))'")
        return nil
    }

    private mutating func expectedMap(_ value: DynamicValue, _ path: String) -> DynamicValue? {
        errors.append("'\(path)' expected a map, got '\(kind(value))'")
        return nil
    }

    private func kind(_ value: DynamicValue) -> String {
        switch value {
        case .array: "slice"
        case .map: "map"
        default: typeName(value)
        }
    }

    private func typeName(_ value: DynamicValue) -> String {
        switch value {
        case .null: "nil"
        case .bool: "bool"
        case .int, .uint: format == .json ? "float64" : "int"
        case .double: "float64"
        case .string, .bytes: "string"
        case .map: "map[string]interface {}"
        case .array(let elements):
            format == .hcl && !elements.isEmpty && elements.allSatisfy(\.isMap) ? "[]map[string]interface {}" : "[]interface {}"
        }
    }
}

extension DynamicValue {
    fileprivate var isMap: Bool {
        if case .map = self { true } else { false }
    }
}
