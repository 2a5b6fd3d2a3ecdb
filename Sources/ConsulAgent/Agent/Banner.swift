import Core

/// What an agent says before its log. Spec: cli §5.4.
enum Banner {
    static func text(_ configuration: Configuration) -> String {
        let agent = configuration.agent, process = configuration.process
        let clients = process.clientAddresses.joined(separator: " ")
        let ports =
            "HTTP: \(agent.addresses.httpPort), HTTPS: \(agent.addresses.httpsPort), gRPC: \(agent.addresses.grpcPort), DNS: \(agent.addresses.dnsPort)"
        let lines = [
            ("Version", "'\(AgentSettings.compatibilityVersion)'"),
            ("Node ID", "'\(agent.identity.nodeID)'"),
            ("Node name", "'\(agent.identity.nodeName)'"),
            ("Datacenter", "'\(agent.identity.datacenter)' (Segment: '\(agent.identity.isServer ? "<all>" : "")')"),
            ("Server", "\(agent.identity.isServer) (Bootstrap: \(process.showsBootstrap))"),
            ("Client Addr", "[\(clients)] (\(ports))"),
            ("Cluster Addr", "\(agent.addresses.advertise) (LAN: \(agent.gossip.lan.port), WAN: \(agent.gossip.wan.port))"),
            ("Encrypt", "Gossip: \(agent.gossip.encryptKey != nil), TLS-Outgoing: false, TLS-Incoming: false, Auto-Encrypt-TLS: false"),
        ]
        let facts = lines.map { label, value in String(repeating: " ", count: 18 - label.count) + "\(label): \(value)\n" }
        return "==> Starting Consul agent...\n" + facts.joined() + "\n==> Log data will now stream in as it occurs:\n\n"
    }
}
