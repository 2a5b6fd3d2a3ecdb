/// Every key of the reference's configuration, whether or not this version does something with it (config §7).
enum ConfigSchema {
    static let root: [ConfigKey] = Array(
        [
            general, addresses, security, deprecated, joining, checks, logging, fixed,
            block(
                "ports",
                keys(.int, "dns http https grpc server serf_lan serf_wan proxy_min_port proxy_max_port"),
                keys(.int, "sidecar_min_port sidecar_max_port expose_min_port expose_max_port")),
            block("addresses", keys(.string, "dns http https grpc")),
            block("unix_sockets", keys(.string, "user group mode")),
            acl, dns, http, limits, telemetry, connect, autoConfig,
            block("performance", keys(.int, "raft_multiplier"), keys(.string, "leave_drain_time rpc_hold_timeout")),
            block("gossip_lan", gossip),
            block("gossip_wan", gossip),
            block(
                "autopilot",
                keys(.bool, "cleanup_dead_servers disable_upgrade_migration"),
                keys(.string, "last_contact_threshold redundancy_zone_tag server_stabilization_time upgrade_version_tag"),
                keys(.int, "max_trailing_logs"), keys(.uint, "min_quorum")),
            block("auto_encrypt", keys(.bool, "tls allow_tls"), keys(.strings, "dns_san ip_san")),
            block("cache", keys(.float, "entry_fetch_rate"), keys(.int, "entry_fetch_max_burst")),
            block("config_entries", keys(.freeList, "bootstrap")),
            block("audit", keys(.bool, "enabled"), keys(.free, "sink")),
            keys(.block(service), "service"), keys(.blocks(service), "services"),
            keys(.block(check), "check"), keys(.blocks(check), "checks"),
            keys(.freeList, "watches"),
            keys(.free, "snapshot_agent"),
        ].joined())

    private static func keys(_ type: ConfigType, _ names: String) -> [ConfigKey] { ConfigKey.keys(type, names) }

    private static func block(_ name: String, _ keys: [ConfigKey]...) -> [ConfigKey] {
        [ConfigKey(name: name, type: .block(Array(keys.joined())))]
    }

    private static let general: [ConfigKey] = Array(
        [
            keys(.bool, "server bootstrap translate_wan_addrs non_voting_server rejoin_after_leave leave_on_terminate"),
            keys(.bool, "skip_leave_on_interrupt disable_coordinates disable_remote_exec disable_update_check"),
            keys(.bool, "disable_anonymous_signature disable_host_node_id disable_keyring_file disable_http_unprintable_char_filter"),
            keys(.bool, "enable_debug enable_agent_tls_for_checks enable_central_service_config ui"),
            keys(.string, "datacenter primary_datacenter node_name node_id data_dir domain alt_domain segment"),
            keys(.string, "raft_snapshot_interval reconnect_timeout reconnect_timeout_wan discovery_max_stale"),
            keys(.string, "default_query_time max_query_time session_ttl_min ui_dir ui_content_path pid_file"),
            keys(.int, "bootstrap_expect protocol raft_protocol raft_snapshot_threshold raft_trailing_logs"),
            keys(.stringMap, "node_meta tagged_addresses"),
            keys(.strings, "recursors"),
            [
                ConfigKey(
                    name: "segments",
                    type: .blocks(keys(.string, "name bind advertise") + keys(.int, "port") + keys(.bool, "rpc_listener")))
            ],
        ].joined())

    private static let addresses: [ConfigKey] = Array(
        [
            keys(.string, "bind_addr client_addr advertise_addr advertise_addr_ipv4 advertise_addr_ipv6 advertise_addr_wan"),
            keys(.string, "advertise_addr_wan_ipv4 advertise_addr_wan_ipv6 serf_lan serf_wan"),
            keys(.strings, "serf_lan_allowed_cidrs serf_wan_allowed_cidrs"),
        ].joined())

    private static let security: [ConfigKey] = Array(
        [
            keys(.string, "encrypt ca_file ca_path cert_file key_file server_name tls_min_version tls_cipher_suites"),
            keys(.bool, "encrypt_verify_incoming encrypt_verify_outgoing verify_incoming verify_incoming_rpc verify_incoming_https"),
            keys(.bool, "verify_outgoing verify_server_hostname tls_prefer_server_cipher_suites"),
        ].joined())

