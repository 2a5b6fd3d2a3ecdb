// Requests below `/v1/agent/`. Spec: http-1 §4.

extension RouteTable {
    static let agent: [Route] =
        agent(["self", "metrics", "monitor"], .get, .needs(.agent))
        + agent(["reload", "join/", "leave"], .put, .needs(.agent))
        + agent(["host"], .get, .needs(.operator))
        + agent(["force-leave/"], .put, .needs(.operator))
        + agent(["members", "checks"], .get, .filters(.node))
        + agent(["services"], .get, .filters(.service))
        + agent(["service/", "health/service/id/", "health/service/name/"], .get, .needs(.service))
        + agent(["service/register", "service/deregister/", "service/maintenance/"], .put, .needs(.service))
        + agent(["maintenance"], .put, .needs(.node))
        + agent(
            ["check/register", "check/deregister/", "check/pass/", "check/warn/", "check/fail/", "check/update/"], .put, .needs(.node))
        + agent(["connect/ca/roots", "connect/ca/leaf/"], .get, .answersNothing)
        + agent(["token/"], .put, .answersNothing)
        + agent(["connect/authorize"], .post, .answersNothing)

    private static func agent(_ paths: [String], _ methods: AllowedMethods, _ permission: RoutePermission) -> [Route] {
        Route.all(paths, below: "/v1/agent/", methods, permission) { (call) throws(Refusal) in try call.agent() }
    }
}

extension APIRequest {
    func agent() throws(Refusal) -> APICall {
        let route = AgentRoute(path)
        switch route.name {
        case "self": return .agent(.selfDescription, pretty: pretty)
        case "members": return try members()
        case "join": return .agent(.join(address: route.argument, wan: parameters.nonEmpty("wan") != nil), pretty: pretty)
        case "leave": return .agent(.leave, pretty: pretty)
        case "force-leave": return .agent(.forceLeave(node: route.argument, prune: parameters.contains("prune")), pretty: pretty)
        case "reload": return .agent(.reload, pretty: pretty)
        case "maintenance": return local(try nodeMaintenance())
        case "token": throw Refusal(401, "ACL support disabled")
        case "metrics": return .agent(.metrics(prometheus: wantsPrometheus), pretty: pretty)
        case "monitor": return .agent(try monitor(), pretty: pretty)
        case "host": return .agent(.host, pretty: pretty)
        case "connect": return .immediate(notBuilt)
        default:
            try refuseNamespaces()
            return local(try agentResource(route))
        }
    }

    private func local(_ request: LocalRequest) -> APICall { .agent(.local(request), pretty: pretty) }

    private func agentResource(_ route: AgentRoute) throws(Refusal) -> LocalRequest {
        let argument = route.argument
        switch route.name {
        case "services": return try services()
        case "checks": return try checks()
        case "service": return try service(argument)
        case "service/register": return try registerService()
        case "service/deregister":
            if argument.isEmpty { throw Refusal(500, "ServiceID missing") }
            return .deregisterService(id: argument)
        case "service/maintenance": return try serviceMaintenance(argument)
        case "check/register": return try registerCheck()
        case "check/deregister":
            if argument.isEmpty { throw Refusal(500, "CheckID missing") }
            return .deregisterCheck(id: argument)
        case "check/pass": return .updateCheck(id: argument, status: CheckStatus.passing, output: note)
        case "check/warn": return .updateCheck(id: argument, status: CheckStatus.warning, output: note)
        case "check/fail": return .updateCheck(id: argument, status: CheckStatus.critical, output: note)
        case "check/update": return try updateCheck(argument)
        case "health/service/id":
            if argument.isEmpty { throw Refusal(500, "Bad request: Missing serviceID") }
            return .healthByID(argument, text: wantsText)
        case "health/service/name":
            if argument.isEmpty { throw Refusal(500, "Bad request: Missing service Name") }
            return .healthByName(argument, text: wantsText)
        default: throw Refusal(notBuilt)
        }
    }

