import Testing

@testable import Core

/// Requests with a body: sessions, transactions, registrations.
@Suite struct BodyTests {
    private let router = Router(APIContext())

    private func created(_ body: String) -> Session? {
        guard case .write(.session(let write), _) = router.call("PUT /v1/session/create", body: body) else { return nil }
        return write.session
    }

    @Test func `a body with more values than any request has is refused where they are passed`() {
        let values = Array(repeating: "1", count: JSON.requestValuesMax).joined(separator: ",")
        for (method, target) in [("PUT", "/v1/catalog/register"), ("PUT", "/v1/txn"), ("PUT", "/v1/agent/service/register")] {
            let body = "{\"Node\":[\(values)"
            guard case .immediate(let answer) = router.route(request("\(method) \(target)", body: body, chunked: true)).call else {
                Issue.record("\(target)")
                continue
            }
            #expect(answer.status == 400 && String(decoding: answer.body, as: UTF8.self).hasSuffix("too many values"), "\(target)")
        }
        let names = (0..<40_000).map { "\"\($0)\":\"\"" }.joined(separator: ",")
        guard case .write(.register(let write), _) = router.call("PUT /v1/catalog/register", body: "{\"NodeMeta\":{\(names)}}") else {
            return #expect(Bool(false))
        }
        #expect(write.nodeMeta?.count == 40_000)
    }

    @Test func `a node is asked for by very many pairs`() {
        let query = (0..<40_000).map { "node-meta=k\(40_000 - $0):v" }.joined(separator: "&")
        guard case .read(_, let options, _) = router.call("GET /v1/catalog/nodes?\(query)&node-meta=k7:w") else {
            return #expect(Bool(false))
        }
        #expect(options.nodeMetaFilters.count == 40_000 && options.nodeMetaFilters["k7"] == "w")
    }

    @Test func `a session without body has the defaults`() throws {
        let session = try #require(created(""))
        #expect(session.node == "node" && session.lockDelay == .seconds(15) && session.behavior == "release")
        #expect(session.nodeChecks == ["serfHealth"] && session.checks == nil && session.serviceChecks == nil)
        guard case .write(.session(let write), _) = router.route(request("PUT /v1/session/create", body: "{", chunked: true)).call else {
            return #expect(Bool(false))
        }
        #expect(write.session.nodeChecks == ["serfHealth"])
    }

