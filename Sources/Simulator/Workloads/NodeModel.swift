import Core

/// What the catalog must hold of one node with one service and two checks, by the specification alone (http-1 §5, §6).
struct NodeModel {
    /// What is asked of it.
    enum Question: CaseIterable {
        case node, healthOfNode, healthOfService, instances, checksOfService, critical, passing
    }

    static let nodeCheckID = "alive"
    static let serviceCheckID = "answers"
    private static let statuses = [CheckStatus.passing, CheckStatus.warning, CheckStatus.critical]

    private(set) var name = ""
    private var id = ""
    private var number = 0
    private(set) var isThere = false
    private var address = 1
    /// How often it was renamed.
    private var renames = 0
    private var hasService = false
    /// The service's own name changes, its id does not.
    private var service = ""
    private var port = 0
    private var tags: [String] = []
    /// nil: there is none.
    private(set) var nodeCheck: String?
    private var serviceCheck: String?
    private var output = ""

    init() {}

    init(name: String, id: String, number: Int) {
        (self.name, self.id, self.number) = (name, id, number)
        service = name + "-s0"
    }

    /// Whether all sessions of the node end with what has changed since.
    func endsSessions(since before: NodeModel) -> Bool { before.isThere && (!isThere || name != before.name) }

    /// Whether those end that depend on this check.
    func ends(_ dependence: ReferenceModel.Dependence, since before: NodeModel) -> Bool {
        func ends(_ check: String?, _ before: String?) -> Bool { before != nil && (check == nil || check == CheckStatus.critical) }
        return switch dependence {
        case .nothing: false
        case .nodeCheck: ends(nodeCheck, before.nodeCheck)
        case .serviceCheck: ends(serviceCheck, before.serviceCheck)
        }
    }

    /// What a new session may depend on.
    var passing: [ReferenceModel.Dependence] {
        var found: [ReferenceModel.Dependence] = [.nothing]
        if nodeCheck == CheckStatus.passing { found += [.nodeCheck, .nodeCheck] }
        if serviceCheck == CheckStatus.passing { found += [.serviceCheck, .serviceCheck] }
        return found
    }

    // MARK: - Changing

    /// Changes something, and says by which request.
    mutating func change(_ random: inout Random) -> (target: String, body: [UInt8]) {
        guard isThere else {
            isThere = true
            address = random.int(in: 1...250)
            if random.chance(0.5) { nodeCheck = CheckStatus.passing }
            return register()
        }
        switch random.int(in: 0...13) {
        case 0:
            forget()
            return deregister { _ in }
        case 1:
            // Under its id it is the same node: what the old one had goes with it.
            forget()
            isThere = true
            renames += 1
            name = String(name.prefix { $0 != "r" }) + "r\(renames)"
            return register()
        case 2: address = random.int(in: 1...250)
        case 3 where hasService:
            (hasService, serviceCheck) = (false, nil)
            return deregister {
                $0.key("ServiceID"); $0.string("web")
            }
        case 4 where nodeCheck != nil:
            nodeCheck = nil
            return deregister {
                $0.key("CheckID"); $0.string(Self.nodeCheckID)
            }
        case 5 where serviceCheck != nil:
            serviceCheck = nil
            return deregister {
                $0.key("CheckID"); $0.string(Self.serviceCheckID)
            }
        case 6...8: nodeCheck = random.pick(Self.statuses)
        case 9...10 where hasService: serviceCheck = random.pick(Self.statuses)
        case 11 where hasService: tags = random.pick([[], ["x"], ["y", "x"]])
        case 12 where hasService && serviceCheck == nil: service = String(service.dropLast()) + String(random.int(in: 0...3))
        default:
            hasService = true
            port = random.int(in: 1...60_000)
        }
        if random.chance(0.5) { output = "o\(random.int(in: 0...9))" }
        return register()
    }

    private mutating func forget() {
        (isThere, hasService, nodeCheck, serviceCheck, tags) = (false, false, nil, nil, [])
    }

    private func deregister(_ what: (inout JSONWriter) -> Void) -> (target: String, body: [UInt8]) {
        var json = JSONWriter()
        json.beginObject()
        json.key("Node")
        json.string(name)
        what(&json)
        json.endObject()
        return ("/v1/catalog/deregister", json.finish())
    }

    private var addressText: String { "10.5.\(number % 250).\(address)" }

