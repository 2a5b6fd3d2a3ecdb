/// Answers to what the servers were asked about themselves. Spec: http-2 §9-11.
extension Renderer {
    /// The answer to an operation that succeeded; failures go through `error`.
    public static func render(
        _ result: ServerOperationResult, of operation: ServerOperation, pretty: Bool, context: APIContext
    ) -> HTTPResponse {
        switch result {
        case .text(let text): return leader(text, pretty: pretty, context: context)
        case .texts(let texts):
            return operation == .peers
                ? peers(texts, pretty: pretty, context: context) : datacenters(texts, pretty: pretty, context: context)
        case .raftConfiguration(let servers): return raftConfiguration(servers, pretty: pretty, context: context)
        case .health(let health): return self.health(health, pretty: pretty, context: context)
        case .datacenterCoordinates(let datacenters): return coordinates(datacenters, pretty: pretty, context: context)
        case .keyring(let responses):
            let problems = keyringProblems(responses)
            if !problems.isEmpty { return error(MultipleErrors.text(problems), context: context) }
            guard case .keyring(let request) = operation, request.operation == .list else { return done(context) }
            return keys(responses, pretty: pretty, context: context)
        case .snapshot(let archive, let meta): return snapshot(archive, meta, context)
        case .done, .raftStatistics: return done(context)
        }
    }

    /// An action that has nothing to say.
    private static func done(_ context: APIContext) -> HTTPResponse {
        var response = HTTPResponse(status: 200)
        context.finish(&response)
        return response
    }

    /// The type is what sniffing gives.
    private static func snapshot(_ archive: [UInt8], _ meta: QueryMeta, _ context: APIContext) -> HTTPResponse {
        var response = HTTPResponse(status: 200, headers: [("Content-Type", "application/x-gzip")], body: archive)
        appendMeta(meta, to: &response.headers)
        context.finish(&response)
        return response
    }

    // MARK: Autopilot

    static func autopilot(_ result: QueryResult, pretty: Bool, context: APIContext) -> HTTPResponse {
        guard case .autopilot(let config) = result else { return done(context) }
        var json = JSONWriter(pretty: pretty, reservingCapacity: 512)
        json.beginObject()
        json.member("CleanupDeadServers", config.cleanupDeadServers)
        json.key("LastContactThreshold")
        json.duration(config.lastContactThreshold)
        json.key("MaxTrailingLogs")
        json.uint(config.maxTrailingLogs)
        json.key("MinQuorum")
        json.uint(config.minQuorum)
        json.key("ServerStabilizationTime")
        json.duration(config.serverStabilizationTime)
        json.member("RedundancyZoneTag", config.redundancyZoneTag)
        json.member("DisableUpgradeMigration", config.disableUpgradeMigration)
        json.member("UpgradeVersionTag", config.upgradeVersionTag)
        json.indexes(config.index)
        json.endObject()
        return answer(json, context)
    }

    /// 429 when anything is wrong, and then called a text.
    private static func health(_ health: ClusterHealth, pretty: Bool, context: APIContext) -> HTTPResponse {
        var json = JSONWriter(pretty: pretty, reservingCapacity: 256 + health.servers.count * 400)
        json.beginObject()
        json.member("Healthy", health.healthy)
        json.member("FailureTolerance", health.failureTolerance)
        json.key("Servers")
        if health.servers.isEmpty {
            json.null()
        } else {
            json.beginArray()
            for server in health.servers { json.serverHealth(server) }
            json.endArray()
        }
        json.endObject()
        var response = HTTPResponse(
            status: health.healthy ? 200 : 429, headers: [("Content-Type", health.healthy ? Answer.json : Answer.text)],
            body: json.finish())
        context.finish(&response)
        return response
    }

    // MARK: Coordinates

    private static func coordinates(_ datacenters: [DatacenterCoordinates], pretty: Bool, context: APIContext) -> HTTPResponse {
        var json = JSONWriter(pretty: pretty, reservingCapacity: 512)
        json.beginArray()
        for datacenter in datacenters {
            json.beginObject()
            json.member("Datacenter", datacenter.datacenter)
            json.member("AreaID", datacenter.areaID)
            json.key("Coordinates")
            json.beginArray()
            for row in datacenter.coordinates { json.nodeCoordinate(row) }
            json.endArray()
            json.endObject()
        }
        json.endArray()
        return answer(json, context)
    }

    // MARK: Keys of gossip

    /// A line for each pool that failed, and one for each of its nodes that had something to say.
    private static func keyringProblems(_ responses: [KeyringResponse]) -> [String] {
        var problems: [String] = []
        for response in responses where !response.error.isEmpty {
            var pool = response.isWAN ? "WAN" : response.datacenter + " (LAN)"
            if !response.segment.isEmpty { pool += " [segment: \(response.segment)]" }
            problems.append("\(pool) error: \(response.error)")
            for (node, message) in response.messages ?? [:] { problems.append("\(node): \(message)") }
        }
        return problems
    }

    private static func keys(_ responses: [KeyringResponse], pretty: Bool, context: APIContext) -> HTTPResponse {
        var json = JSONWriter(pretty: pretty, reservingCapacity: 512)
        json.beginArray()
        for response in responses { json.keyring(response) }
        json.endArray()
        return answer(json, context)
    }
}

extension JSONWriter {
    fileprivate mutating func serverHealth(_ server: ServerHealth) {
        beginObject()
        member("ID", server.id)
        member("Name", server.name)
        member("Address", server.address)
        member("SerfStatus", server.status.text)
        member("Version", server.version)
        member("Leader", server.isLeader)
        key("LastContact")
        duration(server.lastContact)
        key("LastTerm")
        uint(server.lastTerm)
        key("LastIndex")
        uint(server.lastIndex)
        member("Healthy", server.isHealthy)
        member("Voter", server.isVoter)
        key("StableSince")
        time(server.stableSince.roundedToSeconds)
        endObject()
    }

    fileprivate mutating func keyring(_ response: KeyringResponse) {
        beginObject()
        member("WAN", response.isWAN)
        member("Datacenter", response.datacenter)
        member("Segment", response.segment)
        if let messages = response.messages, !messages.isEmpty {
            key("Messages")
            stringMap(messages)
        }
        key("Keys")
        counts(response.keys)
        key("PrimaryKeys")
        counts(response.primaryKeys)
        member("NumNodes", response.nodeCount)
        optionalMember("Error", response.error)
        endObject()
    }

    private mutating func counts(_ counts: SortedMap<String, Int>?) {
        guard let counts else { return null() }
        beginObject()
        for (name, count) in counts {
            key(name)
            int(count)
        }
        endObject()
    }
}