    @Test(
        arguments: [
            (#"{"LockDelay":5}"#, 5_000_000_000), (#"{"LockDelay":999}"#, 999_000_000_000), (#"{"LockDelay":1000}"#, 1000),
            (#"{"LockDelay":1.5}"#, 1_000_000_000), (#"{"LockDelay":"-1s"}"#, -1_000_000_000_000_000_000), (#"{"LockDelay":"0s"}"#, 0),
            (#"{"lockdelay":"1m30s"}"#, 90_000_000_000), (#"{"LockDelay":null}"#, 15_000_000_000), (#"{"LockDelay":true}"#, 15_000_000_000),
            (#"{"LockDelay":5000000000}"#, 5_000_000_000), ("null", 15_000_000_000),
        ] as [(String, Int64)])
    func `lock delays are seconds or nanoseconds`(body: String, nanoseconds: Int64) throws {
        #expect(try #require(created(body)).lockDelay.nanoseconds == nanoseconds)
    }

    @Test func `the two lists of checks become one`() throws {
        func lists(_ body: String) throws -> [[String]?] {
            let session = try #require(created(body))
            return [session.nodeChecks, session.checks]
        }
        #expect(try lists("{}") == [["serfHealth"], nil])
        #expect(try lists(#"{"Checks":[]}"#) == [[], nil])
        #expect(try lists(#"{"NodeChecks":[]}"#) == [[], nil])
        #expect(try lists(#"{"NodeChecks":["nc1"]}"#) == [["nc1"], nil])
        #expect(try lists(#"{"Checks":["serfHealth","nc1"]}"#) == [["serfHealth"], ["serfHealth", "nc1"]])
        #expect(try lists(#"{"Checks":["nc1"],"NodeChecks":[]}"#) == [[], nil])
    }

    @Test(arguments: [
        (#"{"LockDelay":"15"}"#, #"time: missing unit in duration "15""#), (#"{"LockDelay":"nope"}"#, #"time: invalid duration "nope""#),
        (#"{"TTL":15}"#, "json: cannot unmarshal number into Go struct field .TTL of type string"), ("{", "unexpected EOF"),
        ("{not json", "invalid character 'n' looking for beginning of object key string"),
        ("[]", "json: cannot unmarshal array into Go value of type struct { LockDelay interface {}; *structs.Alias }"),
    ])
    func `bad sessions are refused`(body: String, text: String) throws {
        let answer = try #require(router.answer("PUT /v1/session/create", body: body))
        #expect(answer.status == 400 && answer.text == "Request decode failed: " + text)
    }

    private func txn(_ body: String, _ query: String = "") -> (TxnRequest, readOnly: Bool)? {
        guard case .txn(let request, let readOnly, _, _) = router.call("PUT /v1/txn" + query, body: body) else { return nil }
        return (request, readOnly)
    }

    @Test(arguments: [
        ("", 400, "Failed to parse body: EOF"), ("{", 400, "Failed to parse body: unexpected EOF"),
        ("{}", 400, "Failed to parse body: json: cannot unmarshal object into Go value of type api.TxnOps"),
        (#"[{"KV":{"Valu":1}}]"#, 400, #"Failed to parse body: json: unknown field "Valu""#),
        (#"[{"Intention":{}}]"#, 400, #"Failed to parse body: json: unknown field "Intention""#),
        (#"[{"KV":{"Value":"not base64!"}}]"#, 400, "Failed to parse body: illegal base64 data at input byte 3"),
        (
            #"[{"KV":{"Value":5}}]"#, 400,
            "Failed to parse body: json: cannot unmarshal number into Go struct field KVTxnOp.KV.Value of type []uint8"
        ),
        ("[" + Array(repeating: "{}", count: 65).joined(separator: ",") + "]", 413, "Transaction contains too many operations (65 > 64)"),
    ])
    func `bad transactions are refused`(body: String, status: Int, text: String) throws {
        let answer = try #require(router.answer("PUT /v1/txn", body: body))
        #expect(answer.status == status && answer.text == text)
    }

    @Test func `operations are decoded and empty ones dropped`() throws {
        let (request, readOnly) = try #require(
            txn(
                #"[{},{"kv":{"verb":"set","key":"k","value":"MQ==","Flags":3,"Index":4}},{"Node":{"Verb":"get","Node":{"Node":"n"}}}] rest"#
            ))
        #expect(request.ops.count == 2 && !readOnly && request.datacenter == "dc1")
        guard case .kv(.write(.set), let row) = request.ops[0], case .node(.get, let node) = request.ops[1] else {
            return #expect(Bool(false))
        }
        #expect(row.key == "k" && row.entry.value == Array("1".utf8) && row.entry.flags == 3 && row.entry.index.modify == 4)
        #expect(node.datacenter == "dc1")
    }

    @Test func `a transaction without writes is a read`() throws {
        #expect(try #require(txn("null")).readOnly)
        #expect(try #require(txn(#"[{"KV":{"Verb":"frob","Key":"a"}},{"KV":{"Verb":"check-not-exists","Key":"a"}}]"#)).readOnly)
        #expect(try !#require(txn(#"[{"Node":{"Verb":"frob"}}]"#)).readOnly)
        #expect(router.answer("PUT /v1/txn?index=x", body: "[]")?.text == "Invalid index")
        #expect(try !#require(txn(#"[{"KV":{"Verb":"set","Key":"a"}}]"#, "?stale&consistent&index=x")).readOnly)
    }

    @Test func `a service in a transaction is a plain one`() throws {
        let body =
            #"[{"Service":{"Verb":"set","Node":"n","Service":{"Service":"s","Kind":"connect-proxy","Proxy":{"DestinationServiceName":"x"},"Connect":{"Native":true},"TaggedAddresses":{"wan":{"Address":"1"}},"Weights":{"Passing":2}}}}]"#
        guard case .service(.set, "n", let service)? = try #require(txn(body)).0.ops.first else { return #expect(Bool(false)) }
        #expect(service.kind.isEmpty && service.proxy == ConnectProxyConfig() && !service.connect.native && service.taggedAddresses == nil)
        #expect(service.weights == Weights(passing: 2, warning: 0))
    }

    @Test func `a registration is decoded strictly`() throws {
        let body = """
            {"node":"e1","NODE":"e2","Address":"1.2.3.4","NodeMeta":{"ext":"true"},"CreateIndex":3,
             "Service":{"Service":"p","Kind":"connect-proxy","Port":8,"Connect":{"Unknown":1},
               "Proxy":{"destination_service_name":"web","Upstreams":[{"destination_name":"db","local_bind_port":5}],"Config":{"a":1}}},
             "Check":{"Name":"ck","Definition":{"HTTP":"http://a/","Interval":"30s","Timeout":5000000000,"TTL":"3s","Header":{"a":["b"]},"Foo":1}}}
            """
        guard case .write(.register(let write), let shape) = router.call("PUT /v1/catalog/register", body: body) else {
            return #expect(Bool(false))
        }
        #expect(write.node == "e2" && write.datacenter == "dc1" && write.nodeMeta == ["ext": "true"] && shape.form == .outcome)
        #expect(write.service?.proxy.destinationServiceName == "web" && write.service?.proxy.upstreams?[0].localBindPort == 5)
        #expect(write.check?.definition.timeout == .seconds(5) && write.check?.definition.ttl == .seconds(3))
        #expect(write.check?.definition.header == ["a": ["b"]])
    }

    @Test(arguments: [
        ("", "EOF"), (#"{"Bogus":true}"#, #"json: unknown field "Bogus""#),
        (#"{"Namespace":"x"}"#, #"json: unknown field "Namespace" - Namespaces are a Consul Enterprise feature"#),
        (#"{"Service":{"Namespace":"x"}}"#, #"json: unknown field "Namespace" - Namespaces are a Consul Enterprise feature"#),
        (#"{"Service":{"Port":"x"}}"#, "json: cannot unmarshal string into Go struct field NodeService.Service.Port of type int"),
        (#"{"Service":{"Port":1.5}}"#, "json: cannot unmarshal number 1.5 into Go struct field NodeService.Service.Port of type int"),
        (#"{"Node":5}"#, "json: cannot unmarshal number into Go struct field RegisterRequest.Node of type string"),
        (#"{"Check":{"Definition":{"Interval":"x"}}}"#, #"time: invalid duration "x""#),
    ])
    func `bad registrations are refused`(body: String, text: String) throws {
        let answer = try #require(router.answer("PUT /v1/catalog/register", body: body))
        #expect(answer.status == 400 && answer.text == "Request decode failed: " + text)
    }
}
