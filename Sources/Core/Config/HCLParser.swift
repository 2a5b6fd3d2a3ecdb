/// Builds the tree of an HCL text (see `HCL.parse` for its shape) by recursive descent, one token ahead.
struct HCLParser {
    private var scanner: HCLScanner
    private var token = HCLToken(kind: .eof, line: 0, column: 0, text: 0..<0)
    private var isBuffered = false
    private var depth = 0

    init(_ text: [UInt8]) { scanner = HCLScanner(Self.withUnixLineEnds(text)) }

    private static func withUnixLineEnds(_ text: [UInt8]) -> [UInt8] {
        guard text.contains(13) else { return text }
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        for (index, byte) in text.enumerated() where !(byte == 13 && index + 1 < text.count && text[index + 1] == 10) {
            result.append(byte)
        }
        return result
    }

    /// A mistake in the characters goes before one in the grammar.
    mutating func parse() throws(HCLError) -> [DynamicMember] {
        let members: [DynamicMember]
        do {
            members = try objectMembers(isNested: false)
        } catch {
            throw scanner.error ?? error
        }
        if let error = scanner.error { throw error }
        return members
    }

    // MARK: Tokens

    /// The next token; comments count as blank space.
    private mutating func scan() -> HCLToken {
        if isBuffered {
            isBuffered = false
            return token
        }
        repeat { token = scanner.scan() } while token.kind == .comment
        return token
    }

    private mutating func unscan() { isBuffered = true }

    private func text(_ token: HCLToken) -> String { String(decoding: scanner.source[token.text], as: UTF8.self) }

    private func failure(_ token: HCLToken, _ message: String) -> HCLError {
        HCLError(line: token.line, column: token.column, message: message)
    }

    // MARK: Objects

    private mutating func objectMembers(isNested: Bool) throws(HCLError) -> [DynamicMember] {
        var object = HCLObject()
        while true {
            if isNested {
                let next = scan()
                unscan()
                if next.kind == .rightBrace { break }
            }
            guard try objectItem(into: &object) else { break }
            if scan().kind != .comma { unscan() }
        }
        return object.members
    }

    /// Returns false at the end of the text. As in the reference, a text may end after `key =`: that key is absent.
    private mutating func objectItem(into object: inout HCLObject) throws(HCLError) -> Bool {
        let keys = try objectKeys()
        guard let first = keys.first else { return false }
        let value: HCLObject.Value
        switch token.kind {
        case .assign:
            guard let assigned = try assignedValue() else { return false }
            value = assigned
        case .leftBrace:
            value = .object(try objectBody())
        default:
            let path = keys.map { text($0) }.joined(separator: " ")
            throw failure(token, "key '\(path)' expected start of object ('{') or assignment ('=')")
        }
        var names: [String] = []
        for key in keys { names.append(try name(of: key)) }
        guard object.insert(value, under: names) else {
            throw failure(first, "key '\(text(first))' is both a list and a single value")
        }
        return true
    }

    /// The keys before `=` or `{`, which then is the current token; none at the end of the text.
    private mutating func objectKeys() throws(HCLError) -> [HCLToken] {
        var keys: [HCLToken] = []
        while true {
            let next = scan()
            switch next.kind {
            case .ident, .string:
                if keys.count == HCL.depthLimit { throw failure(next, "more than \(HCL.depthLimit) labels") }
                keys.append(next)
            case .eof: return keys
            case .assign:
                if keys.count > 1 { throw failure(next, "nested object expected: LBRACE got: ASSIGN") }
                if keys.isEmpty { throw failure(next, "no object keys found!") }
                return keys
            case .leftBrace:
                if keys.isEmpty { throw failure(next, "expected: IDENT | STRING got: LBRACE") }
                return keys
            case .rightBrace where !keys.isEmpty: return keys
            case .illegal: throw failure(next, "illegal character")
            default: throw failure(next, "expected: IDENT | STRING | ASSIGN | LBRACE got: \(next.kind.rawValue)")
            }
        }
    }

    private func name(of key: HCLToken) throws(HCLError) -> String {
        key.kind == .string ? try unquoted(key) : text(key)
    }

    /// After the opening brace, up to and with the closing one.
    private mutating func objectBody() throws(HCLError) -> [DynamicMember] {
        try enter()
        defer { depth -= 1 }
        let members = try objectMembers(isNested: true)
        let closing = scan()
        guard closing.kind == .rightBrace else {
            throw failure(closing, "object expected closing RBRACE got: \(closing.kind.rawValue)")
        }
        return members
    }

    private mutating func enter() throws(HCLError) {
        depth += 1
        if depth > HCL.depthLimit { throw failure(token, "nested more than \(HCL.depthLimit) levels deep") }
    }

