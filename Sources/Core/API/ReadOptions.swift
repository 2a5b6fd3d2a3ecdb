/// The query options that reads have in common, in the reference's order of parsing (http-1 §1.8).
extension APIRequest {
    /// Namespaces are refused before anything else by the endpoints that know them (http-1 §1.7).
    func refuseNamespaces() throws(Refusal) {
        if let value = request.header("x-consul-namespace"), !value.isEmpty {
            throw .badRequest("Invalid header: \"X-Consul-Namespace\" - Namespaces are a Consul Enterprise feature")
        }
        if parameters.nonEmpty("ns") != nil {
            throw .badRequest("Invalid query parameter: \"ns\" - Namespaces are a Consul Enterprise feature")
        }
    }

    /// `?dc`, or the agent's own.
    var datacenter: String { parameters.nonEmpty("dc") ?? context.datacenter }

    /// Empty: the agent's default token.
    var token: String {
        if let token = parameters.nonEmpty("token") { return token }
        if let token = request.header("x-consul-token"), !token.isEmpty { return token }
        guard let authorization = request.header("authorization") else { return "" }
        let words = authorization.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: true)
        guard words.count > 1, String(words[0])?.lowercased() == "bearer" else { return "" }
        return String(words[1]) ?? ""
    }

    /// Everything that reads parse: `dc`, token, filter, consistency, `Cache-Control`, `wait`, `index`.
    func readOptions() throws(Refusal) -> QueryOptions { try readOptionsAndCache().options }

    /// The same, and `?cached` where the endpoint has it.
    func readOptionsAndCache() throws(Refusal) -> (options: QueryOptions, cache: CacheOptions?) {
        var options = QueryOptions()
        options.datacenter = datacenter
        options.token = token
        var cached = false
        if parameters.isEmpty {
            useDiscoveryMaxStale(&options)
        } else {
            options.filter = parameters.value("filter") ?? ""
            cached = try parseConsistency(&options)
        }
        let cache = try cacheControl()
        if !parameters.isEmpty { try parseWait(&options) }
        return (options, cached ? cache : nil)
    }

    /// Returns whether the cache may answer.
    private func parseConsistency(_ options: inout QueryOptions) throws(Refusal) -> Bool {
        options.allowStale = parameters.contains("stale")
        options.requireConsistent = parameters.contains("consistent")
        let cached = context.useCache && parameters.contains("cached")
        if let text = parameters.nonEmpty("max_stale") {
            guard let limit = try? GoDuration.parse(text) else { throw Refusal(400, "Invalid max_stale value \(GoQuote.quote(text))") }
            options.maxStaleDuration = limit
            if limit > .zero { options.allowStale = true }
        }
        if !options.allowStale, !options.requireConsistent, !cached, !parameters.contains("leader") { useDiscoveryMaxStale(&options) }
        if options.allowStale, options.requireConsistent {
            throw Refusal(400, "Cannot specify ?stale with ?consistent, conflicting semantics.")
        }
        if cached, options.requireConsistent {
            throw Refusal(400, "Cannot specify ?cached with ?consistent, conflicting semantics.")
        }
        return cached
    }

    private func useDiscoveryMaxStale(_ options: inout QueryOptions) {
        guard context.discoveryMaxStale > .zero, path.starts(with: "/v1/catalog".utf8) || path.starts(with: "/v1/health".utf8) else {
            return
        }
        options.maxStaleDuration = context.discoveryMaxStale
        options.allowStale = true
    }

    private func cacheControl() throws(Refusal) -> CacheOptions {
        var cache = CacheOptions()
        guard let header = request.header("cache-control") else { return cache }
        for part in header.lowercased().utf8.split(separator: UInt8(ascii: ",")) {
            let directive = String(repairing: part.trimmed)
            if directive == "must-revalidate" { cache.mustRevalidate = true }
            for name in ["max-age=", "stale-if-error="] where directive.hasPrefix(name) {
                guard let seconds = try? GoNumber.parseAtoi(String(directive.dropFirst(name.utf8.count))) else {
                    throw Refusal(400, "Invalid Cache-Control header.")
                }
                if name == "max-age=" {
                    cache.maxAge = seconds
                    if seconds == 0 { cache.mustRevalidate = true }
                }
            }
        }
        return cache
    }

    func parseWait(_ options: inout QueryOptions) throws(Refusal) {
        if let text = parameters.nonEmpty("wait") {
            guard let wait = try? GoDuration.parse(text) else { throw Refusal(400, "Invalid wait time") }
            options.maxQueryTime = wait
        }
        if let text = parameters.nonEmpty("index") {
            guard let index = try? GoNumber.parseUInt(text) else { throw Refusal(400, "Invalid index") }
            options.minQueryIndex = index
        }
    }

    /// `?near`, with `_agent` for this agent's node.
    func parseNear(_ options: inout QueryOptions) {
        guard let near = parameters.nonEmpty("near") else { return }
        options.sourceNode = near == "_agent" ? context.nodeName : near
        options.sourceDatacenter = context.datacenter
    }

    /// `?node-meta=key:value`, repeatable (http-1 §1.15).
    func parseNodeMeta(_ options: inout QueryOptions) {
        options.nodeMetaFilters = StringMap(
            parameters.values("node-meta").map { value in
                guard let colon = value.utf8.firstIndex(of: UInt8(ascii: ":")) else { return (value, "") }
                return (String(value[..<colon]), String(value[value.utf8.index(after: colon)...]))
            })
    }
}

extension Collection<UInt8> where SubSequence == Self {
    /// Without blanks, tabs and line ends at either end.
    var trimmed: Self {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        var rest = drop(while: isBlank)
        while let last = rest.suffix(1).first, isBlank(last) { rest = rest.prefix(rest.count - 1) }
        return rest
    }
}
