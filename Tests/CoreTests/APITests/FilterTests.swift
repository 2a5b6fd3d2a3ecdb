import Testing

@testable import Core

@Suite struct FilterTests {
    private func detail(_ text: String, _ schema: FilterSchema = Node.filterSchema) -> String {
        do {
            _ = try Filter.compile(text, schema)
            return "none"
        } catch {
            return error.detail
        }
    }

    @Test(arguments: [
        (" ", #"1:2 (1): no match found, expected: "(", "-", "0", "\"", "`", "not", [ \t\r\n], [1-9] or [a-zA-Z]"#),
        ("Node", #"1:5 (4): no match found, expected: "!=", ".", "==", "[", [ \t\r\n] or [a-zA-Z0-9_]"#),
        ("Foo", #"1:4 (3): no match found, expected: "!=", ".", "==", "[", [ \t\r\n] or [a-zA-Z0-9_]"#),
        ("Node ==", ##"1:8 (7): no match found, expected: "-", "0", "\"", "`", [ \t\r\n], [1-9] or [a-zA-Z]"##),
        ("== x", ##"1:1 (0): no match found, expected: "(", "-", "0", "\"", "`", "not", [ \t\r\n], [1-9] or [a-zA-Z]"##),
        ("Node == x and", #"1:14 (13): no match found, expected: [ \t\r\n]"#),
        ("Node > 1", #"1:6 (5): no match found, expected: "!=", "==", "contains", "in", "is", "matches", "not" or [ \t\r\n]"#),
        ("Node == n1 AND Node == x", #"1:12 (11): no match found, expected: "and", "or", [ \t\r\n] or EOF"#),
        ("Node == n1)", #"1:11 (10): no match found, expected: ".", "[", [ \t\r\n], [a-zA-Z0-9_] or EOF"#),
        ("%", ##"1:1 (0): no match found, expected: "(", "-", "0", "\"", "`", "not", [ \t\r\n], [1-9] or [a-zA-Z]"##),
        ("CheckID is", #"1:11 (10): no match found, expected: [ \t\r\n]"#),
        ("Node=", #"1:5 (4): no match found, expected: "!=", ".", "==", "[", [ \t\r\n] or [a-zA-Z0-9_]"#),
    ])
    func `what the grammar expected is listed`(text: String, expected: String) {
        #expect(detail(text) == expected)
    }

    @Test(arguments: [
        ("(Node == n1", #"1:12 (11): rule "grouping": Unmatched parentheses"#),
        ("Meta[rack]==r1", #"1:6 (5): rule "index": Invalid index"#),
        (#"Meta["rack"==r1"#, #"1:12 (11): rule "index": Unclosed index expression"#),
        (#"Node=="abc"#, #"1:11 (10): rule "string": Unterminated string literal"#),
        (#"Node == "a\"b""#, #"1:9 (8): rule "string": invalid syntax"#),
        ("Node==01", #"1:8 (7): rule "number": Invalid number literal"#),
        ("Address == 127.0.0.1", #"1:17 (16): rule "number": Invalid number literal"#),
    ])
    func `rules report what they know is wrong`(text: String, expected: String) {
        #expect(detail(text).split(separator: "\n").first.map(String.init) == expected)
    }

    @Test func `selectors, operators and values are checked against the row`() {
        #expect(detail("Foo == 1") == #"Selector "Foo" is not valid"#)
        #expect(detail("Meta.a.b == 1") == #"Selector "Meta.a.b" is not valid"#)
        #expect(detail("CreateIndex == abc") == #"Selector "CreateIndex" is not valid"#)
        #expect(detail("Meta == x") == #"Invalid match operator "Equal" for selector "Meta""#)
        #expect(detail("Meta.a is empty") == #"Invalid match operator "Is Empty" for selector "Meta.a""#)
        #expect(detail("Node is not empty") == #"Invalid match operator "Is Not Empty" for selector "Node""#)
        let service = NodeService.filterSchema
        #expect(
            detail("Port == x", service)
                == #"Failed to coerce value "x" for selector "Port": strconv.ParseInt: parsing "x": invalid syntax"#)
        #expect(detail("Port matches 8", service) == #"Invalid match operator "Matches" for selector "Port""#)
        #expect(
            detail("EnableTagOverride == yes", service)
                == #"Failed to coerce value "yes" for selector "EnableTagOverride": strconv.ParseBool: parsing "yes": invalid syntax"#)
        #expect(
            detail(#"Node matches "[""#) == #"Failed to compile regular expression "[": error parsing regexp: missing closing ]: `[`"#)
        #expect(detail("Service.ServiceConnect == 1", CheckServiceNode.filterSchema) == #"Selector "Service.ServiceConnect" is not valid"#)
        #expect(detail("Checks == 1", CheckServiceNode.filterSchema) == #"Invalid match operator "Equal" for selector "Checks""#)
    }

    private var node: Node {
        var node = Node()
        node.node = "n1"
        node.address = "10.0.0.1"
        node.meta = ["rack": "r1", "a b": "x"]
        return node
    }

    private func matches(_ text: String) throws -> Bool { try #require(try Filter.compile(text, Node.filterSchema)).matches(node) }

    @Test(arguments: [
        "Node == n1", "Node==n1", "not Node == n2", "not not Node == n1", "Node != n2", #""1" in Node"#, "Node contains n",
        #"Node not contains "x""#, #"Node matches "^n[0-9]$""#, #"Node not matches "^x""#, "rack in Meta", "Meta contains rack",
        "nope not in Meta", "Meta.rack == r1", #"Meta["a b"] == x"#, "Meta is not empty", "TaggedAddresses is empty",
        "Meta.none != x", "Meta.none matches x", "Meta.none not matches x", "Meta.none not contains x",
        "(Node == n1)", "( Node == n1 or Node == n2 ) and Meta.rack == r1", "Node == n2 and Node == n3 or Node == n1",
        "Node == n1 or Node == n2 and Node == n3", "not (Node == n2 or Node == n3)", "not Node == n2 and Node == n1",
        #"Address == `10.0.0.1`"#, #"Address == "10.0.0.\x31""#, "Node == n1\n", "ID == \"\"",
    ])
    func `an expression that holds matches`(text: String) throws {
        #expect(try matches(text))
    }

    @Test(arguments: [
        "Node == N1", "not Node == n1", "Meta.none == x", "x in Meta.none", "Meta is empty", "nope in Meta", "Meta.none contains x",
        "Node == n1 and Meta.rack == r2", "Node == n2 or not Node == n1", "(Node == n1) and (Node == n2)",
    ])
    func `an expression that does not hold does not match`(text: String) throws {
        #expect(try !matches(text))
    }

    @Test func `a list of structures matches if any element does`() throws {
        var first = HealthCheck(), second = HealthCheck()
        first.status = "passing"
        second.status = "critical"
        var service = NodeService()
        service.port = 80
        service.tags = ["v1", "blue"]
        service.taggedAddresses = ["wan": ServiceAddress(address: "1.2.3.4", port: 9)]
        let row = CheckServiceNode(
            node: Row(node), service: Row(ServiceInstance(node: "n1", service: service)), checks: [Row(first), Row(second)])
        for text in [
            "Checks.Status == critical", "Checks.Status != critical", "Checks is not empty", #"Service.Port == "0x50""#,
            "Service.Port != 81",
            "blue in Service.Tags", "Service.Tags contains v1", #"Service.Tags not contains "v""#, "Service.TaggedAddresses.wan.Port == 9",
            "wan in Service.TaggedAddresses", "Service.TaggedAddresses.lan.Port != 9", "Service.Weights.Passing == 1",
            "Service.Proxy.Upstreams is empty", "Node.Meta.rack == r1", "Service.EnableTagOverride == f",
        ] {
            #expect(try #require(try Filter.compile(text, CheckServiceNode.filterSchema)).matches(row), "\(text)")
        }
    }

    @Test func `parts that an agent service lacks match nothing`() throws {
        var service = NodeService()
        service.service = "web"
        for text in ["Proxy.DestinationServiceName != x", "Connect.Native == false"] {
            #expect(try !#require(try Filter.compile(text, AgentServiceRow.filterSchema)).matches(AgentServiceRow(service)))
        }
    }

    @Test func `deep nesting is refused instead of exhausting the stack`() {
        let text = String(repeating: "(", count: 100_000) + "Node == x"
        #expect(detail(text).utf8.contains("nests too deeply"))
        #expect(detail(String(repeating: "not ", count: 10_001) + "Node == x") == "none")
        #expect(detail(Array(repeating: "Node == x", count: 10_000).joined(separator: " or ")) == "none")
    }

    @Test func `an empty text is no filter`() throws {
        #expect(try Filter.compile("", Node.filterSchema) == nil)
    }
}
