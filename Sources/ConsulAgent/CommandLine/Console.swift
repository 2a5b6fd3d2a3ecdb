/// What a command sees of its surroundings, so that tests can stand in for them.
struct Console {
    var writeOutput: ([UInt8]) -> Void
    var writeError: ([UInt8]) -> Void
    var readInput: () throws(FileFailure) -> [UInt8]
    /// `-`-less path; the failure reads `open <path>: no such file or directory`.
    var readFile: (String) throws(FileFailure) -> [UInt8]
    /// nil where a variable is not set or empty.
    var variable: (String) -> String?
    /// `2006-01-02T15:04:05.000Z`, local.
    var timestamp: () -> String

    /// A line on standard output.
    func output(_ text: String) { writeOutput(Array(text.utf8) + [10]) }
    /// A line on standard error.
    func error(_ text: String) { writeError(Array(text.utf8) + [10]) }
}

/// The reference's words for what a file operation came to.
struct FileFailure: Error {
    var text: String
}
