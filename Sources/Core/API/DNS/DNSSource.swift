/// Where a look-up takes the catalog from: the published store, or what has been fetched from servers.
///
/// Look-ups are generic over it, so that the store's costs them no indirection.
protocol DNSSource {
    associatedtype Instances: DNSInstances

    /// By its name in any case.
    mutating func node(named name: String) throws(DNSUnreadable) -> Row<Node>?
    /// `text` is the address as it is usually written.
    mutating func node(at address: DNSAddress, _ text: String) throws(DNSUnreadable) -> Row<Node>?
    /// The name of a service with an instance at that address.
    mutating func service(at text: String) throws(DNSUnreadable) -> String?
    mutating func instances(of question: DNSServiceQuestion) throws(DNSUnreadable) -> Instances
}

/// Instances of a service in random order, each looked at only when it is drawn.
protocol DNSInstances {
    /// A random one of the usable instances that are left (dns §6 steps 2 and 4).
    mutating func draw(_ random: inout Random) -> CheckServiceNode?
}

/// The catalog cannot be read: the look-up fails with SERVFAIL.
struct DNSUnreadable: Error {}

/// Which instances are asked for. `tag` is empty for any; it does not count for `connect` and `ingress`.
struct DNSServiceQuestion {
    var service: String
    var tag = ""
    var connect = false
    var ingress = false
}

extension DNSAddress {
    /// Whether a node's address is this one. IPv6 addresses may be spelled in more than one way.
    func isAddress(of node: Node, _ text: String) -> Bool {
        node.address == text || (node.address.utf8.contains(UInt8(ascii: ":")) && DNSAddress(node.address) == self)
    }
}
