import Testing

@testable import Core

/// The rules of gossip §8.
@Suite struct MemberlistStateTests {
    private let bench = MemberlistBench()

    @Test func `this node is the first member`() {
        let bench = MemberlistBench()
        #expect(bench.machine.localNode?.incarnation == 1)
        #expect(bench.machine.members.map(\.name) == ["me"])
        #expect(bench.queued(MemberlistBench.alive("me", at: 0)))
    }

    @Test func `metadata that is too long is refused`() {
        var machine = Memberlist(
            config: .lan(name: "me", advertise: MemberlistBench.address(0)),
            delegate: MemberlistTestDelegate(meta: [UInt8](repeating: 0, count: 513)), seed: 1, at: .zero)
        var effects: [GossipEffect] = []
        #expect(machine.start(at: .zero, into: &effects) == "Node meta data provided is longer than the limit")
    }

    @Test func `a new member is passed on`() {
        _ = bench.takeQueue()
        bench.alive("a", meta: [1])
        #expect(bench.events == ["+a"])
        #expect(bench.state("a") == .alive)
        #expect(bench.queued(MemberlistBench.alive("a", meta: [1])))
        bench.alive("a", meta: [2])
        #expect(bench.events.isEmpty)
        #expect(bench.takeQueue().isEmpty)
    }

    @Test func `a newer incarnation brings new metadata`() {
        bench.alive("a", meta: [1])
        bench.alive("a", 2, meta: [2])
        #expect(bench.events == ["+a", "~a"])
        #expect(bench.machine.member("a")?.meta == [2])
        bench.alive("a", 3, meta: [2])
        #expect(bench.events.isEmpty)
        #expect(bench.machine.member("a")?.incarnation == 3)
    }

    @Test func `a member without a port has ours`() {
        var message = MemberlistBench.alive("a")
        message.port = 0
        bench.tell(message)
        #expect(bench.machine.member("a")?.address.text == "10.0.0.1:8301")
    }

    @Test(arguments: [[], [1, 5, 2], [0, 5, 2, 2, 5, 4], [1, 0, 2, 2, 5, 4], [3, 2, 2, 2, 5, 4]])
    func `versions that are missing or wrong are not believed`(versions: [UInt8]) {
        bench.tell(MemberlistBench.alive("a", versions: versions))
        #expect(bench.state("a") == nil)
        #expect(bench.logs.count == 1)
    }

    @Test func `names and metadata beyond all measure are not believed`() {
        bench.alive(String(repeating: "n", count: 1_025))
        bench.alive("a", meta: [UInt8](repeating: 0, count: 20_000))
        #expect(bench.machine.knownCount == 1)
    }

    @Test func `the delegate may refuse a member`() {
        bench.machine.delegate.vetoedMember = "a"
        bench.alive("a")
        #expect(bench.state("a") == nil)
        #expect(bench.logs == ["warn: ignoring alive message for 'a': not wanted"])
    }

    @Test func `only members of the allowed networks are believed`() {
        let bench = MemberlistBench { $0.allowedNetworks = [IPNetwork("10.0.0.0/29")!, IPNetwork("10.0.0.9/32")!] }
        bench.alive("a", at: 2)
        bench.alive("b", at: 20)
        bench.packet(MemberlistBench.alive("c", at: 3).encoded, from: "10.0.0.200:8301")
        #expect(bench.state("a") == .alive)
        #expect(bench.state("b") == nil)
        #expect(bench.state("c") == nil)
    }

