// What this agent measures, under the names of the reference. Spec: config §24, gossip §18.3.

/// Counted: how many, and how much altogether.
public enum CounterMetric: Int, CaseIterable, Sendable {
    case clientRPC, clientRPCExceeded, rpcAccepted, rpcRequest, rpcRequestError, rpcQuery, rpcHandoff, dnsStaleQueries
    case raftApply, raftBarrier, raftVerifyLeader, raftBecameLeader, raftBecameCandidate, raftBecameFollower
    case raftHeartbeatTimeout, raftLeaseTimeout
    case serfJoin, serfUpdate, serfLeft, serfFailed, serfFlap, serfEvents, serfQueries
    case serfQueryAcks, serfQueryResponses, serfQueryDuplicateAcks, serfQueryDuplicateResponses
    case coordinateRejected, coordinateZeroRTT
    case udpSent, udpReceived, tcpSent, tcpConnected, tcpAccepted, aliveMessages, suspectMessages, deadMessages
    case degradedProbe, degradedTimeout
    case cacheBypass, cacheExpired, cacheFetchSuccess, cacheFetchError

    /// Without the configured prefix.
    public var name: StaticString {
        switch self {
        case .clientRPC: "client.rpc"
        case .clientRPCExceeded: "client.rpc.exceeded"
        case .rpcAccepted: "rpc.accept_conn"
        case .rpcRequest: "rpc.request"
        case .rpcRequestError: "rpc.request_error"
        case .rpcQuery: "rpc.query"
        case .rpcHandoff: "rpc.raft_handoff"
        case .dnsStaleQueries: "dns.stale_queries"
        case .raftApply: "raft.apply"
        case .raftBarrier: "raft.barrier"
        case .raftVerifyLeader: "raft.verify_leader"
        case .raftBecameLeader: "raft.state.leader"
        case .raftBecameCandidate: "raft.state.candidate"
        case .raftBecameFollower: "raft.state.follower"
        case .raftHeartbeatTimeout: "raft.transition.heartbeat_timeout"
        case .raftLeaseTimeout: "raft.transition.leader_lease_timeout"
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
        case .cacheBypass: "consul.cache.bypass"
        case .cacheExpired: "consul.cache.evict_expired"
        case .cacheFetchSuccess: "consul.cache.fetch_success"
        case .cacheFetchError: "consul.cache.fetch_error"
        }
    }
}

/// Set: the latest value counts.
public enum GaugeMetric: Int, CaseIterable, Sendable {
    case raftAppliedIndex, raftLastIndex, autopilotHealthy, autopilotFailureTolerance, sessionTTLActive, memberlistHealthScore, cacheEntries

    /// Without the configured prefix.
    public var name: StaticString {
        switch self {
        case .raftAppliedIndex: "raft.applied_index"
        case .raftLastIndex: "raft.last_index"
        case .autopilotHealthy: "autopilot.healthy"
        case .autopilotFailureTolerance: "autopilot.failure_tolerance"
        case .sessionTTLActive: "session_ttl.active"
        case .memberlistHealthScore: "memberlist.health.score"
        case .cacheEntries: "consul.cache.entries_count"
        }
    }
}

/// Measured one by one: durations in milliseconds, unless the name says otherwise.
public enum SampleMetric: Int, CaseIterable, Sendable {
    case catalogRegister, catalogDeregister, kvApply, txnApply, txnRead, sessionApply, sessionRenew, sessionInvalidate
    case consistentRead, dnsDomainQuery, dnsPTRQuery
    case fsmRegister, fsmDeregister, fsmKV, fsmSession, fsmTombstone, fsmCoordinates, fsmTxn, fsmAutopilot, fsmPersist
    case leaderBarrier, leaderReconcile, leaderReconcileMember, leaderReapTombstones
    case raftCommitTime, raftLeaderLastContact, raftDispatchLog, raftApplyBatch, raftSnapshot, raftRestore
    case raftCommitCount, raftDispatchCount
    case raftAppendEntriesRPC, raftHeartbeatRPC, raftRequestVoteRPC, raftInstallSnapshotRPC, raftElectSelf
    case raftSnapshotCreate, raftSnapshotPersist, raftSnapshotTake
    case memberlistGossip, memberlistProbe, memberlistPushPull
    case serfMessagesSent, serfMessagesReceived, serfIntentQueue, serfEventQueue, serfQueryQueue, coordinateAdjustment
    case serfSnapshotAppend, serfSnapshotCompact

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
        case .consistentRead: "rpc.consistentRead"
        case .dnsDomainQuery: "dns.domain_query"
        case .dnsPTRQuery: "dns.ptr_query"
        case .fsmRegister: "fsm.register"
        case .fsmDeregister: "fsm.deregister"
        case .fsmKV: "fsm.kvs"
        case .fsmSession: "fsm.session"
        case .fsmTombstone: "fsm.tombstone"
        case .fsmCoordinates: "fsm.coordinate.batch-update"
        case .fsmTxn: "fsm.txn"
        case .fsmAutopilot: "fsm.autopilot"
        case .fsmPersist: "fsm.persist"
        case .leaderBarrier: "leader.barrier"
        case .leaderReconcile: "leader.reconcile"
        case .leaderReconcileMember: "leader.reconcileMember"
        case .leaderReapTombstones: "leader.reapTombstones"
        case .raftCommitTime: "raft.commitTime"
        case .raftLeaderLastContact: "raft.leader.lastContact"
        case .raftDispatchLog: "raft.leader.dispatchLog"
        case .raftApplyBatch: "raft.fsm.apply"
        case .raftSnapshot: "raft.fsm.snapshot"
        case .raftRestore: "raft.fsm.restore"
        case .raftCommitCount: "raft.commitNumLogs"
        case .raftDispatchCount: "raft.leader.dispatchNumLogs"
        case .raftAppendEntriesRPC: "raft.rpc.appendEntries"
        case .raftHeartbeatRPC: "raft.rpc.processHeartbeat"
        case .raftRequestVoteRPC: "raft.rpc.requestVote"
        case .raftInstallSnapshotRPC: "raft.rpc.installSnapshot"
        case .raftElectSelf: "raft.candidate.electSelf"
        case .raftSnapshotCreate: "raft.snapshot.create"
        case .raftSnapshotPersist: "raft.snapshot.persist"
        case .raftSnapshotTake: "raft.snapshot.takeSnapshot"
        case .memberlistGossip: "memberlist.gossip"
        case .memberlistProbe: "memberlist.probeNode"
        case .memberlistPushPull: "memberlist.pushPullNode"
        case .serfMessagesSent: "serf.msgs.sent"
        case .serfMessagesReceived: "serf.msgs.received"
        case .serfIntentQueue: "serf.queue.Intent"
        case .serfEventQueue: "serf.queue.Event"
        case .serfQueryQueue: "serf.queue.Query"
        case .coordinateAdjustment: "serf.coordinate.adjustment-ms"
        case .serfSnapshotAppend: "serf.snapshot.appendLine"
        case .serfSnapshotCompact: "serf.snapshot.compact"
        }
    }
}
