extension ConfigurationSection {
    /// Every section, in the order in which documentation and `config show` print them.
    package static let all: [ConfigurationSection] =
        [
            ConfigurationSection(path: "general", summary: "The daemon itself: its log, its files, its name."),
            ConfigurationSection(path: "http", summary: "Health, metrics, the console and the API over TCP."),
            ConfigurationSection(path: "log_pipeline", summary: "Reading logs."),
            ConfigurationSection(path: "log_pipeline.file", summary: "Following log files, across rotation."),
            ConfigurationSection(
                path: "log_pipeline.syslog",
                summary: "Receiving syslog (RFC 3164 and RFC 5424). Used only when `syslog` is among the sources."
            ),
            ConfigurationSection(path: "log_pipeline.journald", summary: "Reading the systemd journal."),
            ConfigurationSection(path: "detection", summary: "Rules, and how often they may alert."),
            ConfigurationSection(path: "storage", summary: "The database of alerts and checkpoints."),
            ConfigurationSection(
                path: "response",
                summary: "What is done about alerts: policies, and the guardrails that hold whatever they say."
            ),
            ConfigurationSection(
                path: "response.budget",
                summary:
                    "How many containers policies may isolate; beyond it they ask. At least `minimum`, at most `share`."
            ),
            ConfigurationSection(
                path: "container", summary: "Containers: which there are, whose event it was, isolating them."),
            ConfigurationSection(
                path: "sbom", summary: "Packages of this host and of directories, and their known vulnerabilities."),
        ] + ebpf
}

extension ConfigurationKey {
    /// Every key, a section's keys together.
    package static let all = general + http + logPipeline + detection + storage + response + engines + ebpf + sbom

    private static let general: [ConfigurationKey] = [
        ConfigurationKey(
            "general.log_level", \.general.logLevel, .logDirectives,
            "The least severe level that is logged; exceptions by module may follow: `info,log-pipeline=debug`."
        ),
        ConfigurationKey(
            "general.log_format", \.general.logFormat, .enumeration,
            "`json` for machines, `pretty` for people."
        ),
        ConfigurationKey(
            "general.data_dir", \.general.dataDirectory, .path(),
            "Where everything is kept that outlives the daemon.",
            isRestartOnly: true
        ),
        ConfigurationKey(
            "general.pid_file", \.general.pidFile,
            .path(emptyMeans: "/run/ironpost/ironpost.pid with the default data_dir, else <data_dir>/ironpost.pid"),
            "Holds the daemon's process id; locked while it runs, so that there is one daemon.",
            isRestartOnly: true, inForce: \.pidFile
        ),
        ConfigurationKey(
            "general.control_socket", \.general.controlSocket,
            .path(emptyMeans: "/run/ironpost/control.sock with the default data_dir, else <data_dir>/control.sock"),
            "The unix socket on which `ironpost` reaches the daemon.",
            isRestartOnly: true, inForce: \.controlSocket
        ),
        ConfigurationKey(
            "general.node_name", \.general.nodeName, .string,
            "This host's name in alerts; empty for the host name.",
            isRestartOnly: true, inForce: \.nodeName
        ),
        ConfigurationKey(
            "general.shutdown_timeout", \.general.shutdownTimeout, .duration(.seconds(1)...(.seconds(600))),
            "How long a stop may take to finish what was accepted."
        ),
        ConfigurationKey(
            "general.user", \.general.user, .string,
            "The user that the daemon becomes when it is started as root; empty for `ironpost` where that user exists, "
                + "else it stays root without capabilities.",
            isRestartOnly: true
        ),
        ConfigurationKey(
            "general.sandbox", \.general.sandbox, .enumeration,
            "`auto` gives up every right that reading and deciding does not need; `off` is for finding faults.",
            isRestartOnly: true
        ),
    ]

    private static let http: [ConfigurationKey] = [
        ConfigurationKey(
            "http.enabled", \.http.isEnabled, .boolean, "Whether to listen on TCP at all.", isRestartOnly: true),
        ConfigurationKey(
            "http.listen", \.http.listen, .address,
            "Where to listen. Anything but loopback shows health and metrics to the network.", isRestartOnly: true
        ),
        ConfigurationKey(
            "http.token_file", \.http.tokenFile, .path(emptyMeans: "<data_dir>/token"),
            "Holds the bearer token of the API; made at the first start, readable by its owner only.",
            isRestartOnly: true, inForce: \.tokenFile
        ),
    ]

