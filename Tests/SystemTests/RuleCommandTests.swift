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

    @Test("explain says in words what a rule looks for, and of an event what it has and what not")
    func explain() throws {
        let folder = try Self.folder()
        func explain(_ arguments: String..., input: String? = nil) throws -> Programs.Output {
            try Programs.run(
                Programs.ironpost,
                [
                    "rules", "explain", "--pipeline", folder.path + "/names.yml", "--pipeline",
                    folder.path + "/people.yml",
                ]
                    + arguments, input: input)
        }
        let rules = ["--rules", folder.path + "/rules"]
        let words = try explain("encoded command", rules[0], rules[1])
        #expect(words.status == 0, "\(words.err)")
        #expect(words.out.contains("process.command_line contains \" -enc \""), "\(words.out)")
        #expect(words.out.contains("user.name is \"ops\" or \"root\""))
        #expect(words.out.contains("events of windows/process_creation"))
        #expect(!words.out.contains("match"))
        let miss = """
            {
              "process": {"args": "pwsh -enc BBBB"},
              "user": {"name": "guest"}
            }
            """
        let id = "22222222-2222-4333-8444-555555555555"
        let missed = try explain(id, "-", rules[0], rules[1], input: miss)
        #expect(missed.status == 0)
        #expect(missed.out.contains("yes     process.args contains"), "\(missed.out)")
        #expect(
            missed.out.contains("(user.name is \"guest\")") && missed.out.contains("(process.command_line is absent)"))
        #expect(missed.out.contains("no match: the condition does not hold"))
        // Of several events the first; and the file of a rule is as good as its name.
        let matched = try explain(folder.path + "/rules/encoded.yml", folder.path + "/events.json", "-o", "json")
        #expect(matched.err.contains("only the first event is explained; there are more"), "\(matched.err)")
        let object = try JSONSerialization.jsonObject(with: Data(matched.out.utf8)) as? [String: Any]
        let outcome = object?["outcome"] as? [String: Any]
        #expect(outcome?["matches"] as? Bool == true && outcome?["event_class"] as? String == "json")
        #expect((object?["rule"] as? [String: Any])?["id"] as? String == id)
        #expect(object?["fields"] as? [String] == ["process.command_line", "process.args", "user.name"])
        let condition = object?["condition"] as? [String: Any]
        #expect(condition?["held"] as? Bool == true && condition?["name"] as? String == "selection")
    }

    @Test("explain takes shipped rules, correlations and log lines, and says what it cannot find")
    func explainShipped() throws {
        func explain(_ arguments: String..., input: String? = nil) throws -> Programs.Output {
            try Programs.run(
                Programs.ironpost, ["rules", "explain"] + arguments, input: input, directory: Programs.root)
        }
        let rule = Programs.root + "/rules/linux/sshd/ssh_brute_force.yml"
        let line = "Nov 23 01:22:37 web1 sshd[4321]: Failed password for root from 203.0.113.7 port 42 ssh2\n"
        let counted = try explain(rule, "-", input: line)
        #expect(counted.status == 0 && counted.out.contains("counts    events with the same src_ip within"))
        #expect(counted.out.contains("event is \"auth_failed\"  (event is \"auth_failed\")"), "\(counted.out)")
        #expect(counted.out.contains("counted: this event is one of those"))
        let byID = try explain("cb349d2d-a924-485d-87e7-bf3460bed277", "-o", "json")
        #expect(byID.status == 0 && byID.out.contains("\"kind\" : \"correlation\""), "\(byID.err)")
        let sudo = try explain(Programs.root + "/rules/linux/sudo/sudo_not_in_sudoers.yml", "-", input: line)
        #expect(sudo.out.contains("no match: the rule is not tried on events of this kind (sshd)"), "\(sudo.out)")
        let empties = try TemporaryDirectory()
        let empty = try empties.write("\n", to: "empty.json")
        for (arguments, status, says) in [
            (["no such rule"], 1, "no rule in "), ([rule, "/nonexistent/event"], 10, "/nonexistent/event"),
            ([rule, empty], 2, "there is no event"), ([rule, "--format", "sausage"], 2, "unknown format"),
            ([rule, "--rules", "/nonexistent/rules"], 2, "does not exist"),
        ] as [([String], Int32, String)] {
            let result = try Programs.run(Programs.ironpost, ["rules", "explain"] + arguments)
            #expect(
                result.status == status && result.err.contains(says), "\(arguments): \(result.status) \(result.err)")
        }
        let folder = try TemporaryDirectory()
        let bad = try folder.write(Self.rule, to: "bad.yml")
        let refused = try Programs.run(Programs.ironpost, ["rules", "explain", bad])
        #expect(refused.status == 1 && refused.err.contains("bad.yml:10: error: no values are given"), "\(refused.err)")
    }

    @Test("coverage says which rules can fire with the logs that are there, and what the others lack")
    func coverage() throws {
        let folder = try TemporaryDirectory()
        _ = try folder.write(
            Self.rule.replacingOccurrences(of: "User|expand: '%Administrators%'", with: "User: root"),
            to: "rules/windows.yml")
        func rule(_ title: String, _ service: String, _ field: String) -> String {
            "title: \(title)\nlogsource: {product: linux, service: \(service)}\n"
                + "detection: {s: {\(field): x}, condition: s}\n"
        }
        _ = try folder.write(rule("By name", "sshd", "user"), to: "rules/by_name.yml")
        _ = try folder.write(rule("By session", "sshd", "session"), to: "rules/by_session.yml")
        _ = try folder.write("title: Bad\n", to: "rules/bad.yml")
        _ = try folder.write("Nov 23 01:22:37 web1 sshd[4321]: Connection closed\n", to: "logs/ssh.log")
        let file = try folder.write(
            "[log_pipeline]\nsources = [\"file\"]\n[log_pipeline.file]\ninclude = [\"\(folder.path)/logs/*.log\"]\n"
                + "[detection]\nrules = [\"\(folder.path)/rules\"]\n[ebpf]\nenabled = false\n", to: "ironpost.toml")
        let table = try Programs.run(Programs.ironpost, ["rules", "coverage", "-c", file])
        #expect(table.status == 0 && table.err == "", "\(table.err)")
        #expect(table.out.contains("1 of 3 rules can fire on this host; 1 are refused"), "\(table.out)")
        #expect(table.out.contains("source \(folder.path)/logs/ssh.log: syslog, sshd"))
        #expect(table.out.contains("source packets: ebpf.enabled is off"))
        func json(_ arguments: [String]) throws -> [String: [String: Any]] {
            let result = try Programs.run(
                Programs.ironpost, ["-o", "json", "rules", "coverage", "-c", file] + arguments)
            let object = try JSONSerialization.jsonObject(with: Data(result.out.utf8)) as? [String: Any]
            #expect(object?["total"] as? Int == 3 && object?["refused"] as? Int == 1)
            let rules = object?["rules"] as? [[String: Any]] ?? []
            return Dictionary(rules.map { ($0["title"] as? String ?? "", $0) }) { first, _ in first }
        }
        let rules = try json([])
        #expect(rules["By name"]?["can_fire"] as? Bool == true)
        #expect(rules["By name"]?["through"] as? [String] == ["\(folder.path)/logs/ssh.log"])
        #expect(rules["By session"]?["lacks_fields"] as? [String] == ["session"])
        #expect(rules["Encoded command"]?["lacks_source"] as? String == "windows/process_creation")
        // JSON logs with the rule's fields will do, and so will a pipeline's names for them.
        _ = try folder.write(Self.events, to: "logs/app.log")
        let mapped = try json(["--pipeline", try folder.write(Self.mapping, to: "names.yml")])
        #expect(mapped["Encoded command"]?["through"] as? [String] == ["\(folder.path)/logs/app.log"])
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
