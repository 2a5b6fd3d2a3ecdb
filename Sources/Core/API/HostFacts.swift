/// What the driver finds out about its machine for `/v1/agent/host`: the kernel's own texts, as they are. Spec: http-1 §4.18.
///
/// A part that cannot be had is nil, and tells why in `problems`.
public struct HostFacts: Hashable, Sendable {
    /// `/proc/meminfo`
    public var memory: String?
    /// `/proc/cpuinfo`
    public var processors: String?
    /// `/etc/os-release`
    public var release: String?
    public var kernel: Kernel?
    public var root: FileSystem?
    public var process: Process?
    /// Since 1970.
    public var unixNanoseconds: Int64 = 0
    public var problems: [String] = []

    /// The agent's own process, as Prometheus wants it (http-1 §4.19).
    public struct Process: Hashable, Sendable {
        /// User and system time, in seconds.
        public var cpuSeconds = 0.0
        public var openDescriptors = 0
        /// Infinity: no limit.
        public var descriptorsMax = 0.0
        /// In bytes.
        public var residentMemory = 0.0
        public var virtualMemory = 0.0
        /// Infinity: no limit.
        public var virtualMemoryMax = 0.0
        /// Seconds since 1970.
        public var startedAt = 0.0
        public init() {}
    }

    public struct Kernel: Hashable, Sendable {
        public var hostName = ""
        /// `6.1.0-18-amd64`
        public var release = ""
        /// `x86_64`
        public var architecture = ""
        /// Of the machine, a UUID.
        public var id = ""
        public var uptimeSeconds: UInt64 = 0
        public var processes: UInt64 = 0
        public init() {}
    }

    /// What `statfs` says of `/`; sizes in blocks.
    public struct FileSystem: Hashable, Sendable {
        public var kind: UInt64 = 0
        public var blockSize: UInt64 = 0
        public var blocks: UInt64 = 0
        public var free: UInt64 = 0
        /// To those who are not root.
        public var available: UInt64 = 0
        public var inodes: UInt64 = 0
        public var inodesFree: UInt64 = 0
        public init() {}

        /// The names of the usual ones; a number for others.
        var name: String {
            switch kind {
            case 0xEF53: "ext2/ext3"
            case 0x0102_1994: "tmpfs"
            case 0x5846_5342: "xfs"
            case 0x9123_683E: "btrfs"
            case 0x794C_7630: "overlayfs"
            case 0x2FC1_2FC1: "zfs"
            case 0x6969: "nfs"
            default: "0x" + String(kind, radix: 16)
            }
        }
    }

    public init() {}
}

/// Texts of lines `name: value`, as the kernel and distributions write them.
private struct FactLines {
    private var lines: [(name: Substring, value: Substring)] = []

    init(_ text: some StringProtocol, separator: Character = ":") {
        for line in text.split(separator: "\n") {
            guard let mark = line.firstIndex(of: separator) else { continue }
            lines.append((Self.trimmed(Substring(line[..<mark])), Self.trimmed(Substring(line[line.index(after: mark)...]))))
        }
    }

    /// Empty where there is no such line.
    subscript(name: String) -> String { lines.first { $0.name == name }.map { String($0.value) } ?? "" }

    /// The number that the line begins with, or 0.
    func number(_ name: String) -> UInt64 { UInt64(self[name].prefix { $0.isNumber }) ?? 0 }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while let first = text.first, first.isWhitespace || first == "\"" { text.removeFirst() }
        while let last = text.last, last.isWhitespace || last == "\"" { text.removeLast() }
        return text
    }
}

extension AgentRenderer {
    /// `GET host`.
    static func host(_ facts: HostFacts, pretty: Bool) -> HTTPResponse {
        var json = JSONWriter(pretty: pretty, reservingCapacity: 8192)
        json.beginObject()
        json.key("Memory")
        if let memory = facts.memory { json.memory(FactLines(memory)) } else { json.null() }
        json.key("CPU")
        if let processors = facts.processors { json.processors(processors) } else { json.null() }
        json.key("Host")
        if let kernel = facts.kernel { json.host(kernel, facts) } else { json.null() }
        json.key("Disk")
        if let root = facts.root { json.fileSystem(root) } else { json.null() }
        json.key("CollectionTime")
        json.int64(facts.unixNanoseconds)
        json.key("Errors")
        json.strings(facts.problems.isEmpty ? nil : facts.problems)
        json.endObject()
        return AgentJSON.response(json)
    }
}

extension JSONWriter {
    private mutating func number(_ name: StaticString, _ value: UInt64) {
        key(name)
        uint(value)
    }

    private mutating func share(_ name: StaticString, _ part: UInt64, of whole: UInt64) {
        key(name)
        double(whole == 0 ? 0 : Double(part) / Double(whole) * 100)
    }

