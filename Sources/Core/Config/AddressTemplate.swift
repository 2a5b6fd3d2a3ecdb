/// An address of one of the machine's network interfaces.
public struct InterfaceAddress: Hashable, Sendable {
    public var interface: String
    /// Without a zone.
    public var address: String
    public var prefixLength: Int
    public var isUp: Bool
    public var isLoopback: Bool
    /// The default route leads through this interface.
    public var isDefault: Bool

    public init(interface: String, address: String, prefixLength: Int, isUp: Bool = true, isLoopback: Bool = false, isDefault: Bool = false)
    {
        self.interface = interface
        self.address = address
        self.prefixLength = prefixLength
        self.isUp = isUp
        self.isLoopback = isLoopback
        self.isDefault = isDefault
    }

    var ip: IPAddress? { IPAddress(address) }
    var isIPv4: Bool { ip?.isIPv4 ?? false }
}

/// Templates such as `{{ GetPrivateIP }}` in addresses. Spec: config §5.1.
///
/// Supported: all sources and outputs, `include`, `exclude`, `sort`, `unique`, `limit` and `offset`. Anything else is an error that names it.
struct AddressTemplate {
    let interfaces: [InterfaceAddress]

    private enum Value {
        case addresses([InterfaceAddress])
        case text(String)
    }

    /// The text with every `{{ … }}` replaced.
    func expand(_ text: String) throws(TextError) -> String {
        var result: [UInt8] = []
        var rest = Array(text.utf8)[...]
        let opening = Array("{{".utf8), closing = Array("}}".utf8)
        while let start = Self.find(opening, in: rest) {
            result += rest[..<start]
            guard let end = Self.find(closing, in: rest[(start + 2)...]) else { throw TextError("unclosed action in template") }
            result += Array(try evaluate(Self.words(rest[(start + 2)..<end])).utf8)
            rest = rest[(end + 2)...]
        }
        return String(decoding: result + rest, as: UTF8.self)
    }

    private static func find(_ mark: [UInt8], in text: ArraySlice<UInt8>) -> Int? {
        guard text.count >= mark.count else { return nil }
        return (text.startIndex...text.endIndex - mark.count).first { text[$0] == mark[0] && text[$0 + 1] == mark[1] }
    }

    /// Words and quoted texts of a pipeline, one list for each stage.
    private static func words(_ text: ArraySlice<UInt8>) throws(TextError) -> [[String]] {
        var stages: [[String]] = [[]]
        var at = text.startIndex
        while at < text.endIndex {
            let byte = text[at]
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\t"): at += 1
            case UInt8(ascii: "|"):
                stages.append([])
                at += 1
            case UInt8(ascii: "\""), UInt8(ascii: "`"):
                guard let end = text[(at + 1)...].firstIndex(of: byte) else { throw TextError("unterminated quoted string") }
                stages[stages.count - 1].append(String(decoding: text[(at + 1)..<end], as: UTF8.self))
                at = end + 1
            default:
                let word = text[at...].prefix { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") && $0 != UInt8(ascii: "|") }
                stages[stages.count - 1].append(String(decoding: word, as: UTF8.self))
                at += word.count
            }
        }
        return stages
    }

    private func evaluate(_ stages: [[String]]) throws(TextError) -> String {
        var value: Value?
        for stage in stages {
            guard let function = stage.first else { throw TextError("missing value for command") }
            let arguments = Array(stage.dropFirst())
            switch value {
            case nil: value = try source(function, arguments)
            case .addresses(let addresses): value = try filter(addresses, function, arguments)
            case .text: throw TextError("template function \(GoQuote.quote(function)) cannot be applied to a text")
            }
        }
        guard case .text(let text) = value else { throw TextError("the template yields interfaces; end it with 'attr' or 'join'") }
        return text
    }

    // MARK: Sources

    private func source(_ function: String, _ arguments: [String]) throws(TextError) -> Value {
        let isPrivate = byDefault.filter { $0.ip?.isPrivate ?? false }
        let isPublic = byDefault.filter { $0.ip?.isPublic ?? false }
        switch function {
        case "GetAllInterfaces": return .addresses(interfaces)
        case "GetDefaultInterfaces": return .addresses(byDefault)
        case "GetPrivateInterfaces": return .addresses(isPrivate)
        case "GetPublicInterfaces": return .addresses(isPublic)
        case "GetPrivateIP": return .text(isPrivate.first?.address ?? "")
        case "GetPrivateIPs": return .text(Self.joined(isPrivate))
        case "GetPublicIP": return .text(isPublic.first?.address ?? "")
        case "GetPublicIPs": return .text(Self.joined(isPublic))
        case "GetInterfaceIP": return .text(try named(arguments).first?.address ?? "")
        case "GetInterfaceIPs": return .text(Self.joined(try named(arguments)))
        default: throw TextError("template function \(GoQuote.quote(function)) is not supported")
        }
    }

    /// The addresses of the interface that has the default route, IPv4 first.
    private var byDefault: [InterfaceAddress] { Self.versionFourFirst(interfaces.filter { $0.isDefault && $0.isUp }) }

    private static func versionFourFirst(_ addresses: [InterfaceAddress]) -> [InterfaceAddress] {
        addresses.filter(\.isIPv4) + addresses.filter { !$0.isIPv4 }
    }

    private func named(_ arguments: [String]) throws(TextError) -> [InterfaceAddress] {
        guard arguments.count == 1 else { throw TextError("GetInterfaceIP expects the name of an interface") }
        return Self.versionFourFirst(interfaces.filter { $0.interface == arguments[0] && $0.isUp })
    }

