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

    @Test(arguments: [0, 1])
    func `who may do nothing gets nothing from any route`(member: Int) throws {
        let rules = RecordingRules()
        let (cluster, session) = try SecretCluster.make(rules)
        for route in RouteTable.shared.routes {
            let path = Self.text(route)
            for method in Self.methods(of: route) {
                let (behind, body) = Self.sample(method, path, session: session)
                let line = "\(method) \(path)\(behind)"
                rules.denies = true
                rules.forget()
                let denied = try #require(cluster.ask(member, line, body: body), "\(line) is not answered")
                rules.denies = false
                switch route.permission {
                case .openToEverybody: #expect(Self.open.contains(path), "\(path) is not in the list of open routes")
                case .answersNothing:
                    #expect(Self.answeringNothing.contains { path.hasPrefix($0) }, "\(path) is not in the list of routes not built")
                    #expect([401, 404].contains(denied.status) && rules.asked.isEmpty, "\(line)")
                case .needs(.keyring) where member == 1: #expect(denied.text == "keyring operations must run against a server node")
                case .needs(let resource):
                    expectDenial(denied, line, rules, resource, method == "GET" ? .read : .write)
                case .always(let resource, let level): expectDenial(denied, line, rules, resource, level)
                case .filters(let resource):
                    #expect([200, 404].contains(denied.status), "\(line): \(denied.status) \(denied.text)")
                    #expect(rules.wasAsked(resource, .read), "\(line) asks \(rules.asked)")
                    let allowed = try #require(cluster.ask(member, line, body: body))
                    let shows = allowed.text.contains("secret") || path == "/v1/agent/members" && allowed.text != denied.text
                    #expect(shows || path == "/v1/health/ingress/", "\(line) shows nothing to anybody: \(allowed.text)")
                }
                #expect(!denied.text.contains("secret") || Self.namesWhatWasAsked(denied), "\(line): \(denied.text)")
            }
        }
    }

    /// A denial names what is missing, which the caller has named first.
    private static func namesWhatWasAsked(_ answer: HTTPResponse) -> Bool { answer.text.hasPrefix("Permission denied: Missing ") }

    private func expectDenial(
        _ answer: HTTPResponse, _ line: String, _ rules: RecordingRules, _ resource: Permission.Resource, _ level: Permission.Level
    ) {
        let texts = ["Permission denied", "Reading keyring denied by ACLs", "Modifying keyring denied due to ACLs"]
        #expect(texts.contains { answer.text.contains($0) }, "\(line): \(answer.status) \(answer.text)")
        #expect(rules.wasAsked(resource, level), "\(line) asks \(rules.asked)")
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
                var frontEnd = FrontEnd(config: cluster.members[0].config, gzip: AgentCluster.NoGzip(), seed: 1)
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