    // MARK: Reads

    private func members() throws(Refusal) -> APICall {
        let wan = parameters.nonEmpty("wan") != nil
        if let segment = parameters.nonEmpty("segment"), segment != "_all" {
            if wan { throw Refusal(400, "Cannot provide a segment with wan=true") }
            throw Refusal(500, "Network segments are not supported in this version of Consul")
        }
        return .agent(.members(wan: wan), pretty: pretty)
    }

    /// What is not built answers like a path that does not exist.
    private var notBuilt: HTTPResponse { HTTPResponse(status: 404, wrapped: false) }

    /// Older clients of Prometheus ask by `Accept` alone.
    private var wantsPrometheus: Bool {
        if parameters.value("format") == "prometheus" { return true }
        for range in (request.header("accept") ?? "").split(separator: ",") {
            let parts = range.split(separator: ";").map { String(repairing: $0.utf8.trimmed) }
            if parts.first == "application/openmetrics-text" { return true }
            if parts.first == "text/plain", parts.dropFirst().first == "version=0.4.0" { return true }
        }
        return false
    }

    private func monitor() throws(Refusal) -> AgentRequest {
        let name = parameters.nonEmpty("loglevel") ?? "info"
        guard let level = LogLevel(named: name) else { throw .badRequest("Unknown log level: \(name)") }
        return .monitor(level, json: parameters.contains("logjson"))
    }

    private func services() throws(Refusal) -> LocalRequest {
        do {
            return .services(filter: try Filter.compile(parameters.value("filter") ?? "", AgentServiceRow.filterSchema))
        } catch {
            throw Refusal(500, error.text)
        }
    }

    private func checks() throws(Refusal) -> LocalRequest {
        do {
            return .checks(filter: try Filter.compile(parameters.value("filter") ?? "", HealthCheck.filterSchema), complaint: nil)
        } catch {
            if error.isSyntax { throw Refusal(500, error.text) }
            return .checks(filter: nil, complaint: error.detail)
        }
    }

    private func service(_ id: String) throws(Refusal) -> LocalRequest {
        var options = QueryOptions()
        try parseWait(&options)
        return .service(id: id, hash: parameters.value("hash") ?? "", wait: options.maxQueryTime)
    }

    /// `Accept` that starts with `text/plain`, or `?format=text`.
    private var wantsText: Bool {
        if let accept = request.header("accept"), accept.utf8.starts(with: "text/plain".utf8) { return true }
        return parameters.value("format") == "text"
    }

    // MARK: Writes

    private var note: String { parameters.value("note") ?? "" }
    private var reason: String { parameters.value("reason") ?? "" }

    private func enable() throws(Refusal) -> Bool {
        guard let text = parameters.value("enable") else { throw Refusal(400, "Missing value for enable") }
        guard let enable = try? GoNumber.parseBool(text) else { throw Refusal(400, "Invalid value for enable: \(GoQuote.quote(text))") }
        return enable
    }

    private func nodeMaintenance() throws(Refusal) -> LocalRequest {
        .nodeMaintenance(enable: try enable(), reason: reason, token: token)
    }

    private func serviceMaintenance(_ id: String) throws(Refusal) -> LocalRequest {
        if id.isEmpty { throw Refusal(400, "Missing service ID") }
        return .serviceMaintenance(id: id, enable: try enable(), reason: reason, token: token)
    }

    private func updateCheck(_ id: String) throws(Refusal) -> LocalRequest {
        let update = try decodeBody(type: "agent.checkUpdate", CheckUpdate.init(json:))
        if !DefinitionRules.isStatus(update.status) { throw Refusal(400, "Invalid check status: '\(update.status)'") }
        return .updateCheck(id: id, status: update.status, output: update.output)
    }

