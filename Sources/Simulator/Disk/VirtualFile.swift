import Core

/// The contents of one file as the system shows them, and as they would be found after a loss of power.
///
/// `contents` is what reads see. `durable` is what is certainly on the platters; `pending` is what lies between the two, in order.
/// POSIX promises nothing about `pending` without a sync: a crash keeps any part of it.
final class VirtualFile {
    enum Change {
        case write(offset: Int, bytes: [UInt8])
        case truncate(size: Int)
    }

    static let sectorSize = 512

    private(set) var contents: [UInt8] = []
    private(set) var durable: [UInt8] = []
    private(set) var pending: [Change] = []

    func write(_ bytes: [UInt8], at offset: Int) {
        Self.put(bytes[...], at: offset, into: &contents)
        pending.append(.write(offset: offset, bytes: bytes))
    }

    func truncate(to size: Int) {
        Self.resize(&contents, to: size)
        pending.append(.truncate(size: size))
    }

    func sync() {
        for change in pending {
            switch change {
            case .write(let offset, let bytes): Self.put(bytes[...], at: offset, into: &durable)
            case .truncate(let size): Self.resize(&durable, to: size)
            }
        }
        pending.removeAll(keepingCapacity: true)
    }

    /// The system gives up what it could not write.
    func forgetPending() {
        pending.removeAll()
        contents = durable
    }

    /// What the file holds after a loss of power: everything synced, and of the rest what `survival` and chance leave.
    func losePower(_ survival: Survival, _ random: inout Random) {
        let kept: Int
        switch survival {
        case .nothing: kept = 0
        case .everything: kept = pending.count
        case .prefix: kept = random.int(in: 0...pending.count)
        case .anyPart: kept = pending.count
        }
        for (at, change) in pending.enumerated() where at <= kept {
            // The change at which a prefix ends is torn.
            let whole = at < kept && survival != .anyPart
            if !whole && survival != .prefix && survival != .anyPart { continue }
            switch change {
            case .write(let offset, let bytes):
                if whole { Self.put(bytes[...], at: offset, into: &durable) } else { tear(bytes, at: offset, survival, &random) }
            case .truncate(let size):
                if whole || random.chance(0.5) { Self.resize(&durable, to: size) }
            }
        }
        pending.removeAll()
        contents = durable
    }

    /// Writes part of `bytes`: the first so many of them, or any of the sectors that they touch, some cut within.
    private func tear(_ bytes: [UInt8], at offset: Int, _ survival: Survival, _ random: inout Random) {
        guard !bytes.isEmpty else { return }
        if survival == .prefix {
            Self.put(bytes[..<random.int(in: 0...bytes.count)], at: offset, into: &durable)
            return
        }
        // The length of the file is kept apart from its data: it may have grown over sectors that were never written.
        if random.chance(0.3) && offset + bytes.count > durable.count { Self.resize(&durable, to: offset + bytes.count) }
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, ((offset + start) / Self.sectorSize + 1) * Self.sectorSize - offset)
            if random.chance(0.5) {
                let cut = random.chance(0.1) ? random.int(in: start...end) : end
                Self.put(bytes[start..<cut], at: offset + start, into: &durable)
            }
            start = end
        }
    }

    /// Turns the bits of one synced byte, as a failing medium does.
    func damage(at offset: Int) {
        guard offset < durable.count else { return }
        durable[offset] ^= 0xFF
        if offset < contents.count { contents[offset] ^= 0xFF }
    }

    private static func put(_ bytes: ArraySlice<UInt8>, at offset: Int, into target: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        if target.count < offset { resize(&target, to: offset) }
        let overlap = min(bytes.count, target.count - offset)
        if overlap > 0 { target.replaceSubrange(offset..<offset + overlap, with: bytes[bytes.startIndex..<bytes.startIndex + overlap]) }
        target.append(contentsOf: bytes[(bytes.startIndex + overlap)...])
    }

    private static func resize(_ target: inout [UInt8], to size: Int) {
        if target.count > size {
            target.removeLast(target.count - size)
        } else {
            target.append(contentsOf: repeatElement(0, count: size - target.count))
        }
    }
}

/// What a loss of power leaves of the changes that were not synced. One is drawn per crash.
enum Survival: UInt8, CaseIterable {
    case nothing
    case everything
    /// The first so many, the last of them torn.
    case prefix
    /// Any sectors of any changes.
    case anyPart
}
