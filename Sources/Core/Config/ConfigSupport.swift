/// The settings that this version reads and does not act on, though users who make them rely on them. An agent logs a warning for each.
///
/// Everything else in `ConfigSchema` is either honoured or has no effect in the reference either.
enum ConfigSupport {
    private struct Entry {
        let path: String
        let consequence: String
        init(_ path: String, _ consequence: String) {
            self.path = path
            self.consequence = consequence
        }
    }

    private static let entries: [Entry] = [
        Entry("acl.enabled", "requests are not authorized; everyone may do everything"),
        Entry("acl_datacenter", "requests are not authorized; everyone may do everything"),
        Entry("acl.default_policy", "requests are not authorized; everyone may do everything"),
        Entry("acl_default_policy", "requests are not authorized; everyone may do everything"),
        Entry("acl.tokens.master", "no token is created"),
        Entry("acl_master_token", "no token is created"),
        Entry("verify_incoming", "client certificates are not required"),
        Entry("verify_incoming_rpc", "client certificates are not required"),
        Entry("verify_incoming_https", "client certificates are not required"),
        Entry("verify_outgoing", "connections to servers do not use TLS"),
        Entry("verify_server_hostname", "connections to servers do not use TLS"),
        Entry("ca_file", "TLS is not used"),
        Entry("ca_path", "TLS is not used"),
        Entry("cert_file", "TLS is not used"),
        Entry("key_file", "TLS is not used"),
        Entry("ports.https", "HTTPS is not served"),
        Entry("ports.grpc", "gRPC is not served"),
        Entry("auto_encrypt.tls", "certificates are not distributed"),
        Entry("auto_encrypt.allow_tls", "certificates are not distributed"),
        Entry("auto_config.enabled", "configuration is not distributed"),
        Entry("auto_config.authorization.enabled", "configuration is not distributed"),
        Entry("connect.enabled", "Connect certificates and intentions are not available"),
        Entry("connect.enable_mesh_gateway_wan_federation", "datacenters are not connected"),
        Entry("config_entries.bootstrap", "the entries are not written"),
        Entry("enable_central_service_config", "central configuration is not merged into services"),
        Entry("enable_agent_tls_for_checks", "checks do not present the agent's certificate"),
        Entry("primary_gateways", "datacenters are not connected"),
        Entry("watches", "the handlers are not run"),
        Entry("telemetry.statsite_address", "metrics are not sent"),
        Entry("telemetry.statsd_address", "metrics are not sent"),
        Entry("telemetry.dogstatsd_addr", "metrics are not sent"),
        Entry("telemetry.circonus_api_token", "metrics are not sent"),
        Entry("telemetry.circonus_submission_url", "metrics are not sent"),
        Entry("ui_dir", "no page is served"),
        Entry("discovery_max_stale", "reads are not redirected by age"),
    ]

    /// One sentence for each setting that is on.
    static func notes(on user: DynamicValue) -> [String] {
        let reader = ConfigReader(user)
        var notes: [String] = []
        for entry in entries {
            guard let value = reader.value(entry.path), isOn(value), !isHarmless(entry.path, reader) else { continue }
            notes.append("\"\(entry.path)\" is not supported by this version: \(entry.consequence)")
        }
        if user.flagIsFalse("disable_remote_exec") {
            notes.append("\"disable_remote_exec\" is not supported by this version: remote execution stays disabled")
        }
        return notes
    }

    private static func isOn(_ value: DynamicValue) -> Bool {
        switch value {
        case .null: false
        case .bool(let flag): flag
        case .int(let number): number > 0
        case .uint: true
        case .double(let number): number > 0
        case .string(let text): !text.isEmpty
        case .bytes(let bytes): !bytes.isEmpty
        case .array(let elements): !elements.isEmpty
        case .map(let members): !members.isEmpty
        }
    }

    private static func isHarmless(_ path: String, _ reader: ConfigReader) -> Bool {
        (path == "acl.default_policy" || path == "acl_default_policy") && reader.string(path) == "allow"
    }
}

extension DynamicValue {
    fileprivate func flagIsFalse(_ name: String) -> Bool { self[name] == .bool(false) }
}
