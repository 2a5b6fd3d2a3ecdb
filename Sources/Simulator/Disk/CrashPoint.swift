import Core

/// The kinds of operations at which a machine can lose power.
enum OperationKind: UInt8, CaseIterable {
    case any, write, sync, rename, folderSync, truncate, remove

    /// As scenarios name it.
    var name: String {
        switch self {
        case .any: "operation"
        case .write: "write"
        case .sync: "sync"
        case .rename: "rename"
        case .folderSync: "folder-sync"
        case .truncate: "truncate"
        case .remove: "remove"
        }
    }

    func includes(_ operation: DiskOperation) -> Bool {
        switch (self, operation) {
        case (.any, .read): false
        case (.any, _), (.write, .write), (.sync, .sync), (.rename, .rename), (.folderSync, .syncDirectory), (.truncate, .truncate),
            (.remove, .remove):
            true
        default: false
        }
    }
}

/// Where exactly power is lost: at one of the next operations of its kind.
struct CrashPoint: Hashable {
    enum Side: Hashable {
        case before, after
    }

    var kind: OperationKind
    /// So many of them are still carried out.
    var passes: Int
    var side: Side

    /// Counts an operation; whether the crash comes now.
    mutating func meets(_ operation: DiskOperation) -> Side? {
        guard kind.includes(operation) else { return nil }
        if passes == 0 { return side }
        passes -= 1
        return nil
    }

    static func random(_ random: inout Random) -> CrashPoint {
        // Most operations are writes and syncs; the rarer kinds are waited for as well.
        let kind = random.pick([.any, .write, .write, .sync, .sync, .rename, .folderSync, .truncate, .remove] as [OperationKind])
        return CrashPoint(kind: kind, passes: random.int(in: 0...6), side: random.chance(0.5) ? .before : .after)
    }
}

/// When a machine loses power by plan.
enum PlannedCrash: Hashable {
    case disk(CrashPoint)
    /// With one of the next messages that go out while a sync is outstanding: the message arrives, nothing of the batch was begun.
    case message(passes: Int)
}
