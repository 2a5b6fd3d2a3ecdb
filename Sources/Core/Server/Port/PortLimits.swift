/// Bounds of what a peer may make this agent keep, and how long it is waited for (rpc-raft-wire §1, §5.1; behaviour §9.3, §9.4).
/// Over 15 stored variables: each is a bound.
public struct PortLimits: Sendable {
    /// One call or answer. Appends carry up to 64 entries, each as large as a value may be configured.
    public var messageSizeMax = 256 << 20
    /// The state that follows an InstallSnapshot, and the archive of a snapshot request.
    public var snapshotSizeMax = 2 << 30
    /// Streams of one multiplexed connection that are open at a time, and calls of it that are not answered yet, those of streams that the
    /// peer has reset included; what goes over is reset.
    public var streamsMax = 16_384
    /// Unfinished messages on all streams of one connection; a stream that goes over is reset.
    public var assemblySizeMax = 512 << 20
    /// What follows calls that are not answered yet, on all streams of one connection; a stream that goes over is reset.
    public var backlogSizeMax = 16 << 20
    /// What all connections of others hold, and those of one address; a connection that goes over is closed (`PortBudget`).
    public var heldMessagesMax = 1 << 30
    public var heldMessagesPerSourceMax = 512 << 20
    public var heldStatesMax = 4 << 30
    public var heldStatesPerSourceMax = 2_304 << 20
    /// Calls of others that are not answered yet, those of closed connections included, and those of one address; what goes over is
    /// reset or closed.
    public var callsMax = 262_144
    public var callsPerSourceMax = 65_536
    /// A message that is begun must come to its end within this, and more for each piece of `messageRateMin` bytes that has come.
    public var messageTimeout = Duration.seconds(30)
    /// Bytes a second.
    public var messageRateMin = 64 << 10
    /// A stream whose peer opens no window for its answer is reset after this.
    public var windowTimeout = Duration.seconds(60)
    /// Calls of one Raft connection that are not answered yet; the reference's pipeline has 128. No more are read beyond.
    public var raftCallsMax = 1_024
    /// Answers that the peer has not taken; no more calls are read beyond.
    public var outputSizeMax = 4 << 20
    /// Raft connections to one peer, beside the one for appends, and how many of them are kept without use.
    public var raftConnectionsMax = 32
    public var idleRaftConnectionsMax = 3
    /// Calls to one peer that are not answered yet.
    public var callsPerPeerMax = 32_768
    /// Streams of gossip that others have opened, and those of one address; more are closed at once.
    public var acceptedGossipStreamsMax = 512
    public var acceptedGossipStreamsPerSourceMax = 64
    /// Gossip streams that this agent has opened.
    public var gossipStreamsMax = 256
    /// What has come of the answers on all of them; a stream that goes over is given up.
    public var gossipAnswersMax = 256 << 20
    /// Snapshot requests to other servers that are under way.
    public var snapshotStreamsMax = 8
    /// Streams kept for the next call: 64 on servers, 32 on clients.
    public var idleStreamsMax = 64
    /// A connection without calls is closed after this: 120 s on servers, 127 s on clients.
    public var idleTimeout = Duration.seconds(120)
    /// `limits.rpc_handshake_timeout`: until the first byte. Zero or less: as long as it takes.
    public var handshakeTimeout = Duration.seconds(5)
    public var dialTimeout = Duration.seconds(10)
    /// A peer that takes nothing for so long is given up.
    public var writeTimeout = Duration.seconds(10)
    /// Streams of gossip: from acceptance, and again for the answer (gossip §6).
    public var lanStreamTimeout = Duration.seconds(10)
    public var wanStreamTimeout = Duration.seconds(30)

    public init() {}

    /// How long a message may take of which so much has come.
    func messageTimeout(received: Int) -> Duration { messageTimeout + .seconds(received / max(1, messageRateMin)) }

    public static let server = PortLimits()

    public static var client: PortLimits {
        var limits = PortLimits()
        limits.idleStreamsMax = 32
        limits.idleTimeout = .seconds(127)
        return limits
    }
}
