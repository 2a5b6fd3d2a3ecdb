import Foundation
import Testing

@testable import Core

/// Runs `Transcripts/raft-*.txt`: commands, and under each what must happen. With REWRITE_TRANSCRIPTS=1 in the environment the files are
/// written anew with what does happen; read the difference before committing it.
///
/// A file is a sequence of blocks: lines of comment beginning with `#`; commands, one a line; `----`; the trace; an empty line.
@Suite struct RaftTranscriptTests {
    private static var folder: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Transcripts")
    }

    static let names: [String] = {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return files.filter { $0.hasPrefix("raft-") && $0.hasSuffix(".txt") }.sorted()
    }()

    private func run(_ text: String) -> String {
        let cluster = TranscriptCluster()
        var out: [String] = []
        var commands: [String] = []
        var isTrace = false
        for line in text.components(separatedBy: "\n") {
            if isTrace {
                if line.isEmpty { isTrace = false }
                continue
            }
            if line == "----" {
                out.append(line)
                out += commands.flatMap { cluster.perform($0) }
                out.append("")
                commands = []
                isTrace = true
            } else if !line.isEmpty {
                out.append(line)
                if !line.hasPrefix("#") { commands.append(line) }
            } else if out.last?.isEmpty == false {
                out.append(line)
            }
        }
        while out.last?.isEmpty == true { out.removeLast() }
        return out.joined(separator: "\n") + "\n"
    }

    @Test(arguments: names) func `what happens is what the transcript says`(name: String) throws {
        let file = Self.folder.appendingPathComponent(name)
        let expected = try String(contentsOf: file, encoding: .utf8)
        let actual = run(expected)
        if ProcessInfo.processInfo.environment["REWRITE_TRANSCRIPTS"] == "1" {
            try actual.write(to: file, atomically: true, encoding: .utf8)
        } else {
            for (number, (a, b)) in zip(actual.components(separatedBy: "\n"), expected.components(separatedBy: "\n")).enumerated()
            where a != b {
                Issue.record("\(name):\(number + 1): expected \"\(b)\", got \"\(a)\"")
                return
            }
            #expect(actual.count == expected.count, "\(name) has another length")
        }
    }

    @Test func `there are transcripts`() { #expect(Self.names.count >= 12) }
}
