import Core
import Testing

@testable import Runtime

@Suite struct HostExaminerTests {
    @Test func `what is told of the process is this process's`() throws {
        let host = HostExaminer.examine()
        let process = try #require(host.process)
        let now = Double(host.unixNanoseconds) / 1e9
        #expect(process.startedAt > now - 86_400 && process.startedAt <= now + 1)
        #expect(process.cpuSeconds > 0 && process.cpuSeconds < 86_400)
        #expect(process.residentMemory > 0x1p20 && process.residentMemory < process.virtualMemory)
        #expect(process.virtualMemory < process.virtualMemoryMax)
        #expect(process.openDescriptors >= 3 && Double(process.openDescriptors) < process.descriptorsMax)
    }
}
