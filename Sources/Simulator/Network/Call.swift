import Core

/// A call of one server to another, from its beginning until the caller has an answer or gave up.
struct Call {
    var caller: LifeID
    /// The caller's name for it.
    var id: CallID
    var callee: Int
    var channel: Channel
    var timeout: Duration
    var began: Instant
    /// The life in which it arrived, nil while it is on its way.
    var served: LifeID?
}
