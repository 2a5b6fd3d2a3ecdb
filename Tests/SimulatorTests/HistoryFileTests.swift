import Core
import Testing

@testable import Simulator

@Suite struct HistoryFileTests {
    private func verdicts(_ text: String) throws -> [RegisterHistory.Verdict] {
        try HistoryFile.parse(Array(text.utf8)).map { $0.check() }
    }

    @Test func `histories are told apart by their keys`() throws {
        let found = try verdicts(
            """
            a 0 put 1 0 0 done 10 20
            b 0 put 2 0 0 done 10 20
            a 1 read 1 0 7 done 30 40
            b 1 read 0 0 0 done 30 40
            """)
        #expect(found.count == 2)
        #expect(found[0] == .linearizable)
        #expect(found[1] != .linearizable)
    }

    @Test func `an operation without an answer may have happened or not`() throws {
        let lost = "k 0 put 1 0 0 done 10 20\nk 1 put 2 0 0 unknown 30 0\n"
        #expect(try verdicts(lost + "k 2 read 1 0 7 done 40 50") == [.linearizable])
        #expect(try verdicts(lost + "k 2 read 2 0 8 done 40 50") == [.linearizable])
        #expect(try verdicts(lost + "k 2 read 2 0 8 done 40 50\nk 2 read 1 0 7 done 60 70") != [.linearizable])
    }

    @Test func `a line that is no operation is refused`() {
        #expect(throws: UsageError.self) { try HistoryFile.parse(Array("k 0 put 1".utf8)) }
        #expect(throws: UsageError.self) { try HistoryFile.parse(Array("k 0 jump 1 0 0 done 1 2".utf8)) }
    }
}
