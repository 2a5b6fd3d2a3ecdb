import Testing

@testable import Core

@Suite struct MemberlistNetworkTests {
    /// `count` members that know each other.
    private func pool(
        _ count: Int, seed: UInt64 = 1, loss: Double = 0, _ change: (inout MemberlistConfig) -> Void = { _ in }
    ) -> MemberlistNetwork {
        let network = MemberlistNetwork(seed: seed)
        network.loss = loss
        for _ in 0..<count { network.add(change) }
        for index in 1..<max(1, count) { network.join(index, 0) }
        network.run(for: .seconds(10))
        return network
    }

    @Test func `members that join learn of all others`() {
        for loss in [0, 0.2] {
            let network = pool(8, seed: 5, loss: loss)
            network.run(for: .seconds(60))
            for index in 0..<8 {
                #expect(network.machines[index].aliveCount == 8, "\(network.view(index))")
                #expect(network.machines[index].delegate.joins.allSatisfy { $0.contacted == 1 && $0.error == nil })
                #expect(network.machines[index].delegate.events.filter { $0.hasPrefix("+") }.count == 8)
            }
        }
    }

    @Test func `a member that stops is declared dead by all, told by its name, and forgotten`() {
        let network = pool(5)
        network.silent = [3]
        network.run(for: .seconds(40))
        for index in [0, 1, 2, 4] {
            #expect(network.machines[index].delegate.events.last == "-n3 dead")
            #expect(network.machines[index].healthScore == 0)
        }
        #expect(network.logs.contains { $0.contains("info: Marking n3 as failed, suspect timeout reached (") })
        #expect(network.logs.contains { $0.hasSuffix("info: Suspect n3 has failed, no acks received") })
        network.run(for: .seconds(60))
        for index in [0, 1, 2, 4] {
            #expect(network.machines[index].state(of: "n3") == nil)
            #expect(network.machines[index].knownCount == 4)
        }
        // The member comes back like a new one.
        network.silent = []
        network.join(3, 1)
        network.run(for: .seconds(20))
        #expect(network.consensus(on: "n3") == .alive)
    }

