import Testing

@testable import Core

@Suite struct KVTests {
    private static let s1 = sessionID(1), s2 = sessionID(2)

    private static func withSessions() -> Harness {
        var h = Harness(startingAt: 10)
        h.register("n1")
        h.session(s1, on: "n1")
        h.session(s2, on: "n1")
        h.index = 14
        return h
    }

    @Test func `a plain write to a locked key keeps the session and resets the lock index`() {
        var h = Self.withSessions()
        #expect(h.kv("lock", "a", "v1", session: Self.s1) == .bool(true))
        #expect(h.entry("a")?.lockIndex == 1 && h.entry("a")?.session == Self.s1)
        #expect(h.entry("a")?.index == RaftIndex(create: 15, modify: 15))
        #expect(h.kv("lock", "a", "v1", session: Self.s1) == .bool(true))
        #expect(h.entry("a")?.index.modify == 15)
        #expect(h.kv("set", "a", "v2") == .none)
        #expect(h.entry("a")?.lockIndex == 0 && h.entry("a")?.session == Self.s1 && h.entry("a")?.index.modify == 17)
        #expect(h.kv("unlock", "a", "v3", session: Self.s1) == .bool(true))
        #expect(h.entry("a")?.lockIndex == 0 && h.entry("a")?.session == "" && h.entry("a")?.value == Array("v3".utf8))
        #expect(h.kv("lock", "a", "v1", session: Self.s1) == .bool(true))
        #expect(h.entry("a")?.lockIndex == 1 && h.entry("a")?.index == RaftIndex(create: 15, modify: 19))
    }

    @Test func `a lock is taken by one session and released by its holder only`() {
        var h = Self.withSessions()
        #expect(h.kv("lock", "k", "1", session: Self.s1) == .bool(true))
        #expect(h.kv("lock", "k", "2", session: Self.s2) == .bool(false))
        #expect(h.kv("unlock", "k", "2", session: Self.s2) == .bool(false))
        #expect(h.kv("unlock", "absent", session: Self.s1) == .bool(false))
        #expect(h.kv("unlock", "k", session: "anything") == .bool(false))
        // A held lock does not protect the value.
        #expect(h.kv("set", "k", "3") == .none)
        #expect(h.kv("unlock", "k", "4", session: Self.s1) == .bool(true))
        #expect(h.kv("lock", "k", "5", session: Self.s2) == .bool(true))
        #expect(h.entry("k")?.lockIndex == 1)
        h.kv("unlock", "k", session: Self.s2)
        h.kv("lock", "k", session: Self.s2)
        #expect(h.entry("k")?.lockIndex == 2)
    }

    @Test func `a lock without a session that exists is refused`() {
        var h = Self.withSessions()
        #expect(h.kv("lock", "k", session: "") == .error("missing session"))
        #expect(h.kv("unlock", "k", session: "") == .error("missing session"))
        #expect(h.kv("lock", "k", session: "notauuid") == .error("failed session lookup: index error: UUID must be 36 characters"))
        let unknown = sessionID(77)
        #expect(h.kv("lock", "k", session: unknown) == .error("invalid session \"\(unknown)\""))
        #expect(h.kv("bogus", "k") == .error("Invalid KVS operation 'bogus'"))
    }

    @Test func `the holder is known by the spelling of its ID but ends under any`() {
        var h = Harness()
        h.register("n1")
        let id = "71202cee-2053-b496-1309-aaaaaaaaaaaa", shouted = "71202CEE-2053-B496-1309-AAAAAAAAAAAA"
        h.session(id, on: "n1")
        #expect(h.kv("lock", "k", session: shouted) == .bool(true))
        #expect(h.kv("lock", "k", session: id) == .bool(false))
        #expect(h.kv("unlock", "k", session: id) == .bool(false))
        h.destroy(id)
        #expect(h.entry("k")?.session == "")
    }

    @Test func `an identical write moves nothing`() {
        var h = Harness()
        h.kv("set", "k", "v", flags: 3)
        h.kv("set", "k", "v", flags: 3)
        #expect(h.changes.isEmpty)
        #expect(h.entry("k")?.index == RaftIndex(create: 1, modify: 1))
        #expect(h.kv("cas", "k", "v", flags: 3, index: 1) == .bool(true))
        #expect(h.entry("k")?.index.modify == 1 && h.index(.kv(.list(prefix: ""))) == 1)
        h.kv("set", "k", "v")
        #expect(h.entry("k")?.index == RaftIndex(create: 1, modify: 4) && h.entry("k")?.flags == 0)
    }

