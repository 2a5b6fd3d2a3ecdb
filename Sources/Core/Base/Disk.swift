// Named files of the data directory: what the parts of an agent ask for, and what a driver answers.

/// One step on the files of the data directory. Names are relative, with `/` between components.
public enum DiskOperation: Hashable, Sendable {
    /// Writes at `offset`, creating the file (and its folders) as needed. Not durable before a `sync` of the file.
    case write(file: String, offset: Int, bytes: [UInt8])
    /// Makes everything written to the file durable.
    case sync(file: String)
    case truncate(file: String, size: Int)
    /// Replaces `to`; durable only after `syncDirectory`.
    case rename(from: String, to: String)
    case remove(file: String)
    /// Makes creations, renames and removals in the folder durable; `""` is the data directory itself.
    case syncDirectory(String)
    /// Reads up to `count` bytes at `offset`; the batch's completion carries them, in order.
    case read(file: String, offset: Int, count: Int)

    /// Gives a file these contents and no others, whatever it held before.
    static func contents(of file: String, _ bytes: [UInt8]) -> [DiskOperation] {
        [.write(file: file, offset: 0, bytes: bytes), .truncate(file: file, size: bytes.count)]
    }

    /// Replaces a file as a whole: written aside under the name `temporary`, in the same folder, synced and renamed. Durable when done;
    /// whatever happens meanwhile, the file has its old contents or the new ones.
    static func replace(_ file: String, aside temporary: String, with bytes: [UInt8]) -> [DiskOperation] {
        contents(of: temporary, bytes)
            + [.sync(file: temporary), .rename(from: temporary, to: file), .syncDirectory(folder(of: file))]
    }

    /// The folder of a file, "" for the data directory itself.
    static func folder(of file: String) -> String {
        file.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(file[..<$0]) } ?? ""
    }
}

/// Operations performed in order; the first failure ends the batch. Batches are performed in the order they were asked for,
/// but deferrable ones begin when no other waits.
public struct DiskBatch: Sendable {
    /// The part of an agent whose files they are, and that is told of the completion.
    public enum Owner: UInt8, Sendable {
        case raft
        /// The agent itself: keyrings.
        case agent
        /// Registered services and checks.
        case registrations
        /// What that gossip pool remembers.
        case lan, wan
    }

    public var owner: Owner
    /// Chosen by the owner.
    public var token: UInt64
    public var operations: [DiskOperation]
    /// The log's batches, for which clients wait, do not wait for these.
    public var isDeferrable: Bool { owner == .registrations }

    public init(of owner: Owner, token: UInt64, operations: [DiskOperation]) {
        self.owner = owner
        self.token = token
        self.operations = operations
    }
}

public enum DiskError: Error, Hashable, Sendable, CustomStringConvertible {
    case noSpace
    case notFound(String)
    /// The text of the system's error, with file and operation.
    case failed(String)

    public var description: String {
        switch self {
        case .noSpace: "no space left on device"
        case .notFound(let file): "\(file): no such file or directory"
        case .failed(let text): text
        }
    }
}

/// The answer to a `DiskBatch`: what its reads found, in order, or the first failure.
public struct DiskCompletion: Sendable {
    public var owner: DiskBatch.Owner
    public var token: UInt64
    public var result: Result<[[UInt8]], DiskError>
    public init(of batch: DiskBatch, _ result: Result<[[UInt8]], DiskError>) {
        owner = batch.owner
        token = batch.token
        self.result = result
    }
}

/// Files as they are found at start, read synchronously before the agent runs. Runtime and Simulator each supply one.
public protocol Disk {
    /// Every file below `directory` ("" for all), names relative to the data directory, sorted.
    func list(_ directory: String) throws(DiskError) -> [String]
    func size(_ file: String) throws(DiskError) -> Int
    /// Fewer bytes than `count` only at the end of the file.
    func read(_ file: String, offset: Int, count: Int) throws(DiskError) -> [UInt8]
    /// Performs and makes durable before it returns; for recovery only (cutting a torn tail).
    func perform(_ operations: [DiskOperation]) throws(DiskError)
}
