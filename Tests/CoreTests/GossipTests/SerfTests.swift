import Testing

@testable import Core

/// Pools of a few members, from their first meeting on.
@Suite struct SerfTests {
    @Test func `members that join know each other`() throws {
        let network = SerfNetwork.pool(5)
        for node in network.nodes.values {
            #expect(node.serf!.members.map(\.name) == ["a", "b", "c", "d", "e"])
            #expect(node.serf!.members.allSatisfy { $0.status == .alive && $0.tags["id"] == $0.name })
            #expect(Set(node.memberEvents) == ["joined:a", "joined:b", "joined:c", "joined:d", "joined:e"])
        }
        guard case .joined(1, .success(1))? = network["b"].told.first(where: { if case .joined = $0 { true } else { false } }) else {
            return #expect(Bool(false), "the join of b is told")
        }
        #expect(network.serf("a").stats["members"] == "5")
        #expect(network.serf("a").stats["member_time"] != "1")
    }

    @Test func `a join that reaches nobody says why`() {
        let network = SerfNetwork()
        network.start("a")
        network.start("b")
        network.crash("b")
        network.join("a", "b", token: 7)
        network.run(for: .seconds(1))
        let results = network["a"].told.compactMap { if case .joined(7, let result) = $0 { result } else { nil } }
        let text = "1 error occurred:\n\t* Failed to join 10.0.0.2: dial tcp 10.0.0.2:8301: connect: connection refused\n\n"
        #expect(results == [.failure(TextError(text))])
    }

    @Test func `events reach everybody once and in the order of their times`() throws {
        let network = SerfNetwork.pool(8)
        network.loss = 10
        for index in 0..<10 {
            let sender = "abcdefgh".map(String.init)[index % 3]
            network.perform(sender) { try! $0.userEvent("deploy", payload: [UInt8(index)], at: $1, into: &$2) }
            network.run(for: .seconds(1))
        }
        network.run(for: .seconds(60))
        for node in network.nodes.values {
            #expect(node.userEvents.map(\.payload) == (0..<10).map { [UInt8($0)] }, "\(node.name)")
            #expect(node.userEvents.map(\.ltime) == Array(1...10))
        }
    }

    @Test func `events that are too large are refused`() throws {
        let network = SerfNetwork.pool(1)
        func fire(_ name: String, _ count: Int) -> String? {
            var text: String?
            network.perform("a") { serf, now, effects in
                do throws(TextError) {
                    try serf.userEvent(name, payload: Array(repeating: 0, count: count), at: now, into: &effects)
                } catch {
                    text = error.text
                }
            }
            return text
        }
        #expect(fire("deploy", 506 + 1) == "user event exceeds configured limit of 512 bytes before encoding")
        #expect(fire("deploy", 506) == "encoded user event exceeds configured limit of 512 bytes after encoding")
        #expect(fire("deploy", 400) == nil)
    }

    @Test func `who joins is not told of old events unless it asks`() throws {
        let network = SerfNetwork.pool(2)
        network.perform("a") { try! $0.userEvent("old", payload: [], at: $1, into: &$2) }
        network.run(for: .seconds(5))
        network.start("c")
        network.join("c", "a")
        network.start("d")
        network.perform("d") { $0.join([.address(network["a"].address)], ignoresOldEvents: false, token: 1, at: $1, into: &$2) }
        network.run(for: .seconds(5))
        network.perform("a") { try! $0.userEvent("new", payload: [], at: $1, into: &$2) }
        network.run(for: .seconds(5))
        #expect(network["c"].userEvents.map(\.name) == ["new"])
        #expect(network["d"].userEvents.map(\.name) == ["old", "new"])
    }