    private static let deprecated: [ConfigKey] = Array(
        [
            keys(.string, "acl_datacenter acl_default_policy acl_down_policy acl_ttl acl_token acl_agent_token"),
            keys(.string, "acl_agent_master_token acl_master_token acl_replication_token"),
            keys(.bool, "acl_enable_key_list_policy enable_acl_replication acl_enforce_version_8"),
        ].joined())

    private static let joining: [ConfigKey] = Array(
        [
            keys(.strings, "start_join start_join_wan retry_join retry_join_wan primary_gateways"),
            keys(.string, "retry_interval retry_interval_wan primary_gateways_interval"),
            keys(.int, "retry_max retry_max_wan"),
        ].joined())

    private static let checks: [ConfigKey] = Array(
        [
            keys(.string, "check_update_interval"), keys(.int, "check_output_max_size"),
            keys(.bool, "discard_check_output enable_script_checks enable_local_script_checks"),
        ].joined())

    private static let logging: [ConfigKey] = Array(
        [
            keys(.string, "log_level log_file log_rotate_duration syslog_facility"),
            keys(.bool, "log_json enable_syslog"),
            keys(.int, "log_rotate_bytes log_rotate_max_files"),
        ].joined())

    /// Read without effect: the values are fixed (config §7.19).
    private static let fixed: [ConfigKey] = Array(
        [
            keys(.string, "acl_disabled_ttl ae_interval check_deregister_interval_min check_reap_interval"),
            keys(.string, "sync_coordinate_interval_min revision version version_prerelease"),
            keys(.float, "sync_coordinate_rate_target"),
            keys(.int, "segment_limit segment_name_limit"),
            block(
                "consul",
                block("coordinate", keys(.int, "update_batch_size update_max_batches"), keys(.string, "update_period")),
                block("raft", keys(.string, "election_timeout heartbeat_timeout leader_lease_timeout")),
                block("server", keys(.string, "health_interval"))),
        ].joined())

    private static let acl: [ConfigKey] = block(
        "acl",
        keys(.bool, "enabled enable_token_replication enable_key_list_policy enable_token_persistence msp_disable_bootstrap"),
        keys(.string, "default_policy down_policy token_ttl policy_ttl role_ttl disabled_ttl"),
        block(
            "tokens", keys(.string, "master agent_master agent default replication"),
            [ConfigKey(name: "managed_service_provider", type: .blocks(keys(.string, "accessor_id secret_id")))]))

    private static let dns: [ConfigKey] = block(
        "dns_config",
        keys(.bool, "allow_stale enable_truncate only_passing disable_compression enable_additional_node_meta_txt use_cache"),
        keys(.bool, "prefer_namespace"),
        keys(.string, "max_stale node_ttl recursor_timeout cache_max_age"),
        keys(.int, "a_record_limit udp_answer_limit"),
        keys(.stringMap, "service_ttl"),
        block("soa", keys(.uint, "refresh retry expire min_ttl")))

    private static let http: [ConfigKey] = block(
        "http_config", keys(.strings, "block_endpoints allow_write_http_from"), keys(.stringMap, "response_headers"),
        keys(.bool, "use_cache"))

    private static let limits: [ConfigKey] = block(
        "limits",
        keys(.int, "http_max_conns_per_client rpc_max_conns_per_client rpc_max_burst"),
        keys(.string, "https_handshake_timeout rpc_handshake_timeout"),
        keys(.float, "rpc_rate"), keys(.uint, "kv_max_value_size txn_max_req_len"))

    private static let gossip: [ConfigKey] =
        keys(.int, "gossip_nodes retransmit_mult suspicion_mult") + keys(.string, "gossip_interval probe_interval probe_timeout")

