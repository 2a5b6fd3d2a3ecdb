/// `/v1/status/`, `/v1/operator/raft/configuration`, `/v1/catalog/datacenters`.
extension APIRequest {
    func status(_ operation: ServerOperation) throws(Refusal) -> APICall { .operation(operation, try readOptions(), pretty: pretty) }

    func raftConfiguration() throws(Refusal) -> APICall { .operation(.raftConfiguration, try readOptions(), pretty: pretty) }

    func datacenters() throws(Refusal) -> APICall {
        let (_, cache) = try readOptionsAndCache()
        return .datacenters(cache, pretty: pretty)
    }
}
