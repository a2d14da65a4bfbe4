import Testing

@testable import IronpostCore

@Suite("What is wrong is said all at once, with place, key and what is allowed")
struct FaultTests {
    @Test("Ten planted faults of ten kinds give ten messages")
    func tenFaults() throws {
        let text = """
            [general]
            log_levl = "info"
            log_format = "xml"

            [http]
            enabled = "yes"
            listen = "127.0.0.1:99999"

            [log_pipeline]
            sources = ["file", "carrier-pigeon"]
            batch_size = 0
            flush_interval = 0

            [log_pipelin.file]
            include = []

            [storage]
            url = "postgres://ironpost:s3@cret@db/ironpost"

            [ebpf]
            enabled = "maybe"
            """
        let found = try faults(text)
        #expect(
            found == [
                #"ironpost.toml:2: general.log_levl: unknown key "log_levl" in [general]; did you mean "log_level"?"#,
                #"ironpost.toml:3: general.log_format: "xml" is not allowed; use "json" or "pretty""#,
                #"ironpost.toml:6: http.enabled: the string "yes" is not allowed; use true or false, without quotes"#,
                #"ironpost.toml:7: http.listen: "127.0.0.1:99999" is not allowed; use \#(ListenAddress.form)"#,
                #"ironpost.toml:10: log_pipeline.sources: "carrier-pigeon" is not allowed; "#
                    + #"use "file" or "syslog" or "journald" or "docker" or "audit""#,
                "ironpost.toml:11: log_pipeline.batch_size: 0 is not allowed; use 1 to 100000",
                "ironpost.toml:12: log_pipeline.flush_interval: 0 is not allowed; use 1ms to 10s",
                #"ironpost.toml:14: log_pipelin: unknown section "log_pipelin"; did you mean [log_pipeline]?"#,
                #"ironpost.toml:18: storage.url: "postgres://***@db/ironpost" is not allowed; "#
                    + #"use sqlite: followed by a path, or "" for sqlite:<data_dir>/ironpost.db"#,
                #"ironpost.toml:21: ebpf.enabled: "maybe" is not allowed; use "auto", true or false"#,
            ]
        )
        #expect(found.count == 10)
    }

    /// A text of one or a few lines and what is said about it.
    struct Case: CustomTestStringConvertible, Sendable {
        var text: String
        var message: String
        var testDescription: String { text }

        init(_ text: String, _ message: String) {
            self.text = text
            self.message = message
        }
    }

    @Test(arguments: [
        Case("general = 3", "1: general: 3 is not allowed; this is a section: write [general] and its keys below it"),
        Case(
            "[[general]]", "1: general: a list is not allowed; this is a section: write [general] and its keys below it"
        ),
        Case("[log_pipeline]\nfile = []", "2: log_pipeline.file: a list is not allowed; this is a section"),
        Case("[general.log_level]\na = 1", "1: general.log_level: a table is not allowed; use a log level"),
        Case("[general]\nlog_level = 2026-01-01", "2: general.log_level: a date or time is not allowed"),
        Case("[general]\nlog_level = [\"info\"]", "2: general.log_level: a list is not allowed"),
        Case("[general]\nlog_level = \"inf\"", "2: general.log_level: \"inf\" is not allowed; use trace, debug, info"),
        Case(
            "[log_pipeline]\nbatch_size = 10.5",
            "2: log_pipeline.batch_size: the float 10.5 is not allowed; use an integer, 1 to 100000"),
        Case(
            "[log_pipeline]\nbatch_size = \"ten\"",
            "2: log_pipeline.batch_size: the string \"ten\" is not allowed; use an integer, 1 to 100000"),
        Case(
            "[log_pipeline]\nbatch_size = 100001",
            "2: log_pipeline.batch_size: 100001 is not allowed; use 1 to 100000"),
        Case(
            "[log_pipeline]\nbatch_size = -9223372036854775808",
            "2: log_pipeline.batch_size: -9223372036854775808 is not"),
        Case("[log_pipeline]\nflush_interval = nan", "2: log_pipeline.flush_interval: nan is not allowed"),
        Case("[log_pipeline]\nflush_interval = 1e300", "2: log_pipeline.flush_interval: 1e+300 is not allowed"),
        Case(
            "[log_pipeline]\nflush_interval = \"11s\"",
            "2: log_pipeline.flush_interval: \"11s\" is not allowed; use 1ms to 10s"),
        Case("[detection]\ndedup_window = -1", "2: detection.dedup_window: -1 is not allowed"),
        Case(
            "[detection]\ndedup_window = \"8d\"",
            "2: detection.dedup_window: \"8d\" is not allowed; use 1s to 7d, or 0 for off"),
        Case(
            "[log_pipeline]\nsources = \"file\"",
            "2: log_pipeline.sources: the string \"file\" is not allowed; use a list of"),
        Case(
            "[log_pipeline]\nsources = [\n  \"file\",\n  7,\n]", "4: log_pipeline.sources: the integer 7 is not allowed"
        ),
        Case(
            "[log_pipeline]\nsources = [\"file\", \"file\"]",
            "2: log_pipeline.sources: \"file\" is not allowed; use each item once"),
        Case(
            "[log_pipeline.file]\ninclude = [\"*.log\"]",
            "2: log_pipeline.file.include: \"*.log\" is not allowed; use absolute patterns"),
        Case("[general]\ndata_dir = \"\"", "2: general.data_dir: \"\" is not allowed; use a path"),
        Case(
            "[general]\ndata_dir = \"/a\\u0000b\"",
            "2: general.data_dir: \"/a\\u0000b\" is not allowed; use a path without control characters"),
        Case("[general]\nnode_name = \"a\\u001b[2J\"", "2: general.node_name: \"a\\u001b[2J\" is not allowed"),
        Case("[http]\nlisten = \"::1:80\"", "2: http.listen: \"::1:80\" is not allowed"),
        Case("[http]\nlisten = 9477", "2: http.listen: the integer 9477 is not allowed; use an address"),
        Case(
            "[http]\nbatch_size = 1",
            "2: http.batch_size: unknown key \"batch_size\" in [http]; did you mean \"log_pipeline.batch_size\"?"),
        Case(
            "[http]\ncolour = 1",
            "2: http.colour: unknown key \"colour\" in [http]; keys are enabled, listen, token_file"),
        Case("log_level = \"info\"", "1: log_level: unknown key \"log_level\"; did you mean \"general.log_level\"?"),
        Case("[outputs_x]", "1: outputs_x: unknown section \"outputs_x\"; sections are general, http,"),
        Case("[[outputs]]\ntype = \"file\"", "1: outputs: unknown section \"outputs\"; sections are general"),
        Case(
            "[log_pipeline.fil]\nx = 1",
            "1: log_pipeline.fil: unknown section \"fil\" in [log_pipeline]; did you mean [log_pipeline.file]?"),
        Case("\"general.log_level\" = \"info\"", "1: general.log_level: unknown key \"general.log_level\""),
        Case("[general]\n\"a\\nb\" = 1", "2: general.a\\nb: unknown key \"a\\nb\" in [general]"),
        Case(
            "[sbom]\nenabled = \"true\"", "2: sbom.enabled: the string \"true\" is not allowed; use true or false"),
        Case("[storage]\nurl = \"sqlite:\"", "2: storage.url: \"sqlite:\" is not allowed"),
        Case("[storage]\nurl = \"sqlite://host/a.db\"", "2: storage.url: \"sqlite://host/a.db\" is not allowed"),
        Case("[log_pipeline]\nsources = []", "2: log_pipeline.sources: no sources; name one of file, syslog, journald"),
        Case("[log_pipeline.file]\ninclude = []", "2: log_pipeline.file.include: no files to follow"),
        Case(
            "[log_pipeline]\nsources = [\"syslog\"]\n[log_pipeline.syslog]\nudp = \"\"\ntcp = \"\"",
            "4: log_pipeline.syslog.udp: nothing to receive on"
        ),
        Case(
            "[log_pipeline]\nsources = [\"syslog\"]\n[http]\nlisten = \"127.0.0.1:5514\"",
            "4: http.listen: 127.0.0.1:5514 is used by both"
        ),
        // A faulty value's default must not be blamed for a contradiction as well.
        Case(
            "[general]\npid_file = \"/run/ironpost/control.sock\"\ncontrol_socket = 7",
            "3: general.control_socket: the integer 7 is not allowed"
        ),
        Case("[general]\npid_file = \"/a\"\ncontrol_socket = \"/a\"", "3: general.control_socket: is the same file"),
        Case(
            "[general]\ndata_dir = \"/\(String(repeating: "x", count: 100))\"",
            "2: general.data_dir: a unix socket's path has at most 107 bytes, this one 114"
        ),
    ])
    func oneFault(_ example: Case) throws {
        let found = try faults(example.text)
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("ironpost.toml:" + example.message) == true, "\(found)")
    }

    @Test(
        "What is no TOML is reported with line and column",
        arguments: [
            Case("[general\nlog_level = 1", "1:9: "),
            Case("[general]\nlog_level = \"info\nx", "2:18: "),
            Case("[general]\nlog_level = \"info\"\nlog_level = \"debug\"", "3:"),
            Case("[general]\n\u{0}", "2:1: a NUL byte stands here; the file must be UTF-8 text"),
        ])
    func syntax(_ example: Case) throws {
        let found = try faults(example.text)
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("ironpost.toml:" + example.message) == true, "\(found)")
    }

    @Test func invalidUTF8() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let file = try folder.write(Array("[general]\n# é ".utf8) + [0xFF])
        let loaded = Configuration.load(ConfigurationSources(file: file, fileIsExplicit: true))
        #expect(
            throws: ConfigurationFaults([
                ConfigurationFault(
                    origin: .file(path: file, position: TextPosition(line: 2, column: 5)), key: nil,
                    message: "the byte here is not valid UTF-8; save the file as UTF-8"
                )
            ])
        ) { try loaded.get() }
    }

    @Test("Two bad items of one list are two faults, each on its line")
    func listItems() throws {
        let found = try faults("[log_pipeline]\nsources = [\n  \"a\",\n  \"file\",\n  \"b\",\n]")
        #expect(found.map { $0.prefix(17) } == ["ironpost.toml:3: ", "ironpost.toml:5: "])
    }

    @Test("Bounds of size", arguments: [(1024, true), (1025, false)])
    func listBound(count: Int, isAllowed: Bool) throws {
        let items = (0..<count).map { "\"/var/log/\($0)\"" }.joined(separator: ",")
        #expect(try faults("[log_pipeline.file]\ninclude = [\(items)]").isEmpty == isAllowed)
    }

    @Test(arguments: [(4096, true), (4097, false)])
    func valueBound(count: Int, isAllowed: Bool) throws {
        let name = String(repeating: "n", count: count)
        #expect(try faults("[general]\nnode_name = \"\(name)\"").isEmpty == isAllowed)
    }

    @Test func fileBound() throws {
        let line = String(repeating: "#", count: 1023) + "\n"
        #expect(try faults(String(repeating: line, count: 1024)).isEmpty)
        #expect(
            try faults(String(repeating: line, count: 1024) + "#") == [
                "ironpost.toml: is larger than 1048576 bytes; a configuration is a few thousand"
            ]
        )
    }

    @Test(
        "D-12: the keys that were documented but ignored are refused",
        arguments: [
            "[log_pipeline]\nrule_dir = \"/x\"", "[log_pipeline]\nbuffer_capacity = 1",
            "[log_pipeline]\ndrop_policy = \"x\"",
            "[sbom]\nscan_interval_secs = 1", "[[ebpf.rules]]\nid = 1", "[container]\npolicy_dir = \"/x\"",
            "[log_pipeline]\nfile_paths = []", "[ebpf]\nxdp_interface = \"eth0\"", "[storage]\nretention_days = 1",
        ])
    func unknownKeysOfOld(text: String) throws {
        #expect(try faults(text).count == 1)
        #expect(try faults(text).first?.contains("unknown ") == true)
    }
}