    private func register() -> (target: String, body: [UInt8]) {
        var json = JSONWriter()
        json.beginObject()
        json.key("ID")
        json.string(id)
        json.key("Node")
        json.string(name)
        json.key("Address")
        json.string(addressText)
        if hasService {
            json.key("Service")
            json.beginObject()
            json.key("ID")
            json.string("web")
            json.key("Service")
            json.string(service)
            json.key("Port")
            json.int(port)
            json.key("Tags")
            json.strings(tags)
            json.endObject()
        }
        json.key("Checks")
        json.beginArray()
        if let nodeCheck { write(Self.nodeCheckID, nodeCheck, service: "", &json) }
        if let serviceCheck { write(Self.serviceCheckID, serviceCheck, service: "web", &json) }
        json.endArray()
        json.endObject()
        return ("/v1/catalog/register", json.finish())
    }

    private func write(_ id: String, _ status: String, service: String, _ json: inout JSONWriter) {
        json.beginObject()
        json.key("Node")
        json.string(name)
        json.key("CheckID")
        json.string(id)
        json.key("Name")
        json.string(id)
        // One that says nothing is critical.
        if status != CheckStatus.critical || output.hasSuffix("1") {
            json.key("Status")
            json.string(status)
        }
        json.key("Output")
        json.string(output)
        json.key("ServiceID")
        json.string(service)
        json.endObject()
    }

    // MARK: - Reading

    func path(_ question: Question) -> String {
        switch question {
        case .node: "/v1/catalog/node/" + name
        case .healthOfNode: "/v1/health/node/" + name
        case .healthOfService: "/v1/health/service/" + service
        case .instances: "/v1/catalog/service/" + service
        case .checksOfService: "/v1/health/checks/" + service
        case .critical: "/v1/health/state/critical"
        case .passing: "/v1/health/state/passing"
        }
    }

    /// The difference between what is shown and what must be, nil if there is none.
    func compare(_ question: Question, _ response: HTTPClientResponse) -> String? {
        let json = response.json ?? .null
        let shown: String, wanted: String
        switch question {
        case .node:
            let web = json["Services"]?["web"]
            shown = text(json["Node"]?["Address"]) + instance(web, name: "Service", port: "Port", tags: "Tags")
            wanted = isThere ? addressText + expectedInstance : "-" + "none"
        case .healthOfNode:
            shown = checks(json)
            wanted = expected(both: true)
        case .healthOfService:
            let first = json.list?.first
            shown =
                text(first?["Node"]?["Address"]) + instance(first?["Service"], name: "Service", port: "Port", tags: "Tags")
                + checks(first?["Checks"] ?? .null)
            wanted = hasService ? addressText + expectedInstance + expected(both: true) : "-none"
        case .instances:
            let first = json.list?.first
            shown = text(first?["Address"]) + instance(first, name: "ServiceName", port: "ServicePort", tags: "ServiceTags")
            wanted = hasService ? addressText + expectedInstance : "-none"
        case .checksOfService:
            shown = checks(json)
            wanted = expected(both: false)
        case .critical, .passing:
            let status = question == .critical ? CheckStatus.critical : CheckStatus.passing
            shown = checks(.array((json.list ?? []).filter { $0["Node"]?.text == name }))
            wanted = expected(both: true, only: status)
        }
        return shown == wanted ? nil : "\(path(question)) shows \(shown), expected \(wanted)"
    }

    private func text(_ value: DynamicValue?) -> String { value?.text ?? "-" }

    private func instance(_ json: DynamicValue?, name: String, port: String, tags: String) -> String {
        guard let json, let name = json[name]?.text else { return "none" }
        let list = json[tags]?.list?.compactMap(\.text) ?? []
        return " \(name):\(json[port]?.number ?? 0)[\(list.joined(separator: ","))]"
    }

    private var expectedInstance: String { hasService ? " \(service):\(port)[\(tags.joined(separator: ","))]" : "none" }

    private func checks(_ json: DynamicValue) -> String {
        (json.list ?? []).map { " " + text($0["CheckID"]) + "=" + text($0["Status"]) + "/" + text($0["Output"]) }.sorted().joined()
    }

    private func expected(both: Bool, only: String? = nil) -> String {
        var found: [String] = []
        if both, let nodeCheck, only == nil || only == nodeCheck { found.append(" \(Self.nodeCheckID)=\(nodeCheck)/\(output)") }
        if let serviceCheck, only == nil || only == serviceCheck { found.append(" \(Self.serviceCheckID)=\(serviceCheck)/\(output)") }
        return found.sorted().joined()
    }
}