    @Test func `check-and-set writes only what is as the client believes`() {
        var h = Harness()
        #expect(h.kv("cas", "k", "1", index: 5) == .bool(false))
        #expect(h.kv("cas", "k", "1", index: 0) == .bool(true))
        #expect(h.kv("cas", "k", "2", index: 0) == .bool(false))
        #expect(h.kv("cas", "k", "2", index: 1) == .bool(false))
        #expect(h.kv("cas", "k", "2", index: 2) == .bool(true))
        #expect(h.kv("delete-cas", "k", index: 2) == .bool(false))
        #expect(h.kv("delete-cas", "k", index: 0) == .bool(false))
        #expect(h.kv("delete-cas", "k", index: 5) == .bool(true))
        #expect(h.kv("delete-cas", "k", index: 99) == .bool(true))
        #expect(h.entry("k") == nil)
    }

    @Test func `the indexes of reads follow the captured run`() {
        var h = Harness(startingAt: 42)
        h.set("w/a")
        h.set("w/b")
        func row() -> [UInt64] {
            [
                h.index(.kv(.get(key: "w/a"))), h.index(.kv(.get(key: "w/b"))), h.index(.kv(.list(prefix: "w/"))),
                h.index(.kv(.list(prefix: "x"))),
                h.index(.kv(.keys(prefix: "", separator: ""))), h.index(.kv(.get(key: "nope"))),
            ]
        }
        #expect(row() == [43, 44, 44, 44, 44, 44])
        h.set("other", "1")
        #expect(row() == [43, 44, 44, 45, 45, 45])
        h.set("w/a")
        #expect(row() == [43, 44, 44, 45, 45, 45])
        h.set("w/a", "new")
        #expect(row() == [47, 44, 47, 47, 47, 47])
        h.kv("delete", "w/a")
        #expect(row() == [48, 44, 48, 48, 48, 48])
        h.set("other", "2")
        #expect(row() == [49, 44, 48, 49, 49, 49])
        h.kv("delete-tree", "w/")
        #expect(row() == [50, 50, 50, 50, 50, 50])
        h.set("other", "3")
        #expect(row() == [51, 51, 50, 51, 51, 51])
        h.kv("delete-tree", "w/")
        #expect(row() == [51, 51, 50, 51, 51, 51])
    }

    @Test func `a deleted tree is found by shorter prefixes, not by longer ones`() {
        var h = Harness(startingAt: 44)
        h.set("p/a")
        h.kv("delete", "p/a")
        h.set("p/b")
        h.index = 46
        h.kv("delete-tree", "p")
        #expect(h.index(.kv(.list(prefix: "p"))) == 47)
        #expect(h.index(.kv(.list(prefix: "p/"))) == 46)
        #expect(h.index(.kv(.list(prefix: "pa"))) == 47)
        h.set("q/1")
        #expect(h.index(.kv(.list(prefix: "p"))) == 47 && h.index(.kv(.list(prefix: "pa"))) == 48)
    }

    @Test func `reaping tombstones moves no index of the table`() {
        var h = Harness()
        h.set("w/a")
        h.set("w/b")
        h.kv("delete", "w/b")
        #expect(h.changes.tombstoneIndex == 3)
        h.set("other")
        #expect(h.index(.kv(.list(prefix: "w/"))) == 3)
        #expect(h.reap(upTo: 2) == .none)
        #expect(h.index(.kv(.list(prefix: "w/"))) == 3)
        #expect(h.reap(upTo: 3) == .none)
        #expect(h.changes.isEmpty)
        #expect(h.index(.kv(.list(prefix: "w/"))) == 1 && h.index(.kv(.list(prefix: ""))) == 4)
        h.kv("delete", "w/a")
        _ = h.reap(upTo: 100)
        h.set("other", "2")
        #expect(h.index(.kv(.list(prefix: "w/"))) == 9)
    }

    @Test func `a key deleted again is reaped at its last deletion`() {
        var h = Harness()
        for _ in 0..<2 {
            h.set("w/a")
            h.kv("delete", "w/a")
        }
        _ = h.reap(upTo: 2)
        #expect(h.index(.kv(.list(prefix: "w/"))) == 4 && h.store.tombstones["w/a"] == 4)
        _ = h.reap(upTo: 4)
        #expect(h.store.tombstones.isEmpty && h.store.tombstonesByIndex.isEmpty)
    }

    @Test func `deleting the whole tree leaves no tombstone`() {
        var h = Harness()
        h.set("a")
        h.set("b")
        h.kv("delete-tree", "")
        #expect(h.index(.kv(.list(prefix: ""))) == 3 && h.index(.kv(.list(prefix: "a"))) == 3)
        #expect(h.changes.tombstoneIndex == 0)
        #expect(h.store.tombstones.isEmpty && h.store.kvs.isEmpty)
    }

