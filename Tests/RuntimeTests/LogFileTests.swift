import Core
import Foundation
import Testing

@testable import Runtime

@Suite struct LogFileTests {
    private func files(_ folder: TemporaryFolder) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    }

    private func line(_ text: String, to file: LogFile) {
        let bytes = Array((text + "\n").utf8)
        bytes.withUnsafeBytes { file.write($0[...]) }
    }

    @Test func `names have the time in them, and an extension`() throws {
        let folder = TemporaryFolder()
        for path in ["/a.txt", "/b", "/"] {
            try LogFile(path: folder.path + path, sizeMax: 0, ageMax: .zero, oldFilesMax: 0).open()
        }
        let names = try files(folder)
        #expect(names.count == 3)
        #expect(names[0].hasPrefix("a-1") && names[0].hasSuffix(".txt"))
        #expect(names[1].hasPrefix("b-1") && names[1].hasSuffix(".log"))
        #expect(names[2].hasPrefix("consul-1") && names[2].hasSuffix(".log"))
    }

    @Test(arguments: [(0, 4), (2, 3), (-1, 1)]) func `a full file is followed by another, and old ones go`(kept: Int, left: Int) throws {
        let folder = TemporaryFolder()
        try Data().write(to: URL(fileURLWithPath: folder.path + "/x-other.log"))
        let file = LogFile(path: folder.path + "/x.log", sizeMax: 10, ageMax: .zero, oldFilesMax: kept)
        try file.open()
        for text in ["first line", "second line", "third line", "fourth line"] {
            line(text, to: file)
            usleep(1000)
        }
        let names = try files(folder).filter { $0 != "x-other.log" }
        #expect(names.count == left)
        #expect(try String(contentsOfFile: folder.path + "/" + names[names.count - 1], encoding: .utf8) == "fourth line\n")
    }

    @Test func `a folder that is not there is told`() {
        let file = LogFile(path: "/nope/x", sizeMax: 0, ageMax: .zero, oldFilesMax: 0)
        do {
            try file.open()
            Issue.record("there is no such folder")
        } catch {
            #expect(error.description.hasPrefix("open /nope/x-1") && error.description.hasSuffix(".log: no such file or directory"))
        }
    }

    @Test func `the file gets the lines without what is for the terminal`() throws {
        let folder = TemporaryFolder()
        let file = LogFile(path: folder.path + "/x", sizeMax: 0, ageMax: .zero, oldFilesMax: 0)
        try file.open()
        let logger = Logger(level: .info, fd: open("/dev/null", O_WRONLY), file: file)
        logger.show("==> Consul agent running!")
        logger.log(.info, "agent", "one: a=b")
        logger.log(.debug, "agent", "two")
        logger.write(.error, "agent.server", "three")
        logger.flush()
        let text = try String(contentsOfFile: folder.path + "/" + files(folder)[0], encoding: .utf8)
        let lines = text.split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines[0].hasSuffix(" [INFO]  agent: one: a=b") && lines[0].hasPrefix("2"))
        #expect(lines[1].hasSuffix(" [ERROR] agent.server: three"))
    }
}