    private static let logPipeline: [ConfigurationKey] = [
        ConfigurationKey(
            "log_pipeline.enabled", \.logPipeline.isEnabled, .boolean, "Whether to read logs.", isRestartOnly: true),
        ConfigurationKey(
            "log_pipeline.sources", \.logPipeline.sources, .enumerations(),
            "What to read; a source that this host lacks is reported in `ironpost status` and does no harm. `audit` is auditd's"
                + " log, /var/log/audit/audit.log, followed as `file` follows others."
        ),
        ConfigurationKey(
            "log_pipeline.batch_size", \.logPipeline.batchSize, .integer(1...100_000),
            "Events that are evaluated together at most."
        ),
        ConfigurationKey(
            "log_pipeline.flush_interval", \.logPipeline.flushInterval,
            .duration(.milliseconds(1)...(.seconds(10))),
            "The longest that a match waits for others before all are committed."
        ),
        ConfigurationKey(
            "log_pipeline.queue_bytes", \.logPipeline.queueBytes, .integer(1_048_576...1_073_741_824),
            "Bytes that are read but not yet evaluated, over all sources; files and the journal wait beyond it.",
            isRestartOnly: true
        ),
        ConfigurationKey(
            "log_pipeline.line_bytes_max", \.logPipeline.lineBytesMax, .integer(1024...1_048_576),
            "Longer lines are cut there.", isRestartOnly: true
        ),
        ConfigurationKey(
            "log_pipeline.file.include", \.logPipeline.file.include, .globs,
            "Files to follow; those that appear later are found."
        ),
        ConfigurationKey(
            "log_pipeline.file.exclude", \.logPipeline.file.exclude, .globs,
            "Files not to follow although `include` names them."
        ),
        ConfigurationKey(
            "log_pipeline.file.start_at", \.logPipeline.file.startAt, .enumeration,
            "Where to begin in a file that has no checkpoint and was there at the first start."
        ),
        ConfigurationKey(
            "log_pipeline.file.files_max", \.logPipeline.file.filesMax, .integer(1...65536),
            "Files that are followed at once at most."
        ),
        ConfigurationKey(
            "log_pipeline.syslog.udp", \.logPipeline.syslog.udp, .addressOrOff,
            "Where to receive datagrams."
        ),
        ConfigurationKey(
            "log_pipeline.syslog.tcp", \.logPipeline.syslog.tcp, .addressOrOff,
            "Where to accept streams."
        ),
        ConfigurationKey(
            "log_pipeline.syslog.unix", \.logPipeline.syslog.unix, .path(emptyMeans: "off"),
            "The unix datagram socket to receive on."
        ),
        ConfigurationKey(
            "log_pipeline.syslog.tcp_connections_max", \.logPipeline.syslog.tcpConnectionsMax, .integer(1...65536),
            "Connections that are open at once at most; further ones are closed.", isRestartOnly: true
        ),
        ConfigurationKey(
            "log_pipeline.journald.directory", \.logPipeline.journald.directory,
            .path(emptyMeans: "the system journal"),
            "The journal directory to read."
        ),
        ConfigurationKey(
            "log_pipeline.journald.start_at", \.logPipeline.journald.startAt, .enumeration,
            "Where to begin without a checkpoint."
        ),
    ]

    private static let detection: [ConfigurationKey] = [
        ConfigurationKey(
            "detection.rules", \.detection.rules, .paths,
            "Sigma rules: files, or directories that are searched; empty for the rules that come with Ironpost."
        ),
        ConfigurationKey(
            "detection.pipelines", \.detection.pipelines, .paths,
            "Sigma processing pipelines: files that say how rules are changed before they are used, such as by other names "
                + "of fields; applied by their priority, then in this order."
        ),
        ConfigurationKey(
            "detection.placeholders", \.detection.placeholders, .wordLists,
            "The values that `%name%` stands for in rules with `expand`, unless a pipeline gives them."
        ),
        ConfigurationKey(
            "detection.dedup_window", \.detection.dedupWindow,
            .duration(.seconds(1)...(.seconds(7 * 86_400)), zeroMeans: "off"),
            "Matches of one rule for one subject within this time are one alert with a count."
        ),
        ConfigurationKey(
            "detection.rate_limit_per_rule", \.detection.rateLimitPerRule,
            .integer(1...1_000_000, zeroMeans: "off"),
            "New alerts a rule may raise in a minute; further ones are counted."
        ),
        ConfigurationKey(
            "detection.correlation_groups_max", \.detection.correlationGroupsMax, .integer(1...10_000_000),
            "Groups that correlation rules remember at once, over all rules; the oldest go first."
        ),
    ]

