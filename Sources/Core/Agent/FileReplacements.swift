/// Files that an agent replaces as a whole: the new one is written aside, made durable and renamed. Owns which are under way.
struct FileReplacements {
    /// By the token of the batch.
    private var files = LookupTable<UInt64, String>()
    private var nextToken: UInt64 = 1

    mutating func replace(_ file: String, by bytes: [UInt8]) -> DiskBatch {
        let operations = DiskOperation.replace(file, aside: file + ".tmp", with: bytes)
        defer { nextToken += 1 }
        files[nextToken] = file
        return DiskBatch(of: .agent, token: nextToken, operations: operations)
    }

    /// Returns what is to be logged; nil if the file is replaced.
    mutating func ended(_ completion: DiskCompletion) -> String? {
        guard let file = files.removeValue(forKey: completion.token), case .failure(let error) = completion.result else { return nil }
        return "failed to write a file: file=\(file) error=\(LogText.value("\(error)"))"
    }
}
