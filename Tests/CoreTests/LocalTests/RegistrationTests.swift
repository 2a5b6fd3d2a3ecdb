import Testing

@testable import Core

@Suite struct RegistrationTests {
    private func agent(_ change: (inout AgentSettings) -> Void = { _ in }) -> LocalHarness {
        let agent = LocalHarness(LocalHarness.settings(change))
        agent.start()
        return agent
    }

    // MARK: Answers

    @Test func `a service is shown with its defaults`() {
        let agent = agent()
        #expect(agent.text("GET /v1/agent/services") == "{}")
        agent.request("PUT /v1/agent/service/register", #"{"Name":"web","Tags":["a","B"],"Port":8080,"Meta":{"v":"1"}}"#)
        #expect(
            agent.text("GET /v1/agent/services")
                == #"{"web":{"ID":"web","Service":"web","Tags":["a","B"],"Meta":{"v":"1"},"Port":8080,"Address":"","Weights":{"Passing":1,"Warning":1},"EnableTagOverride":false}}"#
        )
        let one = agent.request("GET /v1/agent/service/web")
        #expect(one?.text.contains(#""EnableTagOverride":false,"ContentHash":""# + (one?["X-Consul-Contenthash"] ?? "") + "\"}") == true)
        #expect(agent.status("GET /v1/agent/service/nope") == "404 unknown service ID: nope")
        #expect(agent.status("GET /v1/agent/service/") == "404 unknown service ID: ")
        #expect(agent.text("GET /v1/agent/services?pretty").hasPrefix("{\n    \"web\": {\n"))
    }

