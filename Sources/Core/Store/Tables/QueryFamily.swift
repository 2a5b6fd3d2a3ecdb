/// The names of a family's RPC methods. Deriving them from `CaseIterable` keeps the list and the decoder in step.
protocol CallMethod: RawRepresentable, CaseIterable, Hashable, Sendable where RawValue == String {}

/// The reads of one table, or of what belongs together: everything about them but how HTTP shows them. Each lives in the folder of its
/// table; `ReadQuery` is the envelope of all. Spec: rpc-raft-wire §3-4 (wire), behaviour §1.4 (indexes and watches), acl §13.
///
/// Nothing has a default: a family that forgets to say who may read it does not compile.
protocol QueryFamily: Hashable, Sendable {
    associatedtype Method: CallMethod

    /// The method that answers this read.
    var method: Method { get }
    /// The read that a request asks for, which `reader` stands before.
    static func decode(_ method: Method, _ reader: inout MessagePackReader) throws(MessagePackError) -> (Self, QueryOptions)
    /// The body of the request.
    func encode(_ options: QueryOptions) -> [UInt8]

    /// What is wrong with it, in the words of the servers; nil if nothing is. The API refuses such questions itself.
    var problem: String? { get }
    /// Whether this is a blocking query, which may wait for an index.
    var canWait: Bool { get }
    /// What it finds, in the order of the answer, and the index that it reports.
    func evaluate(_ store: Store, _ options: QueryOptions) throws(TextError) -> (result: QueryResult, index: UInt64)
    /// What a blocked query waits for.
    func topics(in store: Store, _ options: QueryOptions) -> [WatchTopic]
    /// Refuses what the caller may not ask, and takes from the result what the caller may not see.
    func authorize(_ authorizer: Authorizer, _ result: inout QueryResult) throws(Denied)

    /// The body of the answer.
    func encodeReply(_ result: QueryResult, _ meta: QueryMeta) -> [UInt8]
    /// What an answer says that does not hold what it is about.
    var emptyResult: QueryResult { get }
    /// Reads a member of an answer into `result`, which is the empty one at first; false for a member that is of no interest.
    func readReply(_ name: MessagePackKey, _ reader: inout MessagePackReader, _ result: inout QueryResult) throws(MessagePackError) -> Bool
}

/// Reads the options of a request, which are flattened into the same map as its fields. Families' own fields are read by what has this
/// one as member.
extension QueryOptions {
    /// False for what is no option.
    mutating func read(_ name: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch name {
        case "AllowStale": allowStale = try reader.bool()
        case "Datacenter": datacenter = try reader.string()
        case "Filter": filter = try reader.string()
        case "MaxQueryTime": maxQueryTime = try reader.duration()
        case "MaxStaleDuration": maxStaleDuration = try reader.duration()
        case "MinQueryIndex": minQueryIndex = try reader.uint64()
        case "RequireConsistent": requireConsistent = try reader.bool()
        case "Token": token = try reader.string()
        case "NodeMetaFilters": nodeMetaFilters = try reader.stringMap() ?? [:]
        case "Source": try readSource(from: &reader)
        default: return false
        }
        return true
    }

    private mutating func readSource(from reader: inout MessagePackReader) throws(MessagePackError) {
        var node = "", datacenter = ""
        var left = try reader.structHeader()
        while let name = try reader.nextKey(&left) {
            switch name {
            case "Datacenter": datacenter = try reader.string()
            case "Node": node = try reader.string()
            default: try reader.skip()
            }
        }
        sourceNode = node
        sourceDatacenter = node.isEmpty ? "" : datacenter
    }
}

/// A request that holds nothing but options.
struct OptionFields: WireFields {
    var options = QueryOptions()

    mutating func read(_ name: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        try options.read(name, from: &reader)
    }
}

/// A request about one node.
struct NodeFields: WireFields {
    var options = QueryOptions()
    var node = ""

    mutating func read(_ name: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch name {
        case "Node": node = try reader.string()
        default: return try options.read(name, from: &reader)
        }
        return true
    }
}

/// A request about one service: `ServiceSpecificRequest`.
struct ServiceFields: WireFields {
    var options = QueryOptions()
    var name = "", address = ""
    var connect = false, ingress = false
    private var tag = ""
    private var tagList: [String] = []
    private var filtersByTag = false

    /// A single tag is how callers before 1.3 filter.
    var tags: [String] { filtersByTag ? (tagList.isEmpty ? [tag] : tagList) : [] }

    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "ServiceName": name = try reader.string()
        case "ServiceTag": tag = try reader.string()
        case "ServiceTags": tagList = try reader.strings() ?? []
        case "ServiceAddress": address = try reader.string()
        case "Connect": connect = try reader.bool()
        case "Ingress": ingress = try reader.bool()
        case "TagFilter": filtersByTag = try reader.bool()
        default: return try options.read(key, from: &reader)
        }
        return true
    }
}

extension QueryOptions {
    /// The body of a request that holds nothing else: `DCSpecificRequest`.
    func encodeDatacenter() -> [UInt8] {
        var writer = QueryWriter(self, fields: 3)
        writer.datacenter()
        writer.metaFilters()
        writer.source()
        return writer.finish()
    }

    /// The body of a request about one node.
    func encodeNode(_ node: String) -> [UInt8] {
        var writer = QueryWriter(self, fields: 2)
        writer.datacenter()
        writer.field("Node", node)
        return writer.finish()
    }

    /// The body of a request about one service.
    func encodeService(
        _ name: String, tags: [String] = [], connect: Bool = false, ingress: Bool = false, address: String = ""
    ) -> [UInt8] {
        var writer = QueryWriter(self, fields: 10)
        writer.field("Connect", connect)
        writer.datacenter()
        writer.field("Ingress", ingress)
        writer.metaFilters()
        writer.field("ServiceAddress", address)
        writer.field("ServiceName", name)
        writer.field("ServiceTag", "")
        writer.field("ServiceTags", tags.isEmpty ? nil : tags)
        writer.source()
        writer.field("TagFilter", !tags.isEmpty)
        return writer.finish()
    }
}
