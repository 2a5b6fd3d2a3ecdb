/// Arguments that may stand for the content of a file or of standard input. Spec: cli §2.
enum DataSource {
    /// `@path` is a file, `-` standard input, everything else stands for itself.
    static func read(_ argument: String, _ console: Console) throws(FileFailure) -> [UInt8] {
        if argument == "-" {
            do {
                return try console.readInput()
            } catch {
                throw FileFailure(text: "Failed to read stdin: \(error.text)")
            }
        }
        guard argument.hasPrefix("@") else { return Array(argument.utf8) }
        do {
            return try console.readFile(String(argument.dropFirst()))
        } catch {
            throw FileFailure(text: "Failed to read file: \(error.text)")
        }
    }
}
