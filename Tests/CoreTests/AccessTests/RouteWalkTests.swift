import Testing

@testable import Core

/// Every route of the table, asked by somebody who may do nothing. What the state holds is called `secret`, so that an answer shows
/// whether it gives something away; asked by somebody who may do everything, the same request must show it.
@Suite struct RouteWalkTests {
    /// The routes that need no right (acl §13.1). A route that is added here is a decision.
    private static let open: [String] = [
        "/v1/status/leader", "/v1/status/peers", "/v1/catalog/datacenters", "/v1/coordinate/datacenters",
    ]

    /// The routes behind which nothing stands yet: they answer before anybody looks at any state.
    private static let answeringNothing: [String] = [
        "/v1/acl/", "/v1/internal/acl/", "/v1/config", "/v1/connect/", "/v1/discovery-chain/", "/v1/internal/federation-state", "/v1/query",
        "/debug/pprof/", "/v1/agent/connect/", "/v1/agent/token/",
    ]

    /// What stands behind the path of a route, and the body, where a request needs more than the path to be understood.
    private static func sample(_ method: String, _ path: String, session: String) -> (behind: String, body: String) {
        switch path {
        case "/v1/kv/": (method == "GET" ? "secret/key" : "secret/other", "")
        case "/v1/txn": ("", "[{\"KV\":{\"Verb\":\"set\",\"Key\":\"secret/txn\",\"Value\":\"eA==\"}}]")
        case "/v1/session/create": ("", "{\"Node\":\"secret-node\",\"NodeChecks\":[],\"Checks\":[]}")
        case "/v1/session/destroy/", "/v1/session/renew/", "/v1/session/info/": (session, "")
        case "/v1/health/state/": ("any", "")
        case "/v1/health/service/", "/v1/health/checks/", "/v1/catalog/service/": ("secret-web", "")
        case "/v1/health/connect/", "/v1/catalog/connect/": ("secret-web", "")
        case "/v1/catalog/register": ("", "{\"Node\":\"secret-new\",\"Address\":\"10.0.0.7\"}")
        case "/v1/catalog/deregister": ("", "{\"Node\":\"secret-gone\"}")
        case "/v1/coordinate/update": ("", "{\"Node\":\"secret-node\",\"Coord\":{\"Vec\":[0,0,0,0,0,0,0,0]}}")
        case "/v1/operator/raft/peer": ("?id=secret", "")
        case "/v1/operator/keyring": ("", method == "GET" ? "" : "{\"Key\":\"c2VjcmV0c2VjcmV0c2VjcmV0\"}")
        case "/v1/operator/autopilot/configuration": ("", method == "GET" ? "" : "{}")
        case "/v1/agent/service/register": ("", "{\"Name\":\"secret-local\"}")
        case "/v1/agent/service/maintenance/": ("secret-local?enable=true", "")
        case "/v1/agent/maintenance": ("?enable=true", "")
        case "/v1/agent/service/", "/v1/agent/service/deregister/", "/v1/agent/health/service/id/", "/v1/agent/health/service/name/":
            ("secret-local", "")
        case "/v1/agent/check/register": ("", "{\"Name\":\"secret-check\",\"TTL\":\"1h\"}")
        case "/v1/agent/check/update/": ("secret-check", "{\"Status\":\"passing\"}")
        case _ where path.hasPrefix("/v1/agent/check/"): ("secret-check", "")
        case _ where path.hasSuffix("/"): ("secret-node", "")
        default: ("", "")
        }
    }

    private static func methods(of route: Route) -> [String] {
        let known = ["GET", "PUT", "POST", "DELETE"].filter(route.methods.contains)
        return known.isEmpty ? ["GET"] : known
    }

    private static func text(_ route: Route) -> String { String(decoding: route.path, as: UTF8.self) }

    /// What a request of a route has come to: asked by somebody who may do nothing and, for rows, by somebody who may do everything.
    private struct Outcome {
        var path: String
        var method: String
        var status = 200
        var denied = ""
        var allowed = ""
        var asked: [Permission] = []
    }

    @Test(arguments: [0, 1])
    func `who may do nothing gets nothing from any route`(member: Int) throws {
        let rules = RecordingRules()
        let (cluster, session) = try SecretCluster.make(rules)
        for route in RouteTable.shared.routes {
            for method in Self.methods(of: route) {
                var outcome = Outcome(path: Self.text(route), method: method)
                let (behind, body) = Self.sample(method, outcome.path, session: session)
                let line = "\(method) \(outcome.path)\(behind)"
                rules.denies = true
                rules.forget()
                let denied = try #require(cluster.ask(member, line, body: body), "\(line) is not answered")
                rules.denies = false
                (outcome.status, outcome.denied, outcome.asked) = (denied.status, denied.text, rules.asked)
                if case .filters = route.permission {
                    outcome.allowed = try #require(cluster.ask(member, line, body: body), "\(line) is not answered").text
                }
                // A client agent refuses without asking a server.
                if case .needs(.keyring) = route.permission, member == 1 {
                    #expect(outcome.denied == "keyring operations must run against a server node")
                    continue
                }
                let problems = Self.problems(outcome, route.permission)
                #expect(problems.isEmpty, "\(line): \(problems), \(outcome)")
            }
        }
    }

