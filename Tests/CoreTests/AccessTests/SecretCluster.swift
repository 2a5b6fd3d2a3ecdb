import Testing

@testable import Core

enum SecretCluster {
    /// A server agent and a client agent whose callers may do whatever `rules` say, and a state in which everything is secret. The server
    /// may have rules of its own.
    static func make(_ rules: RecordingRules, server: RecordingRules? = nil) throws -> (AgentCluster, session: String) {
        let cluster = try AgentCluster(clients: 1) {
            $0.access = ($0.identity.isServer ? server ?? rules : rules).access
        }
        func set(_ line: String, _ body: String = "", at member: Int = 0) throws -> String {
            let answer = try #require(cluster.ask(member, line, body: body))
            #expect(answer.status == 200, "\(line): \(answer.text)")
            return answer.text
        }
        _ = try set("PUT /v1/kv/secret/key", "secret")
        let check = "{\"CheckID\":\"secret-check\",\"Name\":\"secret\",\"Status\":\"passing\",\"ServiceID\":\"secret-web\"}"
        _ = try set(
            "PUT /v1/catalog/register",
            "{\"Node\":\"secret-node\",\"Address\":\"10.0.0.8\",\"Service\":{\"Service\":\"secret-web\",\"Address\":\"10.0.0.8\",\"Connect\":{\"Native\":true}},"
                + "\"Checks\":[\(check),{\"CheckID\":\"secret-node-check\",\"Name\":\"secret\",\"Status\":\"passing\"}]}")
        _ = try set("PUT /v1/catalog/register", "{\"Node\":\"secret-gone\",\"Address\":\"10.0.0.9\"}")
        _ = try set("PUT /v1/coordinate/update", "{\"Node\":\"secret-node\",\"Coord\":{\"Vec\":[0,0,0,0,0,0,0,0]}}")
        let created = try set("PUT /v1/session/create", "{\"Node\":\"secret-node\",\"Name\":\"secret\",\"NodeChecks\":[],\"Checks\":[]}")
        for member in 0...1 {
            _ = try set("PUT /v1/agent/service/register", "{\"Name\":\"secret-local\"}", at: member)
            _ = try set("PUT /v1/agent/check/register", "{\"Name\":\"secret-check\",\"TTL\":\"1h\"}", at: member)
            _ = cluster.members[member].agent.membership.events.add(EventMessage(name: "secret-event"))
        }
        cluster.run(for: .seconds(20))
        return (cluster, String(created.split(separator: "\"")[3]))
    }
}
