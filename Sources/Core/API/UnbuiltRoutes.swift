// What the reference has and this agent has not built yet. Spec: http-1 §1.3.

extension RouteTable {
    static let unbuilt: [Route] = accessControl + configuration + preparedQueries + profiling

    /// Without access control the reference's answer is the same for all of them.
    private static let accessControl: [Route] =
        acl(
            ["bootstrap", "create", "update", "destroy/", "clone/", "policy", "role", "binding-rule", "auth-method", "token"], .put)
        + acl(
            [
                "info/", "list", "replication", "policies", "policy/name/", "roles", "role/name/", "binding-rules", "auth-methods",
                "tokens",
                "token/self", "rules/translate/",
            ], .get)
        + acl(["login", "logout", "rules/translate"], .post)
        + acl(["policy/", "role/", "binding-rule/", "auth-method/", "token/"], .getPutDelete)
        + [Route("/v1/internal/acl/authorize", .post, .answersNothing, refuse)]

    private static func acl(_ paths: [String], _ methods: AllowedMethods) -> [Route] {
        Route.all(paths, below: "/v1/acl/", methods, .answersNothing, refuse)
    }

    private static let refuse: Route.Handler = { (call) throws(Refusal) in throw Refusal(401, "ACL support disabled") }
    private static let absent: Route.Handler = { call in .immediate(HTTPResponse(status: 404, wrapped: false)) }

    private static let configuration: [Route] =
        [
            Route("/v1/config/", .getDelete, .answersNothing, absent),
            Route("/v1/config", .put, .answersNothing, absent),
            Route("/v1/connect/ca/configuration", .getPut, .answersNothing, absent),
            Route("/v1/connect/intentions", .getPost, .answersNothing, absent),
            Route("/v1/connect/intentions/", .getPutDelete, .answersNothing, absent),
            Route("/v1/discovery-chain/", .getPost, .answersNothing, absent),
        ]
        + Route.all(["ca/roots", "intentions/match", "intentions/check"], below: "/v1/connect/", .get, .answersNothing, absent)
        + Route.all(
            ["federation-states", "federation-states/mesh-gateways", "federation-state/"], below: "/v1/internal/", .get, .answersNothing,
            absent)

    private static let preparedQueries: [Route] = [
        Route("/v1/query", .getPost, .answersNothing, absent), Route("/v1/query/", .none, .answersNothing, absent),
    ]

    /// The router answers these before it looks at anything else of a request.
    private static let profiling: [Route] = Route.all(
        ["", "cmdline", "profile", "symbol", "trace"], below: "/debug/pprof/", .none, .answersNothing, absent)
}
