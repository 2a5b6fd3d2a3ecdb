import Core
import Glibc

/// What `consul watch` asks for, and how far it has come. Spec: cli §24, config §10.
struct WatchPlan {
    private enum Subject {
        case key, keyPrefix, services, nodes, service, checks, event
    }

    struct Change {
        var index: UInt64
        var data: DynamicValue
    }

    private let type: String
    private let subject: Subject
    private let path: String
    private let query: APIClient.Query
    private var index: UInt64?
    private var last: DynamicValue?
    /// The last event that was told of.
    private var lastEvent = ""

    private static let retryInterval = 5, backoffMax = 180

    /// The error is the line that users see.
    init(_ arguments: Arguments) throws(APIFailure) {
        type = arguments.string("type")
        var given = Self.parameters(arguments)
        if let text = given["passingonly"]?.first {
            do { _ = try GoNumber.parseBool(text) } catch { throw APIFailure("Failed to parse passingonly flag: \(error.text)") }
        }
        if type.hasPrefix("connect_") || type.hasPrefix("agent_") {
            throw APIFailure("Type \(type) is not supported in the CLI tool")
        }
        func take(_ name: String) -> [String] { given.removeValue(forKey: name) ?? [] }
        func one(_ name: String, _ problem: String) throws(APIFailure) -> String {
            guard let value = take(name).first else { throw APIFailure(problem) }
            return value
        }
        var query: APIClient.Query = []
        switch type {
        case "key":
            subject = .key
            path = KVCommands.path(try one("key", "Must specify a single key to watch"))
        case "keyprefix":
            subject = .keyPrefix
            path = KVCommands.path(try one("prefix", "Must specify a single prefix to watch"))
            query.append(("recurse", ""))
        case "services": (subject, path) = (.services, "/v1/catalog/services")
        case "nodes": (subject, path) = (.nodes, "/v1/catalog/nodes")
        case "service":
            subject = .service
            path = "/v1/health/service/\(try one("service", "Must specify a single service to watch"))"
            query += take("tag").map { ("tag", $0) }
            if (try? GoNumber.parseBool(take("passingonly").first ?? "false")) ?? false { query.append(("passing", "1")) }
        case "checks":
            subject = .checks
            let service = take("service").first, state = take("state").first
            if service != nil, state != nil { throw APIFailure("Cannot specify service and state") }
            path = service.map { "/v1/health/checks/\($0)" } ?? "/v1/health/state/\(state ?? "any")"
        case "event":
            (subject, path) = (.event, "/v1/event/list")
            if let name = take("name").first { query.append(("name", name)) }
        default: throw APIFailure("Unsupported watch type: \(type)")
        }
        if type != "event", !take("stale").isEmpty { query.append(("stale", "")) }
        if !given.isEmpty { throw APIFailure("Invalid parameters: [\(given.keys.sorted().joined(separator: " "))]") }
        self.query = query
    }

    private static func parameters(_ arguments: Arguments) -> [String: [String]] {
        var given: [String: [String]] = [:]
        for name in ["key", "prefix", "service", "tag", "passingonly", "state", "name"] {
            let values = arguments.list(name).filter { !$0.isEmpty }
            // Of all but the tags, the last one counts.
            if let last = values.last { given[name] = name == "tag" ? values : [last] }
        }
        if arguments.isSet("stale") { given["stale"] = ["true"] }
        return given
    }

    /// Waits for the first data, then for data that differ. Failures are reported and tried again.
    mutating func next(_ client: APIClient, _ console: Console) -> Change {
        var failures = 0
        while true {
            do {
                if let change = try poll(client) { return change }
                failures = 0
            } catch {
                failures += 1
                let seconds = min(Self.retryInterval * failures * failures, Self.backoffMax)
                let retry = GoDuration.format(.seconds(seconds))
                console.error(
                    "\(console.timestamp()) [ERROR] watch.watch: Watch errored: type=\(type) error=\"\(error.text)\" retry=\(retry)")
                index = nil
                sleep(UInt32(seconds))
            }
        }
    }

    /// nil when nothing has changed.
    private mutating func poll(_ client: APIClient) throws(APIFailure) -> Change? {
        var query = query
        if let index, index > 0 { query.append(("index", String(index))) }
        let answer = try client.send("GET", path, query: query)
        let data: DynamicValue
        switch answer.status {
        case 200: data = try APIClient.decoded(answer.body)
        case 404 where subject == .key || subject == .keyPrefix: data = .null
        case let status where subject == .key || subject == .keyPrefix: throw APIFailure("Unexpected response code: \(status)")
        case let status:
            throw APIFailure("Unexpected response code: \(status) (\(String(decoding: answer.body, as: UTF8.self)))")
        }
        let old = index
        if old == answer.index { return nil }
        // An index that goes back means another history: begin anew.
        index = answer.index < old ?? 0 ? 0 : answer.index
        let result = subject == .event ? newEvents(data) : view(data)
        if old != nil, result == last { return nil }
        last = result
        return Change(index: answer.index, data: result)
    }

