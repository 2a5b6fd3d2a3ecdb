import Testing

@testable import Core

/// The map against a sorted array, with shared copies that must never change.
@Suite struct PersistentMapTests {
    private struct Model {
        var pairs: [(key: ByteString, value: Int)] = []

        mutating func set(_ key: ByteString, _ value: Int?) {
            let at = pairs.firstIndex { !($0.key < key) } ?? pairs.count
            let present = at < pairs.count && pairs[at].key == key
            switch (present, value) {
            case (true, let value?): pairs[at].value = value
            case (true, nil): pairs.remove(at: at)
            case (false, let value?): pairs.insert((key, value), at: at)
            case (false, nil): break
            }
        }
    }

    private static func agree(_ map: PersistentMap<ByteString, Int>, _ model: Model) -> Bool {
        map.count == model.pairs.count && map.elementsEqual(model.pairs) { $0.key == $1.key && $0.value == $1.value }
            && map.first?.key == model.pairs.first?.key && map.last?.key == model.pairs.last?.key
    }

    /// Keys as tables have them: paths; long equal beginnings; zero bytes at the end, which the heads of shorter keys have, too; numbers in bytes.
    private enum Style: Int, CaseIterable {
        case paths, long, zeros, numbers

        func key(_ n: Int) -> ByteString {
            switch self {
            case .paths: ByteString("k/\(n % 7)/\(n)")
            case .long: ByteString("a/beginning/that/all/keys/share/" + (n % 5 == 0 ? "" : "and/some/do/not/share/") + "\(n)")
            case .zeros: ByteString(Array("zero\(n / 12)".utf8) + [UInt8](repeating: 0, count: n % 12))
            case .numbers: ByteString((0..<8).map { UInt8(truncatingIfNeeded: n &* 0x9E37 >> (56 - 8 * $0)) })
            }
        }
    }

    private static func randomKey(_ random: inout Random, _ space: Int, _ style: Style = .paths) -> ByteString {
        style.key(Int.random(in: 0..<space, using: &random))
    }