    @Test func `a leave is told as a leave, a crash as a failure`() throws {
        let network = SerfNetwork.pool(5)
        network.perform("d") { $0.leave(at: $1, into: &$2) }
        network.crash("e")
        network.run(for: .seconds(60))
        for name in ["a", "b", "c"] {
            #expect(network[name].status(of: "d") == .left)
            #expect(network[name].status(of: "e") == .failed)
            #expect(network[name].memberEvents.suffix(2).sorted() == ["failed:e", "left:d"])
            #expect(network.serf(name).stats["left"] == "1" && network.serf(name).stats["failed"] == "1")
        }
        let ends = network["d"].told.compactMap { if case .left(let error) = $0 { error?.text ?? "left" } else { nil } }
        #expect(ends == ["left"])
        #expect(network["d"].snapshotText.split(separator: "\n").contains("leave"))
        network.join("d", "a", token: 3)
        let refusal = network["d"].told.last
        guard case .joined(3, .failure(TextError("Serf can't Join after Leave or Shutdown")))? = refusal else {
            return #expect(Bool(false), "\(String(describing: refusal))")
        }
    }

    @Test func `a member alone leaves at once but for the last delay`() {
        let network = SerfNetwork.pool(1)
        network.perform("a") { $0.leave(at: $1, into: &$2) }
        network.perform("a") { $0.leave(at: $1, into: &$2) }
        network.run(for: .seconds(4))
        let ends = network["a"].told.compactMap { if case .left(let error) = $0 { error?.text ?? "left" } else { nil } }
        #expect(ends == ["Leave already in progress", "left"])
    }

    @Test func `a failed member that comes back is alive again`() {
        let network = SerfNetwork.pool(4)
        network.crash("d")
        #expect(network.wait(for: .seconds(60)) { network["a"].status(of: "d") == .failed })
        network.start("d")
        #expect(network.wait(for: .seconds(30)) { ["a", "b", "c", "d"].allSatisfy { network.serf($0).memberCount(.alive) == 4 } })
        #expect(network["a"].memberEvents.suffix(2) == ["failed:d", "joined:d"])
    }

    @Test func `a member that was cut off is found again by reconnecting`() {
        let network = SerfNetwork.pool(4)
        network["d"].isCut = true
        let isSplit = network.wait(for: .seconds(120)) {
            network.serf("d").memberCount(.failed) == 3 && network.serf("a").memberCount(.failed) == 1
        }
        #expect(isSplit)
        // Long enough for memberlist to forget them.
        network.run(for: .seconds(120))
        network["d"].isCut = false
        #expect(network.wait(for: .minutes(5)) { network.nodes.values.allSatisfy { $0.serf!.memberCount(.alive) == 4 } })
    }