    @Test func `a literal address is also the tagged address of its family`() {
        let agent = agent()
        agent.request(
            "PUT /v1/agent/service/register",
            #"{"Name":"a","Address":"10.0.0.2","Port":81,"TaggedAddresses":{"lan_ipv4":{"Address":"1.1.1.1","Port":1}}}"#)
        agent.request("PUT /v1/agent/service/register", #"{"Name":"b","Address":"fe80::1","Port":81}"#)
        agent.request("PUT /v1/agent/service/register", #"{"Name":"c","Address":"host","Port":81}"#)
        #expect(
            agent.text("GET /v1/agent/service/a").contains(
                #""TaggedAddresses":{"lan_ipv4":{"Address":"1.1.1.1","Port":1},"wan_ipv4":{"Address":"10.0.0.2","Port":81}}"#))
        #expect(
            agent.text("GET /v1/agent/service/b").contains(
                #""TaggedAddresses":{"lan_ipv6":{"Address":"fe80::1","Port":81},"wan_ipv6":{"Address":"fe80::1","Port":81}}"#))
        #expect(!agent.text("GET /v1/agent/service/c").contains("TaggedAddresses"))
    }

    @Test func `checks of a service are numbered where there are several`() {
        let agent = agent()
        agent.request(
            "PUT /v1/agent/service/register",
            #"{"ID":"s","Name":"web","Check":{"TTL":"1m"},"Checks":[{"TTL":"1m","CheckID":"own","Name":"mine"},{"TTL":"1m","Status":"passing"}]}"#
        )
        #expect(agent.check("service:s:1")?.name == "Service 'web' check")
        #expect(agent.check("service:s:1")?.status == "critical")
        #expect(agent.check("own")?.name == "mine")
        #expect(agent.check("service:s:3")?.status == "passing")
        agent.request("PUT /v1/agent/service/register", #"{"ID":"t","Name":"web","Check":{},"Checks":[{"TTL":"1m"}]}"#)
        #expect(agent.check("service:t") != nil)
    }

    @Test func `other checks of a service stay unless they are to be replaced`() {
        let agent = agent()
        let web = #"{"Name":"web","Check":{"TTL":"1m"}}"#
        agent.request("PUT /v1/agent/service/register", web)
        agent.request("PUT /v1/agent/check/register", #"{"Name":"extra","ServiceID":"web","TTL":"1m"}"#)
        agent.request("PUT /v1/agent/service/register", web)
        agent.request("PUT /v1/agent/service/register?replace-existing-checks=1", web)
        #expect(agent.check("extra") != nil)
        agent.request("PUT /v1/agent/service/register?replace-existing-checks", web)
        #expect(agent.check("extra") == nil)
        #expect(agent.check("service:web") != nil)
        #expect(agent.checks.keys.sorted() == ["service:web"])
    }

    @Test func `a check of its own shows the service that it belongs to`() {
        let agent = agent()
        agent.request("PUT /v1/agent/service/register", #"{"ID":"s","Name":"web","Tags":["x"]}"#)
        agent.request("PUT /v1/agent/check/register", #"{"ID":"c","Name":"n","Notes":"<b>","service_id":"s","TTL":"1m"}"#)
        #expect(
            agent.text("GET /v1/agent/checks")
                == #"{"c":{"Node":"n1","CheckID":"c","Name":"n","Status":"critical","Notes":"\u003cb\u003e","Output":"","ServiceID":"s","ServiceName":"web","ServiceTags":["x"],"Type":"ttl","Definition":{},"CreateIndex":0,"ModifyIndex":0}}"#
        )
        #expect(
            agent.status("PUT /v1/agent/check/register", #"{"Name":"n","ServiceID":"ghost","TTL":"1m"}"#)
                == #"500 ServiceID "ghost" does not exist"#)
    }

    @Test func `names that DNS cannot carry only warn`() {
        let agent = agent()
        #expect(agent.request("PUT /v1/agent/service/register", #"{"Name":"not good"}"#)?.status == 200)
        #expect(agent.logs.contains { $0.contains("Service name will not be discoverable via DNS") })
    }

    // MARK: Refusals

    @Test(arguments: [
        ("{}", "400 Missing service name"),
        ("", "400 Request decode failed: EOF"),
        (#"{"Name":"a","Foo":1}"#, #"400 Request decode failed: json: unknown field "Foo""#),
        (#"{"Name":"a","Address":"::"}"#, "400 Invalid service address"),
        (#"{"Name":"a","Weights":{"Warning":1}}"#, "400 Invalid Weights: Passing must be greater than 0"),
        (
            #"{"Name":"a","Meta":{"consul-x":"y"}}"#,
            "400 Invalid Service Meta: Couldn't load metadata pair ('consul-x', 'y'): Key prefix 'consul-' is reserved for internal use"
        ),
        (#"{"Name":"a","Kind":"mesh-gateway"}"#, "400 1 error occurred:\n\t* Port must be non-zero for a mesh-gateway\n\n"),
        (
            #"{"Name":"a","Connect":{"SidecarService":{"ID":"x","Connect":{"sidecar_service":{}}}}}"#,
            "400 2 errors occurred:\n\t* A SidecarService cannot specify an ID as this is managed by the agent\n"
                + "\t* A SidecarService cannot have a nested SidecarService\n\n"
        ),
        (#"{"Name":"a","Check":{"Name":"c"}}"#, "400 Invalid check: TTL must be > 0 for TTL checks"),
        (#"{"Name":"a","Checks":[{}]}"#, "400 Invalid check: TTL must be > 0 for TTL checks"),
        (#"{"Name":"a","Check":{"TTL":"1m","Status":"odd"}}"#, "400 Status for checks must 'passing', 'warning', 'critical'"),
        (#"{"Name":"a","Check":{"ID":"x","TTL":"1m"}}"#, #"400 Request decode failed: json: unknown field "ID""#),
        (
            #"{"Name":"a","Connect":{"SidecarService":{"Check":{"Name":"c"}}}}"#,
            "500 Bad request: Invalid check in sidecar_service: TTL must be > 0 for TTL checks"
        ),
        (
            #"{"Name":"a","TaggedAddresses":{"lan_ipv4":{"Address":"fe80::1"}}}"#,
            #"500 Service tagged address "lan_ipv4" must be a valid ipv4 address"#
        ),
        (
            #"{"Name":"a","Check":{"Args":["x"],"Interval":"1s"}}"#,
            "500 Scripts are disabled on this agent from remote calls; to enable, configure 'enable_script_checks' to true"
        ),
        (#"{"Name":"a","Check":{"GRPC":"x:1","Interval":"1s"}}"#, "500 gRPC checks are not supported by this agent"),
    ]) func `a bad service is refused and leaves nothing behind`(body: String, answer: String) {
        let agent = agent()
        #expect(agent.status("PUT /v1/agent/service/register", body) == answer)
        #expect(agent.text("GET /v1/agent/services") == "{}")
        #expect(agent.text("GET /v1/agent/checks") == "{}")
    }

    @Test func `null elements in the list of checks are refused`() {
        #expect(agent().request("PUT /v1/agent/service/register", #"{"Name":"a","Checks":[null]}"#)?.status == 400)
    }

    @Test(arguments: [
        (#"{"TTL":"1m"}"#, "400 Missing check name"),
        (#"{"Name":"a","TTL":"1m","Status":"odd"}"#, "400 Bad check status"),
        (#"{"Name":"a","TTL":"1m","Interval":"1m"}"#, "400 Invalid check: Interval and TTL cannot both be specified"),
        (#"{"Name":"a","TCP":"x:1"}"#, "400 Invalid check: Interval must be > 0 for Script, HTTP, or TCP checks"),
        (#"{"Name":"a","TCP":"x:1","Interval":"1s","AliasNode":"n"}"#, "400 Invalid check: Interval cannot be set for Alias checks"),
        (#"{"Name":"a","AliasNode":"n","TTL":"1s"}"#, "400 Invalid check: TTL must be not be set for Alias checks"),
        (#"{"Name":"a","TTL":"1s","OutputMaxSize":-1}"#, "400 Invalid check: MaxOutputMaxSize must be positive"),
        (#"{"Name":"a","CheckID":"x","TTL":"1s"}"#, #"400 Request decode failed: json: unknown field "CheckID""#),
        (#"{"Name":"a","TTL":"xx"}"#, #"400 Request decode failed: time: invalid duration "xx""#),
        (#"{"Name":"a","DockerContainerID":"d","Args":["x"],"Interval":"1s"}"#, "500 Docker checks are not supported by this agent"),
    ]) func `a bad check is refused`(body: String, answer: String) {
        let agent = agent { $0.checks.enableScripts = true }
        #expect(agent.status("PUT /v1/agent/check/register", body) == answer)
        #expect(agent.text("GET /v1/agent/checks") == "{}")
    }

    @Test func `a failing registration leaves the old one as it was`() {
        let agent = agent()
        agent.request("PUT /v1/agent/service/register", #"{"Name":"a","Port":1}"#)
        agent.request("PUT /v1/agent/service/register", #"{"Name":"a","Port":2,"Checks":[{"TTL":"1m"},{"Args":["x"],"Interval":"1s"}]}"#)
        #expect(agent.text("GET /v1/agent/service/a").contains(#""Port":1"#))
        #expect(agent.text("GET /v1/agent/checks") == "{}")
    }

    @Test func `a deregistration without an id is refused, one of an unknown id is not`() {
        let agent = agent()
        #expect(agent.status("PUT /v1/agent/service/deregister/") == "500 ServiceID missing")
        #expect(agent.status("PUT /v1/agent/check/deregister/") == "500 CheckID missing")
        #expect(agent.status("PUT /v1/agent/service/deregister/none") == "200 ")
        #expect(agent.status("PUT /v1/agent/check/deregister/none") == "200 ")
        #expect(agent.status("GET /v1/agent/services?ns=x").hasPrefix("400 Bad request: Invalid query parameter"))
    }

    @Test func `an update of a check must name a status`() {
        let agent = agent()
        agent.request("PUT /v1/agent/check/register", #"{"Name":"c","TTL":"1m"}"#)
        #expect(agent.status("PUT /v1/agent/check/update/c", #"{"Status":"odd"}"#) == "400 Invalid check status: 'odd'")
        #expect(agent.status("PUT /v1/agent/check/update/c", #"{"Stat":"x"}"#) == #"400 Request decode failed: json: unknown field "Stat""#)
        #expect(agent.status("PUT /v1/agent/check/update/c", #"{"Status":"passing","Output":"o"}"#) == "200 ")
        #expect(agent.check("c")?.output == "o")
    }

    // MARK: Sidecars

    @Test func `a sidecar is registered, follows its service and leaves with it`() {
        let agent = agent()
        let web =
            #"{"Name":"web","Port":80,"Tags":["t"],"Connect":{"SidecarService":{"Proxy":{"upstreams":[{"destination_name":"db","local_bind_port":91}]}}}}"#
        agent.request("PUT /v1/agent/service/register", web)
        let shown = agent.text("GET /v1/agent/service/web-sidecar-proxy")
        #expect(
            shown.hasPrefix(
                #"{"Kind":"connect-proxy","ID":"web-sidecar-proxy","Service":"web-sidecar-proxy","Tags":["t"],"Meta":{},"Port":21000,"#))
        #expect(
            shown.hasSuffix(
                #""Proxy":{"DestinationServiceName":"web","DestinationServiceID":"web","LocalServiceAddress":"127.0.0.1","LocalServicePort":80,"Upstreams":[{"DestinationType":"service","DestinationName":"db","LocalBindPort":91,"MeshGateway":{}}],"MeshGateway":{},"Expose":{}}}"#
            ))
        #expect(agent.check("service:web-sidecar-proxy:1")?.name == "Connect Sidecar Listening")
        #expect(agent.check("service:web-sidecar-proxy:2")?.output == "No checks found.")
        agent.request("PUT /v1/agent/service/register", #"{"Name":"db","Connect":{"SidecarService":{}}}"#)
        #expect(agent.text("GET /v1/agent/service/db-sidecar-proxy").contains(#""Port":21001"#))
        agent.request("PUT /v1/agent/service/register", web)
        #expect(agent.text("GET /v1/agent/service/web-sidecar-proxy").contains(#""Port":21000"#))
        agent.request("PUT /v1/agent/service/register", #"{"Name":"web"}"#)
        #expect(agent.request("GET /v1/agent/service/web-sidecar-proxy")?.status == 200)
        agent.request("PUT /v1/agent/service/deregister/web")
        #expect(agent.request("GET /v1/agent/service/web-sidecar-proxy")?.status == 404)
        #expect(agent.services.keys.sorted() == ["db", "db-sidecar-proxy"])
    }

    @Test func `sidecars run out of ports`() {
        let agent = agent {
            $0.addresses.sidecarMinPort = 21000
            $0.addresses.sidecarMaxPort = 21000
        }
        agent.request("PUT /v1/agent/service/register", #"{"Name":"a","Connect":{"SidecarService":{}}}"#)
        #expect(
            agent.status("PUT /v1/agent/service/register", #"{"Name":"b","Connect":{"SidecarService":{}}}"#)
                == "500 Bad request: Invalid SidecarService: no port provided for sidecar_service and none left in the configured range [21000, 21000]"
        )
        #expect(agent.request("GET /v1/agent/service/b")?.status == 404)
        let other = self.agent { $0.addresses.sidecarMinPort = 0 }
        #expect(
            other.status("PUT /v1/agent/service/register", #"{"Name":"b","Connect":{"SidecarService":{}}}"#)
                == "500 Bad request: Invalid SidecarService: no port provided for sidecar_service and auto-assignment disabled in config")
    }

    // MARK: Maintenance

    @Test func `maintenance mode is a critical check that keeps its first reason`() {
        let agent = agent()
        agent.request("PUT /v1/agent/service/register", #"{"ID":"r:1","Name":"redis"}"#)
        #expect(agent.status("PUT /v1/agent/service/maintenance/") == "400 Missing service ID")
        #expect(agent.status("PUT /v1/agent/service/maintenance/r:1") == "400 Missing value for enable")
        #expect(agent.status("PUT /v1/agent/maintenance?enable=") == #"400 Invalid value for enable: """#)
        #expect(agent.status("PUT /v1/agent/service/maintenance/x?enable=1") == #"404 No service registered with ID "x""#)
        agent.request("PUT /v1/agent/service/maintenance/r:1?enable=true&reason=why%20not")
        agent.request("PUT /v1/agent/service/maintenance/r:1?enable=t&reason=second")
        agent.request("PUT /v1/agent/maintenance?enable=TRUE")
        let check = agent.check("_service_maintenance:r:1")
        #expect(check?.notes == "why not" && check?.type == "maintenance" && check?.status == "critical" && check?.serviceName == "redis")
        #expect(
            agent.check("_node_maintenance")?.notes
                == "Maintenance mode is enabled for this node, but no reason was provided. This is a default message.")
        #expect(agent.checks.keys.sorted() == ["_node_maintenance", "_service_maintenance:r:1"])
        agent.request("PUT /v1/agent/maintenance?enable=0")
        agent.request("PUT /v1/agent/maintenance?enable=0")
        agent.request("PUT /v1/agent/service/maintenance/r:1?enable=false")
        #expect(agent.text("GET /v1/agent/checks") == "{}")
    }

    // MARK: Health

    @Test func `health is the worst of the checks of service and node`() {
        let agent = agent()
        agent.request("PUT /v1/agent/service/register", #"{"ID":"w1","Name":"web","Check":{"TTL":"1h","Status":"passing"}}"#)
        agent.request("PUT /v1/agent/service/register", #"{"ID":"w2","Name":"web","Check":{"TTL":"1h","Status":"warning"}}"#)
        agent.request("PUT /v1/agent/service/register", #"{"Name":"plain"}"#)
        #expect(agent.status("GET /v1/agent/health/service/id/w1?format=text") == "200 passing")
        #expect(agent.status("GET /v1/agent/health/service/id/w2?format=text") == "429 warning")
        #expect(agent.status("GET /v1/agent/health/service/name/web?format=text") == "429 warning")
        #expect(
            agent.status("GET /v1/agent/health/service/id/plain")
                == #"200 {"AggregatedStatus":"passing","Service":{"ID":"plain","Service":"plain","Tags":[],"Meta":{},"Port":0,"Address":"","Weights":{"Passing":1,"Warning":1},"EnableTagOverride":false},"Checks":[]}"#
        )
        let one = agent.request("GET /v1/agent/health/service/id/w1")
        #expect(one?["X-Consul-Reason"] == "passing")
        #expect(
            one?.text.hasSuffix(
                #""Checks":[{"Node":"n1","CheckID":"service:w1","Name":"Service 'web' check","Status":"passing","Notes":"","Output":"","ServiceID":"w1","ServiceName":"web","ServiceTags":null,"Type":"","Definition":{"Interval":"0s","Timeout":"0s","DeregisterCriticalServiceAfter":"0s","HTTP":"","Header":null,"Method":"","Body":"","TLSSkipVerify":false,"TCP":""},"CreateIndex":0,"ModifyIndex":0}]}"#
            ) == true)
        agent.request("PUT /v1/agent/check/fail/service:w2")
        #expect(agent.status("GET /v1/agent/health/service/name/web").hasPrefix(#"503 [{"AggregatedStatus":"passing","#))
        agent.request("PUT /v1/agent/maintenance?enable=true")
        let text = agent.request("GET /v1/agent/health/service/id/w1", headers: [("accept", "text/plain; q=1")])
        #expect(text?.status == 503 && text?.text == "maintenance" && text?["Content-Type"] == "text/plain")
    }

    @Test func `unknown services have answers of their own`() {
        let agent = agent()
        #expect(agent.status("GET /v1/agent/health/service/id/") == "500 Bad request: Missing serviceID")
        #expect(agent.status("GET /v1/agent/health/service/name/") == "500 Bad request: Missing service Name")
        #expect(agent.status("GET /v1/agent/health/service/id/x") == #"404 {"AggregatedStatus":"critical","Service":null,"Checks":null}"#)
        #expect(agent.status("GET /v1/agent/health/service/id/x?format=text") == #"404 "ServiceId x not found""#)
        #expect(agent.status("GET /v1/agent/health/service/name/x") == "404 []")
        #expect(agent.status("GET /v1/agent/health/service/name/x?format=text") == "404 ServiceName x Not Found")
        #expect(agent.request("GET /v1/agent/health/service/name/x")?["X-Consul-Reason"] == "ServiceName x Not Found")
    }

    // MARK: Filters

    @Test func `filters choose services and checks`() {
        let agent = agent()
        #expect(agent.status("GET /v1/agent/checks?filter=Foo==1") == "200 {}")
        agent.request("PUT /v1/agent/service/register", #"{"Name":"a","Port":1,"Check":{"TTL":"1m"}}"#)
        agent.request("PUT /v1/agent/service/register", #"{"Name":"b","Port":2}"#)
        #expect(agent.text("GET /v1/agent/services?filter=Port==2").hasPrefix(#"{"b":{"#))
        #expect(agent.text("GET /v1/agent/checks?filter=Status==passing") == "{}")
        #expect(
            agent.status("GET /v1/agent/services?filter=Foo==1")
                == #"500 Failed to create boolean expression evaluator: Selector "Foo" is not valid"#)
        #expect(agent.status("GET /v1/agent/checks?filter=Foo==1") == #"500 Selector "Foo" is not valid"#)
        #expect(agent.status("GET /v1/agent/checks?filter=Foo").hasPrefix("500 Failed to create boolean expression evaluator: 1:"))
    }
}
