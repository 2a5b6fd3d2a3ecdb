/// What whoever carries out reads and writes asks of its agent, which hands it to the driver.
public enum ServerEffect: Sendable {
    case call(CallID, to: Address, Channel, [UInt8], timeout: Duration)
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
