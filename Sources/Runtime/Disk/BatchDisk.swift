import Core

/// A disk that batches are performed on while the agent runs.
public protocol BatchDisk: Disk {
    /// Performs one operation; what it read, for `.read`.
    func perform(_ operation: DiskOperation) throws(DiskError) -> [UInt8]?
}

extension BatchDisk {
    /// Performs `batches[from...]` up to and including the first sync that is needed, and appends what became of them.
    ///
    /// Batches in a row that write to one file and end with its sync share that sync (group commit). Nothing else is reordered: a batch
    /// that touches another file, or does more than write, begins after the sync. Returns the position of the first batch not performed.
    func performRun(_ batches: [DiskBatch], from start: Int, into completions: inout [DiskCompletion]) -> Int {
        var at = start
        var shared: String?
        let firstOfRun = completions.count
        while at < batches.count {
            let file = Self.fileOfAppend(batches[at])
            if at > start, file == nil || file != shared { break }
            shared = file
            completions.append(perform(batches[at], leavingLastSync: file != nil))
            at += 1
            if file == nil { break }
        }
        if let shared { syncShared(shared, of: &completions, from: firstOfRun) }
        return at
    }

    /// The only file that the batch writes to, if it does nothing but write to it and then sync it.
    private static func fileOfAppend(_ batch: DiskBatch) -> String? {
        guard case .sync(let file)? = batch.operations.last else { return nil }
        for operation in batch.operations.dropLast() {
            guard case .write(let name, _, _) = operation, name == file else { return nil }
        }
        return file
    }

    private func perform(_ batch: DiskBatch, leavingLastSync: Bool) -> DiskCompletion {
        var found: [[UInt8]] = []
        do throws(DiskError) {
            for operation in leavingLastSync ? batch.operations.dropLast() : batch.operations[...] {
                if let bytes = try perform(operation) { found.append(bytes) }
            }
            return DiskCompletion(of: batch, .success(found))
        } catch {
            return DiskCompletion(of: batch, .failure(error))
        }
    }

    private func syncShared(_ file: String, of completions: inout [DiskCompletion], from start: Int) {
        do throws(DiskError) {
            _ = try perform(.sync(file: file))
        } catch {
            for index in start..<completions.count {
                if case .success = completions[index].result { completions[index].result = .failure(error) }
            }
        }
    }
}
