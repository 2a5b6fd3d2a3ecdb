import Core

/// What an agent says before its log. Spec: cli §5.4.
enum Banner {
    static func text(_ configuration: Configuration) -> String {
        let agent = configuration.agent, process = configuration.process
        let clients = process.clientAddresses.joined(separator: " ")
        let ports = "HTTP: \(agent.httpPort), HTTPS: \(agent.httpsPort), gRPC: \(agent.grpcPort), DNS: \(agent.dnsPort)"
        let lines = [
            ("Version", "'\(AgentConfig.compatibilityVersion)'"),
            ("Node ID", "'\(agent.nodeID)'"),
            ("Node name", "'\(agent.nodeName)'"),
            ("Datacenter", "'\(agent.datacenter)' (Segment: '\(agent.server ? "<all>" : "")')"),
            ("Server", "\(agent.server) (Bootstrap: \(process.showsBootstrap))"),
            ("Client Addr", "[\(clients)] (\(ports))"),
            ("Cluster Addr", "\(agent.advertiseAddress) (LAN: \(agent.serfLANPort), WAN: \(agent.serfWANPort))"),
            ("Encrypt", "Gossip: \(agent.encryptKey != nil), TLS-Outgoing: false, TLS-Incoming: false, Auto-Encrypt-TLS: false"),
        ]
        let facts = lines.map { label, value in String(repeating: " ", count: 18 - label.count) + "\(label): \(value)\n" }
        return "==> Starting Consul agent...\n" + facts.joined() + "\n==> Log data will now stream in as it occurs:\n\n"
    }
}
