/// One member of a JSON object (or an element, or the whole document) on its way into a field of a request.
///
/// Follows the reference's decoder: names match in any case, `null` leaves a field unset, wrong types and unknown fields are errors in Go's
/// words (http-1 §1.6). A decoder of an object walks its members in the order of the text, so that the first problem is the one reported:
///
///     for field in try document.members(of: "Weights") {
///         switch field.key {
///         case "passing": try field.read(&weights.passing)
///         case "warning": try field.read(&weights.warning)
///         default: throw field.unknown
///         }
///     }
public struct JSONField: Sendable {
    /// As the text spells it.
    public let name: String
    /// The name in lower case: what decoders match.
    public let key: String
    public let value: DynamicValue
    /// The type of the innermost object, which error texts name; empty for those that decode themselves.
    private let owner: String
    /// The names of the fields that lead here, joined by dots.
    private let path: String
    /// The type of the document, which error texts name where there is no field.
    private let root: String

    /// The whole document; `type` is what the reference calls it.
    public init(document value: DynamicValue, type: String) {
        self.init(name: "", value: value, owner: "", path: "", root: type)
    }

    private init(name: String, value: DynamicValue, owner: String, path: String, root: String) {
        self.name = name
        key = name.lowercased()
        self.value = value
        self.owner = owner
        self.path = path
        self.root = root
    }

    public var isNull: Bool { value == .null }

    /// The error for a field that nobody knows.
    public var unknown: TextError { TextError("json: unknown field \(GoQuote.quote(name))") }

    /// The error for a value of the wrong JSON type; `type` is Go's name of the right one.
    public func mismatch(_ type: String) -> TextError {
        // Only numbers that a number field cannot hold are quoted.
        let isInteger = type.hasPrefix("int") || type.hasPrefix("uint")
        let found =
            switch value {
            case .null: "null"
            case .bool: "bool"
            case .int(let number): isInteger ? "number \(number)" : "number"
            case .uint(let number): isInteger ? "number \(number)" : "number"
            case .double(let number): isInteger ? "number \(GoNumber.format(number, .json))" : "number"
            case .string, .bytes: "string"
            case .array: "array"
            case .map: "object"
            }
        if path.isEmpty { return TextError("json: cannot unmarshal \(found) into Go value of type \(root.isEmpty ? type : root)") }
        return TextError("json: cannot unmarshal \(found) into Go struct field \(owner).\(path) of type \(type)")
    }

    /// The members of an object, in the order of the text; none for `null`. `owner` is what the reference calls the object's type.
    public func members(of owner: String) throws(TextError) -> [JSONField] {
        guard !isNull else { return [] }
        guard case .map(let members) = value else { throw mismatch(owner) }
        return members.map {
            JSONField(name: $0.name, value: $0.value, owner: owner, path: path.isEmpty ? $0.name : path + "." + $0.name, root: "")
        }
    }

    /// The members of an object whose type decodes itself in the reference: its errors know nothing of the objects around it.
    public func ownMembers() throws(TextError) -> [JSONField] { try detached.members(of: "") }

    /// The same value as a document of its own.
    public var detached: JSONField { JSONField(document: value, type: "") }

    /// The elements of a list; nil for `null`. They know the path of the list, as in Go.
    public func elements(type: String) throws(TextError) -> [JSONField]? {
        guard !isNull else { return nil }
        guard case .array(let values) = value else { throw mismatch(type) }
        return values.map { JSONField(name: name, value: $0, owner: owner, path: path, root: "") }
    }
}

/// Setters: each leaves its target alone for `null`, but the optional ones become nil.
extension JSONField {
    public func read(_ target: inout String) throws(TextError) {
        guard !isNull else { return }
        guard case .string(let text) = value else { throw mismatch("string") }
        target = text
    }

    public func read(_ target: inout Bool) throws(TextError) {
        guard !isNull else { return }
        guard case .bool(let flag) = value else { throw mismatch("bool") }
        target = flag
    }

    public func read(_ target: inout Int) throws(TextError) {
        guard !isNull else { return }
        guard case .int(let number) = value else { throw mismatch("int") }
        target = Int(number)
    }

    public func read(_ target: inout UInt64) throws(TextError) {
        switch value {
        case .null: break
        case .int(let number) where number >= 0: target = UInt64(number)
        case .uint(let number): target = number
        default: throw mismatch("uint64")
        }
    }

