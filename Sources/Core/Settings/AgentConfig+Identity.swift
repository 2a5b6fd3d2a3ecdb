// How others know an agent: its addresses, its tags in the gossip pools, its row in the catalog.

extension AgentConfig {
    /// Servers that know each other from the start need no gossip.
    var gossips: Bool { initialServers.isEmpty }

    /// `1.8.6:7f2d3ce0`
    static var build: String { "\(compatibilityVersion):\(revision.prefix(8))" }

    /// What the members of a pool are told of this agent.
    func tags(in pool: GossipPool) -> StringMap {
        var tags = AgentTags(datacenter: datacenter, nodeID: nodeID, build: Self.build)
        tags.version = protocolVersion
        if server {
            var own = AgentTags.Server(port: serverPort, wanJoinPort: serfWANPort > 0 ? serfWANPort : nil)
            own.raftVersion = raftProtocol
            own.bootstrap = announcesBootstrap
            own.expect = bootstrapExpect
            own.isNonVoter = nonVotingServer
            tags.server = own
        }
        return tags.tags(in: pool)
    }

    /// Where this server is reached by others, as Raft names it.
    public var raftAddress: Address {
        HostPort.join(advertiseAddress, serverPort)
    }

    /// How consensus names this server: with protocol 2 by its address (rpc-raft-wire §5.6).
    var raftID: String { raftProtocol >= 3 ? nodeID : raftAddress }

    /// As the node is registered: the configured metadata and the name of the network segment, which is always empty.
    var registeredNodeMeta: StringMap {
        var meta = nodeMeta
        meta["consul-network-segment"] = ""
        return meta
    }

    /// The advertised addresses by family, and what is configured in addition (behaviour §6.1).
    var nodeTaggedAddresses: StringMap {
        var tagged: StringMap = ["lan": advertiseAddress, "wan": advertiseAddressWAN]
        for (name, address) in [("lan", advertiseAddress), ("wan", advertiseAddressWAN)] {
            if let literal = IPAddress(address) { tagged[name + (literal.isIPv4 ? "_ipv4" : "_ipv6")] = address }
        }
        for (name, address) in taggedAddresses { tagged[name] = address }
        return tagged
    }
}