    private func registerCheck() throws(Refusal) -> LocalRequest {
        let check = try decodeBody(type: "structs.CheckDefinition") { (field) throws(TextError) in
            try CheckDefinition(json: field, ofService: false)
        }
        if check.name.isEmpty { throw Refusal(400, "Missing check name") }
        if !check.status.isEmpty && !DefinitionRules.isStatus(check.status) { throw Refusal(400, "Bad check status") }
        if let problem = DefinitionRules.check(check) { throw Refusal(400, "Invalid check: \(problem)") }
        return .registerCheck(check, token: token)
    }

    private func registerService() throws(Refusal) -> LocalRequest {
        var service = try decodeBody(type: "structs.ServiceDefinition") { (field) throws(TextError) in
            try ServiceDefinition(json: field)
        }
        service.fillInUpstreamTypes()
        if service.name.isEmpty { throw Refusal(400, "Missing service name") }
        if WriteValidation.isAnyAddress(service.address) { throw Refusal(400, "Invalid service address") }
        if let problem = service.weights?.problem { throw Refusal(400, "Invalid Weights: \(problem)") }
        let isMeshGateway = service.kind == ServiceKind.meshGateway
        if let problem = DefinitionRules.metadata(service.meta ?? [:], ofMeshGateway: isMeshGateway) {
            throw Refusal(400, "Invalid Service Meta: \(problem)")
        }
        let problems = DefinitionRules.structure(service)
        if !problems.isEmpty { throw Refusal(400, DefinitionRules.combined(problems)) }
        try refuseChecks(of: service)
        let replaces = parameters.value("replace-existing-checks")
        return .registerService(service, token: token, replaceChecks: replaces == "" || replaces == "true")
    }

    private func refuseChecks(of service: ServiceDefinition) throws(Refusal) {
        let wrongStatus = "Status for checks must 'passing', 'warning', 'critical'"
        if let problem = service.allChecks.lazy.compactMap(DefinitionRules.check).first { throw Refusal(400, "Invalid check: \(problem)") }
        if !service.allChecks.allSatisfy(\.hasProperStatus) { throw Refusal(400, wrongStatus) }
        // The reference answers 500 to what is wrong with a sidecar.
        let checks = service.sidecar?.definition.allChecks ?? []
        if let problem = checks.lazy.compactMap(DefinitionRules.check).first {
            throw Refusal(500, "Bad request: Invalid check in sidecar_service: \(problem)")
        }
        if !checks.allSatisfy(\.hasProperStatus) { throw Refusal(500, "Bad request: " + wrongStatus) }
    }
}

/// The part of a path below `/v1/agent/` that names the endpoint, and what follows it.
private struct AgentRoute {
    let name: String
    /// Verbatim; may contain slashes.
    let argument: String

    /// Longer ones first where one begins with another.
    private static let withArgument: [String] = [
        "service/deregister", "service/maintenance", "service", "check/deregister", "check/pass", "check/warn", "check/fail",
        "check/update", "health/service/id", "health/service/name", "join", "force-leave", "token", "connect",
    ]

    init(_ path: [UInt8]) {
        let rest = path.dropFirst("/v1/agent/".utf8.count)
        if !rest.elementsEqual("service/register".utf8) {
            for name in AgentRoute.withArgument where rest.starts(with: name.utf8) {
                let behind = rest.dropFirst(name.utf8.count)
                guard behind.first == UInt8(ascii: "/") else { continue }
                self.name = name
                argument = String(repairing: behind.dropFirst())
                return
            }
        }
        name = String(repairing: rest)
        argument = ""
    }
}

/// The body of `check/update/:id`.
private struct CheckUpdate {
    var status = ""
    var output = ""

    init(json field: JSONField) throws(TextError) {
        for member in try field.members(of: "checkUpdate") {
            switch member.key {
            case "status": try member.read(&status)
            case "output": try member.read(&output)
            default: throw member.unknown
            }
        }
    }
}

extension CheckDefinition {
    fileprivate var hasProperStatus: Bool { status.isEmpty || DefinitionRules.isStatus(status) }
}
