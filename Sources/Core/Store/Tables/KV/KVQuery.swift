/// Reads of keys. Keys are bytes, as the client spelled them. Spec: http-2 §2, rpc-raft-wire §4.
public enum KVQuery: Hashable, Sendable {
    case get(key: ByteString)
    case list(prefix: ByteString)
    /// An empty separator means none.
    case keys(prefix: ByteString, separator: ByteString)
}

extension KVQuery: QueryFamily {
    enum Method: String, CallMethod {
        case get = "KVS.Get"
        case list = "KVS.List"
        case keys = "KVS.ListKeys"
    }

    var method: Method {
        switch self {
        case .get: .get
        case .list: .list
        case .keys: .keys
        }
    }

    private struct Fields: WireFields {
        var options = QueryOptions()
        var key = ByteString([]), prefix = ByteString([]), separator = ByteString([])

        mutating func read(_ name: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
            switch name {
            case "Key": key = try reader.byteString()
            case "Prefix": prefix = try reader.byteString()
            case "Seperator": separator = try reader.byteString()
            default: return try options.read(name, from: &reader)
            }
            return true
        }
    }

    static func decode(_ method: Method, _ reader: inout MessagePackReader) throws(MessagePackError) -> (KVQuery, QueryOptions) {
        let fields = try Fields(from: &reader)
        return switch method {
        case .get: (.get(key: fields.key), fields.options)
        case .list: (.list(prefix: fields.key), fields.options)
        case .keys: (.keys(prefix: fields.prefix, separator: fields.separator), fields.options)
        }
    }

    func encode(_ options: QueryOptions) -> [UInt8] {
        switch self {
        case .get(let key), .list(let key):
            var writer = QueryWriter(options, fields: 2)
            writer.datacenter()
            writer.field("Key", key)
            return writer.finish()
        case .keys(let prefix, let separator):
            var writer = QueryWriter(options, fields: 3)
            writer.datacenter()
            writer.field("Prefix", prefix)
            writer.field("Seperator", separator)
            return writer.finish()
        }
    }

    var problem: String? { nil }
    var canWait: Bool { true }

    func evaluate(_ store: Store, _ options: QueryOptions) throws(TextError) -> (result: QueryResult, index: UInt64) {
        switch self {
        case .get(let key):
            guard let entry = store.kvs[key] else { return (.entries([]), store.kvIndex) }
            return (.entries([DirEntry(key: key, entry: entry)]), entry.index.modify)
        case .list(let prefix):
            let (entries, index) = store.list(prefix)
            return (.entries(entries), index)
        case .keys(let prefix, let separator):
            let (keys, index) = store.keys(prefix, separator: separator)
            return (.keys(keys), index)
        }
    }

    func topics(in store: Store, _ options: QueryOptions) -> [WatchTopic] {
        switch self {
        case .get(let key): [.kvKey(key)]
        case .list(let prefix), .keys(let prefix, _): [.kvPrefix(prefix)]
        }
    }

    func authorize(_ authorizer: Authorizer, _ result: inout QueryResult) throws(Denied) {
        switch (self, result) {
        case (.get(let key), _): try authorizer.require(.keyRead(key))
        case (_, .entries(var entries)):
            entries.keep(for: authorizer)
            result = .entries(entries)
        case (_, .keys(var keys)):
            authorizer.filter(&keys) { authorizer.allows(.keyRead($0)) }
            result = .keys(keys)
        default: throw Denied()
        }
    }

    func encodeReply(_ result: QueryResult, _ meta: QueryMeta) -> [UInt8] {
        var reply = ReplyWriter(meta)
        switch result {
        case .entries(let entries):
            reply.key("Entries")
            reply.list(entries, count: entries.count) { $0.encode(into: &$1) }
        case .keys(let keys):
            reply.key("Keys")
            reply.list(keys) { $1.raw($0) }
        default: preconditionFailure("keys are answered with entries or keys")
        }
        return reply.finish()
    }

    var emptyResult: QueryResult { if case .keys = self { .keys([]) } else { .entries([]) } }

    func readReply(
        _ name: MessagePackKey, _ reader: inout MessagePackReader, _ result: inout QueryResult
    ) throws(MessagePackError) -> Bool {
        switch (self, name) {
        case (.get, "Entries"), (.list, "Entries"): result = .entries(EntryList(try DirEntry.array(from: &reader) ?? []))
        case (.keys, "Keys"):
            result = .keys(try reader.array { (reader) throws(MessagePackError) in try reader.byteString() } ?? [])
        default: return false
        }
        return true
    }
}
