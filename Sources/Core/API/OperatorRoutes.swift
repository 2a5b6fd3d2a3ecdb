// `/v1/operator/`. Spec: http-2 §10.

extension RouteTable {
    static let operators: [Route] = [
        Route("/v1/operator/raft/configuration", .get, .needs(.operator)) { (call) throws(Refusal) in try call.raftConfiguration() },
        Route("/v1/operator/raft/peer", .delete, .needs(.operator)) { (call) throws(Refusal) in try call.raftPeer() },
        Route("/v1/operator/keyring", .getPostPutDelete, .needs(.keyring)) { (call) throws(Refusal) in try call.keyring() },
        Route("/v1/operator/autopilot/configuration", .getPut, .needs(.operator)) { (call) throws(Refusal) in
            try call.autopilotConfiguration()
        },
        Route("/v1/operator/autopilot/health", .get, .needs(.operator)) { (call) throws(Refusal) in try call.autopilotHealth() },
        Route("/v1/snapshot", .getPut, .always(.acl, .write)) { (call) throws(Refusal) in call.snapshot() },
    ]
}

extension APIRequest {
    private func operation(_ operation: ServerOperation) -> APICall {
        var options = QueryOptions()
        options.datacenter = datacenter
        options.token = token
        return .operation(operation, options, pretty: pretty)
    }

    func autopilotHealth() throws(Refusal) -> APICall { operation(.serverHealth) }

    func raftPeer() throws(Refusal) -> APICall {
        let id = parameters.value("id"), address = parameters.value("address")
        if id != nil, address != nil { throw .badRequest("Must specify only one of ?id or ?address") }
        guard let peer = id.map(RaftPeer.id) ?? address.map(RaftPeer.address) else {
            throw .badRequest("Must specify either ?id with the server's ID or ?address with IP:port of peer to remove")
        }
        return operation(.removeRaftPeer(peer))
    }

    /// `/v1/snapshot` (http-2 §12).
    func snapshot() -> APICall {
        var options = QueryOptions()
        options.datacenter = datacenter
        options.token = token
        options.allowStale = parameters.contains("stale")
        return .operation(method == "GET" ? .saveSnapshot : .restoreSnapshot(request.body), options, pretty: pretty)
    }

    // MARK: Autopilot

    func autopilotConfiguration() throws(Refusal) -> APICall {
        if method == "GET" {
            return .read(.operator(.autopilotConfiguration), try readOptions(), ReadShape(.autopilotConfiguration, pretty: pretty))
        }
        var write = AutopilotRequest()
        write.datacenter = datacenter
        write.token = token
        write.configuration = try decodeBody(
            type: "api.AutopilotConfiguration", prefix: "Bad request: Error parsing autopilot config: ", AutopilotConfiguration.init(json:))
        if let text = parameters.value("cas") {
            do {
                write.configuration.index.modify = try GoNumber.parseUInt(text)
            } catch {
                throw .badRequest("Error parsing cas value: \(error.text)")
            }
            write.cas = true
        }
        return .write(.autopilot(write), WriteShape(.outcome, pretty: pretty))
    }

    // MARK: Keys of gossip

    func keyring() throws(Refusal) -> APICall {
        var keyring = KeyringRequest()
        var bodyToken = ""
        if method != "GET" {
            (keyring, bodyToken) = try decodeBody(
                type: "agent.keyringArgs", prefix: "Bad request: Request decode failed: ", KeyringRequest.withToken(json:))
        }
        switch method {
        case "GET": keyring.operation = .list
        case "POST": keyring.operation = .install
        case "PUT": keyring.operation = .use
        default: keyring.operation = .remove
        }
        if let text = parameters.nonEmpty("relay-factor") { keyring.relayFactor = try relayFactor(text) }
        if let text = parameters.nonEmpty("local-only") { keyring.localOnly = try localOnly(text) }
        if !context.isServer { throw .failure("keyring operations must run against a server node") }
        var options = QueryOptions()
        options.datacenter = context.datacenter
        options.token = token.isEmpty ? bodyToken : token
        return .operation(.keyring(keyring), options, pretty: pretty)
    }

    private func relayFactor(_ text: String) throws(Refusal) -> UInt8 {
        let factor: Int
        do {
            factor = try GoNumber.parseAtoi(text)
        } catch {
            throw .badRequest("Error parsing relay factor: \(error.text)")
        }
        guard let relays = UInt8(exactly: factor), relays <= KeyringRequest.relayFactorMax else {
            throw .badRequest("Invalid relay-factor: Relay factor must be in range: [0, \(KeyringRequest.relayFactorMax)]")
        }
        return relays
    }

    private func localOnly(_ text: String) throws(Refusal) -> Bool {
        let only: Bool
        do {
            only = try GoNumber.parseBool(text)
        } catch {
            throw .badRequest("Error parsing local-only: \(error.text)")
        }
        if only, method != "GET" { throw .badRequest("Invalid use of local-only: local-only can only be set for list requests") }
        return only
    }
}

extension KeyringRequest {
    static let relayFactorMax: UInt8 = 5

    /// The token in the body counts where the request has none.
    fileprivate static func withToken(json document: JSONField) throws(TextError) -> (KeyringRequest, token: String) {
        var request = KeyringRequest(), token = "", factor = 0
        for field in try document.members(of: "keyringArgs") {
            switch field.key {
            case "key": try field.read(&request.key)
            case "token": try field.read(&token)
            case "relayfactor":
                try field.read(&factor)
                guard let relays = UInt8(exactly: factor) else { throw field.mismatch("uint8") }
                request.relayFactor = relays
            case "localonly": try field.read(&request.localOnly)
            default: throw field.unknown
            }
        }
        return (request, token)
    }
}

extension AutopilotConfiguration {
    /// What is left out is zero, not the default.
    fileprivate init(json document: JSONField) throws(TextError) {
        self = .zero
        for field in try document.members(of: "AutopilotConfiguration") {
            switch field.key {
            case "cleanupdeadservers": try field.read(&cleanupDeadServers)
            case "lastcontactthreshold": lastContactThreshold = try field.readableDuration()
            case "maxtrailinglogs": try field.read(&maxTrailingLogs)
            case "minquorum": minQuorum = try field.unsigned()
            case "serverstabilizationtime": serverStabilizationTime = try field.readableDuration()
            case "redundancyzonetag": try field.read(&redundancyZoneTag)
            case "disableupgrademigration": try field.read(&disableUpgradeMigration)
            case "upgradeversiontag": try field.read(&upgradeVersionTag)
            case "createindex", "modifyindex":
                // Accepted, and of no account.
                var index: UInt64 = 0
                try field.read(&index)
            default: throw field.unknown
            }
        }
    }
}

extension JSONField {
    /// Of Go's type `uint`.
    fileprivate func unsigned() throws(TextError) -> UInt64 {
        var number: UInt64 = 0
        do {
            try read(&number)
        } catch {
            throw mismatch("uint")
        }
        return number
    }

    /// Text in Go's spelling or a number of nanoseconds, and nothing else.
    fileprivate func readableDuration() throws(TextError) -> Duration {
        var duration = Duration.zero
        switch value {
        case .bool, .array, .map: throw TextError("strconv.ParseFloat: parsing JSON: invalid syntax")
        default: try read(&duration)
        }
        return duration
    }
}
