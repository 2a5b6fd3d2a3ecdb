import Core

/// Something in the servers' state that has numbered instances and can be watched: a service in the catalog, or keys under a prefix.
enum WatchSubject {
    case service(String)
    case prefix(String)

    var name: String {
        switch self {
        case .service(let name): "service \(name)"
        case .prefix(let prefix): "keys \(prefix)"
        }
    }

    /// The path and query of a read; `parameters` are appended to it.
    func target(_ parameters: String) -> String {
        switch self {
        case .service(let name): "/v1/health/service/\(name)" + (parameters.isEmpty ? "" : "?" + parameters)
        case .prefix(let prefix): "/v1/kv/\(prefix)?recurse" + (parameters.isEmpty ? "" : "&" + parameters)
        }
    }

    /// The request that makes instance `number` show `version`; nil takes it away.
    func write(instance number: Int, version: Int?) -> (method: String, target: String, body: [UInt8]) {
        switch self {
        case .prefix(let prefix):
            guard let version else { return ("DELETE", "/v1/kv/\(prefix)\(number)", []) }
            return ("PUT", "/v1/kv/\(prefix)\(number)", Array("v\(version)".utf8))
        case .service(let name):
            let node = "node-\(name)-\(number)"
            var json = JSONWriter()
            json.beginObject()
            json.key("Node")
            json.string(node)
            guard let version else {
                json.key("ServiceID")
                json.string("\(name)-\(number)")
                json.endObject()
                return ("PUT", "/v1/catalog/deregister", json.finish())
            }
            json.key("Address")
            json.string("10.4.0.\(number + 1)")
            json.key("Service")
            json.beginObject()
            json.key("ID")
            json.string("\(name)-\(number)")
            json.key("Service")
            json.string(name)
            json.key("Tags")
            json.strings(["v\(version)"])
            json.key("Port")
            json.int(8000 + number)
            json.endObject()
            json.endObject()
            return ("PUT", "/v1/catalog/register", json.finish())
        }
    }

    /// The versions that an answer shows, by instance; nil for an answer that tells nothing.
    func versions(_ response: HTTPClientResponse, instances: Int) -> [Int]? {
        var versions = Array(repeating: 0, count: instances)
        if response.status == 404 && response.body.isEmpty { return versions }
        guard response.status == 200, let list = response.json?.list else { return nil }
        for element in list {
            guard let (instance, version) = self.version(element), instance < instances else { return nil }
            versions[instance] = version
        }
        return versions
    }

    private func version(_ element: DynamicValue) -> (instance: Int, version: Int)? {
        switch self {
        case .prefix(let prefix):
            guard let entry = KeyEntry(element), entry.key.hasPrefix(prefix), let instance = Int(entry.key.dropFirst(prefix.count)),
                let number = entry.number
            else { return nil }
            return (instance, Int(number))
        case .service(let name):
            guard let service = element["Service"], let id = service["ID"]?.text, id.hasPrefix(name + "-"),
                let instance = Int(id.dropFirst(name.count + 1)), let tag = service["Tags"]?.list?.first?.text,
                let number = Int(tag.dropFirst()), element["Node"]?["Node"]?.text == "node-\(name)-\(instance)"
            else { return nil }
            return (instance, number)
        }
    }
}
