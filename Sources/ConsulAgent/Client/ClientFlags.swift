/// The flags that commands share which talk to an agent. Spec: cli §3.1.
enum ClientFlags {
    static let connection: [Flag] = [
        Flag(
            "ca-file", .value, "File with the CA certificate that an agent's certificate must come from. Also CONSUL_CACERT.",
            section: .client),
        Flag("ca-path", .value, "Directory of CA certificates. Also CONSUL_CAPATH.", section: .client),
        Flag("client-cert", .value, "Certificate to present to an agent that asks for one. Also CONSUL_CLIENT_CERT.", section: .client),
        Flag("client-key", .value, "Key of the certificate to present. Also CONSUL_CLIENT_KEY.", section: .client),
        Flag(
            "http-addr", .value,
            "The `address` of the agent's HTTP API, as host:port, with http:// or https:// before it, or as unix:///path of a socket. "
                + "Also CONSUL_HTTP_ADDR. The default is http://127.0.0.1:8500.", section: .client),
        Flag(
            "tls-server-name", .value, "Name that the agent's certificate must be valid for. Also CONSUL_TLS_SERVER_NAME.", section: .client
        ),
        Flag("token", .value, "ACL token that requests are made with. Also CONSUL_HTTP_TOKEN.", section: .client),
        Flag("token-file", .value, "File that holds the ACL token. Also CONSUL_HTTP_TOKEN_FILE.", section: .client),
    ]

    static let server: [Flag] = [
        Flag("datacenter", .value, "Datacenter that is asked. The default is the agent's own.", section: .client),
        Flag(
            "stale", .looseBool, "Lets any server answer, not only the leader. Scales better and may be behind by a moment.",
            section: .client),
    ]

    static let namespace: [Flag] = [
        Flag("namespace", .value, "Namespace that is asked (enterprise only); not given, it is that of the token, else `default`.")
    ]
}