    private mutating func newEvents(_ data: DynamicValue) -> DynamicValue {
        var events = data.elements
        let seen = lastEvent
        lastEvent = events.last?.text("ID") ?? seen
        if let at = events.lastIndex(where: { $0.text("ID") == seen }) { events.removeFirst(at + 1) }
        return .array(events.map(WatchView.event))
    }

    private func view(_ data: DynamicValue) -> DynamicValue {
        switch subject {
        case .key: data.elements.first.map(WatchView.entry) ?? .null
        case .keyPrefix: Self.list(data, WatchView.entry)
        case .services: .map(data.members.sorted { ByteString($0.name) < ByteString($1.name) })
        case .nodes: Self.list(data, WatchView.node)
        case .service: Self.list(data, WatchView.serviceEntry)
        case .checks: Self.list(data, WatchView.check)
        case .event: data
        }
    }

    private static func list(_ data: DynamicValue, _ view: (DynamicValue) -> DynamicValue) -> DynamicValue {
        if case .array(let elements) = data { .array(elements.map(view)) } else { data }
    }
}

/// Data in the shape and order in which the reference's client knows them, whatever the order in which the agent sends them.
enum WatchView {
    /// The members of those names, empty ones where the agent sends none.
    private static func pick(_ json: DynamicValue, _ members: [(name: String, empty: DynamicValue)]) -> [DynamicMember] {
        members.map { DynamicMember($0.name, json[$0.name] ?? $0.empty) }
    }

    private static func text(_ names: String...) -> [(name: String, empty: DynamicValue)] { names.map { ($0, .string("")) } }
    private static func number(_ names: String...) -> [(name: String, empty: DynamicValue)] { names.map { ($0, .int(0)) } }
    private static func nothing(_ names: String...) -> [(name: String, empty: DynamicValue)] { names.map { ($0, .null) } }
    private static func flag(_ names: String...) -> [(name: String, empty: DynamicValue)] { names.map { ($0, .bool(false)) } }

    /// A member that is left out where it is empty.
    private static func optional(_ json: DynamicValue, _ name: String) -> [DynamicMember] {
        switch json[name] {
        case nil, .null, .string(""), .map([]), .array([]): []
        case let value?: [DynamicMember(name, value)]
        }
    }

    static func entry(_ json: DynamicValue) -> DynamicValue {
        .map(pick(json, text("Key") + number("CreateIndex", "ModifyIndex", "LockIndex", "Flags") + nothing("Value") + text("Session")))
    }

    static func node(_ json: DynamicValue) -> DynamicValue {
        .map(
            pick(
                json,
                text("ID", "Node", "Address", "Datacenter") + nothing("TaggedAddresses", "Meta") + number("CreateIndex", "ModifyIndex")))
    }

    static func serviceEntry(_ json: DynamicValue) -> DynamicValue {
        let checks = (json["Checks"]?.elements ?? []).map(check)
        return .map([
            DynamicMember("Node", node(json["Node"] ?? .null)), DynamicMember("Service", service(json["Service"] ?? .null)),
            DynamicMember("Checks", .array(checks)),
        ])
    }

    private static func service(_ json: DynamicValue) -> DynamicValue {
        .map(
            optional(json, "Kind") + pick(json, text("ID", "Service") + nothing("Tags", "Meta") + number("Port") + text("Address"))
                + optional(json, "TaggedAddresses") + pick(json, nothing("Weights") + flag("EnableTagOverride"))
                + pick(json, number("CreateIndex", "ModifyIndex")) + optional(json, "Proxy")
                + pick(json, [("Connect", .map([]))]))
    }

    static func check(_ json: DynamicValue) -> DynamicValue {
        let definition = json["Definition"] ?? .null
        let none = DynamicValue.string("0s")
        let details = pick(
            definition,
            [("Interval", none), ("Timeout", none), ("DeregisterCriticalServiceAfter", none)] + text("HTTP") + nothing("Header")
                + text("Method", "Body") + flag("TLSSkipVerify") + text("TCP"))
        return .map(
            pick(json, text("Node", "CheckID", "Name", "Status", "Notes", "Output", "ServiceID", "ServiceName") + nothing("ServiceTags"))
                + pick(json, text("Type")) + [DynamicMember("Definition", .map(details))]
                + pick(json, number("CreateIndex", "ModifyIndex")))
    }

    static func event(_ json: DynamicValue) -> DynamicValue {
        .map(
            pick(
                json,
                text("ID", "Name") + nothing("Payload") + text("NodeFilter", "ServiceFilter", "TagFilter") + number("Version", "LTime")))
    }
}