    public func read(_ target: inout [String]?) throws(TextError) {
        guard let elements = try elements(type: "[]string") else { return target = nil }
        var texts: [String] = []
        texts.reserveCapacity(elements.count)
        for element in elements {
            var text = ""
            try element.read(&text)
            texts.append(text)
        }
        target = texts
    }

    public func read(_ target: inout StringMap?) throws(TextError) {
        guard !isNull else { return target = nil }
        target = StringMap(
            try mapMembers("map[string]string").map { (field) throws(TextError) in
                var text = ""
                try field.read(&text)
                return (field.name, text)
            })
    }

    public func read(_ target: inout SortedMap<String, [String]>?) throws(TextError) {
        guard !isNull else { return target = nil }
        target = SortedMap(
            try mapMembers("map[string][]string").map { (field) throws(TextError) in
                var texts: [String]?
                try field.read(&texts)
                return (field.name, texts ?? [])
            })
    }

    /// Base64.
    public func read(_ target: inout [UInt8]) throws(TextError) {
        guard !isNull else { return target = [] }
        guard case .string(let text) = value else { throw mismatch("[]uint8") }
        do {
            target = try Base64.decode(text)
        } catch {
            throw TextError(error.text)
        }
    }

    /// A free-form map; nil for `null`.
    public func readMap(_ target: inout DynamicValue?) throws(TextError) {
        guard !isNull else { return target = nil }
        guard case .map = value else { throw mismatch("map[string]interface {}") }
        target = value
    }

    /// Text in Go's spelling, or a number of nanoseconds; values of any other type are ignored (http-1 §1.11).
    public func read(_ target: inout Duration) throws(TextError) {
        switch value {
        case .string(let text): target = try GoDuration.parse(text)
        case .int(let number): target = .nanoseconds(number)
        case .uint: target = .nanoseconds(Int64.max)
        case .double(let number): target = .nanoseconds(Int64(clamping: number))
        default: break
        }
    }

    /// The members of a map with arbitrary keys, whose values know the path of the map only.
    public func mapMembers(_ type: String) throws(TextError) -> [JSONField] {
        guard case .map(let members) = value else { throw mismatch(type) }
        return members.map { JSONField(name: $0.name, value: $0.value, owner: owner, path: path, root: "") }
    }

    public func read(_ target: inout SortedMap<String, ServiceAddress>?) throws(TextError) {
        guard !isNull else { return target = nil }
        target = SortedMap(
            try mapMembers("map[string]structs.ServiceAddress").map { (field) throws(TextError) in
                var address = ServiceAddress()
                for member in try field.members(of: "ServiceAddress") {
                    switch member.key {
                    case "address": try member.read(&address.address)
                    case "port": try member.read(&address.port)
                    default: throw member.unknown
                    }
                }
                return (field.name, address)
            })
    }

    public func read(_ target: inout Weights?) throws(TextError) {
        guard !isNull else { return target = nil }
        var weights = Weights(passing: 0, warning: 0)
        for member in try members(of: "Weights") {
            switch member.key {
            case "passing": try member.read(&weights.passing)
            case "warning": try member.read(&weights.warning)
            default: throw member.unknown
            }
        }
        target = weights
    }
}

extension Int64 {
    /// Truncates, and stays within 64 bits.
    init(clamping value: Double) {
        if value.isNaN { self = 0 } else { self = value >= 0x1p63 ? .max : value <= -0x1p63 ? .min : Int64(value) }
    }
}

extension APIRequest {
    /// The body's first JSON value. Errors are 400 with the reference's prefix.
    func decodeBody(prefix: String = "Request decode failed: ") throws(Refusal) -> DynamicValue {
        do {
            return try JSON.parse(request.body, valuesMax: JSON.requestValuesMax)
        } catch {
            throw Refusal(400, prefix + error.text)
        }
    }

    /// Decodes the body strictly. On catalog endpoints an unknown `Namespace` is told to be an Enterprise feature.
    func decodeBody<T>(
        type: String, prefix: String = "Request decode failed: ", rewordsNamespace: Bool = false,
        _ decode: (JSONField) throws(TextError) -> T
    ) throws(Refusal) -> T {
        let document = JSONField(document: try decodeBody(prefix: prefix), type: type)
        do {
            return try decode(document)
        } catch {
            let isNamespace = rewordsNamespace && error.text.hasPrefix("json: unknown field \"Namespace\"")
            throw Refusal(
                400, prefix + error.text + (isNamespace ? " - Namespaces are a Consul Enterprise feature" : ""))
        }
    }
}
