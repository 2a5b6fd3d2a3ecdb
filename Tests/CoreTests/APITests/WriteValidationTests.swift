import Testing

@testable import Core

@Suite struct WriteValidationTests {
    private func problem(_ change: (inout RegisterRequest) -> Void) -> String? {
        var register = RegisterRequest()
        register.node = "n"
        register.address = "1.2.3.4"
        change(&register)
        var request = WriteRequest.register(register)
        return request.validate(WriteRules(sessionTTLMin: .seconds(10)))
    }

    @Test func `a registration is checked part by part`() {
        #expect(problem { _ in } == nil)
        #expect(problem { $0.node = "" } == "Must provide node")
        #expect(problem { $0.id = "short" } == "Bad node ID: uuid string is wrong length")
        #expect(problem { $0.id = "0000000000000-0000-0000-000000000000" } == "Bad node ID: uuid is improperly formatted")
        #expect(problem { $0.id = "zzzzzzzz-2222-4333-8444-555555555555" } == "Bad node ID: encoding/hex: invalid byte: U+007A 'z'")
        #expect(problem { $0.address = "" } == "Must provide address if SkipNodeUpdate is not set")
        #expect(
            problem {
                $0.address = ""
                $0.skipNodeUpdate = true
            } == nil)
        #expect(
            problem {
                $0.service = NodeService()
                $0.service?.id = "x"
            } == "Must provide service name with ID")
        #expect(
            problem {
                $0.service = NodeService()
                $0.service?.service = "x"
                $0.service?.address = "0.0.0.0"
            } == "Invalid service address")
    }

    @Test func `a registration is completed`() {
        var register = RegisterRequest()
        register.node = "n"
        register.address = "a"
        register.service = NodeService()
        register.service?.service = "web"
        register.check = HealthCheck()
        register.check?.name = "ck"
        register.check?.definition.tcp = "a:1"
        register.check?.definition.interval = .seconds(5)
        var request = WriteRequest.register(register)
        let problem = request.validate(WriteRules(sessionTTLMin: .zero))
        #expect(problem == nil)
        guard case .register(let done) = request else { return #expect(Bool(false)) }
        #expect(done.service?.id == "web" && done.check == nil && done.checks?.count == 1)
        #expect(done.checks?[0].checkID == "ck" && done.checks?[0].node == "n" && done.checks?[0].type == "tcp")
    }

    @Test func `proxies and gateways have rules of their own`() {
        var service = NodeService()
        service.kind = "connect-proxy"
        #expect(
            service.structureProblem
                == "2 errors occurred:\n\t* Proxy.DestinationServiceName must be non-empty for Connect proxy services\n"
                + "\t* Port must be set for a Connect proxy\n\n")
        service.port = 1
        service.proxy.destinationServiceName = "web"
        var upstream = Upstream()
        upstream.destinationName = "z"
        upstream.localBindPort = 3
        service.proxy.upstreams = [upstream, upstream]
        #expect(
            service.structureProblem
                == "1 error occurred:\n\t* upstreams cannot contain duplicates of [type=\"\", name=\"z\", namespace=\"\", datacenter=\"\"]\n\n"
        )
        service.proxy.upstreams?[1].destinationName = "y"
        #expect(
            service.structureProblem
                == "1 error occurred:\n\t* upstreams cannot contain duplicates by local bind address and port; \"127.0.0.1:3\" is specified twice\n\n"
        )
        var gateway = NodeService()
        gateway.kind = "mesh-gateway"
        #expect(gateway.structureProblem == "1 error occurred:\n\t* Port must be non-zero for a mesh-gateway\n\n")
        gateway.kind = "ingress-gateway"
        #expect(gateway.structureProblem == nil)
    }

    private func session(_ change: (inout Session) -> Void) -> String? {
        var create = SessionRequest()
        create.op = .create
        create.session.node = "n"
        change(&create.session)
        var request = WriteRequest.session(create)
        return request.validate(WriteRules(sessionTTLMin: .seconds(10)))
    }

    @Test func `a session is checked`() {
        #expect(session { _ in } == nil)
        #expect(session { $0.node = "" } == "Must provide Node")
        #expect(session { $0.behavior = "foo" } == "Invalid Behavior setting 'foo'")
        #expect(session { $0.ttl = "abc" } == #"Session TTL 'abc' invalid: time: invalid duration "abc""#)
        #expect(session { $0.ttl = "5s" } == "Invalid Session TTL '5000000000', must be between [10s=24h0m0s]")
        #expect(session { $0.ttl = "-10s" } == "Invalid Session TTL '-10000000000', must be between [10s=24h0m0s]")
        for ttl in ["0", "0h", "10s", "24h"] { #expect(session { $0.ttl = ttl } == nil) }
    }

    @Test func `an ID that cannot be looked up is told before the log`() {
        var destroy = SessionRequest()
        destroy.op = .destroy
        destroy.session.id = "nonsense"
        var request = WriteRequest.session(destroy)
        let problem = request.validate(WriteRules(sessionTTLMin: .zero))
        #expect(problem == "failed session lookup: index error: UUID must be 36 characters")
    }

    @Test func `all problems of a transaction are told`() {
        var txn = TxnRequest()
        var node = Node(), service = NodeService(), check = HealthCheck()
        node.id = "short"
        node.node = "n"
        service.id = "s"
        check.name = "c"
        txn.ops = [
            .kv(verb: .write(.set), DirEntry()), .kv(verb: .write(.deleteTree), DirEntry()),
            .kv(verb: .write(.lock), DirEntry(key: "busy")),
            .node(verb: .set, node), .node(verb: .get, Node()), .service(verb: .delete, node: "n", service), .check(verb: .set, check),
        ]
        let errors = WriteValidation.precheck(&txn, .allowAll) { $0 == "busy" }
        #expect(
            errors == [
                TxnError(opIndex: 0, what: "Must provide key"), TxnError(opIndex: 2, what: "failed to lock key \"busy\" due to lock delay"),
                TxnError(opIndex: 3, what: "Bad node ID: uuid string is wrong length"),
                TxnError(opIndex: 5, what: "Must provide service name with ID"),
            ])
        guard case .check(_, let completed) = txn.ops[6] else { return #expect(Bool(false)) }
        #expect(completed.checkID == "c")
    }
}