    @Test func `heads and shared prefixes agree with the order of keys`() {
        var random = Random(seed: 3)
        for step in 0..<20_000 {
            let style = Style.allCases[step % 4]
            let a = Self.randomKey(&random, 400, style), b = Self.randomKey(&random, 400, Style.allCases[step / 4 % 4])
            let shared = a.sharedPrefix(with: b)
            #expect(shared == zip(a.bytes, b.bytes).prefix { $0 == $1 }.count)
            for skip in Set([0, shared / 2, shared]) {
                if a < b { #expect(a.head(after: skip) <= b.head(after: skip)) }
            }
        }
    }

    @Test func `whole numbers keep their order, negative ones too`() {
        var map = PersistentMap<Int, Int>()
        let numbers = [0, -1, 1, .max, .min, 1 << 40, -(1 << 40)]
        for number in numbers { map[number] = number }
        #expect(map.map(\.value) == numbers.sorted())
        for number in numbers { #expect(map[number] == number) }
    }

    @Test(arguments: 0..<48)
    func `a map agrees with a sorted array while copies stay what they were`(seed: UInt64) {
        var random = Random(seed: seed)
        let space = [20, 300, 6000][Int(seed % 3)], style = Style.allCases[Int(seed / 3) % 4]
        var map = PersistentMap<ByteString, Int>()
        var model = Model()
        var copies: [(PersistentMap<ByteString, Int>, Model)] = []
        for step in 0..<2000 {
            let key = Self.randomKey(&random, space, style)
            // Phases of growth and of shrinking, so that nodes split and join.
            let removal = (step / 500) % 2 == 0 ? 0.2 : 0.8
            switch random.chance(removal) {
            case true:
                let expected = model.pairs.first { $0.key == key }?.value
                #expect(map.removeValue(forKey: key) == expected)
                model.set(key, nil)
            case false:
                let expected = model.pairs.first { $0.key == key }?.value
                #expect(map.updateValue(step, forKey: key) == expected)
                model.set(key, step)
            }
            if random.chance(0.01) { copies.append((map, model)) }
            if copies.count > 8 { copies.removeFirst() }
        }
        #expect(Self.agree(map, model))
        for (copy, model) in copies { #expect(Self.agree(copy, model)) }
        for (key, value) in model.pairs { #expect(map[key] == value) }
    }

    @Test(arguments: 0..<10)
    func `a map is walked from a lower bound and through a prefix`(seed: UInt64) {
        var random = Random(seed: seed)
        var map = PersistentMap<ByteString, Int>()
        var model = Model()
        for step in 0..<2000 {
            let key = Self.randomKey(&random, 4000)
            map[key] = step
            model.set(key, step)
        }
        for _ in 0..<40 {
            let key = Self.randomKey(&random, 4000)
            let expected = model.pairs.filter { !($0.key < key) }.map(\.value)
            var iterator = map.makeIterator(from: key)
            var walked: [Int] = []
            while let (_, value) = iterator.next() { walked.append(value) }
            #expect(walked == expected)
            var scanned: [Int] = []
            map.scan(from: key) { _, value in
                scanned.append(value)
                return scanned.count < 10
            }
            #expect(scanned == Array(expected.prefix(10)))
            let prefix = ByteString(key.bytes.prefix(Int.random(in: 0...6, using: &random)))
            #expect(map.values(withPrefix: prefix) == model.pairs.filter { $0.key.hasPrefix(prefix) }.map(\.value))
        }
    }

    /// The number of values and the largest one.
    private struct Most: TreeSummary, Equatable {
        var count = 0, largest = 0

        init() {}
        init(_ value: Int) { (count, largest) = (1, value) }

        mutating func add(_ other: Most) { (count, largest) = (count + other.count, max(largest, other.largest)) }
        mutating func replace(_ old: Most, with new: Most) -> Bool {
            if new.largest < old.largest && old.largest == largest { return false }
            (count, largest) = (count + new.count - old.count, max(largest, new.largest))
            return true
        }
    }

    @Test(arguments: 0..<24)
    func `summaries of prefixes are those of the values below them, in copies too`(seed: UInt64) {
        typealias Map = SummarizedMap<ByteString, Int, Most>
        var random = Random(seed: seed)
        let space = [30, 400, 4_000][Int(seed % 3)], style = Style.allCases[Int(seed / 3) % 4]
        func expectRight(_ map: Map) {
            var prefixes = [ByteString([]), ByteString([0xFF]), ByteString("z")]
            for _ in 0..<20 {
                let key = Self.randomKey(&random, space, style)
                prefixes.append(ByteString(key.bytes.prefix(Int.random(in: 0...key.count, using: &random))))
            }
            for prefix in prefixes {
                let values = map.values(withPrefix: prefix)
                let summary = map.summary(prefix: prefix)
                #expect(summary.count == values.count && summary.largest == values.max() ?? 0, "\(prefix)")
            }
        }
        var map = Map()
        var copies: [Map] = []
        for step in 0..<3_000 {
            let key = Self.randomKey(&random, space, style)
            let value = random.chance(0.5) ? step : Int.random(in: 0..<3_000, using: &random)
            if random.chance((step / 750) % 2 == 0 ? 0.1 : 0.7) {
                map.removeValue(forKey: key)
            } else if random.chance(0.2) {
                map.modify(key) { $0 = value }
            } else {
                map[key] = value
            }
            if step % 300 == 0 {
                copies.append(map)
                expectRight(map)
            }
        }
        for copy in copies { expectRight(copy) }
        #expect(map.summary(prefix: "") == map.reduce(into: Most()) { $0.add(Most($1.value)) })
        for key in map.map(\.key) { map.removeValue(forKey: key) }
        #expect(map.summary(prefix: "") == Most())
    }

    @Test func `the end of a prefix is behind all that start with it`() {
        let prefixes: [[UInt8]] = [[], [0], [0xFE], [0xFF], [0xFF, 0xFF], [1, 0xFF], [1, 0xFF, 0xFF], [1, 2]]
        let expected: [[UInt8]?] = [nil, [1], [0xFF], nil, nil, [2], [2], [1, 3]]
        for (prefix, end) in zip(prefixes, expected) { #expect(ByteString(prefix).endOfPrefix == end.map { ByteString($0) }) }
    }

    @Test func `a map takes keys in ascending and in descending order`() {
        var up = PersistentMap<Int, Int>(), down = PersistentMap<Int, Int>()
        for n in 0..<20000 {
            up[n] = n
            down[20000 - n] = n
        }
        #expect(up.map(\.key) == Array(0..<20000))
        #expect(down.map(\.key) == Array(1...20000))
        for n in 0..<20000 { up[n] = nil }
        #expect(up.isEmpty && up.first == nil && up.last == nil)
        while let last = down.last { #expect(down.removeValue(forKey: last.key) != nil) }
        #expect(down.isEmpty)
    }

    @Test func `a value is modified in place, and copies are left alone`() {
        var map = PersistentMap<Int, [Int]>()
        for n in 0..<500 { map[n] = [n] }
        let copy = map
        for n in 0..<500 { map.modify(n) { $0.append(-n) } }
        #expect(map.modify(1000) { $0 = [] } == nil)
        for n in 0..<500 {
            #expect(map[n] == [n, -n])
            #expect(copy[n] == [n])
        }
    }

    @Test func `an empty map holds nothing, whatever is looked up or removed`() {
        var map = PersistentMap<Int, Int>()
        #expect(map.isEmpty && map[1] == nil && map.first == nil && !map.contains(1))
        #expect(map.removeValue(forKey: 1) == nil)
        var iterator = map.makeIterator(from: 3)
        #expect(iterator.next() == nil)
        map.scan(from: 0) { _, _ in true }
    }
}

@Suite struct ByteStringOrderTests {
    @Test(arguments: 0..<20)
    func `byte strings compare like arrays of bytes`(seed: UInt64) {
        var random = Random(seed: seed)
        for _ in 0..<300 {
            let a = (0..<Int.random(in: 0...20, using: &random)).map { _ in UInt8.random(in: 0...1, using: &random) &* 255 }
            let b = random.chance(0.3) ? a + [1] : (0..<Int.random(in: 0...20, using: &random)).map { _ in UInt8(255) }
            for other in [b, Array(a), a.reversed()] { #expect((ByteString(a) == ByteString(other)) == (a == other)) }
            #expect((ByteString(a) < ByteString(b)) == a.lexicographicallyPrecedes(b))
            #expect((ByteString(b) < ByteString(a)) == b.lexicographicallyPrecedes(a))
            #expect(ByteString(a).hasPrefix(ByteString(b)) == a.starts(with: b))
        }
    }
}
