import Logging

/// The configuration as the daemon and the command run it: every value checked, and the built-in defaults where nobody
/// wrote anything. A fresh `Configuration()` is exactly those defaults.
///
/// A field's meaning, unit and bounds stand in `ConfigurationKey.all`, beside its name in the file. To add a key: a
/// field here and a row there.
package struct Configuration: Sendable, Equatable {
    package var general = General()
    package var http = HTTP()
    package var logPipeline = LogPipeline()
    package var detection = Detection()
    package var storage = Storage()
    package var response = Response()
    package var ebpf = EBPF()
    package var container = Container()
    package var sbom = SBOM()

    package init() {}

    package struct General: Sendable, Equatable {
        package var logLevel = LogDirectives(level: .info)
        package var logFormat = LogFormat.json
        package var dataDirectory = Configuration.defaultDataDirectory
        /// As written; `Configuration.pidFile` is the one in force.
        package var pidFile = ""
        /// As written; `Configuration.controlSocket` is the one in force.
        package var controlSocket = ""
        /// As written; `Configuration.nodeName` is the one in force.
        package var nodeName = ""
        package var shutdownTimeout = Duration.seconds(30)
        /// Empty is `ironpost` where that user exists.
        package var user = ""
        package var sandbox = SandboxSwitch.auto
    }

    package enum SandboxSwitch: String, CaseIterable, Sendable {
        case auto, off
    }

    package struct HTTP: Sendable, Equatable {
        package var isEnabled = true
        package var listen = ListenAddress(host: "127.0.0.1", port: 9477)
        /// As written; `Configuration.tokenFile` is the one in force.
        package var tokenFile = ""
    }

    package struct LogPipeline: Sendable, Equatable {
        package var isEnabled = true
        package var sources: [Source] = [.file, .journald, .docker]
        package var batchSize = 4096
        package var flushInterval = Duration.milliseconds(5)
        package var queueBytes = 16 * 1024 * 1024
        package var lineBytesMax = 65536
        package var file = File()
        package var syslog = Syslog()
        package var journald = Journald()

        package enum Source: String, CaseIterable, Sendable {
            case file, syslog, journald, docker
            /// The log of auditd.
            case audit
        }

        /// Where a source begins that has no checkpoint.
        package enum Start: String, CaseIterable, Sendable {
            case beginning, end
        }

        package struct File: Sendable, Equatable {
            package var include = [
                "/var/log/auth.log", "/var/log/secure", "/var/log/syslog", "/var/log/messages", "/var/log/cron.log",
                "/var/log/kern.log", "/var/log/nginx/*access*.log", "/var/log/nginx/*error*.log",
                "/var/log/apache2/*access*.log", "/var/log/apache2/*error*.log",
            ]
            package var exclude: [String] = []
            package var startAt = Start.end
            package var filesMax = 1024
        }

        package struct Syslog: Sendable, Equatable {
            package var udp: ListenAddress? = ListenAddress(host: "127.0.0.1", port: 5514)
            package var tcp: ListenAddress? = ListenAddress(host: "127.0.0.1", port: 5514)
            /// Empty is off.
            package var unix = ""
            package var tcpConnectionsMax = 256
        }

        package struct Journald: Sendable, Equatable {
            /// Empty is the system journal.
            package var directory = ""
            package var startAt = Start.end
        }
    }

    package struct Detection: Sendable, Equatable {
        /// Files and directories; empty is the shipped pack.
        package var rules: [String] = []
        /// Files; each rule goes through all of them.
        package var pipelines: [String] = []
        /// What `%name%` stands for in values with `expand`.
        package var placeholders: [String: [String]] = [:]
        /// Zero is off.
        package var dedupWindow = Duration.seconds(600)
        /// Zero is off.
        package var rateLimitPerRule = 100
        package var correlationGroupsMax = 100_000
    }

    package struct Storage: Sendable, Equatable {
        /// As written; `Configuration.storageURL` is the one in force.
        package var url = ""
        /// Zero keeps everything.
        package var retention = Duration.seconds(90 * 86_400)
        package var whenFull = FullDiskPolicy.shed
    }

    package struct Response: Sendable, Equatable {
        package var mode = Mode.observe
        package var blockBackend = BlockBackend.auto
        package var policyPath = Configuration.defaultPolicyPath
        package var allow: [IPNetwork] = []
        package var protect: [String] = []
        package var defaultTTL = Duration.seconds(4 * 3600)
        package var ttlMax = Duration.seconds(7 * 86_400)
        package var cooldown = Duration.seconds(600)
        package var approvalTimeout = Duration.seconds(3600)
        package var blocksPerMinute = 60
        package var blocksPerHour = 1000
        package var blocksMax = 250_000
        /// Zero is off.
        package var aggregateIPv4 = 0
        /// Zero is off.
        package var aggregateIPv6 = 0
        package var budget = Budget()

        package init() {}

        /// How far the daemon goes by itself, from least to most.
        package enum Mode: String, CaseIterable, Sendable, Comparable {
            /// Says what it would do.
            case observe
            /// Proposes, and waits for a person.
            case ask
            case enforce

            package static func < (left: Mode, right: Mode) -> Bool { left.rank < right.rank }

            private var rank: Int {
                switch self {
                case .observe: 0
                case .ask: 1
                case .enforce: 2
                }
            }
        }

        package enum BlockBackend: String, CaseIterable, Sendable {
            case auto, nftables, xdp
        }

        /// Of the running containers, how many may be isolated in a time by policies.
        package struct Budget: Sendable, Equatable {
            package var share = 0.2
            package var minimum = 1
            package var per = Duration.seconds(3600)
        }
    }

    package struct SBOM: Sendable, Equatable {
        package var isEnabled = true
        package var scanDirectories: [String] = []
        package var scanInterval = Duration.seconds(3600)
        package var isWatching = true
        /// As written; `Configuration.vulnerabilityDatabase` is the one in force.
        package var vulnDBPath = ""
        package var vulnDBURL = "https://osv-vulnerabilities.storage.googleapis.com"
        /// Empty is the languages' and this host's distribution.
        package var vulnDBEcosystems: [String] = []
        /// OpenVEX documents.
        package var vex: [String] = []
        package var minimumSeverity = Severity.low
        package var outputFormat = OutputFormat.cyclonedx
        /// As written; `Configuration.sbomDirectory` is the one in force.
        package var outputDirectory = ""

        package enum OutputFormat: String, CaseIterable, Sendable {
            case cyclonedx, spdx
        }
    }

    /// The switch of an engine that not every host can run.
    package enum EngineSwitch: Sendable, Equatable {
        /// Where the host can run it.
        case auto
        /// Its absence is a fault.
        case on
        case off
    }

    package struct Container: Sendable, Equatable {
        package var enabled = EngineSwitch.auto
        /// As written; `socketInForce` is the one in force.
        package var socket = ""
    }
}
