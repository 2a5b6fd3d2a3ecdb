/// What an I/O thread owns to answer requests without entering the core loop.
public protocol RequestFrontEnd {
    /// Answers `request` from the published state if that is possible, appending an HTTP/1.1 response to `out`, of a long one the head.
    ///
    /// `out` is unchanged unless the answer is `.written` or `.begun`. `date` is the value of the Date header.
    mutating func answer(
        _ request: borrowing HTTPRequest, framing: HTTPFraming, state: PublishedState, now: Instant, date: [UInt8], into out: inout [UInt8]
    ) -> RequestAnswer

    /// What the log says of the last request if its answer, `.written`, was an error; once. To be asked for answers of 400 and above.
    mutating func takeError() -> String?

    /// Answers a DNS question from the published state, if that is possible.
    mutating func answer(question: [UInt8], tcp: Bool, remote: String, state: PublishedState, now: Instant) -> QuestionAnswer

    /// Answers a question that came in a datagram, if it has been asked before of this state: how long the answer in `out` is. Costs no
    /// more than copying it.
    mutating func answer(
        datagram: UnsafeRawBufferPointer, state: PublishedState, now: Instant, into out: UnsafeMutableRawBufferPointer
    ) -> Int?

    /// A new configuration holds (config §21).
    mutating func reload(_ new: Reloadable)

    /// What the time of a request that the core loop answers is measured under.
    func subject(of request: borrowing HTTPRequest) -> MeasuredSubject
    mutating func measure(_ subject: MeasuredSubject, nanoseconds: Int64)
    /// How long the last request or question took that `answer` has answered.
    mutating func measureAnswered(nanoseconds: Int64)
    /// What was measured since the last call, for `AgentEvent.measured`; nil for nothing.
    mutating func takeMeasures() -> RequestMeasures?
}

/// A front end that neither changes nor measures.
extension RequestFrontEnd {
    public mutating func takeError() -> String? { nil }
    public mutating func answer(
        datagram: UnsafeRawBufferPointer, state: PublishedState, now: Instant, into out: UnsafeMutableRawBufferPointer
    ) -> Int? { nil }
    public mutating func reload(_ new: Reloadable) {}
    public func subject(of request: borrowing HTTPRequest) -> MeasuredSubject { .none }
    public mutating func measure(_ subject: MeasuredSubject, nanoseconds: Int64) {}
    public mutating func measureAnswered(nanoseconds: Int64) {}
    public mutating func takeMeasures() -> RequestMeasures? { nil }
}

/// What a front end makes of a request.
public enum RequestAnswer {
    case written
    /// The head is written; the body follows. The connection is closed afterwards unless `isOpen`.
    case begun(SlicedAnswer, isOpen: Bool)
    /// The core loop must answer it: `AgentEvent.request`.
    case handOver
    /// Likewise, and this is what it asks for: `AgentEvent.routed`.
    case routed(RoutedCall)
}

/// What a front end makes of a DNS question.
public enum QuestionAnswer: Hashable, Sendable {
    case reply([UInt8])
    /// Nothing is sent back.
    case drop
    /// The core loop must answer it: `AgentEvent.question`.
    case handOver
}
