/// What whoever carries out reads and writes asks of its agent, which hands it to the driver.
public enum ServerEffect: Sendable {
    case call(CallID, to: Address, Channel, [UInt8], timeout: Duration)
    /// Nobody waits for the answer to a call of ours: whoever was called may be told. Its outcome does not matter any more.
    case giveUp(CallID)
    case reply(CallID, [UInt8])
    /// An incoming call that cannot be answered: close its connection.
    case refuse(CallID)
    case disk(DiskBatch)
    /// Readers answer from this state from now on. Comes before the responses to the writes that it contains.
    case publish(PublishedState)
    case log(LogLevel, String, String)
    /// Stop the process, for that reason.
    case exit(String)
}

extension ServerEffect {
    init(_ call: ServerCaller.Outgoing) { self = .call(call.id, to: call.address, call.channel, call.bytes, timeout: call.timeout) }
}
