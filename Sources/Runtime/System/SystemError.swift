import Glibc

/// The number of a failed system call, with the text that the reference (Go) has for it: the C library's, in lower case.
public struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    public let code: Int32

    public init(_ code: Int32) { self.code = code }

    /// The error of the call that has just failed on this thread.
    public static var current: SystemError { SystemError(errno) }

    /// `connection refused`, `no such file or directory`, ...
    public var description: String {
        var buffer = [CChar](repeating: 0, count: 128)
        // The XSI form fills the buffer and returns a number.
        guard strerror_r(code, &buffer, buffer.count) == 0 else { return "errno \(code)" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).lowercased()
    }
}

/// Repeats a system call while signals interrupt it; -1 and `errno` mean what they always do.
@inline(__always)
func retrying<T: FixedWidthInteger & SignedInteger>(_ call: () -> T) -> T {
    while true {
        let result = call()
        if result != -1 || errno != EINTR { return result }
    }
}
