import CSystem
import Core
import Glibc

/// Looks at the machine for `/v1/agent/host`.
enum HostExaminer {
    static func examine() -> HostFacts {
        var facts = HostFacts()
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        facts.unixNanoseconds = Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
        facts.memory = text(of: "/proc/meminfo", &facts.problems)
        facts.processors = text(of: "/proc/cpuinfo", &facts.problems)
        var ignored: [String] = []
        facts.release = text(of: "/etc/os-release", &ignored)
        facts.kernel = kernel
        facts.root = root(&facts.problems)
        facts.process = process
        return facts
    }

    /// nil where there is no `/proc`.
    private static var process: HostFacts.Process? {
        var ignored: [String] = []
        guard let line = text(of: "/proc/self/stat", &ignored), let name = line.lastIndex(of: ")") else { return nil }
        // Behind the second field, which is the name and may contain anything: field n of proc(5) is the element n - 3.
        let fields = line[line.index(after: name)...].split(separator: " ").map { Double($0) ?? 0 }
        guard fields.count > 21 else { return nil }
        let ticks = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
        var process = HostFacts.Process()
        process.cpuSeconds = (fields[11] + fields[12]) / ticks
        process.virtualMemory = fields[20]
        process.residentMemory = fields[21] * Double(max(1, sysconf(Int32(_SC_PAGESIZE))))
        let booted = (text(of: "/proc/stat", &ignored) ?? "").split(separator: "\n").first { $0.hasPrefix("btime ") }
        process.startedAt = (booted.flatMap { Double($0.dropFirst(6)) } ?? 0) + fields[19] / ticks
        process.openDescriptors = descriptorCount
        process.descriptorsMax = limit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue))
        process.virtualMemoryMax = limit(__rlimit_resource_t(RLIMIT_AS.rawValue))
        return process
    }

    private static var descriptorCount: Int {
        guard let directory = opendir("/proc/self/fd") else { return 0 }
        defer { closedir(directory) }
        var count = 0
        while let entry = readdir(directory) { if UInt8(bitPattern: entry.pointee.d_name.0) != UInt8(ascii: ".") { count += 1 } }
        // Without the one that reads the folder.
        return max(0, count - 1)
    }

    private static func limit(_ resource: __rlimit_resource_t) -> Double {
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return 0 }
        return limit.rlim_cur == rlim_t.max ? .infinity : Double(limit.rlim_cur)
    }

    private static var kernel: HostFacts.Kernel {
        var kernel = HostFacts.Kernel()
        var names = utsname()
        if uname(&names) == 0 {
            kernel.hostName = text(&names.nodename)
            kernel.release = text(&names.release)
            kernel.architecture = text(&names.machine)
        }
        var ignored: [String] = []
        let uptime = text(of: "/proc/uptime", &ignored) ?? ""
        kernel.uptimeSeconds = UInt64(uptime.prefix { $0 != "." }) ?? 0
        for path in ["/sys/class/dmi/id/product_uuid", "/proc/sys/kernel/random/boot_id"] where kernel.id.isEmpty {
            kernel.id = (text(of: path, &ignored) ?? "").lowercased().filter { !$0.isWhitespace }
        }
        kernel.processes = processCount
        return kernel
    }

    /// The folders of `/proc` that are numbers.
    private static var processCount: UInt64 {
        guard let directory = opendir("/proc") else { return 0 }
        defer { closedir(directory) }
        var count: UInt64 = 0
        while let entry = readdir(directory) {
            let first = UInt8(bitPattern: entry.pointee.d_name.0)
            if first >= 0x30 && first <= 0x39 { count += 1 }
        }
        return count
    }

    private static func root(_ problems: inout [String]) -> HostFacts.FileSystem? {
        var found = statfs()
        guard statfs("/", &found) == 0 else {
            problems.append("statfs /: \(SystemError.current)")
            return nil
        }
        var root = HostFacts.FileSystem()
        root.kind = UInt64(truncatingIfNeeded: found.f_type)
        root.blockSize = UInt64(truncatingIfNeeded: found.f_bsize)
        root.blocks = UInt64(found.f_blocks)
        root.free = UInt64(found.f_bfree)
        root.available = UInt64(found.f_bavail)
        root.inodes = UInt64(found.f_files)
        root.inodesFree = UInt64(found.f_ffree)
        return root
    }

    /// nil for a file that cannot be read, with the reason added to `problems`.
    private static func text(of path: String, _ problems: inout [String]) -> String? {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else {
            problems.append("open \(path): \(SystemError.current)")
            return nil
        }
        defer { close(fd) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = retrying { read(fd, &buffer, buffer.count) }
            if count < 0 {
                problems.append("read \(path): \(SystemError.current)")
                return nil
            }
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<count]
        }
    }

    /// A field of `utsname`.
    private static func text<Field>(_ field: inout Field) -> String {
        withUnsafeBytes(of: &field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
