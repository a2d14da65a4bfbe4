import FoundationEssentials
import Testing

@testable import IronpostCore

@Suite("What the table of keys shows: config show, changes, schema, documentation")
struct RenderingTests {
    @Test("The TOML form reads back as the same configuration, values in force filled in")
    func roundTrip() throws {
        let loaded = try load(
            """
            [general]
            log_level = "warn,log-pipeline=trace"
            data_dir = "/srv/ironpost/"
            shutdown_timeout = 90
            [http]
            listen = "[::1]:0"
            [log_pipeline]
            flush_interval = 0.25
            [log_pipeline.syslog]
            udp = ""
            [detection]
            rules = ["/etc/rules with \\"quotes\\"", "/b"]
            dedup_window = 0
            [container]
            enabled = false
            """
        ).get()
        let text = try #require(loaded.configuration.rendered(origins: loaded.origins))
        let again = try load(text).get().configuration
        var expected = loaded.configuration
        expected.general.pidFile = "/srv/ironpost/ironpost.pid"
        expected.general.controlSocket = "/srv/ironpost/control.sock"
        expected.general.nodeName = expected.nodeName
        expected.http.tokenFile = "/srv/ironpost/token"
        expected.sbom.vulnDBPath = "/srv/ironpost/vulndb"
        expected.sbom.outputDirectory = "/srv/ironpost/sbom"
        expected.storage.url = "sqlite:/srv/ironpost/ironpost.db"
        #expect(again == expected)
        #expect(again.detection.rules.first == #"/etc/rules with "quotes""#)
    }

