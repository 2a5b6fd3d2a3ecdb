/// `/v1/status/`, `/v1/operator/raft/configuration`, `/v1/catalog/datacenters`.
extension APIRequest {
    func status(_ query: StatusQuery) throws(Refusal) -> APICall { .status(query, try readOptions(), pretty: pretty) }

    func raftConfiguration() throws(Refusal) -> APICall { .raftConfiguration(try readOptions(), pretty: pretty) }

    func datacenters() throws(Refusal) -> APICall {
        let (_, cache) = try readOptionsAndCache()
        return .datacenters(cache, pretty: pretty)
    }
}