    private static let storage: [ConfigurationKey] = [
        ConfigurationKey(
            "storage.url", \.storage.url, .storageURL(emptyMeans: "sqlite:<data_dir>/ironpost.db"),
            "The database.",
            isRestartOnly: true, inForce: \.storageURL
        ),
        ConfigurationKey(
            "storage.retention", \.storage.retention,
            .duration(.seconds(3600)...(.seconds(3650 * 86_400)), zeroMeans: "keep everything"),
            "Alerts and audit records that are older are removed; an alert that is still counted up is not.",
            isRestartOnly: true
        ),
        ConfigurationKey(
            "storage.when_full", \.storage.whenFull, .enumeration,
            "On a full disk, for alerts below high from files and the journal that memory cannot hold: `shed` counts "
                + "them as dropped and goes on detecting, `wait` stops reading until there is room.",
            isRestartOnly: true
        ),
    ]

    private static let response: [ConfigurationKey] = [
        ConfigurationKey(
            "response.mode", \.response.mode, .enumeration,
            "`observe` only says what policies would do, `ask` waits for `ironpost actions approve`, `enforce` acts."
        ),
        ConfigurationKey(
            "response.block_backend", \.response.blockBackend, .enumeration,
            "What refuses blocked addresses; `auto` takes nftables.", isRestartOnly: true
        ),
        ConfigurationKey(
            "response.policy_path", \.response.policyPath, .path(),
            "The directory of policies (`*.toml`). While the default one is not there or empty, a built-in policy blocks "
                + "addresses that guess passwords."
        ),
        ConfigurationKey(
            "response.allow", \.response.allow, .networks,
            "Addresses that are never blocked, beside those of `ironpost allow add`."
        ),
        ConfigurationKey(
            "response.protect", \.response.protect, .list(of: .string, called: "names"),
            "Containers that are never isolated: names or ids, `*` stands for anything."
        ),
        ConfigurationKey(
            "response.default_ttl", \.response.defaultTTL, .duration(.seconds(1)...(.seconds(365 * 86_400))),
            "How long an action holds whose policy or command does not say it."
        ),
        ConfigurationKey(
            "response.ttl_max", \.response.ttlMax, .duration(.seconds(1)...(.seconds(365 * 86_400))),
            "An address that comes back after its block is blocked twice as long each time, up to this."
        ),
        ConfigurationKey(
            "response.cooldown", \.response.cooldown, .duration(.seconds(1)...(.seconds(86_400)), zeroMeans: "off"),
            "After a person undid an action, policies leave its target alone for this long."
        ),
        ConfigurationKey(
            "response.approval_timeout", \.response.approvalTimeout,
            .duration(.seconds(1)...(.seconds(7 * 86_400))),
            "A proposal that nobody approved lapses after this."
        ),
        ConfigurationKey(
            "response.blocks_per_minute", \.response.blocksPerMinute, .integer(1...1_000_000),
            "Blocks by policies in a minute; further ones are withheld."
        ),
        ConfigurationKey(
            "response.blocks_per_hour", \.response.blocksPerHour, .integer(1...10_000_000),
            "Blocks by policies in an hour; beyond it they are proposed, as in the mode `ask`."
        ),
        ConfigurationKey(
            "response.blocks_max", \.response.blocksMax, .integer(1...1_000_000),
            "Addresses and networks that are blocked at once at most."
        ),
        ConfigurationKey(
            "response.aggregate_ipv4", \.response.aggregateIPv4, .integer(2...256, zeroMeans: "off"),
            "When so many addresses of one /24 network were blocked within a day, the next one blocks the network."
        ),
        ConfigurationKey(
            "response.aggregate_ipv6", \.response.aggregateIPv6, .integer(2...256, zeroMeans: "off"),
            "When so many addresses of one /64 network were blocked within a day, the next one blocks the network."
        ),
        ConfigurationKey(
            "response.budget.share", \.response.budget.share, .share, "The part of the running containers."
        ),
        ConfigurationKey(
            "response.budget.minimum", \.response.budget.minimum, .integer(0...10_000),
            "So many in any case."
        ),
        ConfigurationKey(
            "response.budget.per", \.response.budget.per, .duration(.seconds(1)...(.seconds(7 * 86_400))),
            "The time that it is for."
        ),
    ]

    private static let engines: [ConfigurationKey] = [
        ConfigurationKey(
            "container.enabled", \.container.enabled, .engineSwitch,
            "`auto` follows the container engine where there is one; `true` reports its absence as a fault.",
            isRestartOnly: true
        ),
        ConfigurationKey(
            "container.socket", \.container.socket,
            .path(emptyMeans: "the first that exists of /var/run/docker.sock and /run/podman/podman.sock"),
            "The engine's unix socket (Docker Engine, or Podman's compatible service)."
        ),
    ]
}
