import Logging
import Testing

@testable import IronpostCore

@Suite("Options win over the environment, that over the file, that over defaults")
struct PrecedenceTests {
    /// Which of the sources say something, and whose value counts.
    struct Case: Sendable, CustomTestStringConvertible {
        var inFile: Bool
        var inEnvironment: Bool
        var inOption: Bool

        var expected: Int { inOption ? 3 : inEnvironment ? 2 : inFile ? 1 : 4096 }
        var testDescription: String { "file \(inFile), environment \(inEnvironment), option \(inOption)" }

        static let all = [false, true].flatMap { file in
            [false, true].flatMap { environment in
                [false, true].map { Case(inFile: file, inEnvironment: environment, inOption: $0) }
            }
        }
    }

    @Test(arguments: Case.all)
    func matrix(_ example: Case) throws {
        let loaded = try load(
            example.inFile ? "[log_pipeline]\nbatch_size = 1" : "",
            environment: example.inEnvironment ? ["IRONPOST_LOG_PIPELINE_BATCH_SIZE": "2"] : [:],
            settings: example.inOption ? [Setting(set: "log_pipeline.batch_size=3")] : []
        ).get()
        #expect(loaded.configuration.logPipeline.batchSize == example.expected)
        let origin = try #require(loaded.origins["log_pipeline.batch_size"])
        switch origin {
        case .option(let text): #expect(example.inOption && text == "--set log_pipeline.batch_size")
        case .environment(let name): #expect(!example.inOption && name == "IRONPOST_LOG_PIPELINE_BATCH_SIZE")
        case .file(_, let position): #expect(example.expected == 1 && position == TextPosition(line: 2, column: 1))
        case .default: #expect(example.expected == 4096)
        }
    }

    @Test("Every key can be set from the environment and by --set, to what it is", arguments: ConfigurationKey.all)
    func everyKey(_ key: ConfigurationKey) throws {
        let text: String
        switch key.defaultValue {
        case .string(let value): text = value
        case .integer(let value): text = String(value)
        case .number(let value): text = String(value)
        case .boolean(let value): text = String(value)
        case .list(let items): text = items.joined(separator: " , ")
        case .table: text = key.defaultValue.toml
        }
        for loaded in [
            try load(nil, environment: [key.environmentName: text]),
            try load(nil, settings: [Setting(set: "\(key.path)=\(text)")]),
            try load("[\(key.section)]\n\(key.name) = \(key.defaultValue.toml)"),
        ] {
            let loaded = try loaded.get()
            #expect(loaded.configuration == Configuration())
            #expect(loaded.warnings.isEmpty)
            #expect(loaded.origins[key.path] != .default)
        }
    }

    @Test("Every key changes its own field and no other", arguments: ConfigurationKey.all)
    func ownField(_ key: ConfigurationKey) throws {
        let samples = [
            "wait", "off", "critical", "spdx",
            "false", "true", "2000", "2000000", "2s", "1d", "pretty", "debug", "beginning", "localhost:1", "syslog",
            "sqlite:/x", "/x", "200", "0.5", "10.0.0.0/8", "enforce", "xdp", "native",
            "131072", "{ Admins = [\"root\"] }",
        ]
        var tried = 0
        for sample in samples {
            guard case .success(let loaded) = try load(nil, environment: [key.environmentName: sample]) else {
                continue
            }
            let changes = loaded.configuration.changes(from: Configuration())
            guard !changes.isEmpty else { continue }
            tried += 1
            #expect(changes.map(\.key) == [key.path])
        }
        #expect(tried > 0)
    }

    @Test("D-13: a stronger source rescues a faulty value of a weaker one")
    func rescue() throws {
        let text = "[log_pipeline]\nbatch_size = \"many\"\n[general]\nlog_level = 7"
        #expect(try faults(text).count == 2)
        let loaded = try load(
            text, environment: ["IRONPOST_LOG_PIPELINE_BATCH_SIZE": "5", "IRONPOST_GENERAL_LOG_LEVEL": "loud"],
            settings: [Setting(option: "--log-level", key: "general.log_level", value: "debug")]
        ).get()
        #expect(loaded.configuration.logPipeline.batchSize == 5)
        #expect(loaded.configuration.general.logLevel == LogDirectives(level: .debug))
        #expect(loaded.origins["general.log_level"] == .option("--log-level"))
    }