    private static let telemetry: [ConfigKey] = block(
        "telemetry",
        keys(.string, "circonus_api_app circonus_api_token circonus_api_url circonus_broker_id circonus_broker_select_tag"),
        keys(.string, "circonus_check_display_name circonus_check_force_metric_activation circonus_check_id"),
        keys(.string, "circonus_check_instance_id circonus_check_search_tag circonus_check_tags circonus_submission_interval"),
        keys(.string, "circonus_submission_url dogstatsd_addr metrics_prefix prometheus_retention_time statsd_address"),
        keys(.string, "statsite_address"),
        keys(.bool, "disable_hostname filter_default"),
        keys(.strings, "dogstatsd_tags prefix_filter"))

    private static let connect: [ConfigKey] = block(
        "connect",
        keys(.bool, "enabled enable_mesh_gateway_wan_federation"),
        keys(.string, "ca_provider test_ca_leaf_root_change_spread"),
        keys(.free, "ca_config"))

    private static let autoConfig: [ConfigKey] = block(
        "auto_config",
        keys(.bool, "enabled"), keys(.string, "intro_token intro_token_file"),
        keys(.strings, "server_addresses dns_sans ip_sans"),
        block(
            "authorization", keys(.bool, "enabled"),
            block(
                "static",
                keys(.strings, "claim_assertions jwt_supported_algs bound_audiences jwt_validation_pub_keys"),
                keys(.bool, "allow_reuse"),
                keys(.stringMap, "claim_mappings list_claim_mappings"),
                keys(.string, "oidc_discovery_url oidc_discovery_ca_cert jwks_url jwks_ca_cert bound_issuer"),
                keys(.string, "expiration_leeway not_before_leeway clock_skew_leeway"))))

    // MARK: Services and checks (config §8, §9)

    static let check: [ConfigKey] = Array(
        [
            keys(.string, "id name notes token status http method body tcp interval alias_node alias_service shell grpc timeout ttl"),
            keys(.int, "output_max_size success_before_passing failures_before_critical"),
            keys(.bool, "grpc_use_tls"),
            keys(.stringListMap, "header"),
            [
                ConfigKey(name: "service_id", type: .string, aliases: ["serviceid"]),
                ConfigKey(name: "args", type: .strings, aliases: ["scriptargs"]),
                ConfigKey(name: "docker_container_id", type: .string, aliases: ["dockercontainerid"]),
                ConfigKey(name: "tls_skip_verify", type: .bool, aliases: ["tlsskipverify"]),
                ConfigKey(name: "deregister_critical_service_after", type: .string, aliases: ["deregistercriticalserviceafter"]),
            ],
        ].joined())

    static let service: [ConfigKey] = serviceFields(sidecar: serviceFields(sidecar: []))

    /// A sidecar may hold another one only so that the builder can refuse it by name.
    private static func serviceFields(sidecar: [ConfigKey]) -> [ConfigKey] {
        let sidecarKey =
            sidecar.isEmpty ? ConfigKey(name: "sidecar_service", type: .free) : ConfigKey(name: "sidecar_service", type: .block(sidecar))
        return Array(
            [
                keys(.string, "id name kind address token"),
                keys(.strings, "tags"), keys(.stringMap, "meta"), keys(.int, "port"), keys(.bool, "enable_tag_override"),
                [ConfigKey(name: "tagged_addresses", type: .namedBlocks(keys(.string, "address") + keys(.int, "port")))],
                block("weights", keys(.int, "passing warning")),
                keys(.block(check), "check"), keys(.blocks(check), "checks"),
                proxy,
                block("connect", keys(.bool, "native"), [sidecarKey]),
            ].joined())
    }

    private static let meshGateway: [ConfigKey] = block("mesh_gateway", keys(.string, "mode"))

    private static let proxy: [ConfigKey] = block(
        "proxy",
        keys(.string, "destination_service_name destination_service_id local_service_address"),
        keys(.int, "local_service_port"), keys(.free, "config"),
        [
            ConfigKey(
                name: "upstreams",
                type: .blocks(
                    keys(.string, "destination_type destination_namespace destination_name datacenter local_bind_address")
                        + keys(.int, "local_bind_port") + keys(.free, "config") + meshGateway))
        ],
        meshGateway,
        block(
            "expose", keys(.bool, "checks"), keys(.int, "port"),
            [ConfigKey(name: "paths", type: .blocks(keys(.string, "path protocol") + keys(.int, "local_path_port listener_port")))]))
}
