/// The checks that stand for the maintenance mode of a node or service. Spec: http-1 §4.6, §4.7.
enum MaintenanceCheck {
    static let nodeID: ByteString = "_node_maintenance"
    static func id(ofService id: String) -> ByteString { ByteString("_service_maintenance:" + id) }

    /// Whether the check with that ID is one of them.
    static func isOne(_ id: String) -> Bool {
        id.utf8.elementsEqual(nodeID.bytes) || id.utf8.starts(with: "_service_maintenance:".utf8)
    }
}
