/// The flags of `consul agent` that stand for configuration keys. Spec: config §6, cli §5.2.
public enum AgentFlags {
    public enum Kind: Sendable {
        case string
        case bool
        case int
        /// May be given several times.
        case list
        /// `key:value`, may be given several times.
        case map
    }

    public struct Flag: Sendable {
        public let name: String
        public let kind: Kind
        /// The configuration key.
        public let path: String
        public let help: String
    }

    public static let all: [Flag] = [
        Flag(.string, "advertise", "advertise_addr", "Address that other agents use to reach this one."),
        Flag(.string, "advertise-wan", "advertise_addr_wan", "Address that agents of other datacenters use to reach this one."),
        Flag(
            .list, "allow-write-http-from", "http_config.allow_write_http_from",
            "Network in CIDR form from which the HTTP API accepts writes. May be given several times."),
        Flag(.string, "alt-domain", "alt_domain", "Second domain that the DNS interface answers for."),
        Flag(.string, "bind", "bind_addr", "Address that the ports for other agents are bound to."),
        Flag(.bool, "bootstrap", "bootstrap", "Lets this server become the leader on its own."),
        Flag(.int, "bootstrap-expect", "bootstrap_expect", "Number of servers to wait for before electing a leader."),
        Flag(.int, "check_output_max_size", "check_output_max_size", "Most bytes of output that are kept of a check."),
        Flag(.string, "client", "client_addr", "Addresses, separated by blanks, on which HTTP and DNS clients are served."),
        Flag(.string, "data-dir", "data_dir", "Directory in which the agent keeps its state."),
        Flag(.string, "datacenter", "datacenter", "Datacenter of the agent."),
        Flag(.string, "default-query-time", "default_query_time", "How long a blocking query waits when it does not say."),
        Flag(.bool, "disable-host-node-id", "disable_host_node_id", "Makes the node id random instead of deriving it from the host."),
        Flag(.bool, "disable-keyring-file", "disable_keyring_file", "Keeps the gossip keys in memory only."),
        Flag(.int, "dns-port", "ports.dns", "Port of the DNS interface; -1 disables it."),
        Flag(.string, "domain", "domain", "Domain that the DNS interface answers for."),
        Flag(.bool, "enable-local-script-checks", "enable_local_script_checks", "Allows script checks from configuration files."),
        Flag(.bool, "enable-script-checks", "enable_script_checks", "Allows script checks from configuration files and the HTTP API."),
        Flag(.string, "encrypt", "encrypt", "Key that encrypts gossip, in base64."),
        Flag(.int, "grpc-port", "ports.grpc", "Port of the gRPC interface; -1 disables it."),
        Flag(.int, "http-port", "ports.http", "Port of the HTTP API; -1 disables it."),
        Flag(.int, "https-port", "ports.https", "Port of the HTTPS API; -1 disables it."),
        Flag(.list, "join", "start_join", "Address of an agent to join at start. May be given several times."),
        Flag(
            .list, "join-wan", "start_join_wan", "Address of a server of another datacenter to join at start. May be given several times."),
        Flag(.string, "log-file", "log_file", "File that the log is also written to."),
        Flag(.bool, "log-json", "log_json", "Writes the log as JSON."),
        Flag(.string, "log-level", "log_level", "Least level that is logged: trace, debug, info, warn or err."),
        Flag(.int, "log-rotate-bytes", "log_rotate_bytes", "Size at which a new log file is begun."),
        Flag(.string, "log-rotate-duration", "log_rotate_duration", "Age at which a new log file is begun."),
        Flag(.int, "log-rotate-max-files", "log_rotate_max_files", "Number of old log files that are kept."),
        Flag(.string, "max-query-time", "max_query_time", "Longest time that a blocking query may wait."),
        Flag(.string, "node", "node_name", "Name of the node, unique in the cluster."),
        Flag(.string, "node-id", "node_id", "UUID of the node."),
        Flag(.map, "node-meta", "node_meta", "Metadata of the node in the form `key:value`. May be given several times."),
        Flag(.bool, "non-voting-server", "non_voting_server", "(Enterprise-only) Makes the server replicate without voting."),
        Flag(.string, "pid-file", "pid_file", "File that the process id is written to."),
        Flag(
            .list, "primary-gateway", "primary_gateways",
            "Address of a mesh gateway of the primary datacenter. May be given several times."),
        Flag(.int, "protocol", "protocol", "Version of the protocol between agents."),
        Flag(.int, "raft-protocol", "raft_protocol", "Version of the Raft protocol."),
        Flag(.list, "recursor", "recursors", "Address of an upstream DNS server. May be given several times."),
        Flag(.bool, "rejoin", "rejoin_after_leave", "Rejoins the cluster even after the agent has left it."),
        Flag(.string, "retry-interval", "retry_interval", "Time between attempts to join."),
        Flag(.string, "retry-interval-wan", "retry_interval_wan", "Time between attempts to join other datacenters."),
        Flag(.list, "retry-join", "retry_join", "Address of an agent to join, tried until it works. May be given several times."),
        Flag(
            .list, "retry-join-wan", "retry_join_wan",
            "Address of a server of another datacenter to join, tried until it works. May be given several times."),
        Flag(.int, "retry-max", "retry_max", "Most attempts to join; 0 means no limit."),
        Flag(.int, "retry-max-wan", "retry_max_wan", "Most attempts to join other datacenters; 0 means no limit."),
        Flag(.string, "segment", "segment", "(Enterprise-only) Network segment of the agent."),
        Flag(
            .list, "serf-lan-allowed-cidrs", "serf_lan_allowed_cidrs",
            "Network in CIDR form whose members are accepted. May be given several times."),
        Flag(.string, "serf-lan-bind", "serf_lan", "Address that the gossip port within the datacenter is bound to."),
        Flag(.int, "serf-lan-port", "ports.serf_lan", "Port for gossip within the datacenter."),
        Flag(
            .list, "serf-wan-allowed-cidrs", "serf_wan_allowed_cidrs",
            "Network in CIDR form whose members are accepted from other datacenters. May be given several times."),
        Flag(.string, "serf-wan-bind", "serf_wan", "Address that the gossip port between datacenters is bound to."),
        Flag(.int, "serf-wan-port", "ports.serf_wan", "Port for gossip between datacenters; -1 disables it."),
        Flag(.bool, "server", "server", "Makes the agent a server."),
        Flag(.int, "server-port", "ports.server", "Port on which servers serve other agents."),
        Flag(.bool, "syslog", "enable_syslog", "Sends the log to syslog."),
        Flag(.bool, "ui", "ui", "Serves the web page."),
        Flag(.string, "ui-content-path", "ui_content_path", "Path under which the web page is served."),
        Flag(.string, "ui-dir", "ui_dir", "Directory from which the web page is served."),
    ]

