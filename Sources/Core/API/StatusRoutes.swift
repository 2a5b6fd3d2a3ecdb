// `/v1/status/`, `/v1/operator/raft/configuration`, `/v1/catalog/datacenters`.

extension RouteTable {
    static let status: [Route] = [
        Route("/v1/status/leader", .get, .openToEverybody) { (call) throws(Refusal) in try call.status(.leader) },
        Route("/v1/status/peers", .get, .openToEverybody) { (call) throws(Refusal) in try call.status(.peers) },
        Route("/v1/catalog/datacenters", .get, .openToEverybody) { (call) throws(Refusal) in try call.datacenters() },
    ]
}

extension APIRequest {
    func status(_ operation: ServerOperation) throws(Refusal) -> APICall { .operation(operation, try readOptions(), pretty: pretty) }

    func raftConfiguration() throws(Refusal) -> APICall { .operation(.raftConfiguration, try readOptions(), pretty: pretty) }

    func datacenters() throws(Refusal) -> APICall {
        let (_, cache) = try readOptionsAndCache()
        return .datacenters(cache, pretty: pretty)
    }
}
