// Which method of the server port carries which work (rpc-raft-wire §3).

/// Methods of the reference that this server has nothing behind. Their callers get the answer of a reference that has the feature turned
/// off, where it can be, and else a clear one.
enum AbsentMethods {
    /// nil for a method that the reference does not have either.
    static func refusal(of method: String) -> String? {
        switch method {
        case "ConnectCA.Roots", "ConnectCA.Sign", "ConnectCA.SignIntermediate", "ConnectCA.ConfigurationGet", "ConnectCA.ConfigurationSet",
            "DiscoveryChain.Get":
            "Connect must be enabled in order to use this endpoint"
        case "PreparedQuery.Get", "PreparedQuery.Execute", "PreparedQuery.Explain": "Query not found"
        case "PreparedQuery.Apply", "PreparedQuery.List", "PreparedQuery.ExecuteRemote", "ConfigEntry.Apply", "ConfigEntry.Delete",
            "ConfigEntry.Get", "ConfigEntry.List",
            "ConfigEntry.ListAll", "ConfigEntry.ResolveServiceConfig", "Intention.Apply", "Intention.Get", "Intention.List",
            "Intention.Match", "Intention.Check", "Internal.GatewayServiceDump", "FederationState.Apply", "FederationState.Get",
            "FederationState.List", "FederationState.ListMeshGateways":
            method + " is not supported by this server"
        default: isOfAccessControl(method) ? "ACL support disabled" : nil
        }
    }

    private static func isOfAccessControl(_ method: String) -> Bool {
        switch method {
        case "ACL.BootstrapTokens", "ACL.TokenRead", "ACL.TokenBatchRead", "ACL.TokenList", "ACL.TokenSet", "ACL.TokenClone",
            "ACL.TokenDelete", "ACL.PolicyRead", "ACL.PolicyBatchRead", "ACL.PolicyList", "ACL.PolicyResolve", "ACL.PolicySet",
            "ACL.PolicyDelete", "ACL.RoleRead", "ACL.RoleBatchRead", "ACL.RoleList", "ACL.RoleResolve", "ACL.RoleSet", "ACL.RoleDelete",
            "ACL.BindingRuleRead", "ACL.BindingRuleList", "ACL.BindingRuleSet", "ACL.BindingRuleDelete", "ACL.AuthMethodRead",
            "ACL.AuthMethodList", "ACL.AuthMethodSet", "ACL.AuthMethodDelete", "ACL.Login", "ACL.Logout", "ACL.Authorize",
            "ACL.ReplicationStatus", "ACL.GetPolicy", "ACL.Bootstrap", "ACL.Apply", "ACL.Get", "ACL.List":
            true
        default: false
        }
    }
}

extension ServerWork {
    /// The endpoints of the reference, for telling an unknown method from an unknown endpoint.
    static let services = [
        "ACL", "Catalog", "ConfigEntry", "ConnectCA", "Coordinate", "DiscoveryChain", "FederationState", "Health", "Intention", "Internal",
        "KVS", "Operator", "PreparedQuery", "Session", "Status", "Txn",
    ]

    /// The names of all methods that servers answer.
    static var methods: [String] {
        ReadQuery.methods + WriteRequest.methods + [SessionRenewal.method] + ServerOperation.Method.allCases.map(\.rawValue)
    }

    /// The method and its encoded request; nil for what a server proposes only itself.
    var encodedCall: (method: String, body: [UInt8])? {
        switch self {
        case .read(let query, let options): return (query.rpcMethod, query.encodeRequest(options))
        case .write(let request): return request.rpcMethod.map { ($0, request.encodeRequest()) }
        case .renew(let session, let options): return (SessionRenewal.method, SessionRenewal.encode(id: session, options))
        case .operation(let operation, let options): return operation.method.map { ($0.rawValue, operation.encodeRequest(options)) }
        }
    }

    /// nil for a method that does not exist.
    init?(method: String, body: ArraySlice<UInt8>) throws(MessagePackError) {
        if let request = try WriteRequest.decodeRequest(method: method, body: body) {
            self = .write(request)
        } else if method == SessionRenewal.method {
            var reader = MessagePackReader(body, elementsMax: MessagePackReader.requestElementsMax)
            let (id, options) = try SessionRenewal.decode(&reader)
            self = .renew(session: id, options)
        } else if let (query, options) = try ReadQuery.decodeRequest(method: method, body: body) {
            self = .read(query, options)
        } else if let (operation, options) = try ServerOperation.decodeRequest(method: method, body: body) {
            self = .operation(operation, options)
        } else {
            return nil
        }
    }
}
