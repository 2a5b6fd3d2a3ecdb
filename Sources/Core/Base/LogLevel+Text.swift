// How log levels are written.

extension LogLevel {
    /// As users write it, in any case; nil for another word.
    public init?(named name: String) {
        switch name.lowercased() {
        case "trace": self = .trace
        case "debug": self = .debug
        case "info": self = .info
        case "warn": self = .warn
        case "err", "error": self = .error
        default: return nil
        }
    }

    /// As JSON log lines name it.
    public var name: String {
        switch self {
        case .trace: "trace"
        case .debug: "debug"
        case .info: "info"
        case .warn: "warn"
        case .error: "error"
        }
    }

    /// As text lines show it: of equal width, with the blanks around it.
    public var column: String {
        switch self {
        case .trace: " [TRACE] "
        case .debug: " [DEBUG] "
        case .info: " [INFO]  "
        case .warn: " [WARN]  "
        case .error: " [ERROR] "
        }
    }
}