    private static func joined(_ addresses: [InterfaceAddress]) -> String { addresses.map(\.address).joined(separator: " ") }

    // MARK: Filters and outputs

    private func filter(_ addresses: [InterfaceAddress], _ function: String, _ arguments: [String]) throws(TextError) -> Value {
        switch (function, arguments.count) {
        case ("include", 2):
            let test = try predicate(arguments[0], arguments[1])
            return .addresses(addresses.filter(test))
        case ("exclude", 2):
            let test = try predicate(arguments[0], arguments[1])
            return .addresses(addresses.filter { !test($0) })
        case ("sort", 1):
            return .addresses(try sorted(addresses, by: arguments[0]))
        case ("unique", 1):
            var seen: [String] = []
            var result: [InterfaceAddress] = []
            for address in addresses {
                let value = try attribute(arguments[0], of: address)
                if seen.contains(value) { continue }
                seen.append(value)
                result.append(address)
            }
            return .addresses(result)
        case ("limit", 1): return .addresses(Array(addresses.prefix(try count(arguments[0]))))
        case ("offset", 1): return .addresses(Array(addresses.dropFirst(try count(arguments[0]))))
        case ("attr", 1):
            guard let first = addresses.first else { return .text("") }
            return .text(try attribute(arguments[0], of: first))
        case ("join", 2):
            var values: [String] = []
            for address in addresses { values.append(try attribute(arguments[0], of: address)) }
            return .text(values.joined(separator: arguments[1]))
        default:
            throw TextError("template function \(GoQuote.quote(function)) with \(arguments.count) arguments is not supported")
        }
    }

    private func count(_ text: String) throws(TextError) -> Int {
        guard let number = Int(text), number >= 0 else { throw TextError("\(GoQuote.quote(text)) is no count") }
        return number
    }

    private func attribute(_ name: String, of address: InterfaceAddress) throws(TextError) -> String {
        switch name {
        case "address", "host": return address.address
        case "name": return address.interface
        case "type": return address.isIPv4 ? "IPv4" : "IPv6"
        case "port": return "0"
        case "network": return "\(address.address)/\(address.prefixLength)"
        default: throw TextError("attribute \(GoQuote.quote(name)) is not supported")
        }
    }

    private func predicate(_ key: String, _ value: String) throws(TextError) -> (InterfaceAddress) -> Bool {
        switch key {
        case "address":
            let pattern = try expression(value)
            return { pattern.matches($0.address) }
        case "name":
            let pattern = try expression(value)
            return { pattern.matches($0.interface) }
        case "type":
            switch value.lowercased() {
            case "ipv4": return \.isIPv4
            case "ipv6": return { !$0.isIPv4 }
            case "ip": return { _ in true }
            default: throw TextError("type \(GoQuote.quote(value)) is not supported")
            }
        case "network":
            guard let network = IPNetwork(value) else { throw TextError("invalid CIDR address: \(value)") }
            return { $0.ip.map(network.contains) ?? false }
        case "rfc":
            guard value == "1918" || value == "6598" || value == "4193" else { throw TextError("RFC \(value) is not supported") }
            let networks = Self.networks(ofRFC: value)
            return { address in networks.contains { network in address.ip.map(network.contains) ?? false } }
        case "flag", "flags": return try flags(value)
        default: throw TextError("filter key \(GoQuote.quote(key)) is not supported")
        }
    }

    private func expression(_ pattern: String) throws(TextError) -> RegularExpression {
        do { return try RegularExpression(pattern) } catch { throw TextError(error.description) }
    }

    private static func networks(ofRFC number: String) -> [IPNetwork] {
        let texts =
            switch number {
            case "1918": ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]
            case "6598": ["100.64.0.0/10"]
            default: ["fc00::/7"]
            }
        return texts.compactMap { IPNetwork($0) }
    }

    private func flags(_ value: String) throws(TextError) -> (InterfaceAddress) -> Bool {
        let names = value.split(separator: "|").map(String.init)
        for name in names where !["up", "loopback", "forwardable", "global unicast"].contains(name) {
            throw TextError("flag \(GoQuote.quote(name)) is not supported")
        }
        return { address in
            names.allSatisfy { name in
                switch name {
                case "up": address.isUp
                case "loopback": address.isLoopback
                default: !address.isLoopback
                }
            }
        }
    }

    private func sorted(_ addresses: [InterfaceAddress], by keys: String) throws(TextError) -> [InterfaceAddress] {
        var result = addresses
        // Sorting by the last key first, each time stably, leaves the first key in charge.
        for key in keys.split(separator: ",").reversed() {
            let isDescending = key.hasPrefix("-")
            let name = String(key.drop { $0 == "+" || $0 == "-" })
            let goesBefore: (InterfaceAddress, InterfaceAddress) -> Bool
            switch name {
            case "address": goesBefore = { a, b in Self.order(a.ip) < Self.order(b.ip) }
            case "default": goesBefore = { a, b in a.isDefault && !b.isDefault }
            case "name": goesBefore = { a, b in a.interface < b.interface }
            case "port": continue
            case "private": goesBefore = { a, b in (a.ip?.isPrivate ?? false) && !(b.ip?.isPrivate ?? false) }
            case "size": goesBefore = { a, b in a.prefixLength > b.prefixLength }
            case "type": goesBefore = { a, b in a.isIPv4 && !b.isIPv4 }
            default: throw TextError("unsupported sort key \(GoQuote.quote(name))")
            }
            result.sort { a, b in isDescending ? goesBefore(b, a) : goesBefore(a, b) }
        }
        return result
    }

    private static func order(_ ip: IPAddress?) -> (UInt64, UInt64) { (ip?.high ?? 0, ip?.low ?? 0) }
}
