import Testing

@testable import Core

/// Runs `Transcripts/raft-*.txt`.
@Suite struct RaftTranscriptTests {
    static let names = TranscriptFile.names(withPrefix: "raft-")

    @Test(arguments: names) func `what happens is what the transcript says`(name: String) throws {
        let cluster = TranscriptCluster()
        try TranscriptFile(name: name).check { cluster.perform($0) }
    }

    @Test func `there are transcripts`() { #expect(Self.names.count >= 12) }
}
