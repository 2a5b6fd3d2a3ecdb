import Testing

@testable import Core

/// Runs `Transcripts/raft-*.txt`.
@Suite struct RaftTranscriptTests {
    static let names = TranscriptFile.names(withPrefix: "raft-")

    @Test(arguments: names) func `every transcript is followed to the letter`(name: String) throws {
        let cluster = TranscriptCluster()
        try TranscriptFile(name: name).check { cluster.perform($0) }
    }

    @Test func `transcripts are found`() { #expect(Self.names.count >= 12) }
}
