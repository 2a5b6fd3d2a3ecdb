/// Names a value in a `Slab`; a slot that is used again has another generation, so a late handle finds nothing.
struct Handle: Hashable {
    var slot: UInt32
    var generation: UInt32

    init(slot: UInt32, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }

    /// The handle as one number, to be told to an agent and back; bit 63 is left to the caller.
    var raw: UInt64 { UInt64(generation & 0x7FFF_FFFF) << 32 | UInt64(slot) }
    init(raw: UInt64) {
        slot = UInt32(truncatingIfNeeded: raw)
        generation = UInt32(truncatingIfNeeded: raw >> 32) & 0x7FFF_FFFF
    }
}

/// Values by handle; insertion, look-up and removal are O(1) and their order is that of the calls.
struct Slab<Value> {
    private var values: [(generation: UInt32, value: Value?)] = []
    private var free: [UInt32] = []
    private(set) var count = 0

    mutating func insert(_ value: Value) -> Handle {
        count += 1
        if let slot = free.popLast() {
            let generation = (values[Int(slot)].generation + 1) & 0x7FFF_FFFF
            values[Int(slot)] = (generation, value)
            return Handle(slot: slot, generation: generation)
        }
        values.append((0, value))
        return Handle(slot: UInt32(values.count - 1), generation: 0)
    }

    subscript(handle: Handle) -> Value? {
        guard handle.slot < values.count, values[Int(handle.slot)].generation == handle.generation else { return nil }
        return values[Int(handle.slot)].value
    }

    /// Changes the value in place, if it is still there.
    mutating func modify(_ handle: Handle, _ change: (inout Value) -> Void) {
        guard handle.slot < values.count, values[Int(handle.slot)].generation == handle.generation, values[Int(handle.slot)].value != nil
        else { return }
        change(&values[Int(handle.slot)].value!)
    }

    @discardableResult
    mutating func remove(_ handle: Handle) -> Value? {
        guard handle.slot < values.count, values[Int(handle.slot)].generation == handle.generation,
            let value = values[Int(handle.slot)].value.take()
        else { return nil }
        free.append(handle.slot)
        count -= 1
        return value
    }

    /// All handles whose value satisfies `condition`, by slot.
    func handles(where condition: (Value) -> Bool) -> [Handle] {
        var found: [Handle] = []
        for (slot, entry) in values.enumerated() {
            if let value = entry.value, condition(value) { found.append(Handle(slot: UInt32(slot), generation: entry.generation)) }
        }
        return found
    }
}
