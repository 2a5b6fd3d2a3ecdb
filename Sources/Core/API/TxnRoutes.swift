// `/v1/txn`. Spec: http-2 §6.

extension RouteTable {
    static let transactions: [Route] = [
        Route("/v1/txn", .put, .always(.key, .write)) { (call) throws(Refusal) in try call.txn() }
    ]
}

extension APIRequest {
    private static let operationLimit = 64
    private static let decodePrefix = "Failed to parse body: "

    func txn() throws(Refusal) -> APICall {
        let limit = max(context.txnMaxRequestLength, context.kvMaxValueSize)
        if max(request.contentLength ?? 0, request.body.count) > limit {
            let announced = request.contentLength.map { "(\($0) bytes)" } ?? ""
            throw .tooLarge(
                "Request body\(announced) too large, max size: \(limit) bytes. See "
                    + "https://www.consul.io/docs/agent/options.html#txn_max_req_len.")
        }
        let document = JSONField(document: try decodeBody(prefix: APIRequest.decodePrefix), type: "api.TxnOps")
        let elements: [JSONField]
        let operations: [TxnOp]
        do {
            elements = try document.elements(type: "api.TxnOps") ?? []
            operations = try decode(elements)
        } catch {
            throw Refusal(400, APIRequest.decodePrefix + error.text)
        }
        try refuseLarge(elements.count, operations)
        var txn = TxnRequest()
        txn.ops = operations.filter { $0 != .none }
        if txn.ops.contains(where: \.isWrite) {
            txn.datacenter = datacenter
            txn.token = token
            return .txn(txn, readOnly: false, QueryOptions(), pretty: pretty)
        }
        let options = try readOptions()
        txn.datacenter = options.datacenter
        txn.token = options.token
        return .txn(txn, readOnly: true, options, pretty: pretty)
    }

    private func decode(_ elements: [JSONField]) throws(TextError) -> [TxnOp] {
        var operations: [TxnOp] = []
        operations.reserveCapacity(min(elements.count, APIRequest.operationLimit))
        for element in elements { operations.append(try TxnOp(json: element, datacenter: context.datacenter)) }
        return operations
    }

    private func refuseLarge(_ count: Int, _ operations: [TxnOp]) throws(Refusal) {
        if count > APIRequest.operationLimit {
            throw Refusal(413, "Transaction contains too many operations (\(count) > \(APIRequest.operationLimit))")
        }
        for case .kv(_, let row) in operations where row.entry.value.count > context.kvMaxValueSize {
            let size = row.entry.value.count
            throw Refusal(413, "Value for key \(GoQuote.quote(row.key.string)) is too large (\(size) > \(context.kvMaxValueSize) bytes)")
        }
    }
}

extension TxnOp {
    /// Whether the operation has to go through the log. An unknown verb for a key does not count, other unknown verbs do.
    public var isWrite: Bool {
        switch self {
        case .kv(.write(.unknown), _), .kv(.get, _), .kv(.getTree, _): false
        case .kv(.checkIndex, _), .kv(.checkSession, _), .kv(.checkNotExists, _): false
        case .kv(.write, _): true
        case .node(let verb, _), .service(let verb, _, _), .check(let verb, _): verb != .get
        case .session, .intention: true
        case .none: false
        }
    }

    /// Of several members the first in the order KV, Node, Service, Check counts.
    fileprivate init(json field: JSONField, datacenter: String) throws(TextError) {
        var kv: TxnOp?, node: TxnOp?, service: TxnOp?, check: TxnOp?
        for member in try field.members(of: "TxnOp") {
            switch member.key {
            case "kv": kv = member.isNull ? nil : try TxnOp.kv(json: member)
            case "node": node = member.isNull ? nil : try TxnOp.node(json: member, datacenter: datacenter)
            case "service": service = member.isNull ? nil : try TxnOp.service(json: member)
            case "check": check = member.isNull ? nil : try TxnOp.check(json: member)
            default: throw member.unknown
            }
        }
        self = kv ?? node ?? service ?? check ?? .none
    }