    @Test func `a failed member may be told to have left, and to be forgotten`() {
        let network = SerfNetwork.pool(4)
        network.crash("d")
        network.crash("c")
        #expect(
            network.wait(for: .seconds(60)) { network.serf("a").memberCount(.failed) == 2 && network.serf("b").memberCount(.failed) == 2 })
        network.perform("a") { $0.forceLeave("c", prune: false, token: 5, at: $1, into: &$2) }
        network.perform("a") { $0.forceLeave("d", prune: true, token: 6, at: $1, into: &$2) }
        network.run(for: .seconds(5))
        for name in ["a", "b"] {
            #expect(network[name].status(of: "c") == .left)
            #expect(network[name].status(of: "d") == nil)
            #expect(network[name].memberEvents.suffix(3).sorted() == ["left:c", "left:d", "reaped:d"])
        }
        let ends = network["a"].told.compactMap {
            if case .removed(let token, let error) = $0 { "\(token) \(error?.text ?? "")" } else { nil }
        }
        #expect(ends.sorted() == ["5 ", "6 "])
    }

    @Test func `a member that is alive refutes its departure`() {
        let network = SerfNetwork.pool(3)
        network.perform("a") { $0.forceLeave("c", prune: false, token: 5, at: $1, into: &$2) }
        #expect(network["a"].status(of: "c") == .leaving)
        network.run(for: .seconds(5))
        for node in network.nodes.values { #expect(node.status(of: "c") == .alive) }
        #expect(!network["a"].memberEvents.contains("left:c"))
    }

    @Test func `those that are gone for long are forgotten`() {
        let network = SerfNetwork.pool(4) {
            $0.reconnectTimeout = .seconds(100)
            $0.tombstoneTimeout = .seconds(50)
        }
        network.perform("c") { $0.leave(at: $1, into: &$2) }
        network.crash("d")
        network.run(for: .seconds(20))
        network.crash("c")
        network.run(for: .seconds(60))
        #expect(network.serf("a").members.map(\.name) == ["a", "b", "d"])
        network.run(for: .seconds(60))
        #expect(network.serf("a").members.map(\.name) == ["a", "b"])
        #expect(network["a"].memberEvents.suffix(2) == ["reaped:c", "reaped:d"])
    }

    @Test func `changed tags are told to all`() {
        let network = SerfNetwork.pool(4)
        network.perform("b") { $0.setTags(["role": "test", "id": "b", "acls": "1"], token: 9, at: $1, into: &$2) }
        network.run(for: .seconds(5))
        for node in network.nodes.values {
            #expect(node.serf?.member(named: "b")?.tags["acls"] == "1")
            #expect(node.serf?.members.first { $0.name == "b" }?.tags["acls"] == "1")
            #expect(node.memberEvents.last == "updated:b")
        }
        let ends = network["b"].told.compactMap { if case .tagsUpdated(9, let error) = $0 { error?.text ?? "" } else { nil } }
        #expect(ends == [""])
        network.perform("b") { $0.setTags(["x": String(repeating: "y", count: 600)], token: 10, at: $1, into: &$2) }
        guard case .tagsUpdated(10, TextError("Encoded length of tags exceeds limit of 512 bytes"))? = network["b"].told.last else {
            return #expect(Bool(false))
        }
    }

    @Test func `strangers are kept out by those who ask`() {
        let network = SerfNetwork()
        for (name, datacenter) in [("a", "dc1"), ("b", "dc1"), ("c", "dc2")] {
            network.start(name) {
                $0.check = .lan(datacenter: datacenter, segment: "", nodeID: name, nodeName: name)
                $0.tags = AgentTags(datacenter: datacenter, nodeID: name, build: "1.8.6:0").tags(in: .lan)
            }
        }
        network.join("b", "a")
        network.join("c", "a", token: 4)
        network.run(for: .seconds(5))
        #expect(network.serf("a").members.map(\.name) == ["a", "b"])
        #expect(network.serf("c").members.map(\.name) == ["c"])
        let results = network["c"].told.compactMap { if case .joined(4, let result) = $0 { result } else { nil } }
        let text = "1 error occurred:\n\t* Failed to join 10.0.0.1: Member 'a' part of wrong datacenter 'dc1'\n\n"
        #expect(results.count == 1)
        // Whichever member comes first in the answer is named.
        guard case .failure(let error)? = results.first else { return #expect(Bool(false)) }
        #expect(error.text == text || error.text == text.split(separator: "'a'").joined(separator: "'b'"))
    }

    @Test func `members learn how far the others are`() throws {
        let network = SerfNetwork.pool(4)
        network.run(for: .seconds(60))
        for node in network.nodes.values {
            let coordinate = node.serf!.coordinate
            #expect(coordinate != .origin && coordinate.isValid)
            for other in network.nodes.values where other.name != node.name {
                #expect(node.serf?.coordinate(of: other.name)?.isValid == true)
            }
        }
    }

    @Test func `a pool does the same whenever it is run`() {
        func transcript() -> [[String]] {
            let network = SerfNetwork.pool(6, seed: 11)
            network.loss = 20
            network.crash("f")
            network.perform("c") { $0.leave(at: $1, into: &$2) }
            network.run(for: .seconds(90))
            return network.nodes.values.map { $0.memberEvents + $0.logs }
        }
        #expect(transcript() == transcript())
    }
}
