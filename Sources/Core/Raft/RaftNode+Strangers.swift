// Whose messages count. Raft takes messages of servers outside its own configuration (dissertation §4.1): a server's configuration may
// be empty or older than the cluster's, and a server may have another address than its configuration says. The protocol has no
// authentication of its own, so such a message may also come from anybody. What it can do is bounded:
//
// - A server is known if its address is in a configuration that this node still holds, or if it is the leader that this node follows.
//   To a node without a configuration every server is known: that is how it joins.
// - Votes and entries of a stranger count as long as no leader is heard: neither an election nor a leader that is needed for progress
//   is held up by a stale configuration. While a leader is heard, a stranger neither replaces it nor makes it step down; a stranger that
//   a quorum has elected is accepted as soon as the old leader has been silent for the heartbeat timeout.
// - A stranger whose term is out of reach (`RaftLimits.strangerTermStepMax`) changes nothing. A known server raises the term by at most
//   `RaftLimits.termStepMax` with one message.
// - A leadership transfer, whose message names nobody, counts if it comes from the host of the leader that this node follows, or from where
//   that leader's entries come.
// - A message that cannot be true (this node's own address as its sender, a second leader in the term that this node leads, a committed
//   entry that differs) is refused and logged. No message ends the process.

extension RaftNode {
    func isKnown(_ address: [UInt8]) -> Bool {
        if let leader, leader.address.utf8.elementsEqual(address) { return true }
        if configuration.isEmpty { return true }
        return configurations.contains { $0.configuration.servers.contains { $0.address.utf8.elementsEqual(address) } }
    }

    /// What comes before the port.
    static func host(of address: Address) -> Substring {
        address.utf8.lastIndex(of: UInt8(ascii: ":")).map { address[..<$0] } ?? address[...]
    }

    /// The part of a peer's term that this node adopts at once.
    func reachable(_ peerTerm: UInt64) -> UInt64 { min(peerTerm, term + RaftLimits.termStepMax) }

    /// Why a message with that term, not below this node's, and that sender changes nothing; nil if it counts.
    func strangeness(_ messageTerm: UInt64, _ address: [UInt8]) -> String? {
        if address == addressBytes { return "it carries this server's own address" }
        if isKnown(address) { return nil }
        if messageTerm - term > RaftLimits.strangerTermStepMax { return "it is no server of this cluster, and its term is out of reach" }
        return hearsLeader(otherThan: address) ? "it is no server of this cluster, which has a leader" : nil
    }

    /// Logs that a message was refused, at most once per heartbeat timeout.
    func logRefusal(of what: String, from address: [UInt8], _ why: String, _ out: inout [RaftEffect]) {
        guard refusalLoggedAt.map({ now - $0 >= config.heartbeatTimeout }) ?? true else { return }
        refusalLoggedAt = now
        let sender = LogText.value(String(decoding: address.prefix(VoteRecord.candidateMax), as: UTF8.self))
        out.append(.log(.error, "refusing \(what): from=\(sender) reason=\(LogText.value(why))"))
    }
}
