/// Names of nodes and files in the pools (gossip §15.1).
public enum PoolNames {
    /// The name of a node among its pool's members.
    public static func memberName(_ node: String, datacenter: String, pool: GossipPool) -> String {
        pool == .lan ? node : node + "." + datacenter
    }

    /// The name with the datacenter behind it, unless it is there already: what force-leave gives to the WAN pool.
    public static func wanName(_ name: String, datacenter: String) -> String {
        let suffix = "." + datacenter
        return name.utf8.reversed().starts(with: suffix.utf8.reversed()) ? name : name + suffix
    }

    /// The name of a member without the datacenter behind it.
    public static func nodeName(_ member: String, datacenter: String) -> String {
        let suffix = "." + datacenter
        guard member.utf8.reversed().starts(with: suffix.utf8.reversed()) else { return member }
        return String(decoding: member.utf8.dropLast(suffix.utf8.count), as: UTF8.self)
    }

    /// The file of the data directory in which a pool's members are remembered.
    public static func snapshotFile(_ pool: GossipPool) -> String { pool == .lan ? "serf/local.snapshot" : "serf/remote.snapshot" }
}
