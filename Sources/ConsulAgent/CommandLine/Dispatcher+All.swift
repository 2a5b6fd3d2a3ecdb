extension Dispatcher {
    /// Everything that `consul` does.
    static func all(startAgent: @escaping (AgentStart) -> Int32) -> Dispatcher {
        Dispatcher(
            commands: [
                AgentCommand(start: startAgent), CatalogDatacenters(), CatalogNodes(), CatalogServices(), Info(), KVDelete(), KVExport(),
                KVGet(), KVImport(), KVPut(), Leave(), Members(), RaftListPeers(), RaftRemovePeer(), Reload(), Validate(), Version(),
            ],
            groups: [CatalogCommands.group, KVCommands.group, OperatorCommands.group, OperatorCommands.raftGroup],
            unsupported: [
                "acl", "config", "connect", "debug", "event", "exec", "force-leave", "intention", "join", "keygen", "keyring", "lock",
                "login", "logout", "maint", "monitor", "operator autopilot", "rtt", "services", "snapshot", "tls", "watch",
            ])
    }
}