    /// What is wrong with an outcome, given what its route says of itself.
    private static func problems(_ outcome: Outcome, _ permission: RoutePermission) -> [String] {
        var problems: [String] = []
        switch permission {
        case .openToEverybody:
            if !open.contains(outcome.path) { problems.append("is not in the list of open routes") }
        case .answersNothing:
            if !answeringNothing.contains(where: { outcome.path.hasPrefix($0) }) {
                problems.append("is not in the list of what is not built")
            }
            if ![401, 404].contains(outcome.status) || !outcome.asked.isEmpty { problems.append("looks at something") }
        case .needs(let resource): problems += missingDenial(outcome, resource, outcome.method == "GET" ? .read : .write)
        case .always(let resource, let level): problems += missingDenial(outcome, resource, level)
        case .filters(let resource):
            if ![200, 404].contains(outcome.status) { problems.append("is refused") }
            if !asks(outcome, resource, .read) { problems.append("does not ask for \(resource):read") }
            let shows = outcome.allowed.contains("secret") || outcome.path == "/v1/agent/members" && outcome.allowed != outcome.denied
            // No ingress gateway has services yet.
            if !shows && outcome.path != "/v1/health/ingress/" { problems.append("shows nothing to anybody") }
        }
        // A denial names what is missing, which the caller has named first.
        if outcome.denied.contains("secret") && !outcome.denied.hasPrefix("Permission denied: Missing ") {
            problems.append("shows a secret")
        }
        return problems
    }

    private static func asks(_ outcome: Outcome, _ resource: Permission.Resource, _ level: Permission.Level) -> Bool {
        outcome.asked.contains { $0.subject.map { $0 == (resource, level) } ?? false }
    }

    private static func missingDenial(_ outcome: Outcome, _ resource: Permission.Resource, _ level: Permission.Level) -> [String] {
        let texts = ["Permission denied", "Reading keyring denied by ACLs", "Modifying keyring denied due to ACLs"]
        var problems: [String] = []
        if !texts.contains(where: { outcome.denied.contains($0) }) { problems.append("is not denied") }
        if !asks(outcome, resource, level) { problems.append("does not ask for \(resource):\(level)") }
        return problems
    }

    @Test func `a route that asks for nothing, for the wrong thing, or shows rows is found`() {
        var outcome = Outcome(path: "/v1/new", method: "GET")
        #expect(Self.problems(outcome, .openToEverybody) == ["is not in the list of open routes"])
        #expect(Self.problems(outcome, .answersNothing) == ["is not in the list of what is not built", "looks at something"])
        #expect(Self.problems(outcome, .needs(.key)) == ["is not denied", "does not ask for key:read"])
        #expect(Self.problems(outcome, .always(.acl, .write)) == ["is not denied", "does not ask for acl:write"])
        outcome.allowed = "secret"
        #expect(Self.problems(outcome, .filters(.node)) == ["does not ask for node:read"])
        outcome.asked = [.serviceRead("secret"), .nodeWrite("secret")]
        #expect(Self.problems(outcome, .filters(.node)) == ["does not ask for node:read"])
        outcome.asked = [.nodeRead("secret")]
        #expect(Self.problems(outcome, .filters(.node)).isEmpty)
        outcome.denied = "{\"Node\":\"secret\"}"
        #expect(Self.problems(outcome, .filters(.node)) == ["shows a secret"])
        (outcome.denied, outcome.status) = ("Permission denied", 403)
        #expect(Self.problems(outcome, .needs(.node)).isEmpty)
    }

    @Test func `answers from the published state show nothing to who may do nothing`() throws {
        let rules = RecordingRules()
        let (cluster, session) = try SecretCluster.make(rules)
        let state = try #require(cluster.members[0].published)
        var written = 0
        for route in RouteTable.shared.routes where Self.methods(of: route).contains("GET") {
            let (behind, _) = Self.sample("GET", Self.text(route), session: session)
            let line = "GET \(Self.text(route))\(behind)"
            for denies in [true, false, true] {
                rules.denies = denies
                // A front end of its own: what it keeps belongs to one set of rules.
                var frontEnd = FrontEnd(settings: cluster.members[0].settings, gzip: AgentCluster.NoGzip(), seed: 1)
                var out: [UInt8] = []
                let answer = frontEnd.answer(
                    request(line), framing: HTTPFraming(), state: state, now: cluster.now, date: [], into: &out)
                guard case .written = answer else { continue }
                written += 1
                if denies { #expect(!String(decoding: out, as: UTF8.self).contains("secret"), "\(line)") }
            }
        }
        #expect(written > 20)
    }
}