    // MARK: Values

    /// nil at the end of the text.
    private mutating func assignedValue() throws(HCLError) -> HCLObject.Value? {
        let next = scan()
        switch next.kind {
        case .number, .float, .bool, .string, .heredoc: return .scalar(try literal(next))
        case .leftBrace: return .object(try objectBody())
        case .leftBracket: return .list(try listElements())
        case .eof: return nil
        default: throw failure(next, "Unknown token: \(next.line):\(next.column) \(next.kind.rawValue) \(text(next))")
        }
    }

    /// After the opening bracket, up to and with the closing one.
    private mutating func listElements() throws(HCLError) -> [DynamicValue] {
        try enter()
        defer { depth -= 1 }
        var elements: [DynamicValue] = []
        var needsComma = false
        while true {
            let next = scan()
            if needsComma, next.kind != .comma, next.kind != .rightBracket {
                throw failure(next, "error parsing list, expected comma or list end, got: \(next.kind.rawValue)")
            }
            needsComma = true
            switch next.kind {
            case .bool, .number, .float, .string, .heredoc:
                elements.append(try literal(next))
            case .comma:
                needsComma = false
            case .leftBrace:
                do throws(HCLError) {
                    elements.append(.map(try objectBody()))
                } catch {
                    throw failure(next, "error while trying to parse object within list: \(error)")
                }
            case .leftBracket:
                do throws(HCLError) {
                    elements.append(.array(try listElements()))
                } catch {
                    throw failure(next, "error while trying to parse list within list: \(error)")
                }
            case .rightBracket:
                return elements
            default:
                throw failure(next, "unexpected token while parsing list: \(next.kind.rawValue)")
            }
        }
    }

    private func literal(_ token: HCLToken) throws(HCLError) -> DynamicValue {
        switch token.kind {
        case .bool: return .bool(token.text.count == 4)
        case .string: return .string(try unquoted(token))
        case .heredoc: return .string(heredoc(token))
        case .float:
            guard let value = Double(text(token)), value.isFinite else { throw outOfRange("ParseFloat", token) }
            return .double(value)
        default:
            guard let value = HCLLiteral.integer(scanner.source[token.text]) else { throw outOfRange("ParseInt", token) }
            return .int(value)
        }
    }

    private func outOfRange(_ function: String, _ token: HCLToken) -> HCLError {
        failure(token, "strconv.\(function): parsing \"\(text(token))\": value out of range")
    }

    /// An unterminated literal has been reported by the scanner, so that its value does not matter.
    private func unquoted(_ token: HCLToken) throws(HCLError) -> String {
        let inner = scanner.source[token.text].dropFirst().dropLast()
        guard scanner.error == nil else { return "" }
        guard let bytes = HCLLiteral.unquoted(inner) else { throw failure(token, "invalid escape in \(text(token))") }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func heredoc(_ token: HCLToken) -> String {
        guard scanner.error == nil else { return "" }
        return String(decoding: HCLLiteral.heredoc(scanner.source[token.text]), as: UTF8.self)
    }
}

/// Members in the making: finds earlier ones of the same name.
struct HCLObject {
    enum Value {
        case scalar(DynamicValue)
        case list([DynamicValue])
        case object([DynamicMember])
    }

    private struct Entry {
        var name: String
        /// nil: a list, whose elements are apart so that they grow in place.
        var scalar: DynamicValue?
        var elements: [DynamicValue] = []
    }

    private var entries: [Entry] = []
    private var positions = LookupTable<String, Int>()

    var members: [DynamicMember] { entries.map { DynamicMember($0.name, $0.scalar ?? .array($0.elements)) } }

    /// Returns false if a list and a single value meet under the same name.
    mutating func insert(_ value: Value, under names: [String]) -> Bool {
        var value = value
        for name in names.dropFirst().reversed() { value = .object([DynamicMember(name, Self.wrapped(value))]) }
        let name = names[0]
        let isNew = positions[name] == nil
        let position = positions[name] ?? entries.count
        if isNew {
            positions[name] = position
            entries.append(Entry(name: name))
        }
        let isList = entries[position].scalar == nil
        switch value {
        case .scalar(let scalar):
            if isList && !isNew { return false }
            entries[position].scalar = scalar
        case .list(let more):
            if !isList { return false }
            entries[position].elements += more
        case .object(let more):
            if !isList { return false }
            entries[position].elements.append(.map(more))
        }
        return true
    }

    private static func wrapped(_ value: Value) -> DynamicValue {
        switch value {
        case .scalar(let scalar): scalar
        case .list(let elements): .array(elements)
        case .object(let members): .array([.map(members)])
        }
    }
}
