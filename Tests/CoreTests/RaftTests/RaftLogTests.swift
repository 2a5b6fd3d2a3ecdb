import Testing

@testable import Core

@Suite struct RaftLogTests {
    @Test func `the ring of recent entries behaves like an array`() {
        var random = Random(seed: 9)
        var ring = EntryRing(first: 5)
        var model: [LogEntry] = []
        var first: UInt64 = 5
        for step in 0..<20_000 {
            switch random.next() % 8 {
            case 0...4:
                let entry = LogEntry(
                    index: first + UInt64(model.count), term: UInt64(step), data: [UInt8](repeating: 1, count: Int(random.next() % 9)))
                ring.append(entry)
                model.append(entry)
            case 5, 6:
                for _ in 0..<Int(random.next() % 4) where !model.isEmpty {
                    ring.removeFirst()
                    model.removeFirst()
                    first += 1
                }
            default:
                guard !model.isEmpty else { continue }
                let keep = random.chance(0.02) ? 0 : max(0, model.count - Int(random.next() % 6))
                ring.truncate(from: first + UInt64(keep))
                model.removeLast(model.count - keep)
                ring.shrink()
            }
            #expect(ring.count == model.count && ring.first == first && ring.weight == model.reduce(0) { $0 + $1.weight })
            if let at = model.indices.randomElement(using: &random) { #expect(ring[first + UInt64(at)] == model[at]) }
        }
    }

    @Test func `terms are found for every entry, whatever was cut off at either end`() {
        var random = Random(seed: 4)
        for _ in 0..<200 {
            var history = StorageHistory(segmentSize: 300)
            var term: UInt64 = 1
            for _ in 0..<12 {
                history.append(Int(random.next() % 7), term: term, size: 10)
                if random.chance(0.6) { term += random.next() % 3 }
                if random.chance(0.2), history.log.lastIndex > history.log.baseIndex + 2 {
                    let index = history.log.lastIndex - random.next() % 2
                    history.truncate(from: index)
                    term += 1
                }
                history.sync()
                let middle = (history.log.baseIndex + history.log.lastIndex) / 2
                if random.chance(0.2), middle > 0, let known = history.log.term(at: middle) { history.snapshot(index: middle, term: known) }
                for index in history.log.firstIndex..<(history.log.lastIndex + 1) {
                    #expect(history.log.term(at: index) == history.state.entries[index]?.term)
                }
                #expect(history.log.term(at: history.log.lastIndex + 1) == nil)
            }
        }
    }
}