    @Test("D-14: without the default file, the environment still counts; a named file must exist")
    func missingFile() throws {
        let environment = ["IRONPOST_HTTP_ENABLED": "false"]
        let loaded = Configuration.load(
            ConfigurationSources(file: "/nonexistent/a.toml", fileIsExplicit: false, environment: environment)
        )
        #expect(try !loaded.get().configuration.http.isEnabled)
        #expect(try loaded.get().file == nil)
        let named = Configuration.load(
            ConfigurationSources(configOption: "/nonexistent/a.toml", environment: environment)
        )
        #expect(
            throws: ConfigurationFaults([
                ConfigurationFault(
                    origin: .file(path: "/nonexistent/a.toml", position: nil), key: nil,
                    message: "there is no such file"
                )
            ])
        ) { try named.get() }
    }

    @Test(
        arguments: [
            ("/o", ["IRONPOST_CONFIG": "/e"], "/o", true), (nil, ["IRONPOST_CONFIG": "/e"], "/e", true),
            (nil, ["IRONPOST_CONFIG": ""], "/etc/ironpost/ironpost.toml", false),
            (nil, [:], "/etc/ironpost/ironpost.toml", false),
        ] as [(String?, [String: String], String, Bool)])
    func whichFile(option: String?, environment: [String: String], file: String, isExplicit: Bool) {
        let sources = ConfigurationSources(configOption: option, environment: environment)
        #expect(sources.file == file)
        #expect(sources.fileIsExplicit == isExplicit)
    }

    @Test("D-15: RUST_LOG and other strangers' variables count for nothing")
    func strangers() throws {
        let loaded = try load(nil, environment: ["RUST_LOG": "trace", "LOG_LEVEL": "trace", "IRONPOSTX": "1"]).get()
        #expect(loaded.configuration == Configuration())
        #expect(loaded.warnings.isEmpty)
    }

    @Test(
        "D-16: a variable that cannot be read is a fault, not a lost warning",
        arguments: [
            ("IRONPOST_HTTP_ENABLED", "yes", "\"yes\" is not allowed; use true or false"),
            ("IRONPOST_HTTP_ENABLED", "TRUE", "\"TRUE\" is not allowed; use true or false"),
            ("IRONPOST_HTTP_ENABLED", "", "\"\" is not allowed; use true or false"),
            ("IRONPOST_LOG_PIPELINE_BATCH_SIZE", "0x10", "\"0x10\" is not allowed; use an integer, 1 to 100000"),
            ("IRONPOST_LOG_PIPELINE_BATCH_SIZE", "0", "\"0\" is not allowed; use 1 to 100000"),
            ("IRONPOST_LOG_PIPELINE_SOURCES", "file,smoke", "\"smoke\" is not allowed; use \"file\" or"),
            ("IRONPOST_CONTAINER_ENABLED", "maybe", "\"maybe\" is not allowed; use \"auto\", true or false"),
        ])
    func environmentFault(name: String, text: String, message: String) throws {
        let found = try faults(nil, environment: [name: text])
        let key = try #require(ConfigurationKey.all.first { $0.environmentName == name })
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("\(name): \(key.path): \(message)") == true, "\(found)")
    }

    @Test(
        "Lists in the environment",
        arguments: [
            ("/a,/b", ["/a", "/b"]), (" /a , /b ,", ["/a", "/b"]), (",,/a b", ["/a b"]), ("", []), (" , ", []),
        ])
    func lists(text: String, expected: [String]) throws {
        let loaded = try load(nil, environment: ["IRONPOST_DETECTION_RULES": text]).get()
        #expect(loaded.configuration.detection.rules == expected)
    }

    @Test("Unknown variables warn, with the nearest name")
    func unknownVariables() throws {
        let loaded = try load(
            nil,
            environment: [
                "IRONPOST_CONFIG": "/elsewhere", "IRONPOST_HTTP_LISTN": "x", "IRONPOST_SOMETHING_ELSE": "x",
            ]
        ).get()
        #expect(
            loaded.warnings.map(\.description) == [
                "IRONPOST_HTTP_LISTN: unknown variable; did you mean IRONPOST_HTTP_LISTEN?",
                "IRONPOST_SOMETHING_ELSE: unknown variable; it has no effect",
            ]
        )
    }

    @Test(
        "--set",
        arguments: [
            ("http.listn=1", "--set http.listn: http.listn: unknown key \"http.listn\"; did you mean \"http.listen\"?"),
            ("http.listen", "--set http.listen: http.listen: has no value; write http.listen=VALUE"),
            ("http.listen=x", "--set http.listen: http.listen: \"x\" is not allowed; use \(ListenAddress.form)"),
            ("=", "--set : : unknown key \"\"; `ironpost config schema` lists all keys"),
        ])
    func settingFault(argument: String, message: String) throws {
        #expect(try faults(nil, settings: [Setting(set: argument)]) == [message])
    }

    @Test("Of several options for one key the last wins, and a value may hold =")
    func lastOption() throws {
        let loaded = try load(
            nil, settings: [Setting(set: "general.log_level=info"), Setting(set: "general.log_level=warn,a=debug")]
        ).get()
        #expect(loaded.configuration.general.logLevel == LogDirectives(level: .warning, modules: ["a": .debug]))
    }
}
