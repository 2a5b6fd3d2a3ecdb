import Core

/// Bodies of requests about nodes and sessions. Clients bring nodes of their own, so that nothing depends on gossip.
enum SessionRequests {
    static func registration(node: String, address: String) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.key("Node")
        json.string(node)
        json.key("Address")
        json.string(address)
        json.endObject()
        return json.finish()
    }

    /// A session that ends when a check of the node turns critical, whatever the pool says of the node.
    static func session(node: String, check: String) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.key("Node")
        json.string(node)
        json.key("LockDelay")
        json.string("0s")
        json.key("NodeChecks")
        json.beginArray()
        json.endArray()
        json.key("ServiceChecks")
        json.beginArray()
        json.beginObject()
        json.key("ID")
        json.string(check)
        json.endObject()
        json.endArray()
        json.endObject()
        return json.finish()
    }

    /// A session of a node that depends on one of its checks, or on none.
    static func session(node: String, lockDelay: Duration, deletes: Bool, _ dependence: ReferenceModel.Dependence) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.key("Node")
        json.string(node)
        json.key("LockDelay")
        json.string(GoDuration.format(lockDelay))
        json.key("Behavior")
        json.string(deletes ? "delete" : "release")
        json.key("NodeChecks")
        json.strings(dependence == .nodeCheck ? [NodeModel.nodeCheckID] : [])
        if dependence == .serviceCheck {
            json.key("ServiceChecks")
            json.beginArray()
            json.beginObject()
            json.key("ID")
            json.string(NodeModel.serviceCheckID)
            json.endObject()
            json.endArray()
        }
        json.endObject()
        return json.finish()
    }

    static func session(node: String, ttl: Duration?, lockDelay: Duration, behavior: String) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.key("Node")
        json.string(node)
        json.key("LockDelay")
        json.string(GoDuration.format(lockDelay))
        json.key("Behavior")
        json.string(behavior)
        if let ttl {
            json.key("TTL")
            json.string(GoDuration.format(ttl))
        }
        json.key("NodeChecks")
        json.beginArray()
        json.endArray()
        json.endObject()
        return json.finish()
    }
}
