extension Dispatcher {
    /// Everything that `consul` does.
    static func all(startAgent: @escaping (AgentStart) -> Int32) -> Dispatcher {
        Dispatcher(
            commands: [
                AgentCommand(start: startAgent), AutopilotGetConfig(), AutopilotSetConfig(), CatalogDatacenters(), CatalogNodes(),
                CatalogServices(), EventCommand(), ExecCommand(), ForceLeave(), Info(), Join(), Keygen(), KeyringCommand(), KVDelete(),
                KVExport(), KVGet(), KVImport(), KVPut(), Leave(), LockCommand(), Maint(), Members(), Monitor(), RaftListPeers(),
                RaftRemovePeer(), Reload(), RTT(), ServicesDeregister(), ServicesRegister(), SnapshotInspect(), SnapshotRestoreCommand(),
                SnapshotSaveCommand(), Validate(), Version(), WatchCommand(),
            ],
            groups: [
                CatalogCommands.group, KVCommands.group, OperatorCommands.group, OperatorCommands.autopilotGroup,
                OperatorCommands.raftGroup, ServicesCommands.group, SnapshotCommands.group,
            ],
            unsupported: ["acl", "config", "connect", "debug", "intention", "login", "logout", "tls"])
    }
}
