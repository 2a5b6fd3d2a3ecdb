import Core

/// What the checkers see of one server's consensus: the properties of Raft are stated in these terms.
protocol RaftView {
    var isLeader: Bool { get }
    var term: UInt64 { get }
    var commitIndex: UInt64 { get }
    var appliedIndex: UInt64 { get }
    /// The first index whose entry is in the log; one more than the last if the log is empty.
    var firstLogIndex: UInt64 { get }
    var lastLogIndex: UInt64 { get }
    /// The term of an entry of the log, or of the snapshot that ends there; nil for others.
    func logTerm(at index: UInt64) -> UInt64?
    /// The entry that holds the configuration in force.
    var configurationIndex: UInt64 { get }
    /// A digest of the state after the last applied entry: the same on every server that has applied the same entries.
    var appliedDigest: UInt64 { get }
    /// What it takes for committed is a snapshot that a user brought, which may still come to nothing.
    var isProvisional: Bool { get }
    /// Where the latest snapshot stands, if it is one that a user brought: entries before it need not exist.
    var restoredIndex: UInt64 { get }
    /// An entry of the log that was just committed, for the reference state; nil for a machine whose state is no `Store`.
    func entry(at index: UInt64) -> LogEntry?
}

extension RaftView {
    var configurationIndex: UInt64 { 0 }
    var isProvisional: Bool { false }
    var restoredIndex: UInt64 { 0 }
    func entry(at index: UInt64) -> LogEntry? { nil }
}

/// A rule that was broken, and how.
struct Violation: Error, Equatable {
    /// The rule's name, as `consul-sim` prints it.
    var rule: String
    var text: String
}
