import Testing

@testable import Core

@Suite struct HeadQueueTests {
    @Test(arguments: [1, 2, 3] as [UInt64]) func `what is taken is what waited longest, however adding and taking mix`(seed: UInt64) {
        var random = Random(seed: seed)
        var queue = HeadQueue<Int>(), model: [Int] = []
        for number in 0..<20_000 {
            // Long runs of adding alternate with long runs of taking.
            let isAdding = random.chance(number / 1_000 % 2 == 0 ? 0.8 : 0.2)
            if isAdding {
                queue.append(number)
                model.append(number)
            } else {
                #expect(queue.popFirst() == (model.isEmpty ? nil : model.removeFirst()))
            }
            #expect(queue.count == model.count && queue.isEmpty == model.isEmpty && queue.first == model.first)
        }
        queue.forEach { $0 += 1 }
        while let last = queue.popFirst() { #expect(last == model.removeFirst() + 1) }
        #expect(model.isEmpty)
    }

    @Test func `what is taken is not kept alive`() {
        final class Thing {}
        var queue = HeadQueue<Thing>()
        weak var first: Thing?
        do {
            let thing = Thing()
            first = thing
            queue.append(thing)
        }
        queue.append(Thing())
        #expect(first != nil)
        queue.popFirst()
        #expect(first == nil && queue.count == 1)
    }
}
