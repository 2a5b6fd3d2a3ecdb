/// All instances of a service, as the overview of the web page shows them. Spec: http-2 §13.3.
struct ServiceSummary {
    let name: String
    var kind = ""
    var tags: [String] = []
    /// One for each instance.
    var nodes: [String] = []
    var proxyFor: [String] = []
    var passing = 0
    var warning = 0
    var critical = 0
    var externalSources: [String] = []

    /// Sorted by name.
    static func all(of rows: [CheckServiceNode]) -> [ServiceSummary] {
        var summaries: [ServiceSummary] = []
        var places = LookupTable<ByteString, Int>()
        for row in rows {
            let name = row.service.value.service.service
            let place = places[ByteString(name)] ?? summaries.count
            if place == summaries.count {
                places[ByteString(name)] = place
                summaries.append(ServiceSummary(name: name))
            }
            summaries[place].add(row)
        }
        for at in summaries.indices {
            summaries[at].nodes.sort(by: precedes)
            summaries[at].tags.sort(by: precedes)
        }
        return summaries.sorted { precedes($0.name, $1.name) }
    }

    private static func precedes(_ a: String, _ b: String) -> Bool { ByteString(a) < ByteString(b) }

    private mutating func add(_ row: CheckServiceNode) {
        let service = row.service.value.service
        nodes.append(row.node.value.node)
        kind = service.kind
        if service.kind == ServiceKind.connectProxy { ServiceSummary.append(service.proxy.destinationServiceName, to: &proxyFor) }
        for tag in service.tags ?? [] { ServiceSummary.append(tag, to: &tags) }
        if let source = service.meta?["external-source"], !source.isEmpty { ServiceSummary.append(source, to: &externalSources) }
        for check in row.checks {
            switch check.value.status {
            case CheckStatus.passing: passing += 1
            case CheckStatus.warning: warning += 1
            case CheckStatus.critical: critical += 1
            default: break
            }
        }
    }

    /// Unless it is there.
    private static func append(_ text: String, to list: inout [String]) {
        if !list.contains(where: { $0.utf8.elementsEqual(text.utf8) }) { list.append(text) }
    }
}

extension JSONWriter {
    mutating func summary(_ summary: ServiceSummary) {
        beginObject()
        optionalMember("Kind", summary.kind)
        member("Name", summary.name)
        key("Tags")
        strings(summary.tags.isEmpty ? nil : summary.tags)
        key("Nodes")
        strings(summary.nodes)
        member("InstanceCount", summary.nodes.count)
        if !summary.proxyFor.isEmpty {
            key("ProxyFor")
            strings(summary.proxyFor)
        }
        member("ChecksPassing", summary.passing)
        member("ChecksWarning", summary.warning)
        member("ChecksCritical", summary.critical)
        key("ExternalSources")
        strings(summary.externalSources.isEmpty ? nil : summary.externalSources)
        key("GatewayConfig")
        beginObject()
        endObject()
        endObject()
    }
}
