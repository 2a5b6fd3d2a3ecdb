import Core

/// How messages travel, unless a fault says otherwise. One way; the answer to a call travels on its own.
struct NetworkProfile: Equatable {
    var delay: ClosedRange<Duration> = .microseconds(100)...(.milliseconds(1))
    /// How often a message takes ten times as long.
    var tailChance = 0.01
    var drop = 0.0
    /// Raft messages only: an RPC travels on a connection that never repeats a request.
    var duplicate = 0.0
    /// Whether a message may overtake another on the same link.
    var reorders = false
}
