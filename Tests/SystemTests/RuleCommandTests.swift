import Foundation
import Testing

/// The built programs, with rules that go through pipelines.
@Suite(.serialized)
struct RuleCommandTests {
    static let rule = """
        title: Encoded command
        id: 22222222-2222-4333-8444-555555555555
        level: high
        logsource:
            product: windows
            category: process_creation
        detection:
            selection:
                CommandLine|contains: ' -enc '
                User|expand: '%Administrators%'
            condition: selection
        """

    static let mapping = """
        name: ecs
        priority: 20
        transformations:
          - id: names
            type: field_name_mapping
            mapping:
              CommandLine: [process.command_line, process.args]
              User: user.name
            rule_conditions:
              - {type: logsource, product: windows}
        """

    static let values = """
        name: people
        vars: {Administrators: [ops, root]}
        transformations:
          - type: value_placeholders
        """

    static let events = """
        {"process":{"command_line":"powershell -enc AAAA"},"user":{"name":"root"}}
        {"process":{"args":"pwsh -enc BBBB"},"user":{"name":"ops"}}
        {"process":{"args":"pwsh -enc BBBB"},"user":{"name":"guest"}}
        {"CommandLine":"powershell -enc AAAA","User":"root"}

        """

    private static func detect(_ folder: TemporaryDirectory, _ pipelines: [String]) throws -> Programs.Output {
        try Programs.run(
            Programs.ironpost,
            ["detect", "--rules", folder.path + "/rules", "--output", "ndjson", "--format", "json"]
                + pipelines.flatMap { ["--pipeline", folder.path + "/" + $0] } + [folder.path + "/events.json"]
        )
    }

    private static func folder() throws -> TemporaryDirectory {
        let folder = try TemporaryDirectory()
        _ = try folder.write(rule, to: "rules/encoded.yml")
        _ = try folder.write(mapping, to: "names.yml")
        _ = try folder.write(values, to: "people.yml")
        _ = try folder.write(events, to: "events.json")
        return folder
    }

