import Testing

@testable import Core

/// The table of gossip §10, and the configuration that is made from it.
@Suite struct MemberlistProfileTests {
    private static let address = NodeAddress("10.0.0.1:8301")!

    /// The settings that differ between profiles, in the order of the table.
    private func row(_ config: MemberlistConfig) -> [Duration] {
        [
            config.tcpTimeout, .seconds(config.indirectChecks), .seconds(config.retransmitMult), .seconds(config.suspicionMult),
            .seconds(config.suspicionMaxTimeoutMult), config.pushPullInterval, config.probeTimeout, config.probeInterval,
            .seconds(config.awarenessMaxMultiplier), .seconds(config.gossipNodes), config.gossipInterval, config.gossipToTheDeadTime,
            config.deadNodeReclaimTime,
        ]
    }

    private func row(_ seconds: [Double]) -> [Duration] { seconds.map { .milliseconds(Int64($0 * 1000)) } }

    @Test func `the profiles have the values of the table`() {
        let lan = MemberlistConfig.lan(name: "a", advertise: Self.address)
        let wan = MemberlistConfig.wan(name: "a", advertise: Self.address)
        let local = MemberlistConfig.local(name: "a", advertise: Self.address)
        let bare = MemberlistConfig(name: "a", advertise: Self.address)
        #expect(row(bare) == row([10, 3, 4, 4, 6, 30, 0.5, 1, 8, 3, 0.2, 30, 0]))
        #expect(row(lan) == row([10, 3, 4, 4, 6, 30, 0.5, 1, 8, 3, 0.2, 30, 30]))
        #expect(row(wan) == row([30, 3, 4, 6, 6, 60, 3, 5, 8, 3, 0.5, 60, 30]))
        #expect(row(local) == row([1, 1, 2, 3, 6, 15, 0.2, 1, 8, 3, 0.1, 15, 0]))
        for config in [lan, wan, local, bare] {
            #expect(config.protocolVersion == 2 && config.delegateVersion == 4 && config.enableCompression && !config.disableTCPPings)
            #expect(config.udpBufferSize == 1_400 && config.handoffQueueDepth == 1_024 && config.metaMaxSize == 512)
        }
    }
}
