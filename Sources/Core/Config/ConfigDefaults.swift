/// What holds where nothing is configured. Spec: config §7, §14.
enum ConfigDefaults {
    static let common = """
        acl { default_policy = "allow" down_policy = "extend-cache" token_ttl = "30s" policy_ttl = "30s" }
        autopilot {
          cleanup_dead_servers = true last_contact_threshold = "200ms" max_trailing_logs = 250 server_stabilization_time = "10s"
        }
        bind_addr = "0.0.0.0"
        cache { entry_fetch_max_burst = 2 }
        check_output_max_size = 4096
        check_update_interval = "5m"
        client_addr = "127.0.0.1"
        datacenter = "dc1"
        default_query_time = "300s"
        disable_host_node_id = true
        disable_remote_exec = true
        domain = "consul."
        encrypt_verify_incoming = true
        encrypt_verify_outgoing = true
        log_level = "INFO"
        max_query_time = "600s"
        primary_gateways_interval = "30s"
        protocol = 2
        retry_interval = "30s"
        retry_interval_wan = "30s"
        syslog_facility = "LOCAL0"
        tls_min_version = "tls12"
        ui_content_path = "/ui/"
        connect { ca_provider = "consul" }
        dns_config {
          allow_stale = true a_record_limit = 0 udp_answer_limit = 3 max_stale = "87600h" recursor_timeout = "2s"
          enable_additional_node_meta_txt = true cache_max_age = "0s"
          soa { refresh = 3600 retry = 600 expire = 86400 min_ttl = 0 }
        }
        gossip_lan {
          gossip_interval = "200ms" gossip_nodes = 3 retransmit_mult = 4 suspicion_mult = 4 probe_interval = "1s" probe_timeout = "500ms"
        }
        gossip_wan {
          gossip_interval = "500ms" gossip_nodes = 3 retransmit_mult = 4 suspicion_mult = 6 probe_interval = "5s" probe_timeout = "3s"
        }
        http_config { use_cache = true }
        limits {
          http_max_conns_per_client = 200 https_handshake_timeout = "5s" rpc_handshake_timeout = "5s" rpc_max_conns_per_client = 100
          rpc_rate = -1 rpc_max_burst = 1000 kv_max_value_size = 524288 txn_max_req_len = 524288
        }
        performance { leave_drain_time = "5s" raft_multiplier = 5 rpc_hold_timeout = "7s" }
        ports {
          dns = 8600 http = 8500 https = -1 grpc = -1 serf_lan = 8301 serf_wan = 8302 server = 8300
          proxy_min_port = 20000 proxy_max_port = 20255 sidecar_min_port = 21000 sidecar_max_port = 21255
          expose_min_port = 21500 expose_max_port = 21755
        }
        telemetry { metrics_prefix = "consul" filter_default = true }
        """

    /// Added by `-dev`; files and flags may say otherwise.
    static let dev = """
        bind_addr = "127.0.0.1"
        disable_anonymous_signature = true
        disable_keyring_file = true
        enable_debug = true
        ui = true
        log_level = "DEBUG"
        server = true
        connect { enabled = true }
        performance { raft_multiplier = 1 }
        ports { grpc = 8502 }
        gossip_lan { gossip_interval = "100ms" probe_interval = "100ms" probe_timeout = "100ms" suspicion_mult = 3 }
        gossip_wan { gossip_interval = "100ms" probe_interval = "100ms" probe_timeout = "100ms" suspicion_mult = 3 }
        """

    /// Replaces whatever the user says about internal keys.
    static let nonUser = """
        acl { disabled_ttl = "120s" }
        ae_interval = "1m"
        check_deregister_interval_min = "1m"
        check_reap_interval = "30s"
        segment_limit = 64
        segment_name_limit = 64
        sync_coordinate_rate_target = 64
        sync_coordinate_interval_min = "15s"
        connect { test_ca_leaf_root_change_spread = "0s" }
        consul {
          coordinate { update_batch_size = 128 update_max_batches = 5 update_period = "5s" }
          raft { election_timeout = "1000ms" heartbeat_timeout = "1000ms" leader_lease_timeout = "500ms" }
          server { health_interval = "2s" }
        }
        """

    static let nonUserDev = """
        consul {
          coordinate { update_period = "100ms" }
          raft { election_timeout = "52ms" heartbeat_timeout = "35ms" leader_lease_timeout = "20ms" }
          server { health_interval = "10ms" }
        }
        """
}