    @Test("detect with pipelines finds events by the names that they really have")
    func detect() throws {
        let folder = try Self.folder()
        let result = try Self.detect(folder, ["names.yml", "people.yml"])
        #expect(result.status == 0, "\(result.err)")
        #expect(result.err == "")
        let lines = result.out.split(separator: "\n")
        #expect(
            lines.map { $0.contains("\"event\":0") || $0.contains("\"event\":1") } == [true, true], "\(result.out)")
        // Without the values the rule is none, and that is said; without the names it looks elsewhere.
        let unfilled = try Self.detect(folder, ["names.yml"])
        #expect(unfilled.out == "" && unfilled.err.contains("the placeholder '%Administrators%'"), "\(unfilled.err)")
        let unmapped = try Self.detect(folder, ["people.yml"])
        #expect(unmapped.out.contains("\"event\":3") && unmapped.out.split(separator: "\n").count == 1)
    }

    @Test("a pipeline that cannot be used is named with file and line, and nothing is done without it")
    func fault() throws {
        let folder = try Self.folder()
        _ = try folder.write("transformations:\n  - type: field_name_maping\n    mapping: {a: b}\n", to: "bad.yml")
        for command in [
            ["detect", "--rules", folder.path + "/rules", folder.path + "/events.json"],
            ["rules", "validate", folder.path + "/rules"], ["rules", "test", folder.path + "/rules"],
        ] {
            let result = try Programs.run(Programs.ironpost, command + ["--pipeline", folder.path + "/bad.yml"])
            #expect(result.status == 2 && result.out == "", "\(command): \(result.out)")
            let place = "\(folder.path)/bad.yml:2: error: unknown transformation 'field_name_maping'"
            #expect(result.err.contains(place), "\(result.err)")
            let missing = try Programs.run(Programs.ironpost, command + ["--pipeline", folder.path + "/none.yml"])
            #expect(missing.status == 2 && missing.err.contains("/none.yml"), "\(missing.err)")
        }
    }

    @Test("validate and test take pipelines and placeholders from an option, and else from the configuration")
    func validate() throws {
        let folder = try Self.folder()
        let test = "format: json\nmatches: ['{\"process.args\":\"x -enc y\",\"user.name\":\"root\"}']\nmisses: ['{}']\n"
        _ = try folder.write(test, to: "rules/encoded.test.yml")
        let configured = try folder.write(
            "[detection]\npipelines = [\"\(folder.path)/names.yml\"]\n"
                + "[detection.placeholders]\nAdministrators = [\"root\"]\n", to: "ironpost.toml")
        func run(_ verb: String, _ options: [String]) throws -> Programs.Output {
            try Programs.run(Programs.ironpost, ["rules", verb, folder.path + "/rules"] + options)
        }
        let empty = try folder.write("", to: "empty.toml")
        for verb in ["validate", "test"] {
            #expect(try run(verb, ["-c", configured]).status == 0)
            let without = try run(verb, ["-c", empty])
            #expect(without.status == 1 && without.out.contains("%Administrators%"), "\(without.out)")
            let options = [
                "-c", empty, "--pipeline", "\(folder.path)/people.yml", "--pipeline", "\(folder.path)/names.yml",
            ]
            #expect(try run(verb, options).status == 0)
        }
        // The rule's own names are no longer those of the events.
        #expect(try run("test", ["-c", empty, "--pipeline", "\(folder.path)/people.yml"]).status == 1)
    }

    @Test("the daemon applies them, takes changes at a reload, and refuses what others could have written")
    func daemon() throws {
        let folder = try TemporaryDirectory()
        let rule = """
            title: Renamed
            id: 22222222-2222-4333-8444-666666666666
            level: high
            logsource: {product: linux}
            detection:
                selection:
                    prog|expand: '%Tools%'
                condition: selection
            """
        _ = try folder.write(rule, to: "rules/renamed.yml")
        let pipeline = try folder.write(
            "transformations:\n  - {type: field_name_mapping, mapping: {prog: program}}\n", to: "names.yml")
        let log = try LogFile(folder.path + "/own.log")
        let file = folder.path + "/ironpost.toml"
        let daemon = DaemonProcess(data: folder.path + "/data", configuration: file)
        func configure(_ tools: String, pipelines: String) throws {
            let extra = "pipelines = [\(pipelines)]\n[detection.placeholders]\nTools = [\(tools)]\n"
            let text = ReloadTests.configuration(folder, port: daemon.port, extra: extra)
            _ = try folder.write(text, to: "ironpost.toml")
        }
        try configure("\"alpha\"", pipelines: "\"\(pipeline)\"")
        try daemon.start()
        func line(_ program: String, _ text: String) { log.append("Nov 26 07:00:00 host \(program)[1]: \(text)") }
        func alerts() throws -> Int { try daemon.count("select count(*) from alerts") }
        line("beta", "before the reload")
        line("alpha", "as configured")
        eventually("the renamed field is found") { (try? alerts()) == 1 }
        try configure("\"beta\"", pipelines: "\"\(pipeline)\"")
        let reload = try daemon.ironpost("reload")
        #expect(reload.status == 0 && reload.out.contains("detection.placeholders"), "\(reload.out)\(reload.err)")
        line("alpha", "no longer")
        line("beta", "now")
        eventually("the new value is found") { (try? alerts()) == 2 }
        // Broken, and then somebody else's: both leave what is in force, and are named.
        _ = try folder.write("transformations:\n  - {type: nonsense}\n", to: "names.yml")
        let broken = try daemon.ironpost("reload")
        #expect(broken.status == 2)
        #expect(broken.err.contains("names.yml:2: error: unknown transformation 'nonsense'"), "\(broken.err)")
        _ = try folder.write(
            "transformations:\n  - {type: field_name_mapping, mapping: {prog: program}}\n", to: "names.yml")
        unsafe chmod(pipeline, 0o666)
        let open = try daemon.ironpost("reload")
        #expect(open.status == 2 && open.err.contains("chmod go-w"), "\(open.err)")
        line("beta", "still")
        eventually("the rules in force stay") { (try? alerts()) == 3 }
        // Without the pipeline, the rule asks for a field that is not there.
        try configure("\"beta\"", pipelines: "")
        #expect(try daemon.ironpost("reload").status == 0)
        line("beta", "unseen")
        _ = try folder.write(rule.replacingOccurrences(of: "prog|", with: "program|"), to: "rules/renamed.yml")
        #expect(try daemon.ironpost("reload").status == 0)
        line("beta", "seen")
        eventually("the rule's own name is found") { (try? alerts()) == 4 }
        #expect(daemon.end() == 0)
        #expect(try alerts() == 4)
    }
}
