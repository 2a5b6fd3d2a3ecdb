import Foundation
import Testing

/// A file of `Transcripts`: commands, and under each what must happen. With REWRITE_TRANSCRIPTS=1 in the environment the files are written
/// anew with what does happen; read the difference before committing it.
///
/// A file is a sequence of blocks: lines of comment beginning with `#`; commands, one a line; `----`; the trace; an empty line.
struct TranscriptFile {
    let name: String

    private static var folder: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Transcripts")
    }

    /// Their names, sorted.
    static func names(withPrefix prefix: String) -> [String] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return files.filter { $0.hasPrefix(prefix) && $0.hasSuffix(".txt") }.sorted()
    }

    /// Runs every command through `perform`, which answers with the lines of its trace.
    func check(_ perform: (String) -> [String]) throws {
        let file = Self.folder.appendingPathComponent(name)
        let expected = try String(contentsOf: file, encoding: .utf8)
        let actual = run(expected, perform)
        if ProcessInfo.processInfo.environment["REWRITE_TRANSCRIPTS"] == "1" {
            return try actual.write(to: file, atomically: true, encoding: .utf8)
        }
        for (number, (a, b)) in zip(actual.components(separatedBy: "\n"), expected.components(separatedBy: "\n")).enumerated() where a != b
        {
            Issue.record("\(name):\(number + 1): expected \"\(b)\", got \"\(a)\"")
            return
        }
        #expect(actual.count == expected.count, "\(name) has another length")
    }

    private func run(_ text: String, _ perform: (String) -> [String]) -> String {
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
                out += commands.flatMap(perform)
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
}