    @Test func oneSectionWithOrigins() throws {
        let loaded = try load(nil, environment: ["IRONPOST_HTTP_LISTEN": "localhost:1"]).get()
        #expect(
            loaded.configuration.rendered(section: "http", origins: loaded.origins) == """
                [http]
                enabled = true  # default
                listen = "localhost:1"  # IRONPOST_HTTP_LISTEN
                token_file = "/var/lib/ironpost/token"  # default

                """
        )
        #expect(
            loaded.configuration.rendered(section: "http", as: .json) == """
                {
                  "http": {
                    "enabled": true,
                    "listen": "localhost:1",
                    "token_file": "/var/lib/ironpost/token"
                  }
                }

                """
        )
        let below = try #require(loaded.configuration.rendered(section: "log_pipeline"))
        #expect(below.contains("[log_pipeline.journald]\n") && !below.contains("[http]"))
        #expect(loaded.configuration.rendered(section: "log_pipelin") == nil)
        #expect(loaded.configuration.rendered(section: "log_pipeline.file")?.hasPrefix("[log_pipeline.file]") == true)
    }

    @Test("The whole JSON form is JSON with every key")
    func wholeJSON() throws {
        struct Shown: Decodable {
            struct Pipeline: Decodable {
                struct File: Decodable { var include: [String] }
                var batchSize: Int
                var file: File
            }
            var logPipeline: Pipeline
        }
        let text = try #require(Configuration().rendered(as: .json))
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let shown = try decoder.decode(Shown.self, from: Data(text.utf8))
        #expect(shown.logPipeline.batchSize == 4096)
        #expect(shown.logPipeline.file.include == Configuration().logPipeline.file.include)
        for key in ConfigurationKey.all { #expect(text.contains("\"\(key.name)\": ")) }
    }

    @Test(
        "D-84: user information is masked up to the last @ of the authority",
        arguments: [
            ("postgres://u:p@h/db", "postgres://***@h/db"), ("postgres://u:p@ss@h/db", "postgres://***@h/db"),
            ("https://token@h", "https://***@h"), ("https://h/a@b", "https://h/a@b"),
            ("https://u:p@h/a@b", "https://***@h/a@b"), ("https://u:p/w@h/x", "https://***@h/x"),
            ("https://h?mail=a@b", "https://h?mail=a@b"), ("sqlite:/a@b", "sqlite:/a@b"), ("", ""), ("://", "://"),
            ("see https://u:p@h", "see https://***@h"),
        ])
    func masking(url: String, expected: String) {
        #expect(ConfigurationText.maskingUserInformation(url) == expected)
    }

    @Test("A secret key shows its value nowhere")
    func secretKey() throws {
        let secret = ConfigurationKey(
            "general.node_name", \.general.nodeName,
            .text(
                "a word", range: "fish or fowl", parse: { ["fish", "fowl"].contains($0) ? $0 : nil }, show: { $0 }
            ), "", isSecret: true)
        let sources = ConfigurationSources(
            file: nil, fileIsExplicit: false, settings: [Setting(set: "general.node_name=hunter2")]
        )
        switch Configuration.load(sources, keys: [secret]) {
        case .success: Issue.record("accepted")
        case .failure(let faults):
            #expect(
                faults.description
                    == "--set general.node_name: general.node_name: this value is not allowed; use fish or fowl"
            )
        }
        var configuration = Configuration()
        configuration.general.nodeName = "hunter2"
        for format in [Configuration.RenderingFormat.toml, .json] {
            let text = try #require(configuration.rendered(section: nil, as: format, origins: [:], keys: [secret]))
            #expect(text.contains("***") && !text.contains("hunter2"))
        }
    }

    @Test func secretType() throws {
        struct Holder: Encodable { var password = Secret("hunter2") }
        let holder = Holder()
        var dumped = ""
        dump(holder, to: &dumped)
        let encoded = try String(decoding: JSONEncoder().encode(holder), as: UTF8.self)
        for shown in ["\(holder)", "\(holder.password)", String(reflecting: holder), dumped, encoded] {
            #expect(!shown.contains("hunter2") && shown.contains("***"), "\(shown)")
        }
        #expect(holder.password.reveal() == "hunter2")
        #expect(Secret("a") == Secret("a") && Secret("a") != Secret("b"))
    }

    @Test func changes() throws {
        let old = Configuration()
        #expect(old.changes(from: old).isEmpty)
        let new = try load(
            "[general]\ndata_dir = \"/d\"\nlog_level = \"debug\"\n[log_pipeline.syslog]\nudp = \"\""
        ).get().configuration
        #expect(
            new.changes(from: old) == [
                .init(key: "general.log_level", old: "\"info\"", new: "\"debug\"", needsRestart: false),
                .init(key: "general.data_dir", old: "\"/var/lib/ironpost\"", new: "\"/d\"", needsRestart: true),
                .init(key: "log_pipeline.syslog.udp", old: "\"127.0.0.1:5514\"", new: "\"\"", needsRestart: false),
            ]
        )
    }

    @Test("The contract's restart-only keys, and those that a running daemon cannot change either")
    func restartOnly() {
        #expect(
            ConfigurationKey.all.filter(\.isRestartOnly).map(\.path)
                == [
                    "general.data_dir", "general.pid_file", "general.control_socket", "general.node_name",
                    "general.user", "general.sandbox", "http.enabled", "http.listen", "http.token_file",
                    "log_pipeline.enabled",
                    "log_pipeline.queue_bytes", "log_pipeline.line_bytes_max",
                    "log_pipeline.syslog.tcp_connections_max", "storage.url", "storage.retention", "storage.when_full",
                    "response.block_backend", "container.enabled", "ebpf.enabled", "ebpf.xdp_mode",
                    "ebpf.ring_buffer_size", "ebpf.blocklist_max_entries", "sbom.enabled", "sbom.scan_dirs",
                    "sbom.scan_interval", "sbom.watch", "sbom.vuln_db_path", "sbom.vex", "sbom.min_severity",
                    "sbom.output_format",
                    "sbom.output_dir",
                ]
        )
    }

    @Test(
        "What empty values stand for",
        arguments: [
            ("/var/lib/ironpost", "/run/ironpost", "/var/lib/ironpost"),
            ("/var/lib/ironpost/", "/run/ironpost", "/var/lib/ironpost"), ("/d", "/d", "/d"), (".run", ".run", ".run"),
        ])
    func derived(dataDirectory: String, runtime: String, data: String) {
        var configuration = Configuration()
        configuration.general.dataDirectory = dataDirectory
        #expect(configuration.pidFile == "\(runtime)/ironpost.pid")
        #expect(configuration.controlSocket == "\(runtime)/control.sock")
        #expect(configuration.tokenFile == "\(data)/token")
        #expect(configuration.storageURL == "sqlite:\(data)/ironpost.db")
        #expect(configuration.databasePath == "\(data)/ironpost.db")
        #expect(!configuration.nodeName.isEmpty)
    }

    @Test(
        arguments: [
            ("sqlite:/a/b.db", "/a/b.db"), ("sqlite:///a/b.db", "/a/b.db"), ("sqlite:b.db", "b.db"), ("sqlite:", nil),
            ("sqlite://h/b.db", nil), ("sqlite:/a/", nil), ("postgres:/a", nil), ("", nil),
        ] as [(String, String?)])
    func databasePath(url: String, path: String?) {
        #expect(Configuration.Storage.path(ofURL: url) == path)
    }

    @Test("Names are unique, in the file as in the environment, and every section is described")
    func table() {
        let keys = ConfigurationKey.all
        #expect(Set(keys.map(\.path)).count == keys.count)
        #expect(Set(keys.map(\.environmentName)).count == keys.count)
        #expect(Set(keys.map(\.section)) == Set(ConfigurationSection.all.map(\.path)))
        #expect(!keys.contains { $0.environmentName == ConfigurationSources.fileVariable })
        for key in keys { #expect(key.summary.hasSuffix(".") && key.name == key.name.lowercased(), "\(key)") }
    }

    @Test("The schema is JSON, closed, and knows each key's default")
    func schema() throws {
        struct Schema: Decodable {
            var type: String
            var additionalProperties: Bool
            var properties: [String: Section]
        }
        struct Section: Decodable {
            var additionalProperties: Bool
            var properties: [String: Property]
        }
        struct Property: Decodable {
            var minimum: Int?
            var maximum: Int?
        }
        let text = Configuration.schemaJSON()
        let schema = try JSONDecoder().decode(Schema.self, from: Data(text.utf8))
        #expect(!schema.additionalProperties)
        #expect(Set(schema.properties.keys) == Set(ConfigurationSection.all.map(\.path).filter { !$0.contains(".") }))
        let size = try #require(schema.properties["log_pipeline"]?.properties["batch_size"])
        #expect(size.minimum == 1 && size.maximum == 100_000)
        for key in ConfigurationKey.all { #expect(text.contains("\"x-environment\": \"\(key.environmentName)\"")) }
    }

    @Test("docs/configuration.md is what the table says; IRONPOST_WRITE_DOCS=1 writes it anew")
    func documentation() throws {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let file = URL(filePath: "/\(root)/docs/configuration.md")
        let expected = Configuration.markdown()
        if ProcessInfo.processInfo.environment["IRONPOST_WRITE_DOCS"] == "1" {
            try Data(expected.utf8).write(to: file)
        }
        let committed = try String(decoding: Data(contentsOf: file), as: UTF8.self)
        #expect(committed == expected, "write it anew: IRONPOST_WRITE_DOCS=1 swift test --filter ConfigurationTests")
    }
}