    private static func kv(json field: JSONField) throws(TextError) -> TxnOp {
        var verb = "", key = "", namespace = ""
        var row = DirEntry()
        for member in try field.members(of: "KVTxnOp") {
            switch member.key {
            case "verb": try member.read(&verb)
            case "key": try member.read(&key)
            case "value": try member.read(&row.entry.value)
            case "flags": try member.read(&row.entry.flags)
            case "index": try member.read(&row.entry.index.modify)
            case "session": try member.read(&row.entry.session)
            case "namespace": try member.read(&namespace)
            default: throw member.unknown
            }
        }
        row.key = ByteString(key)
        return .kv(verb: KVVerb(verb), row)
    }

    private static func node(json field: JSONField, datacenter: String) throws(TextError) -> TxnOp {
        var verb = ""
        var node = Node()
        for member in try field.members(of: "NodeTxnOp") {
            switch member.key {
            case "verb": try member.read(&verb)
            case "node": node = try Node(json: member)
            default: throw member.unknown
            }
        }
        if node.datacenter.isEmpty { node.datacenter = datacenter }
        return .node(verb: CatalogVerb(verb), node)
    }

    private static func service(json field: JSONField) throws(TextError) -> TxnOp {
        var verb = "", node = ""
        var service = NodeService()
        for member in try field.members(of: "ServiceTxnOp") {
            switch member.key {
            case "verb": try member.read(&verb)
            case "node": try member.read(&node)
            case "service": service = try NodeService(agentService: member)
            default: throw member.unknown
            }
        }
        return .service(verb: CatalogVerb(verb), node: node, service)
    }

    private static func check(json field: JSONField) throws(TextError) -> TxnOp {
        var verb = ""
        var check = HealthCheck()
        for member in try field.members(of: "CheckTxnOp") {
            switch member.key {
            case "verb": try member.read(&verb)
            case "check": check = try HealthCheck(json: member, ofTransaction: true)
            default: throw member.unknown
            }
        }
        return .check(verb: CatalogVerb(verb), check)
    }
}

extension Node {
    fileprivate init(json field: JSONField) throws(TextError) {
        self.init()
        for member in try field.members(of: "Node") {
            switch member.key {
            case "id": try member.read(&id)
            case "node": try member.read(&node)
            case "address": try member.read(&address)
            case "datacenter": try member.read(&datacenter)
            case "taggedaddresses": try member.read(&taggedAddresses)
            case "meta": try member.read(&meta)
            case "createindex": try member.read(&index.create)
            case "modifyindex": try member.read(&index.modify)
            default: throw member.unknown
            }
        }
    }
}

extension NodeService {
    /// Kind, tagged addresses, proxy and Connect are read and dropped: a transaction writes plain services.
    fileprivate init(agentService field: JSONField) throws(TextError) {
        self.init()
        var dropped = (text: "", addresses: SortedMap<String, ServiceAddress>?.none, number: 0 as UInt64)
        for member in try field.members(of: "AgentService") {
            switch member.key {
            case "id": try member.read(&id)
            case "service": try member.read(&service)
            case "tags": try member.read(&tags)
            case "meta": try member.read(&meta)
            case "port": try member.read(&port)
            case "address": try member.read(&address)
            case "weights": try member.read(&weights)
            case "enabletagoverride": try member.read(&enableTagOverride)
            case "modifyindex": try member.read(&index.modify)
            case "createindex": try member.read(&dropped.number)
            case "kind", "contenthash", "namespace": try member.read(&dropped.text)
            case "taggedaddresses": try member.read(&dropped.addresses)
            case "proxy": if !member.isNull { _ = try ConnectProxyConfig(json: member) }
            case "connect": _ = try ServiceConnect(json: member)
            default: throw member.unknown
            }
        }
    }
}
