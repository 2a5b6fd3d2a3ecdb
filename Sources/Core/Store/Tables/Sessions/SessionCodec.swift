// Sessions on the wire, in the log and in snapshots. Spec: rpc-raft-wire §4.

extension Session: WireStruct {
    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Behavior": behavior = try reader.string()
        case "Checks": checks = try reader.strings()
        case "CreateIndex": index.create = try reader.uint64()
        case "ID": id = try reader.string()
        case "LockDelay": lockDelay = try reader.duration() * (planted(.lockDelayNotDecoded) ? 0 : 1)
        case "ModifyIndex": index.modify = try reader.uint64()
        case "Name": name = try reader.string()
        case "Node": node = try reader.string()
        case "NodeChecks": nodeChecks = try reader.strings()
        case "ServiceChecks": serviceChecks = try SessionServiceCheck.array(from: &reader)
        case "TTL": ttl = try reader.string()
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(11)
        writer.field("Behavior", planted(.behaviourNotEncoded) ? "release" : behavior)
        writer.field("Checks", checks)
        writer.field("CreateIndex", index.create)
        writer.field("ID", id)
        writer.field("LockDelay", lockDelay)
        writer.field("ModifyIndex", index.modify)
        writer.field("Name", name)
        writer.field("Node", node)
        writer.field("NodeChecks", nodeChecks)
        writer.field("ServiceChecks", serviceChecks)
        writer.field("TTL", ttl)
    }
}

extension SessionServiceCheck: WireStruct {
    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "ID": id = try reader.string()
        case "Namespace": namespace = try reader.string()
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(2)
        writer.field("ID", id)
        writer.field("Namespace", namespace)
    }
}
