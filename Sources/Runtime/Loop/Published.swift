import Core
import Synchronization

/// The state that readers answer from, replaced as a whole.
///
/// A reader keeps the one it has as long as `version` stands still, so that a request costs one atomic load.
final class Published: @unchecked Sendable {
    // Unchecked: `state` is touched with the lock held only.
    private let lock = Lock()
    private var state: PublishedState?
    private let version = Atomic<UInt64>(0)

    func publish(_ new: PublishedState) {
        // The old one is let go outside of the lock: that may free much.
        var old: PublishedState?
        lock.holding {
            old = state
            state = new
            version.add(1, ordering: .releasing)
        }
        _ = consume old
    }

    /// What one thread holds on to between requests.
    struct Reader {
        private var state: PublishedState?
        private var version: UInt64 = 0

        /// The latest state; nil before there is any.
        @inline(__always)
        mutating func current(of published: Published) -> PublishedState? {
            if published.version.load(ordering: .acquiring) != version { refresh(from: published) }
            return state
        }

        private mutating func refresh(from published: Published) {
            (state, version) = published.lock.holding { (published.state, published.version.load(ordering: .relaxed)) }
        }

        /// Lets the state go, so that an idle reader keeps no old one alive.
        mutating func forget() {
            state = nil
            version = 0
        }
    }
}
