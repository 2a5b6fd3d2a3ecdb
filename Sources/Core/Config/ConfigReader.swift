/// Typed access to a merged tree, collecting what cannot be converted.
struct ConfigReader {
    let tree: DynamicValue
    /// Mistakes found while converting, reported together at the end of validation.
    var errors: [String] = []

    init(_ tree: DynamicValue) { self.tree = tree }

    /// The value at `block.key`.
    func value(_ path: String) -> DynamicValue? {
        var value: DynamicValue? = tree
        for name in path.split(separator: ".") { value = value?[String(name)] }
        return value
    }

    func has(_ path: String) -> Bool { value(path) != nil }

    func string(_ path: String, default other: String = "") -> String {
        if case .string(let text) = value(path) { text } else { other }
    }

    func bool(_ path: String, default other: Bool = false) -> Bool {
        if case .bool(let flag) = value(path) { flag } else { other }
    }

    func int(_ path: String, default other: Int = 0) -> Int {
        if case .int(let number) = value(path) { Int(number) } else { other }
    }

    func double(_ path: String, default other: Double) -> Double {
        if case .double(let number) = value(path) { number } else { other }
    }

    func strings(_ path: String) -> [String] { tree.strings(at: value(path)) ?? [] }

    func list(_ path: String) -> [DynamicValue] {
        if case .array(let elements) = value(path) { elements } else { [] }
    }

    func map(_ path: String) -> StringMap { DynamicValue.stringMap(value(path)) ?? [:] }

    mutating func duration(_ path: String, default other: Duration = .zero) -> Duration {
        duration(value(path), named: path) ?? other
    }

    /// nil if there is none or it cannot be read.
    mutating func duration(_ value: DynamicValue?, named name: String) -> Duration? {
        guard case .string(let text) = value, !text.isEmpty else { return nil }
        do {
            return try GoDuration.parse(text)
        } catch {
            errors.append("\(name): invalid duration: \(GoQuote.quote(text)): \(error.text)")
            return nil
        }
    }

    /// -1 where the port is disabled.
    mutating func port(_ name: String) -> Int {
        let number = int("ports.\(name)", default: -1)
        if number > 65535 { errors.append("ports.\(name): invalid port: \(number)") }
        return number <= 0 ? -1 : number
    }
}

extension DynamicValue {
    /// The texts of a list; nil for anything but a list.
    func strings(at value: DynamicValue?) -> [String]? {
        guard case .array(let elements) = value else { return nil }
        return elements.compactMap { if case .string(let text) = $0 { text } else { nil } }
    }

    static func stringMap(_ value: DynamicValue?) -> StringMap? {
        guard case .map(let members) = value else { return nil }
        return StringMap(
            members.compactMap { member in
                if case .string(let text) = member.value { (member.name, text) } else { nil }
            })
    }

    // Members of a decoded block, with the zero value where there is none.
    func text(_ name: String) -> String { if case .string(let text) = self[name] { text } else { "" } }
    func number(_ name: String) -> Int { if case .int(let number) = self[name] { Int(number) } else { 0 } }
    func flag(_ name: String) -> Bool { if case .bool(let flag) = self[name] { flag } else { false } }
    func texts(_ name: String) -> [String]? { strings(at: self[name]) }
    func elements(_ name: String) -> [DynamicValue]? { if case .array(let elements) = self[name] { elements } else { nil } }
}