    /// One flag as it was given.
    public struct Given: Sendable {
        public var name: String
        /// As checked by the command line: an integer for `.int`, `true` or `false` for `.bool`.
        public var value: String
        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// The two sources that flags make (config §1): top-level lists, which go before the files, and all the rest, which goes after them.
    public static func sources(_ given: [Given]) -> (lists: DynamicValue, values: DynamicValue) {
        var lists = DynamicValue.map([]), values = DynamicValue.map([])
        for one in given {
            guard let flag = all.first(where: { $0.name == one.name }) else { continue }
            let names = flag.path.split(separator: ".").map(String.init)
            let leaf: DynamicValue =
                switch flag.kind {
                case .string: .string(one.value)
                case .bool: .bool(one.value == "true")
                case .int: .int(Int64(one.value) ?? 0)
                case .list: .array([.string(one.value)])
                case .map: pair(one.value)
                }
            let source = names.reversed().reduce(leaf) { value, name in .map([DynamicMember(name, value)]) }
            if case .list = flag.kind, names.count == 1 {
                lists = ConfigMerge.merge(lists, source)
            } else {
                values = ConfigMerge.merge(values, source)
            }
        }
        return (lists, values)
    }

    /// Split at the first colon; without one the value is empty.
    private static func pair(_ text: String) -> DynamicValue {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        return .map([DynamicMember(String(parts[0]), .string(parts.count > 1 ? String(parts[1]) : ""))])
    }
}

extension AgentFlags.Flag {
    fileprivate init(_ kind: AgentFlags.Kind, _ name: String, _ path: String, _ help: String) {
        self.init(name: name, kind: kind, path: path, help: help)
    }
}