    @Test func `a tree is every key that starts with its prefix`() {
        var h = Harness()
        for key in ["p", "pa", "p/1", "q"] as [ByteString] { h.set(key) }
        h.kv("delete-tree", "p")
        #expect(h.keys("") == ["q"])
    }

    @Test func `keys are cut behind the separator`() {
        var h = Harness()
        for key in ["a b/c", "a/", "a/b", "a/b/c", "a/d/e", "foo"] as [ByteString] { h.set(key) }
        #expect(h.keys("a/") == ["a/", "a/b", "a/b/c", "a/d/e"])
        #expect(h.keys("a/", separator: "/") == ["a/", "a/b", "a/b/", "a/d/"])
        #expect(h.keys("a", separator: "/") == ["a b/", "a/"])
        #expect(h.keys("", separator: "/") == ["a b/", "a/", "foo"])
        #expect(h.keys("a/b", separator: "b") == ["a/b", "a/b/c"])
        #expect(h.keys("x") == [])
    }

    @Test func `lists are sorted by bytes and hold what starts with the prefix`() {
        var h = Harness()
        for key in ["b", "a", "B", "é", "a/"] as [ByteString] { h.set(key) }
        #expect(h.keys("") == ["B", "a", "a/", "b", "é"])
        guard case .entries(let entries) = h.find(.kv(.list(prefix: "a"))).0 else { return }
        #expect(entries.map(\.key) == ["a", "a/"])
    }

    @Test func `keys are bytes, not text`() {
        var h = Harness()
        let composed = ByteString("\u{E9}"), decomposed = ByteString("e\u{301}"), raw = ByteString([0xFF, 0x00, 0x80])
        h.set(composed, "1")
        h.set(decomposed, "2")
        h.set(raw, "3")
        #expect(h.store.kvs.count == 3)
        #expect(h.entry(raw)?.value == Array("3".utf8))
    }

    @Test(arguments: 0..<20)
    func `lists and indexes of prefixes are those of a walk through all keys`(seed: UInt64) {
        var random = Random(seed: seed)
        func text(_ length: ClosedRange<Int>) -> [UInt8] {
            (0..<Int.random(in: length, using: &random)).map { _ in
                [UInt8(ascii: "a"), UInt8(ascii: "/"), 0xFF].randomElement(using: &random)!
            }
        }
        var h = Harness()
        for _ in 0..<400 {
            let key = ByteString(text(1...7))
            switch Int.random(in: 0..<12, using: &random) {
            case 0: h.kv("delete-tree", ByteString(key.bytes.prefix(3)))
            case 1...3: h.kv("delete", key)
            default: h.set(key, "\(h.index)")
            }
        }
        for _ in 0..<100 {
            let prefix = ByteString(text(0...3)), separator = ByteString(text(0...2))
            let below = h.store.kvs.filter { $0.key.hasPrefix(prefix) }
            var expected: [ByteString] = []
            for (key, _) in below {
                var cut = key
                for end in key.bytes.indices where !separator.isEmpty && end + 1 >= prefix.count + separator.count {
                    guard ByteString(key.bytes[...end]).bytes.suffix(separator.count) == separator.bytes[...] else { continue }
                    cut = ByteString(key.bytes[...end])
                    break
                }
                if expected.last != cut { expected.append(cut) }
            }
            let deletions = h.store.tombstones.filter { $0.key.hasPrefix(prefix) }.map(\.value)
            let highest = (below.map(\.value.index.modify) + deletions).max() ?? 0
            let index = prefix.isEmpty || highest == 0 ? h.store.kvIndex : highest
            let (keys, keysIndex) = h.store.keys(prefix, separator: separator)
            #expect(keys == expected && keysIndex == index, "\(prefix.bytes), \(separator.bytes)")
            let (entries, listIndex) = h.store.list(prefix)
            #expect(entries.map(\.key) == below.map(\.key) && entries.count == below.count && listIndex == index)
        }
    }

    @Test func `an empty store reports index 1`() {
        let h = Harness()
        #expect(h.index(.kv(.get(key: "x"))) == 1 && h.index(.kv(.list(prefix: ""))) == 1 && h.index(.kv(.list(prefix: "x"))) == 1)
    }

    @Test func `an empty key is refused`() {
        var h = Harness()
        #expect(h.set("") == .error("Must provide key"))
        #expect(h.kv("delete-tree", "") == .none)
    }
}
