import Testing

@testable import Core

@Suite struct MetricsTests {
    private let context = APIContext()
    private let router = Router(APIContext())

    private func at(_ seconds: Double) -> Instant { .zero + .milliseconds(Int64(seconds * 1000)) }

    @Test func `the last complete interval is shown`() {
        // The wall clock says 05:11:45 at the beginning, so the first interval ends after five seconds.
        var metrics = Metrics(wallClockOffset: 1_795_237_905_000_000_000)
        metrics.count(.rpcRequest, at: at(1))
        metrics.count(.rpcRequest, by: 5, at: at(2))
        let first = metrics.snapshot(at: at(3))
        #expect(first.entries.map(\.key.name) == ["consul.rpc.request"] && first.entries[0].value.sum == 6)
        metrics.count(.rpcQuery, at: at(6))
        let second = metrics.snapshot(at: at(7))
        #expect(second.start.unixSeconds == 1_795_237_900 && second.entries.map(\.key.name) == ["consul.rpc.request"])
        #expect(metrics.snapshot(at: at(16)).entries.map(\.key.name) == ["consul.rpc.query"])
        // No interval is complete: the last complete one stays.
        #expect(metrics.snapshot(at: at(60)).entries.map(\.key.name) == ["consul.rpc.query"])
    }

    @Test func `values come with rate, extremes, mean and deviation`() {
        var metrics = Metrics()
        for value in [1.0, 2, 3, 6] { metrics.add(value, to: .raftCommitCount, at: at(1)) }
        metrics.set(.autopilotHealthy, to: 0, at: at(1))
        metrics.set(.autopilotHealthy, to: 1, at: at(2))
        metrics.add(.microseconds(1500), to: "http.GET.v1.kv._", at: at(2))
        metrics.count("rpc.cross-dc", labels: [MetricLabel("datacenter", "dc2")], at: at(2))
        let answer = Renderer.metrics(metrics.snapshot(at: at(3)), pretty: false, context: context)
        #expect(
            answer.text
                == #"{"Timestamp":"1970-01-01 00:00:00 +0000 UTC","Gauges":[{"Name":"consul.autopilot.healthy","Value":1,"Labels":{}}],"#
                + #""Points":[],"Counters":[{"Name":"consul.rpc.cross-dc","Count":1,"Rate":0.1,"Sum":1,"Min":1,"Max":1,"Mean":1,"Stddev":0,"#
                + #""Labels":{"datacenter":"dc2"}}],"Samples":[{"Name":"consul.http.GET.v1.kv._","Count":1,"Rate":0.15,"Sum":1.5,"Min":1.5,"#
                + #""Max":1.5,"Mean":1.5,"Stddev":0,"Labels":{}},{"Name":"consul.raft.commitNumLogs","Count":4,"Rate":1.2,"Sum":12,"Min":1,"#
                + #""Max":6,"Mean":3,"Stddev":2.160246899469287,"Labels":{}}]}"#)
        let start = "[1970-01-01 00:00:00 +0000 UTC]"
        #expect(
            Renderer.metricLines(metrics.snapshot(at: at(3))) == """
                \(start)[G] 'consul.autopilot.healthy': 1.000
                \(start)[C] 'consul.rpc.cross-dc;datacenter=dc2': Count: 1 Sum: 1.000
                \(start)[S] 'consul.http.GET.v1.kv._': Count: 1 Sum: 1.500
                \(start)[S] 'consul.raft.commitNumLogs': Count: 4 Min: 1.000 Mean: 3.000 Max: 6.000 Stddev: 2.160 Sum: 12.000

                """)
    }

    @Test func `what was measured elsewhere counts as if it had been here`() {
        var here = Metrics(prometheusRetention: .seconds(60)), there = Metrics(prometheusRetention: .seconds(60))
        var values = MetricAggregate()
        for value in [4.0, 1, 2.5] {
            values.add(value)
            here.add(.microseconds(Int64(value * 1000)), to: "http.GET.v1.kv._", at: at(1))
        }
        there.merge(values, into: "http.GET.v1.kv._", at: at(1))
        here.count(.rpcQuery, at: at(1))
        here.count(.rpcQuery, at: at(1))
        there.count(.rpcQuery, times: 2, at: at(1))
        there.count(.rpcQuery, times: 0, at: at(1))
        let (one, other) = (here.snapshot(at: at(2)), there.snapshot(at: at(2)))
        #expect(one.entries.map(\.key) == other.entries.map(\.key) && one.entries.map(\.value) == other.entries.map(\.value))
        let (shown, merged) = (here.prometheusSnapshot(at: at(2)), there.prometheusSnapshot(at: at(2)))
        #expect(shown?.entries.map(\.total) == merged?.entries.map(\.total))
        #expect(shown?.entries.first?.quantiles == merged?.entries.first?.quantiles)
    }

    @Test func `requests are measured by endpoint and method`() {
        var measures = RequestMeasures()
        for (method, target) in [
            ("GET", "/v1/kv/a/b?raw"), ("GET", "/v1/kv/c"), ("PUT", "/v1/kv/a"), ("PUT", "/v1/agent/service/register"),
            ("HEAD", "/v1/kv/a"),
            ("GET", "/nothing"), ("GET", "/v1/status/leader"),
        ] {
            measures.add(MeasuredSubject(HTTPRequest(method: method, target: Array(target.utf8))), nanoseconds: 2_000_000)
        }
        measures.add(.pointerQuery, nanoseconds: 1_000_000)
        let samples = measures.samples.map { "\($0.name) \($0.values.count) \($0.values.sum)" }
        #expect(
            samples == [
                "http.GET.v1.kv._ 2 4.0", "http.PUT.v1.kv._ 1 2.0", "http.PUT.v1.agent.service.register 1 2.0",
                "http.GET.v1.status.leader 1 2.0", "dns.ptr_query 1 1.0",
            ])
    }

    @Test func `a front end measures what it answers`() throws {
        var frontEnd = FrontEnd(settings: AgentSettings(), gzip: AgentCluster.NoGzip(), seed: 1)
        let state = PublishedState(
            store: Store(), isLeader: true, leaseExpiry: .distantFuture, isSoleVoter: true, knowsLeader: true, lastLeaderContact: nil)
        var taken = frontEnd.takeMeasures()
        #expect(taken == nil)
        let request = HTTPRequest(method: "GET", target: Array("/v1/catalog/nodes".utf8))
        // The second one is answered from memory.
        for _ in 0..<2 {
            var out: [UInt8] = []
            guard case .written = frontEnd.answer(request, framing: HTTPFraming(), state: state, now: .zero, date: [], into: &out) else {
                Issue.record("not answered")
                return
            }
            frontEnd.measureAnswered(nanoseconds: 1_000_000)
        }
        for name in ["web.service.consul", "1.0.0.10.in-addr.arpa"] {
            let question = DNSMessage(id: 3, flags: 0, question: DNSQuestion(name: try #require(DNSName(name)), type: DNSType.ptr))
                .encoded()
            _ = frontEnd.answer(question: question, tcp: false, remote: "", state: state, now: .zero)
            frontEnd.measureAnswered(nanoseconds: 1_000_000)
        }
        taken = frontEnd.takeMeasures()
        let measures = try #require(taken)
        #expect(measures.reads == 2)
        #expect(
            measures.samples.map { "\($0.name) \($0.values.count)" } == [
                "http.GET.v1.catalog.nodes 2", "dns.domain_query 1", "dns.ptr_query 1",
            ])
        taken = frontEnd.takeMeasures()
        #expect(taken == nil)
    }

    @Test func `a front end counts whose instances it looks up, and what is read consistently`() throws {
        var frontEnd = FrontEnd(settings: AgentSettings(), gzip: AgentCluster.NoGzip(), seed: 1)
        let state = PublishedState(
            store: Store(), isLeader: true, leaseExpiry: .distantFuture, isSoleVoter: true, knowsLeader: true, lastLeaderContact: nil)
        func ask(_ target: String) {
            var out: [UInt8] = []
            let request = HTTPRequest(method: "GET", target: Array(target.utf8))
            _ = frontEnd.answer(request, framing: HTTPFraming(), state: state, now: .zero, date: [], into: &out)
            frontEnd.measureAnswered(nanoseconds: 2_000_000)
        }
        for _ in 0..<2 {
            // The later ones are answered from memory.
            for _ in 0..<3 { ask("/v1/health/service/web?tag=b&tag=a") }
            for _ in 0..<2 { ask("/v1/catalog/service/web?consistent") }
            ask("/v1/kv/x?consistent")
            ask("/v1/kv/x")
            let taken = frontEnd.takeMeasures()
            let measures = try #require(taken)
            let lookups = measures.lookups.map { "\($0.lookup.isHealth) \($0.lookup.service) \($0.lookup.tags) \($0.times)" }
            #expect(lookups == [#"true web ["b", "a"] 3"#, #"false web [] 2"#])
            #expect(measures.reads == 7 && measures.consistentReads.count == 3 && measures.consistentReads.sum == 6)
        }
        var counters = LookupCounters()
        for number in 0...LookupCounters.countMax {
            let lookup = MeasuredLookup(isHealth: true, kind: .service, service: "s\(number)", tags: [], isFound: false)
            for _ in 0..<2 { counters.count(counters.counter(of: lookup)) }
        }
        let counted = counters.take()
        #expect(counted.count == LookupCounters.countMax && counted.allSatisfy { $0.times == 2 })
    }

    @Test func `the longest prefix decides what is shown`() {
        var metrics = Metrics(prometheusRetention: .seconds(60))
        for name in ["raft.apply", "raft.apply.x", "raft.other", "serf.events"] { metrics.count(name, at: at(1)) }
        func shown(_ rules: [String], _ others: Bool) -> [String] {
            metrics.filter = MetricFilter(rules, allowsOthers: others)
            let names = metrics.snapshot(at: at(2)).entries.map { String($0.key.name.dropFirst("consul.".count)) }
            #expect(metrics.prometheusSnapshot(at: at(2))?.entries.count == names.count)
            return names
        }
        #expect(shown([], true).count == 4)
        #expect(shown([], false).isEmpty)
        #expect(shown(["-consul.raft", "+consul.raft.apply"], true) == ["raft.apply", "raft.apply.x", "serf.events"])
        #expect(shown(["+consul.raft.apply", "-consul.raft.apply.x", "nothing"], false) == ["raft.apply"])
        #expect(shown(["+consul.raft", "-consul.raft"], true) == ["serf.events"])
        metrics.filter = MetricFilter([], allowsOthers: false)
        metrics.filter.reload(MetricFilter(["+consul.serf"], allowsOthers: true))
        #expect(metrics.snapshot(at: at(2)).entries.map(\.key.name) == ["consul.serf.events"])
    }

    @Test func `all names are different`() {
        var names = CounterMetric.allCases.map(\.name.description) + GaugeMetric.allCases.map(\.name.description)
        names += SampleMetric.allCases.map(\.name.description)
        #expect(Set(names).count == names.count)
    }

    @Test func `the number of names that are measured is bounded`() {
        var metrics = Metrics()
        for number in 0..<Metrics.dynamicCountMax + 10 { metrics.count("serf.events.\(number)", at: at(1)) }
        #expect(metrics.snapshot(at: at(2)).entries.count == Metrics.dynamicCountMax)
    }

    // MARK: Prometheus

    @Test func `Prometheus must be switched on`() {
        var metrics = Metrics()
        metrics.count(.rpcRequest, at: at(1))
        let answer = Renderer.prometheus(metrics.prometheusSnapshot(at: at(2)), context: context)
        #expect(answer.status == 415 && answer.text == "Prometheus is not enabled since its retention time is not positive")
    }

    @Test func `gauges may name the host`() {
        var metrics = Metrics(hostName: "h1", prometheusRetention: .minutes(1))
        metrics.set(.autopilotHealthy, to: 1, at: at(1))
        metrics.set("a", to: 1, at: at(1))
        metrics.count(.rpcRequest, at: at(1))
        metrics.add(.seconds(1), to: "s", at: at(1))
        let names = ["consul.h1.a", "consul.h1.autopilot.healthy", "consul.rpc.request", "consul.s"]
        #expect(metrics.snapshot(at: at(2)).entries.map(\.key.name) == names)
        #expect(Renderer.prometheus(metrics.prometheusSnapshot(at: at(2)), context: context).text.contains("consul_h1_autopilot_healthy 1"))
    }

    @Test func `Prometheus sees sums since the start`() {
        var metrics = Metrics(prometheusRetention: .minutes(1))
        metrics.count(.rpcRequest, by: 2, at: at(1))
        metrics.count(.rpcRequest, by: 3, at: at(25))
        for value in 1...100 { metrics.add(Double(value), to: .kvApply, at: at(26)) }
        metrics.set("a-b", labels: [MetricLabel("n", "x\"y")], to: 7, at: at(26))
        let answer = Renderer.prometheus(metrics.prometheusSnapshot(at: at(30)), context: context)
        #expect(answer["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8")
        #expect(
            answer.text == """
                # HELP consul_a_b consul_a_b
                # TYPE consul_a_b gauge
                consul_a_b{n="x\\"y"} 7
                # HELP consul_kvs_apply consul_kvs_apply
                # TYPE consul_kvs_apply summary
                consul_kvs_apply{quantile="0.5"} 51
                consul_kvs_apply{quantile="0.9"} 91
                consul_kvs_apply{quantile="0.99"} 100
                consul_kvs_apply_sum 5050
                consul_kvs_apply_count 100
                # HELP consul_rpc_request consul_rpc_request
                # TYPE consul_rpc_request counter
                consul_rpc_request 5

                """)
        var process = HostFacts.Process()
        (process.cpuSeconds, process.descriptorsMax, process.virtualMemoryMax) = (1.25, 1024, .infinity)
        let withProcess = Renderer.prometheus(metrics.prometheusSnapshot(at: at(30)), process: process, context: context).text
        #expect(withProcess.hasPrefix("# HELP consul_a_b"))
        for part in [
            "# HELP process_cpu_seconds_total Total user and system CPU time spent in seconds.\n# TYPE process_cpu_seconds_total counter\n",
            "\nprocess_cpu_seconds_total 1.25\n", "# TYPE process_max_fds gauge\nprocess_max_fds 1024\n",
            "\nprocess_virtual_memory_max_bytes 1.8446744073709552e+19\n",
        ] { #expect(withProcess.contains(part), "\(part) in \(withProcess)") }
        let later = Renderer.prometheus(metrics.prometheusSnapshot(at: at(86)), context: context).text
        #expect(later.contains("consul_kvs_apply{quantile=\"0.5\"} NaN\n") && !later.contains("rpc_request"))
    }

    @Test(arguments: [
        ("?format=prometheus", "", true), ("", "text/plain;version=0.4.0;charset=utf-8", true),
        ("", "application/openmetrics-text; version=1", true),
        ("", "text/plain", false), ("?format=json", "", false),
    ])
    func `Prometheus asks by parameter or header`(query: String, accept: String, wanted: Bool) {
        guard case .agent(.metrics(let prometheus), _) = router.call("GET /v1/agent/metrics\(query)", headers: [("accept", accept)]) else {
            Issue.record("no metrics")
            return
        }
        #expect(prometheus == wanted)
    }

    // MARK: The log

    @Test func `log lines have the reference's form for a follower`() {
        let time = GoTime(unixSeconds: 1_795_237_925, nanoseconds: 19_988_123)
        func line(_ level: LogLevel, json: Bool = false, _ message: String = "a\nb: x=\"1 2\"") -> String? {
            LogStream(level: .info, json: json).line(level, module: "agent.http", message, at: time).map {
                String(decoding: $0, as: UTF8.self)
            }
        }
        #expect(line(.debug) == nil)
        #expect(line(.info) == "2026-11-21T05:12:05.019Z [INFO]  agent.http: a b: x=\"1 2\"\n")
        #expect(line(.error)?.contains(" [ERROR] agent.http: ") == true)
        #expect(
            line(.warn, json: true) == #"{"@level":"warn","@message":"a\nb","@module":"agent.http","#
                + "\"@timestamp\":\"2026-11-21T05:12:05.019988Z\",\"x\":\"1 2\"}\n")
        #expect(
            line(.info, json: true, "Exit code: code=1 b=2 b=3")?.hasSuffix(
                #","@timestamp":"2026-11-21T05:12:05.019988Z","b":2,"code":1}"# + "\n")
                == true)
    }

    @Test(arguments: [
        ("started state syncer", #""started state syncer""#, ""), ("raft: no pairs: here", #""raft: no pairs: here""#, ""),
        ("a: b=01 c= b=3", #""a""#, #""b":"01","c":"""#),
        (
            "Join failed: retry_interval=30s error=\"x: a=b \"c\": \t* d\"", #""Join failed""#,
            #""error":"x: a=b \"c\": \t* d","retry_interval":"30s""#
        ),
        (#"x: joining: lan_addresses=["a", "b c"] n=-5"#, #""x: joining""#, #""lan_addresses":["a","b c"],"n":-5"#),
        ("Started: address=[::1]:8500 network=tcp", #""Started""#, #""address":"[::1]:8500","network":"tcp""#),
        (#"x: a="unfinished"#, #""x: a=\"unfinished""#, ""), ("x: a=b c", #""x: a=b c""#, ""), ("x: ", #""x: ""#, ""), ("", #""""#, ""),
    ]) func `pairs in a log line are told apart from the text before them`(message: String, text: String, pairs: String) {
        let line = String(decoding: LogStream.jsonLine(.info, module: "m", message, time: []), as: UTF8.self)
        let fields = pairs.isEmpty ? "" : "," + pairs
        #expect(line == "{\"@level\":\"info\",\"@message\":\(text),\"@module\":\"m\",\"@timestamp\":\"\"\(fields)}\n")
    }

    @Test func `a follower names a level and a form`() {
        guard case .agent(.monitor(let level, let json), _) = router.call("GET /v1/agent/monitor?loglevel=WARN&logjson") else {
            Issue.record("no monitor")
            return
        }
        #expect(level == .warn && json)
        #expect(router.answer("GET /v1/agent/monitor?loglevel=bogus")?.text == "Bad request: Unknown log level: bogus")
    }
}