    fileprivate mutating func memory(_ lines: FactLines) {
        func bytes(_ name: String) -> UInt64 { lines.number(name) &* 1024 }
        let total = bytes("MemTotal"), free = bytes("MemFree"), buffers = bytes("Buffers")
        // What can be given back at once counts as cache.
        let cached = bytes("Cached") &+ bytes("SReclaimable")
        let idle = free &+ buffers &+ cached
        let used = total > idle ? total - idle : 0
        beginObject()
        number("total", total)
        number("available", bytes("MemAvailable"))
        number("used", used)
        share("usedPercent", used, of: total)
        let others: [(StaticString, String?)] = [
            ("free", "MemFree"), ("active", "Active"), ("inactive", "Inactive"), ("wired", nil), ("laundry", nil), ("buffers", "Buffers"),
        ]
        for (name, line) in others { number(name, line.map(bytes) ?? 0) }
        number("cached", cached)
        let more: [(StaticString, String)] = [
            ("writeback", "Writeback"), ("dirty", "Dirty"), ("writebacktmp", "WritebackTmp"), ("shared", "Shmem"), ("slab", "Slab"),
            ("sreclaimable", "SReclaimable"), ("sunreclaim", "SUnreclaim"), ("pagetables", "PageTables"), ("swapcached", "SwapCached"),
            ("commitlimit", "CommitLimit"), ("committedas", "Committed_AS"), ("hightotal", "HighTotal"), ("highfree", "HighFree"),
            ("lowtotal", "LowTotal"), ("lowfree", "LowFree"), ("swaptotal", "SwapTotal"), ("swapfree", "SwapFree"), ("mapped", "Mapped"),
            ("vmalloctotal", "VmallocTotal"), ("vmallocused", "VmallocUsed"), ("vmallocchunk", "VmallocChunk"),
        ]
        for (name, line) in more { number(name, bytes(line)) }
        // Pages, not sizes.
        number("hugepagestotal", lines.number("HugePages_Total"))
        number("hugepagesfree", lines.number("HugePages_Free"))
        number("hugepagesize", bytes("Hugepagesize"))
        endObject()
    }

    /// One for each logical processor; blocks of lines with an empty line behind each.
    fileprivate mutating func processors(_ text: String) {
        beginArray()
        var block = ""
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.isEmpty {
                processor(FactLines(block))
                block = ""
            } else {
                block += line + "\n"
            }
        }
        processor(FactLines(block))
        endArray()
    }

    private mutating func processor(_ lines: FactLines) {
        if lines["processor"].isEmpty { return }
        beginObject()
        number("cpu", lines.number("processor"))
        let texts: [(StaticString, String)] = [("vendorId", "vendor_id"), ("family", "cpu family"), ("model", "model")]
        for (name, line) in texts { member(name, lines[line]) }
        number("stepping", lines.number("stepping"))
        member("physicalId", lines["physical id"])
        member("coreId", lines["core id"])
        // Each is shown as one, whatever it is part of.
        number("cores", 1)
        member("modelName", lines["model name"])
        key("mhz")
        double(Double(lines["cpu MHz"]) ?? 0)
        number("cacheSize", lines.number("cache size"))
        key("flags")
        strings(lines["flags"].split(separator: " ").map(String.init))
        member("microcode", lines["microcode"])
        endObject()
    }

    fileprivate mutating func host(_ kernel: HostFacts.Kernel, _ facts: HostFacts) {
        let release = FactLines(facts.release ?? "", separator: "=")
        let now = UInt64(max(0, facts.unixNanoseconds / 1_000_000_000))
        beginObject()
        member("hostname", kernel.hostName)
        number("uptime", kernel.uptimeSeconds)
        number("bootTime", now > kernel.uptimeSeconds ? now - kernel.uptimeSeconds : 0)
        number("procs", kernel.processes)
        member("os", "linux")
        member("platform", release["ID"])
        member("platformFamily", Self.family(of: release))
        member("platformVersion", release["VERSION_ID"])
        member("kernelVersion", kernel.release)
        member("kernelArch", kernel.architecture)
        member("virtualizationSystem", "")
        member("virtualizationRole", "")
        member("hostid", kernel.id)
        endObject()
    }

    /// `debian`, `rhel`, `suse` or `arch` where the distribution says that it is like one of them; else its own name.
    private static func family(of release: FactLines) -> String {
        let names = [release["ID"]] + release["ID_LIKE"].split(separator: " ").map(String.init)
        for family in ["debian", "rhel", "fedora", "suse", "arch"] where names.contains(family) { return family }
        return release["ID"]
    }

    fileprivate mutating func fileSystem(_ disk: HostFacts.FileSystem) {
        let used = disk.blocks > disk.free ? disk.blocks - disk.free : 0
        let inodesUsed = disk.inodes > disk.inodesFree ? disk.inodes - disk.inodesFree : 0
        beginObject()
        member("path", "/")
        member("fstype", disk.name)
        number("total", disk.blocks &* disk.blockSize)
        number("free", disk.available &* disk.blockSize)
        number("used", used &* disk.blockSize)
        share("usedPercent", used, of: used &+ disk.available)
        number("inodesTotal", disk.inodes)
        number("inodesUsed", inodesUsed)
        number("inodesFree", disk.inodesFree)
        share("inodesUsedPercent", inodesUsed, of: disk.inodes)
        endObject()
    }
}
