import Testing

@testable import Core

@Suite struct ServerManagerTests {
    private let start = Instant(nanoseconds: 0)

    private func manager(_ names: [String], seed: UInt64 = 1) -> ServerManager {
        var manager = ServerManager(seed: seed, at: start)
        for name in names { manager.add(entry(name)) }
        return manager
    }

    private func entry(_ name: String, _ address: String? = nil) -> ServerEntry {
        ServerEntry(name: name, address: address ?? "\(name):8300", datacenter: "dc1")
    }

    private func names(_ manager: ServerManager) -> [String] { manager.servers.map(\.name) }

    @Test func `servers are called in the order in which they were seen`() {
        var manager = ServerManager(seed: 1, at: start)
        #expect(manager.chosen == nil && manager.isOffline)
        for name in ["b", "a", "c"] { manager.add(entry(name)) }
        #expect(manager.chosen?.name == "b" && !manager.isOffline)
        manager.add(entry("a", "new:1"))
        #expect(names(manager) == ["b", "a", "c"] && manager.servers[1].address == "new:1")
        let removals = [manager.remove("b"), manager.remove("b")]
        #expect(removals == [true, false])
        #expect(names(manager) == ["a", "c"])
    }

    @Test func `only the head can fail`() {
        var manager = manager(["a", "b", "c"])
        manager.failed("b")
        #expect(names(manager) == ["a", "b", "c"])
        manager.failed("a")
        #expect(names(manager) == ["b", "c", "a"])
        var alone = self.manager(["a"])
        alone.failed("a")
        #expect(names(alone) == ["a"])
    }

    @Test func `the first shuffle comes after two minutes, further ones after two to three`() {
        for seed in 0..<50 {
            var manager = manager(["a", "b", "c"], seed: UInt64(seed))
            #expect(manager.deadline == start + .minutes(2))
            let now = start + .minutes(2)
            let early = manager.wake(at: start + .seconds(119)), due = manager.wake(at: now)
            #expect(early == nil && due != nil && manager.deadline == nil)
            let next = manager.pinged(answered: true, at: now)
            #expect(next == nil)
            let wait = manager.deadline! - now
            #expect(wait >= .minutes(2) && wait < .minutes(3))
        }
    }

    @Test func `large clusters shuffle more rarely`() {
        var manager = manager(["a", "b"])
        manager.memberCount = 128 * 600
        let now = start + .minutes(2)
        _ = manager.wake(at: now)
        _ = manager.pinged(answered: true, at: now)
        #expect(manager.deadline == now + .seconds(600))
    }

    @Test func `shuffles come to every order`() {
        var heads = Set<String>()
        for seed in 0..<60 {
            var manager = manager(["a", "b", "c"], seed: UInt64(seed))
            heads.insert(manager.wake(at: start + .minutes(2))!.name)
        }
        #expect(heads == ["a", "b", "c"])
    }

    @Test func `when no server answers, the list stays and the datacenter counts as out of reach`() {
        var manager = manager(["a", "b", "c"])
        let now = start + .minutes(2)
        var pinged = [manager.wake(at: now)!.name]
        while let next = manager.pinged(answered: false, at: now) { pinged.append(next.name) }
        #expect(pinged.sorted() == ["a", "b", "c"] && names(manager) == ["a", "b", "c"] && manager.isOffline)
        #expect(manager.deadline != nil)
        manager.add(entry("a"))
        #expect(!manager.isOffline)
    }

    @Test func `what changes during a shuffle is kept`() {
        var manager = manager(["a", "b", "c"])
        let now = start + .minutes(2)
        let head = manager.wake(at: now)!.name
        let other = ["a", "b", "c"].first { $0 != head }!
        manager.remove(other)
        manager.add(entry("d"))
        _ = manager.pinged(answered: true, at: now)
        #expect(manager.chosen?.name == head && names(manager).sorted() == (["a", "b", "c", "d"].filter { $0 != other }))
        #expect(names(manager).last == "d")
    }

    @Test func `a shuffle whose head has gone is forgotten`() {
        var manager = manager(["a", "b", "c"])
        let now = start + .minutes(2)
        let head = manager.wake(at: now)!.name
        manager.remove(head)
        let before = names(manager)
        _ = manager.pinged(answered: true, at: now)
        #expect(names(manager) == before && manager.deadline != nil)
    }

    @Test func `the timer goes on without servers`() {
        var manager = ServerManager(seed: 1, at: start)
        let due = manager.wake(at: start + .minutes(2))
        #expect(due == nil && manager.deadline! > start + .minutes(2))
        let next = manager.pinged(answered: true, at: start + .minutes(2))
        #expect(next == nil)
    }
}
