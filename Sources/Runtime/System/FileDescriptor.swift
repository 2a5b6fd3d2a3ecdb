import CSystem
import Glibc

/// A descriptor that is closed exactly once, at the latest when its owner goes.
struct FileDescriptor: ~Copyable {
    private(set) var raw: Int32

    init(_ raw: Int32) { self.raw = raw }

    deinit { if raw >= 0 { close(raw) } }

    var isOpen: Bool { raw >= 0 }

    mutating func closeNow() {
        if raw >= 0 { close(raw) }
        raw = -1
    }

    /// Gives the descriptor up without closing it.
    consuming func release() -> Int32 {
        let fd = raw
        discard self
        return fd
    }
}

/// Raises the number of files that this process may have open to what the system allows it, and returns that number.
@discardableResult
public func raiseOpenFileLimit() -> UInt64 {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
    if limit.rlim_cur < limit.rlim_max {
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
    return UInt64(limit.rlim_cur)
}

/// Keeps what the C library's allocator holds on to small. To be called before threads start.
///
/// By default it makes an arena for each thread and lets the threshold for `mmap` grow with the largest block that was freed, so that
/// a burst of large answers would stay resident for good.
public func tuneAllocator() {
    _ = mallopt(M_ARENA_MAX, 2)
    _ = mallopt(M_MMAP_THRESHOLD, 256 << 10)
    _ = mallopt(M_TRIM_THRESHOLD, 1 << 20)
}
