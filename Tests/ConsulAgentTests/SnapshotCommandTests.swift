import Foundation
import Testing

@testable import ConsulAgent

@Suite struct SnapshotCommandTests {
    typealias Result = CommandFixture.Result

    private func archive() throws -> [UInt8] {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        return [UInt8](try Data(contentsOf: folder.appendingPathComponent("CoreTests/Vectors/snapshot-1.8.6.snap")))
    }

    @Test func `a snapshot is told about without an agent`() throws {
        let fixture = CommandFixture()
        fixture.dataFiles["a.snap"] = try archive()
        fixture.files["b.snap"] = "no archive at all"
        #expect(
            fixture.run("snapshot", "inspect", "a.snap").output
                == "ID           2-46-1795237618316\nSize         11315\nIndex        46\nTerm         2\nVersion      1\n\n")
        #expect(
            fixture.run("snapshot", "inspect", "b.snap")
                == Result(code: 1, output: "", error: "Error verifying snapshot: failed to decompress snapshot: gzip: invalid header\n"))
        #expect(fixture.run("snapshot", "inspect", "/nope").error == "Error opening snapshot file: open /nope: no such file or directory\n")
        for command in ["inspect", "save", "restore"] {
            #expect(fixture.run("snapshot", command).error == "Missing FILE argument\n")
            #expect(fixture.run("snapshot", command, "a", "b").error == "Too many arguments (expected 1, got 2)\n")
        }
        #expect(fixture.requests.isEmpty)
        #expect(fixture.run("snapshot", "agent").code == 1)
    }

    @Test func `a saved file gets its name when it is found to be whole`() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("snapshot-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("a.snap").path
        let fixture = CommandFixture((200, ""), (200, "damaged, and long enough"), (500, "No cluster leader"), (200, ""))
        fixture.index = 133
        fixture.data = try archive()
        #expect(
            fixture.run("snapshot", "save", "-stale", "-datacenter=dc2", file)
                == Result(code: 0, output: "Saved and verified snapshot to index 133\n", error: ""))
        #expect(fixture.requests == ["GET /v1/snapshot?dc=dc2&stale="])
        #expect(try [UInt8](Data(contentsOf: URL(fileURLWithPath: file))) == archive())
        let other = folder.appendingPathComponent("b.snap").path
        #expect(
            fixture.run("snapshot", "save", other).error
                == "Error verifying snapshot file: failed to decompress snapshot: gzip: invalid header\n")
        #expect(
            fixture.run("snapshot", "save", other).error == "Error saving snapshot: Unexpected response code: 500 (No cluster leader)\n")
        #expect(
            fixture.run("snapshot", "save", "/nope/x").error.hasPrefix(
                "Error writing unverified snapshot file: open /nope/x.unverified.tmp"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a.snap"])
    }

    @Test func `a file is sent to be restored`() throws {
        let fixture = CommandFixture((200, ""), (500, "failed to decompress snapshot: EOF"))
        fixture.files = ["a": "the archive", "b": ""]
        #expect(fixture.run("snapshot", "restore", "a") == Result(code: 0, output: "Restored snapshot\n", error: ""))
        #expect(fixture.requests == ["PUT /v1/snapshot"] && fixture.bodies == ["the archive"])
        #expect(
            fixture.run("snapshot", "restore", "b").error
                == "Error restoring snapshot: Unexpected response code: 500 (failed to decompress snapshot: EOF)\n")
        #expect(fixture.run("snapshot", "restore", "/nope").error == "Error opening snapshot file: open /nope: no such file or directory\n")
    }
}
