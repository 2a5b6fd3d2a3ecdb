// Joining a pool (gossip §9.5).

/// One address of a join.
public enum JoinTarget: Hashable, Sendable {
    case address(NodeAddress)
    /// It could not be found out: `Failed to resolve nowhere: lookup nowhere: no such host`.
    case failed(String)
}

extension Memberlist {
    /// A join under way.
    struct Join {
        /// The next one at the end.
        var targets: [JoinTarget]
        var current: NodeAddress?
        var contacted = 0
        var failures: [String] = []
    }

    /// Exchanges states with all targets, one after the other; `joinFinished` tells of the end. Tokens in use must differ.
    public mutating func join(_ targets: [JoinTarget], token: UInt64, at time: Instant, into effects: inout [GossipEffect]) {
        begin(time, &effects)
        joins[token] = Join(targets: targets.reversed())
        startNextExchange(token)
        end(&effects)
    }

    private mutating func startNextExchange(_ token: UInt64) {
        while let target = joins[token]?.targets.popLast() {
            switch target {
            case .failed(let text):
                log(.warn, text)
                joins[token]?.failures.append(text)
            case .address(let address):
                joins[token]?.current = address
                log(.debug, "Initiating push/pull sync with:  \(address.text)")
                return call(.join(token: token), to: address.text, localState(join: true), timeout: config.tcpTimeout)
            }
        }
        guard let join = joins.removeValue(forKey: token) else { return }
        let error = join.contacted > 0 || join.failures.isEmpty ? nil : Self.combined(join.failures)
        delegate.joinFinished(token: token, contacted: join.contacted, error: error, at: now)
    }

    mutating func continueJoin(_ token: UInt64, failure: String?) {
        guard let address = joins[token]?.current else { return }
        if let failure {
            let text = "Failed to join \(address.ipText): \(failure)"
            log(.debug, text)
            joins[token]?.failures.append(text)
        } else {
            joins[token]?.contacted += 1
        }
        startNextExchange(token)
    }

    /// Several errors as one text, with an empty line at the end.
    static func combined(_ failures: [String]) -> String {
        let heading = failures.count == 1 ? "1 error occurred:" : "\(failures.count) errors occurred:"
        return heading + "\n" + failures.map { "\t* \($0)\n" }.joined() + "\n"
    }
}
