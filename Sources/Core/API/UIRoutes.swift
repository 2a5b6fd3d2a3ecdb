/// `/v1/internal/ui/nodes` and `node/`: what the web page of the reference shows. Spec: http-2 §13.1, §13.2.
extension APIRequest {
    func uiNodes() throws(Refusal) -> APICall {
        try refuseNamespaces()
        let options = try readOptions()
        if parameters.value("filter")?.isEmpty == false {
            throw Refusal(500, "Failed to create boolean expression evaluator: filters are not supported here by this version")
        }
        return .read(.nodeDump(node: nil), options, ReadShape(.nodeDump(single: false), pretty: pretty))
    }

    func uiNode() throws(Refusal) -> APICall {
        try refuseNamespaces()
        let options = try readOptions()
        let node = try requiredArgument("Missing node name")
        return .read(.nodeDump(node: node), options, ReadShape(.nodeDump(single: true), pretty: pretty))
    }
}

extension Renderer {
    static func nodeDump(_ rows: [NodeDump], _ shape: ReadShape) -> [UInt8] {
        var json = JSONWriter(pretty: shape.pretty, reservingCapacity: 256 + rows.count * 1024)
        if case .nodeDump(single: true) = shape.form {
            if let row = rows.first { json.nodeDump(row) }
        } else {
            json.beginArray()
            for row in rows { json.nodeDump(row) }
            json.endArray()
        }
        return json.finish()
    }
}

extension JSONWriter {
    fileprivate mutating func nodeDump(_ row: NodeDump) {
        let node = row.node.value
        beginObject()
        member("ID", node.id)
        member("Node", node.node)
        member("Address", node.address)
        key("TaggedAddresses")
        stringMap(node.taggedAddresses)
        key("Meta")
        stringMap(node.meta)
        key("Services")
        beginArray()
        for service in row.services { nodeService(service.value.service) }
        endArray()
        key("Checks")
        checks(row.checks)
        endObject()
    }
}
