import Testing

@testable import Core

/// Callers who may do some things and not others: every right that a request uses is asked for by itself, and answers are shared only among
/// those who see the same.
@Suite struct PartialAccessTests {
    // MARK: Registrations

    private func registration(_ change: (inout RegisterRequest) -> Void) -> RegisterRequest {
        var request = RegisterRequest()
        (request.node, request.address) = ("n", "10.0.0.1")
        change(&request)
        return request
    }

    private func service(_ id: String, _ name: String) -> NodeService {
        var service = NodeService()
        (service.id, service.service) = (id, name)
        return service
    }

    private func check(_ id: String, of service: String) -> HealthCheck {
        var check = HealthCheck()
        (check.node, check.checkID, check.serviceID) = ("n", id, service)
        return check
    }

    private func store(with requests: [RegisterRequest]) -> Store {
        var store = Store(), changes = ChangeSet()
        for (number, request) in requests.enumerated() {
            _ = store.apply(.register(request), index: UInt64(number + 1), changes: &changes)
        }
        return store
    }

    @Test func `a registration needs each right that it uses`() throws {
        let store = store(with: [registration { $0.service = service("web", "web") }, registration { $0.service = service("db", "db") }])
        var proxy = service("proxy", "proxy")
        (proxy.kind, proxy.proxy.destinationServiceName) = ("connect-proxy", "db")
        let samples: [(RegisterRequest, needs: [Permission])] = [
            (registration { $0.address = "10.0.0.2" }, [.nodeWrite("n")]),
            (registration { $0.node = "new" }, [.nodeWrite("new")]),
            (registration { $0.service = service("api", "api") }, [.serviceWrite("api")]),
            (registration { $0.service = proxy }, [.serviceWrite("proxy"), .serviceWrite("db")]),
            (registration { $0.service = service("web", "other") }, [.serviceWrite("other"), .serviceWrite("web")]),
            (registration { $0.check = check("c", of: "") }, [.nodeWrite("n")]),
            (registration { $0.checks = [check("c", of: "db")] }, [.serviceWrite("db")]),
            (
                registration { ($0.service, $0.check) = (service("web", "web"), check("c", of: "db")) },
                [.serviceWrite("web"), .serviceWrite("db")]
            ),
            (registration { ($0.service, $0.check) = (service("web", "web"), check("c", of: "web")) }, [.serviceWrite("web")]),
        ]
        for (request, needs) in samples {
            let rules = RecordingRules()
            rules.isDenied = { !needs.contains($0) }
            #expect(throws: Never.self, "\(request) with \(needs)") {
                try WriteRequest.register(request).authorize(rules.authorizer, in: store)
            }
            for missing in needs {
                rules.isDenied = { $0 == missing }
                #expect(throws: Denied.self, "\(request) without \(missing)") {
                    try WriteRequest.register(request).authorize(rules.authorizer, in: store)
                }
            }
        }
    }

    // MARK: Rows of a node

    @Test func `who sees a node sees of it only the services and checks that he may`() throws {
        let store = store(with: [
            registration { ($0.service, $0.checks) = (service("web", "web"), [check("w", of: "web"), check("n", of: "")]) },
            registration { ($0.service, $0.checks) = (service("db", "db"), [check("d", of: "db")]) },
        ])
        let rules = RecordingRules()
        rules.isDenied = { $0 == .serviceRead("db") }
        func result(_ query: ReadQuery) throws -> QueryResult {
            try store.evaluate(query, options: QueryOptions(), authorizer: rules.authorizer).get().result
        }
        for query: CatalogQuery in [.nodeServices(node: "n"), .nodeServiceList(node: "n")] {
            guard case .nodeServices(let found?) = try result(.catalog(query)) else {
                Issue.record("\(query)")
                continue
            }
            #expect(found.services.map(\.value.service.id) == ["web"], "\(query)")
        }
        for node in [nil, "n"] {
            guard case .nodeDump(let nodes) = try result(.internal(.nodeDump(node: node))) else {
                Issue.record("no nodes")
                continue
            }
            #expect(nodes.map { $0.services.map(\.value.service.id) } == [["web"]])
            #expect(nodes.map { $0.checks.map(\.value.checkID) } == [["n", "w"]])
        }
        guard case .checks(let checks) = try result(.health(.nodeChecks(node: "n"))) else {
            Issue.record("no checks")
            return
        }
        #expect(checks.map(\.value.checkID) == ["n", "w"])
    }

    // MARK: Sharing

    private func context(_ rules: RecordingRules) -> RequestContext { RequestContext(authorizer: rules.authorizer, token: "", source: "") }

    private func keys(_ answer: ServerAnswer?) -> [String]? {
        guard case .read(_, .success(let read))? = answer, case .entries(let entries) = read.result else { return nil }
        return entries.map(\.key.string)
    }

    /// The keys that a list shows to somebody who may do everything, to somebody who may read no key, and to the first one again, all of
    /// whom ask together: who asks first must not decide for the others.
    private func ask(_ options: QueryOptions, _ cluster: ServerCluster, then change: () -> Void) throws -> [[String]?] {
        let blind = RecordingRules(), leader = try #require(cluster.leader)
        blind.isDenied = { $0.subject?.resource == .key }
        let work = ServerWork.read(.kv(.list(prefix: "")), options)
        var asked: [RequestID] = []
        for context: RequestContext in [.ownWork, context(blind), .ownWork] {
            let id = RequestID(UInt64(1_000_000 + asked.count))
            cluster.server(leader).execute(work, context, for: .client(id), at: cluster.now)
            asked.append(id)
        }
        cluster.flush(leader)
        change()
        return asked.map { keys(cluster.answer(to: $0, within: .seconds(5))) }
    }

    @Test func `answers are shared only among those who see the same`() throws {
        let cluster = try ServerCluster.formed(3)
        let leader = try #require(cluster.leader)
        cluster.put("a", at: leader)
        var consistent = QueryOptions()
        consistent.requireConsistent = true
        #expect(try ask(consistent, cluster) {} == [["a"], [], ["a"]])
        var blocking = QueryOptions()
        (blocking.minQueryIndex, blocking.maxQueryTime) = (cluster.server(leader).appliedIndex, .seconds(60))
        #expect(try ask(blocking, cluster) { cluster.put("b", at: leader) } == [["a", "b"], [], ["a", "b"]])
        // Readers with other rights form a group of their own, which shows them only what they may see.
        blocking.minQueryIndex = cluster.server(leader).appliedIndex
        let blind = RecordingRules(), id = RequestID(2_000_000)
        blind.isDenied = { $0 == .keyRead("b") }
        let work = ServerWork.read(.kv(.list(prefix: "")), blocking)
        cluster.server(leader).execute(work, context(blind), for: .client(id), at: cluster.now)
        cluster.flush(leader)
        cluster.put("c", at: leader)
        #expect(keys(cluster.answer(to: id, within: .seconds(5))) == ["a", "c"])
    }
}
