import Core

/// A client that asks one server at a time: the same one again as long as that is good, another one when it is not.
struct Caller {
    private(set) var isBusy = false
    /// When the last call began.
    private(set) var invoked = Instant.zero
    private var server: Int?
    private var wasGood = true

    /// The server to ask now.
    mutating func begin(_ hub: ClientHub, _ random: inout Random) -> Int {
        let server = hub.pick(last: self.server, wasGood: wasGood, &random)
        self.server = server
        isBusy = true
        invoked = hub.now
        return server
    }

    /// The response of HTTP that the call came to, if to any.
    mutating func end(_ answer: ClientAnswer) -> HTTPClientResponse? {
        isBusy = false
        switch answer {
        case .response(let response):
            wasGood = response.status != 500
            return response
        case .failed:
            wasGood = false
            return nil
        case .dns: preconditionFailure("no question was asked")
        }
    }
}