    @Test func `a member that was only silent for a while refutes`() {
        let network = pool(6, seed: 9)
        network.silent = [2]
        network.run(for: .seconds(4))
        #expect((0..<6).contains { network.machines[$0].state(of: "n2") == .suspect })
        network.silent = []
        network.run(for: .seconds(20))
        #expect(network.consensus(on: "n2") == .alive)
        #expect(network.machines[2].ownIncarnation > 1)
        #expect(network.machines[2].healthScore == 0)
        for index in 0..<6 { #expect(!network.machines[index].delegate.events.contains { $0.hasPrefix("-") }) }
        #expect(network.logs.contains { $0.hasPrefix("n2 warn: Refuting a suspect message (from: n") })
    }

    @Test func `loss between two members is no reason for suspicion`() {
        let network = pool(5, seed: 3)
        network.lostPairs = [[0, 1], [1, 0]]
        network.run(for: .seconds(60))
        #expect(network.logs.contains { $0.contains("Failed ping: n1 (timeout reached)") })
        for index in 0..<5 { #expect(network.machines[index].aliveCount == 5) }
        #expect(!network.logs.contains { $0.contains("Suspect") })
    }

    @Test func `a member that only streams reach is not suspected`() {
        let network = pool(4, seed: 4)
        network.withoutPackets = [1]
        network.run(for: .seconds(30))
        let text = "Was able to connect to n1 but other probes failed, network may be misconfigured"
        #expect(network.logs.contains { $0 == "n0 warn: \(text)" })
        #expect(!network.logs.contains { $0.contains("Suspect n1") })
    }

    @Test func `much loss does not kill anybody`() {
        let network = pool(10, seed: 6, loss: 0.25)
        network.run(for: .seconds(120))
        network.loss = 0
        network.run(for: .seconds(60))
        for index in 0..<10 {
            #expect(network.machines[index].aliveCount == 10)
            #expect(!network.machines[index].delegate.events.contains { $0.hasPrefix("-") })
        }
    }

    @Test func `a member that leaves is known as left and not probed`() {
        let network = pool(4)
        network.use(2) { $0.leave(timeout: .seconds(5), at: network.now, into: &$1) }
        network.run(for: .seconds(10))
        #expect(network.machines[2].delegate.ends == ["leave done"])
        #expect(network.consensus(on: "n2") == .left)
        network.silent = [2]
        network.logs = []
        network.run(for: .seconds(60))
        #expect(network.consensus(on: "n2") == .left)
        #expect(!network.logs.contains { $0.contains("n2") && $0.contains("failed") })
    }

    @Test func `the last but one tells the last that it leaves`() {
        for size in 2...3 {
            let network = pool(size)
            network.use(1) { $0.leave(timeout: .seconds(5), at: network.now, into: &$1) }
            // Four times four gossip intervals.
            network.run(for: .seconds(4))
            #expect(network.machines[1].delegate.ends == ["leave done"])
            #expect(network.consensus(on: "n1") == .left)
        }
    }

    @Test func `changed metadata reaches everybody`() {
        let network = pool(4)
        network.machines[1].delegate.meta = [1, 2, 3]
        network.use(1) { $0.updateNode(token: 9, timeout: .seconds(5), at: network.now, into: &$1) }
        network.run(for: .seconds(6))
        #expect(network.machines[1].delegate.ends == ["update 9 done"])
        for index in 0..<4 {
            #expect(network.machines[index].member("n1")?.meta == [1, 2, 3])
            #expect(network.machines[index].delegate.events.last == "~n1")
        }
    }

    @Test func `user messages are gossiped to everybody`() {
        let network = pool(6)
        network.use(0) { machine, effects in
            machine.delegate.queue.enqueue([7, 7, 7])
            machine.handle(.wake, at: network.now, into: &effects)
        }
        network.run(for: .seconds(5))
        // The delegate does not pass on, so those whom the first one chose have it.
        #expect((1..<6).contains { network.machines[$0].delegate.messages.contains([7, 7, 7]) })
        let address = network.machines[5].config.advertise.text
        network.use(0) { machine, effects in
            machine.send(userMessage: [9], to: address, at: network.now, into: &effects)
        }
        network.run(for: .seconds(1))
        #expect(network.machines[5].delegate.messages.contains([9]))
    }

    @Test func `states of the delegates are exchanged at joining`() {
        let network = MemberlistNetwork(seed: 2)
        for index in 0..<2 { network.add(delegate: { $0.state = [UInt8(index), 1] }) }
        network.join(0, 1)
        network.run(for: .seconds(1))
        #expect(network.machines[0].delegate.states == [[1, 1]])
        #expect(network.machines[1].delegate.states == [[0, 1]])
    }

    @Test func `an encrypted pool works, also while its key changes`() throws {
        let network = MemberlistNetwork(seed: 8)
        let old = [UInt8](repeating: 1, count: 16), new = [UInt8](repeating: 2, count: 32)
        for _ in 0..<4 { network.add(keyring: try GossipKeyring([], primary: old)) }
        for index in 1..<4 { network.join(index, 0) }
        network.run(for: .seconds(10))
        for index in 0..<4 { #expect(network.machines[index].aliveCount == 4) }
        for step in 0..<3 {
            for index in 0..<4 {
                switch step {
                case 0: try network.machines[index].keyring.add(new)
                case 1: try network.machines[index].keyring.use(new)
                default: try network.machines[index].keyring.remove(old)
                }
                network.run(for: .seconds(2))
            }
        }
        network.run(for: .seconds(30))
        for index in 0..<4 { #expect(network.machines[index].aliveCount == 4) }
        #expect(!network.logs.contains { $0.contains("Suspect") || $0.contains("Decrypt") })
    }

    @Test func `an agent without the key is turned away`() throws {
        let network = MemberlistNetwork(seed: 8)
        network.add(keyring: try GossipKeyring([], primary: [UInt8](repeating: 1, count: 16)))
        network.add()
        network.join(1, 0)
        network.join(0, 1)
        network.run(for: .seconds(30))
        #expect(
            network.machines[1].delegate.joins.first?.error
                == "1 error occurred:\n\t* Failed to join 10.0.0.1: Remote state is encrypted and encryption is not configured\n\n")
        #expect(
            network.machines[0].delegate.joins.first?.error
                == "1 error occurred:\n\t* Failed to join 10.0.0.2: Encryption is configured but remote state is not encrypted\n\n")
        #expect(network.machines[0].knownCount == 1)
        #expect(network.machines[1].knownCount == 1)
    }

    @Test func `a member that has nothing to do asks for no wake`() {
        let network = MemberlistNetwork(seed: 1)
        network.add { $0.pushPullInterval = .zero }
        network.run(for: .seconds(100))
        #expect(network.machines[0].deadline == nil)
        #expect(network.packetCount == 0)
    }

    @Test func `the same seed gives the same run`() {
        func digest() -> [String] {
            let network = pool(6, seed: 77, loss: 0.1)
            network.silent = [1]
            network.run(for: .seconds(60))
            return network.logs + ["\(network.packetCount)"] + (0..<6).map { network.view($0) }
        }
        #expect(digest() == digest())
    }

    @Test func `plain SWIM detects failures too`() {
        let network = pool(6, seed: 12) { config in
            config.usesAwareness = false
            config.usesDynamicSuspicion = false
            config.usesBuddySystem = false
        }
        network.silent = [3]
        network.run(for: .seconds(40))
        for index in [0, 1, 2, 4, 5] {
            #expect(network.machines[index].delegate.events.last == "-n3 dead")
            #expect(network.machines[index].healthScore == 0)
        }
    }
}
