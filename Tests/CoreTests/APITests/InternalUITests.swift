import Testing

@testable import Core

@Suite struct InternalUITests {
    private let router = Router(APIContext())

    private func instance(
        _ service: String, node: String, tags: [String]? = nil, source: String = "", kind: String = "", checks: [String] = []
    ) -> CheckServiceNode {
        var row = Node()
        row.node = node
        var found = NodeService()
        found.id = service
        found.service = service
        found.tags = tags
        found.kind = kind
        if !source.isEmpty { found.meta = ["external-source": source] }
        if kind == ServiceKind.connectProxy { found.proxy.destinationServiceName = "web" }
        let statuses = checks.map { status in
            var check = HealthCheck()
            check.status = status
            return Row(check)
        }
        return CheckServiceNode(node: Row(row), service: Row(ServiceInstance(node: node, service: found)), checks: statuses)
    }

    private func render(_ result: QueryResult, _ form: ReadShape.Form, filter: Filter? = nil) -> HTTPResponse {
        Renderer.render(
            result, meta: QueryMeta(), options: QueryOptions(), shape: ReadShape(form, filter: filter), context: APIContext())
    }

    @Test func `instances are summed up by service`() {
        let rows = [
            instance("web", node: "n2", tags: ["c", "a"], source: "nomad", checks: ["passing", "warning"]),
            instance("proxy", node: "n1", kind: "connect-proxy"),
            instance("web", node: "n1", tags: ["b", "a"], source: "k8s", checks: ["critical"]),
        ]
        let answer = render(.healthNodes(rows), .serviceSummaries)
        #expect(
            answer.text == #"[{"Kind":"connect-proxy","Name":"proxy","Tags":null,"Nodes":["n1"],"InstanceCount":1,"ProxyFor":["web"],"#
                + #""ChecksPassing":0,"ChecksWarning":0,"ChecksCritical":0,"ExternalSources":null,"GatewayConfig":{}},"#
                + #"{"Name":"web","Tags":["a","b","c"],"Nodes":["n1","n2"],"InstanceCount":2,"ChecksPassing":1,"ChecksWarning":1,"#
                + #""ChecksCritical":1,"ExternalSources":["nomad","k8s"],"GatewayConfig":{}}]"#)
        #expect(answer["X-Consul-Index"] == "1" && answer["X-Consul-Effective-Consistency"] == nil)
    }

    @Test func `a filter applies to instances, not to summaries`() throws {
        guard
            case .read(.internal(.serviceDump(kind: nil)), _, let shape) = router.call("GET /v1/internal/ui/services?filter=Node.Node==n1")
        else {
            Issue.record("no read")
            return
        }
        let rows = [instance("web", node: "n2"), instance("web", node: "n1")]
        #expect(render(.healthNodes(rows), shape.form, filter: shape.filter).text.contains(#""Nodes":["n1"],"InstanceCount":1"#))
        guard case .read(_, let options, let refused) = router.call("GET /v1/internal/ui/services?filter=ServiceName==web&index=7") else {
            Issue.record("no read")
            return
        }
        #expect(refused.filterError?.text == #"Failed to create boolean expression evaluator: Selector "ServiceName" is not valid"#)
        #expect(options.filter == "ServiceName==web" && options.minQueryIndex == 0)
    }

    @Test func `nothing is bound to a gateway`() throws {
        guard case .read(let query, _, let shape) = router.call("GET /v1/internal/ui/gateway-services-nodes/igw?filter=Foo==1") else {
            Issue.record("no read")
            return
        }
        #expect(query == .catalog(.gatewayServices(gateway: "igw")) && shape.filterError == nil)
        let answer = render(.gatewayServices([]), shape.form)
        #expect(answer.status == 200 && answer.text == "[]" && answer["X-Consul-Index"] == "1")
        #expect(answer["X-Consul-Effective-Consistency"] == nil)
        let unnamed = router.answer("GET /v1/internal/ui/gateway-services-nodes/")
        #expect(unnamed?.status == 400 && unnamed?.text == "Missing gateway name")
        #expect(router.answer("GET /v1/internal/ui/gateway-services-nodes/igw?ns=a")?.status == 400)
        #expect(router.answer("PUT /v1/internal/ui/gateway-services-nodes/igw")?.status == 405)
    }

    @Test func `nodes are filtered by what they have`() {
        let one = instance("web", node: "n1", tags: nil)
        let two = instance("api", node: "n2", tags: [])
        let rows = [one, two].map { NodeDump(node: $0.node, services: [$0.service], checks: []) }
        func nodes(_ filter: String) -> String {
            guard case .read(_, _, let shape) = router.call("GET /v1/internal/ui/nodes?filter=\(filter)"), shape.filterError == nil else {
                return "refused"
            }
            return render(.nodeDump(rows), shape.form, filter: shape.filter).text
        }
        #expect(nodes("Services.Service==api").contains("n2") && !nodes("Services.Service==api").contains("n1"))
        #expect(nodes("Node==n1").contains("n1") && nodes("Node==n1").contains(#""Tags":null"#))
        #expect(nodes("Node==n2").contains(#""Tags":[]"#))
        #expect(nodes("Checks+is+not+empty") == "[]" && nodes("Bogus==1") == "refused")
    }
}
