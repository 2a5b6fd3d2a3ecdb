// How others know an agent: its addresses, its tags in the gossip pools, its row in the catalog.

extension AgentSettings {
    /// Servers that know each other from the start need no gossip.
    var gossips: Bool { raft.initialServers.isEmpty }

    /// `1.8.6:7f2d3ce0`
    static var build: String { "\(compatibilityVersion):\(revision.prefix(8))" }

    /// What the members of a pool are told of this agent.
    func tags(in pool: GossipPool) -> StringMap {
        var tags = AgentTags(datacenter: identity.datacenter, nodeID: identity.nodeID, build: Self.build)
        tags.version = gossip.protocolVersion
        if identity.isServer {
            var own = AgentTags.Server(port: addresses.serverPort, wanJoinPort: gossip.wan.port > 0 ? gossip.wan.port : nil)
            own.raftVersion = raft.protocolVersion
            own.bootstrap = raft.announcesBootstrap
            own.expect = raft.bootstrapExpect
            own.isNonVoter = raft.nonVotingServer
            tags.server = own
        }
        return tags.tags(in: pool)
    }

    /// Where this server is reached by others, as Raft names it.
    public var raftAddress: Address {
        HostPort.join(addresses.advertise, addresses.serverPort)
    }

    /// How consensus names this server: with protocol 2 by its address (rpc-raft-wire §5.6).
    var raftID: String { raft.protocolVersion >= 3 ? identity.nodeID : raftAddress }

    /// As the node is registered: the configured metadata and the name of the network segment, which is always empty.
    var registeredNodeMeta: StringMap {
        var meta = reloadable.nodeMeta
        meta["consul-network-segment"] = ""
        return meta
    }

    /// The advertised addresses by family, and what is configured in addition (behaviour §6.1).
    var nodeTaggedAddresses: StringMap {
        var tagged: StringMap = ["lan": addresses.advertise, "wan": addresses.advertiseWAN]
        for (name, address) in [("lan", addresses.advertise), ("wan", addresses.advertiseWAN)] {
            if let literal = IPAddress(address) { tagged[name + (literal.isIPv4 ? "_ipv4" : "_ipv6")] = address }
        }
        for (name, address) in identity.taggedAddresses { tagged[name] = address }
        return tagged
    }
}