    @Test func `a name at two addresses is a conflict`() {
        bench.alive("a", at: 1)
        bench.alive("a", 2, at: 2)
        #expect(bench.events == ["+a", "!a 10.0.0.1:8301 10.0.0.2:8301"])
        #expect(bench.machine.member("a")?.address == MemberlistBench.address(1))
        #expect(bench.logs == ["error: Conflicting address for a. Mine: 10.0.0.1:8301 Theirs: 10.0.0.2:8301 Old state: 0"])
        // The other form of the same address is another address.
        var message = MemberlistBench.alive("a", 3)
        message.address = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1]
        bench.tell(message)
        #expect(bench.events.count == 1)
    }

    @Test func `the name of a node that left is free at once, that of a dead one later`() {
        bench.alive("a")
        bench.dead("a", from: "a")
        #expect(bench.state("a") == .left)
        bench.alive("a", 1, at: 2)
        #expect(bench.state("a") == .alive)
        #expect(bench.machine.member("a")?.address == MemberlistBench.address(2))

        bench.dead("a")
        bench.pass(.seconds(29))
        bench.alive("a", 1, at: 3)
        #expect(bench.state("a") == .dead)
        bench.now += .seconds(2)
        bench.alive("a", 1, at: 3)
        #expect(bench.state("a") == .alive)
        #expect(bench.logs.contains("info: Updating address for left or failed node a from 10.0.0.2:8301 to 10.0.0.3:8301"))
    }

    @Test func `a suspected member is passed on and has its time`() {
        bench.alive("a")
        _ = bench.takeQueue()
        bench.suspect("a", 0)
        #expect(bench.state("a") == .alive)
        bench.suspect("a", 1)
        #expect(bench.state("a") == .suspect)
        #expect(bench.queued(SuspectMessage(accusation: Accusation(incarnation: 1, node: "a", from: "other"))))
        bench.suspect("b", 1)
        #expect(bench.state("b") == nil)
        bench.machine.suspicions.deadline.map { #expect($0 == .zero + .seconds(4)) }
        bench.pass(.seconds(4))
        #expect(bench.state("a") == .dead)
        #expect(bench.events == ["+a", "-a dead"])
        #expect(bench.logs.contains("info: Marking a as failed, suspect timeout reached (0 peer confirmations)"))
    }

    @Test func `a newer incarnation ends a suspicion, an old one does not`() {
        bench.alive("a", 3)
        bench.suspect("a", 3)
        bench.alive("a", 3)
        #expect(bench.state("a") == .suspect)
        bench.alive("a", 4)
        #expect(bench.state("a") == .alive)
        #expect(bench.events == ["+a"])
        #expect(bench.machine.suspicions.deadline == nil)
        bench.suspect("a", 3)
        #expect(bench.state("a") == .alive)
    }

    @Test func `further accusers shorten a suspicion`() {
        for number in 1...8 { bench.alive("n\(number)", at: UInt8(number)) }
        bench.suspect("n1", from: "n2")
        // 9 nodes: 4 s to 24 s, two confirmations wanted.
        #expect(bench.machine.suspicions.deadline == .zero + .seconds(24))
        _ = bench.takeQueue()
        bench.suspect("n1", from: "n2")
        #expect(bench.machine.suspicions.deadline == .zero + .seconds(24))
        #expect(bench.takeQueue().isEmpty)
        bench.suspect("n1", from: "n3")
        #expect(bench.machine.suspicions.deadline == .zero + .milliseconds(11_381))
        #expect(bench.queued(SuspectMessage(accusation: Accusation(incarnation: 1, node: "n1", from: "n3"))))
        bench.now += .seconds(5)
        bench.suspect("n1", from: "n4")
        #expect(bench.state("n1") == .suspect)
        bench.pass(.zero)
        #expect(bench.state("n1") == .dead)
        #expect(bench.machine.counters.degradedTimeout == 0)
    }

    /// The member has just come back, like its accusers: the suspected member could not refute yet.
    @Test func `a member that doubts itself gives the suspected time to speak`() {
        for number in 1...8 { bench.alive("n\(number)", at: UInt8(number)) }
        for incarnation in 1...3 { bench.dead("me", UInt32(incarnation)) }
        #expect(bench.machine.healthScore == 3)
        bench.suspect("n1", from: "n2")
        bench.now += .seconds(20)
        bench.suspect("n1", from: "n3")
        bench.suspect("n1", from: "n4")
        bench.pass(.zero)
        #expect(bench.state("n1") == .suspect)
        // A second for each point of doubt and one more; never longer than without those who confirm.
        #expect(bench.machine.suspicions.deadline == .zero + .seconds(24))
        bench.alive("n1", 2, at: 1)
        #expect(bench.state("n1") == .alive)
        bench.suspect("n5", from: "n2")
        bench.now += .seconds(5)
        bench.suspect("n5", from: "n3")
        bench.suspect("n5", from: "n4")
        #expect(bench.machine.suspicions.deadline == bench.now + .seconds(4))
        bench.pass(.seconds(4))
        #expect(bench.state("n5") == .dead)
    }

    @Test func `without dynamic suspicion accusers do not matter`() {
        let bench = MemberlistBench { $0.usesDynamicSuspicion = false }
        for number in 1...8 { bench.alive("n\(number)", at: UInt8(number)) }
        bench.suspect("n1", from: "n2")
        bench.suspect("n1", from: "n3")
        #expect(bench.machine.suspicions.deadline == .zero + .seconds(4))
    }

    @Test func `to be suspected is refuted`() {
        _ = bench.takeQueue()
        bench.suspect("me", 1)
        #expect(bench.machine.ownIncarnation == 2)
        #expect(bench.machine.healthScore == 1)
        #expect(bench.queued(MemberlistBench.alive("me", 2, at: 0)))
        #expect(bench.logs == ["warn: Refuting a suspect message (from: other)"])
        bench.suspect("me", 1)
        #expect(bench.machine.ownIncarnation == 2)
        bench.dead("me", 7)
        #expect(bench.machine.ownIncarnation == 8)
        #expect(bench.state("me") == .alive)
        bench.dead("me", .max)
        #expect(bench.state("me") == .alive)
    }

    @Test func `a node whose incarnation others push to the end begins anew, and is believed once it is forgotten`() {
        bench.dead("me", .max - 1)
        #expect(bench.machine.ownIncarnation == .max)
        bench.suspect("me", .max)
        #expect(bench.machine.ownIncarnation == 1 && bench.state("me") == .alive)
        #expect(bench.queued(MemberlistBench.alive("me", 1, at: 0)))
        bench.dead("me", .max)
        #expect(bench.machine.ownIncarnation == 2 && bench.state("me") == .alive)
        // The node's metadata changes all the same, also at the highest incarnation.
        bench.dead("me", .max - 1)
        #expect(bench.machine.ownIncarnation == .max)
        bench.machine.announce([7], token: 0)
        #expect(bench.machine.ownIncarnation == 1 && bench.machine.member("me")?.meta == [7])
        // A lower incarnation of another node is not believed before the node is forgotten.
        let other = MemberlistBench()
        other.alive("a", .max)
        other.suspect("a", .max)
        other.alive("a", 1)
        #expect(other.state("a") == .suspect)
        other.pass(.minutes(3))
        #expect(other.machine.member("a") == nil)
        other.alive("a", 1)
        #expect(other.state("a") == .alive)
    }

    @Test func `the health score has an upper bound`() {
        for incarnation in 1...20 { bench.dead("me", UInt32(incarnation)) }
        #expect(bench.machine.healthScore == 7)
        let bench = MemberlistBench { $0.usesAwareness = false }
        for incarnation in 1...20 { bench.dead("me", UInt32(incarnation)) }
        #expect(bench.machine.healthScore == 0)
    }

    @Test func `a claim about this node from before its restart is refuted`() {
        _ = bench.takeQueue()
        bench.alive("me", 1, at: 0)
        #expect(bench.machine.ownIncarnation == 1)
        bench.alive("me", 1, at: 0, meta: [9])
        #expect(bench.machine.ownIncarnation == 2)
        bench.alive("me", 6, at: 0)
        #expect(bench.machine.ownIncarnation == 7)
        #expect(bench.queued(MemberlistBench.alive("me", 7, at: 0)))
        #expect(
            bench.logs.last
                == "warn: Refuting an alive message for 'me' (10.0.0.0:8301) meta:([] VS []), vsn:([1 5 2 2 5 4] VS [1 5 2 2 5 4])")
        bench.alive("me", 9, at: 5)
        #expect(bench.machine.localNode?.address == MemberlistBench.address(0))
    }

    @Test func `a refutation does not replace what is queued about us`() {
        _ = bench.takeQueue()
        bench.suspect("me", 1)
        #expect(bench.machine.queueDepth == 1)
        bench.suspect("me", 2)
        #expect(bench.machine.queueDepth == 1)
        bench.machine.leave(timeout: .zero, at: bench.now, into: &bench.effects)
        #expect(bench.machine.queueDepth == 2)
    }

    @Test func `dead is final until a newer incarnation`() {
        bench.alive("a", 2)
        bench.dead("a", 1)
        #expect(bench.state("a") == .alive)
        bench.dead("a", 2)
        #expect(bench.state("a") == .dead)
        _ = bench.takeQueue()
        bench.dead("a", 2, from: "a")
        #expect(bench.state("a") == .dead)
        #expect(bench.takeQueue().isEmpty)
        bench.alive("a", 2)
        #expect(bench.state("a") == .dead)
        bench.suspect("a", 3)
        #expect(bench.state("a") == .dead)
        bench.alive("a", 3)
        #expect(bench.state("a") == .alive)
        #expect(bench.events == ["+a", "-a dead", "+a"])
    }

    @Test func `dead ones are forgotten after a while, those who left are not`() {
        for name in ["a", "b", "c"] { bench.alive(name, at: name.utf8.first! - 96) }
        bench.dead("a")
        bench.dead("b", from: "b")
        for _ in 0..<28 {
            bench.pass(.seconds(1))
            bench.alive("c", UInt32(bench.now.nanoseconds / 1_000_000_000) + 1, at: 3)
        }
        #expect(bench.state("a") == .dead)
        for _ in 0..<8 {
            bench.pass(.seconds(1))
            bench.alive("c", UInt32(bench.now.nanoseconds / 1_000_000_000) + 1, at: 3)
        }
        #expect(bench.state("a") == nil)
        #expect(bench.state("b") == .left)
        #expect(bench.machine.knownCount == 3)
        bench.alive("a", 1, at: 9)
        #expect(bench.state("a") == .alive)
    }

    @Test func `whoever leaves says so and is not talked out of it`() {
        bench.alive("a")
        _ = bench.takeQueue()
        bench.machine.leave(timeout: .seconds(5), at: bench.now, into: &bench.effects)
        #expect(bench.state("me") == .left)
        #expect(bench.queued(DeadMessage(accusation: Accusation(incarnation: 1, node: "me", from: "me"))))
        bench.alive("me", 5, at: 0)
        bench.suspect("me", 5)
        #expect(bench.state("me") == .left)
        bench.pass(.zero)
        #expect(bench.machine.delegate.ends == ["leave done"])
        bench.machine.leave(timeout: .seconds(5), at: bench.now, into: &bench.effects)
        #expect(bench.machine.delegate.ends == ["leave done", "leave done"])
    }

    @Test func `a leave that nobody can be told has its time`() {
        let bench = MemberlistBench { $0.gossipNodes = 0 }
        bench.alive("a")
        bench.machine.leave(timeout: .milliseconds(10), at: bench.now, into: &bench.effects)
        bench.pass(.milliseconds(10))
        #expect(bench.machine.delegate.ends == ["leave timeout waiting for leave broadcast"])
        let alone = MemberlistBench()
        alone.machine.leave(timeout: .seconds(5), at: .zero, into: &alone.effects)
        #expect(alone.machine.delegate.ends == ["leave done"])
    }

    @Test func `an update has its time too`() {
        let bench = MemberlistBench { $0.gossipNodes = 0 }
        bench.alive("a")
        bench.machine.updateNode(token: 1, timeout: .milliseconds(10), at: bench.now, into: &bench.effects)
        bench.machine.updateNode(token: 2, timeout: .seconds(1), at: bench.now, into: &bench.effects)
        #expect(bench.machine.delegate.ends == ["update 1 done"])
        bench.pass(.seconds(1))
        #expect(bench.machine.delegate.ends == ["update 1 done", "update 2 timeout waiting for update broadcast"])
        #expect(bench.machine.ownIncarnation == 3)
    }
}
