import Testing

@testable import Core

@Suite struct SortedMapTests {
    @Test func `a map of pairs is what inserting them one by one comes to`() {
        var random = Random(seed: 5)
        for size in [0, 1, 2, 3, 10, 100, 1_000] {
            for keys in [1, size / 2 + 1, 10 * size + 1] {
                let pairs = (0..<size).map { (String(Int.random(in: 0..<keys, using: &random)), $0) }
                var expected = SortedMap<String, Int>()
                for (key, value) in pairs { expected[key] = value }
                #expect(SortedMap(pairs) == expected)
                #expect(SortedMap(expected.map { ($0.key, $0.value) }) == expected)
            }
        }
    }

    @Test func `a map of very many pairs is built without moving each behind it`() {
        // Inserting 400,000 pairs in falling order one by one would move 80 thousand million.
        let map = SortedMap((0..<400_000).reversed().map { ($0, $0) })
        #expect(map.count == 400_000 && map.first?.key == 0)
    }
}
