// What this agent measures, under the names of the reference. Spec: config §24, gossip §18.3.

/// Counted: how many, and how much altogether.
public enum CounterMetric: Int, CaseIterable, Sendable {
    case clientRPC, clientRPCExceeded, rpcAccepted, rpcRequest, rpcRequestError, rpcQuery, dnsStaleQueries
    case raftApply, raftBarrier, raftBecameLeader, raftBecameCandidate, raftBecameFollower
    case raftHeartbeatTimeout, raftVerifyLeader
    case serfJoin, serfUpdate, serfLeft, serfFailed, serfFlap, serfEvents, serfQueries
    case serfQueryAcks, serfQueryResponses, serfQueryDuplicateAcks, serfQueryDuplicateResponses
    case coordinateRejected, coordinateZeroRTT
    case udpSent, udpReceived, tcpSent, tcpConnected, tcpAccepted, aliveMessages, suspectMessages, deadMessages
    case degradedProbe, degradedTimeout

    /// Without the configured prefix.
    public var name: StaticString {
        switch self {
        case .clientRPC: "client.rpc"
        case .clientRPCExceeded: "client.rpc.exceeded"
        case .rpcAccepted: "rpc.accept_conn"
        case .rpcRequest: "rpc.request"
        case .rpcRequestError: "rpc.request_error"
        case .rpcQuery: "rpc.query"
        case .dnsStaleQueries: "dns.stale_queries"
        case .raftApply: "raft.apply"
        case .raftBarrier: "raft.barrier"
        case .raftBecameLeader: "raft.state.leader"
        case .raftBecameCandidate: "raft.state.candidate"
        case .raftBecameFollower: "raft.state.follower"
        case .raftHeartbeatTimeout: "raft.transition.heartbeat_timeout"
        case .raftVerifyLeader: "raft.verify_leader"
        case .serfJoin: "serf.member.join"
        case .serfUpdate: "serf.member.update"
        case .serfLeft: "serf.member.left"
        case .serfFailed: "serf.member.failed"
        case .serfFlap: "serf.member.flap"
        case .serfEvents: "serf.events"
        case .serfQueries: "serf.queries"
        case .serfQueryAcks: "serf.query_acks"
        case .serfQueryResponses: "serf.query_responses"
        case .serfQueryDuplicateAcks: "serf.query_duplicate_acks"
        case .serfQueryDuplicateResponses: "serf.query_duplicate_responses"
        case .coordinateRejected: "serf.coordinate.rejected"
        case .coordinateZeroRTT: "serf.coordinate.zero-rtt"
        case .udpSent: "memberlist.udp.sent"
        case .udpReceived: "memberlist.udp.received"
        case .tcpSent: "memberlist.tcp.sent"
        case .tcpConnected: "memberlist.tcp.connect"
        case .tcpAccepted: "memberlist.tcp.accept"
        case .aliveMessages: "memberlist.msg.alive"
        case .suspectMessages: "memberlist.msg.suspect"
        case .deadMessages: "memberlist.msg.dead"
        case .degradedProbe: "memberlist.degraded.probe"
        case .degradedTimeout: "memberlist.degraded.timeout"
        }
    }
}

/// Set: the latest value counts.
public enum GaugeMetric: Int, CaseIterable, Sendable {
    case raftAppliedIndex, raftLastIndex, raftDispatchCount, rpcBlockingQueries, autopilotHealthy, autopilotFailureTolerance,
        sessionTTLActive, memberlistHealthScore

    /// Without the configured prefix.
    public var name: StaticString {
        switch self {
        case .raftAppliedIndex: "raft.applied_index"
        case .raftLastIndex: "raft.last_index"
        case .raftDispatchCount: "raft.leader.dispatchNumLogs"
        case .rpcBlockingQueries: "rpc.queries_blocking"
        case .autopilotHealthy: "autopilot.healthy"
        case .autopilotFailureTolerance: "autopilot.failure_tolerance"
        case .sessionTTLActive: "session_ttl.active"
        case .memberlistHealthScore: "memberlist.health.score"
        }
    }
}

/// Measured one by one: durations in milliseconds, unless the name says otherwise.
public enum SampleMetric: Int, CaseIterable, Sendable {
    case catalogRegister, catalogDeregister, kvApply, txnApply, txnRead, sessionApply, sessionRenew
    case sessionInvalidate
    case rpcConsistentRead
    case leaderBarrier, leaderReconcile, leaderReconcileMember, leaderReapTombstones
    case raftCommitTime, raftLeaderLastContact, raftDispatchLog
    case raftCommitCount
    case serfIntentQueue, serfEventQueue, serfQueryQueue

    /// Without the configured prefix.
    public var name: StaticString {
        switch self {
        case .catalogRegister: "catalog.register"
        case .catalogDeregister: "catalog.deregister"
        case .kvApply: "kvs.apply"
        case .txnApply: "txn.apply"
        case .txnRead: "txn.read"
        case .sessionApply: "session.apply"
        case .sessionRenew: "session.renew"
        case .sessionInvalidate: "session_ttl.invalidate"
        case .rpcConsistentRead: "rpc.consistentRead"
        case .leaderBarrier: "leader.barrier"
        case .leaderReconcile: "leader.reconcile"
        case .leaderReconcileMember: "leader.reconcileMember"
        case .leaderReapTombstones: "leader.reapTombstones"
        case .raftCommitTime: "raft.commitTime"
        case .raftLeaderLastContact: "raft.leader.lastContact"
        case .raftDispatchLog: "raft.leader.dispatchLog"
        case .raftCommitCount: "raft.commitNumLogs"
        case .serfIntentQueue: "serf.queue.Intent"
        case .serfEventQueue: "serf.queue.Event"
        case .serfQueryQueue: "serf.queue.Query"
        }
    }
}
