import Foundation
import IronpostCore
import Sigma
import Testing

@testable import LogPipeline

/// Which rules can fire, and what the others lack.
struct CoverageTests {
    final class Folder {
        let path: String

        init() throws {
            path = NSTemporaryDirectory() + "coverage-\(UUID().uuidString)"
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        func write(_ text: String, _ name: String) throws -> String {
            try text.write(toFile: path + "/" + name, atomically: true, encoding: .utf8)
            return path + "/" + name
        }
    }

    static let now = Timestamp(seconds: 1_764_000_000)

    private static func rules(_ texts: [(id: String, logsource: String, detection: String)]) throws -> RuleSet {
        let folder = try Folder()
        for text in texts {
            _ = try folder.write(
                "title: \(text.id)\nid: \(text.id)\nlogsource: \(text.logsource)\ndetection: \(text.detection)\n",
                text.id + ".yml")
        }
        let book = RuleBook(paths: [folder.path])
        #expect(book.faults == [])
        return book.ruleSet
    }

    /// `yes`, or what is lacking.
    private static func say(_ coverage: RuleCoverage, _ ruleSet: RuleSet) -> [String: String] {
        var words: [String: String] = [:]
        for entry in coverage.entries {
            let lack = entry.fields.isEmpty ? "log: \(entry.source)" : "fields: \(entry.fields.joined(separator: " "))"
            words[ruleSet.rules[entry.rule].title] = entry.canFire ? "yes" : lack
        }
        return words
    }

    @Test func byWhatFilesHold() throws {
        let folder = try Folder()
        let auth = try folder.write(
            "Nov 23 01:22:37 web1 sshd[4321]: Failed password for root from 203.0.113.7 port 42 ssh2\n", "one")
        let json = try folder.write("{\"app\":{\"user\":\"x\"},\"level\":\"info\"}\n{\"a\n", "two")
        let sources = [auth, json].map { HostSources.file($0, now: Self.now) }
        let ruleSet = try Self.rules([
            ("ssh", "{product: linux, service: sshd}", "{s: {event: auth_failed, src_ip: '*'}, condition: s}"),
            ("sudo", "{product: linux, service: sudo}", "{s: {command: x}, condition: s}"),
            ("either", "{product: linux, service: sshd}", "{s: {nosuch: x}, t: {user: x}, condition: s or t}"),
            ("lacks", "{product: linux, service: sshd}", "{s: {nosuch: x, nor: y}, t: {user: x}, condition: s and t}"),
            ("without", "{product: linux, service: sshd}", "{s: {user: x}, f: {nosuch: x}, condition: s and not f}"),
            ("absent", "{product: linux, service: sshd}", "{s: {user: x, nosuch: null}, condition: s}"),
            ("web", "{category: webserver}", "{s: {cs-method: GET}, condition: s}"),
            ("windows", "{product: windows, category: process_creation}", "{s: {Image: x}, condition: s}"),
            ("app", "{product: anything}", "{s: {app.user: x}, condition: s}"),
            ("other", "{product: anything}", "{s: {app.password: x}, condition: s}"),
            ("structured", "{product: linux, service: syslog}", "{s: {sd_origin_ip: x}, condition: s}"),
            ("started", "{product: linux, category: process_creation}", "{s: {Image: x}, condition: s}"),
            ("words", "{product: linux}", "{s: [evil], condition: s}"),
        ])
        let coverage = RuleCoverage(ruleSet, sources: sources)
        #expect(
            Self.say(coverage, ruleSet) == [
                "ssh": "yes", "sudo": "yes", "either": "yes", "lacks": "fields: nor nosuch", "without": "yes",
                "absent": "yes", "web": "log: web access or web error", "windows": "log: windows/process_creation",
                "app": "yes", "other": "log: anything", "structured": "yes", "started": "log: process creation",
                "words": "yes",
            ])
        #expect(coverage.entries.first { ruleSet.rules[$0.rule].title == "ssh" }?.through == [auth])
        #expect(coverage.entries.first { ruleSet.rules[$0.rule].title == "app" }?.through == [json])
    }

    @Test func correlationsNeedTheirGroupsFields() throws {
        let folder = try Folder()
        func correlation(_ name: String, _ field: String) -> String {
            "title: \(name)\nid: \(name)\ncorrelation: {type: event_count, rules: [base], group-by: [\(field)], "
                + "timespan: 1m, condition: {gte: 2}}\n"
        }
        let base =
            "title: base\nid: base\nlogsource: {category: webserver}\ndetection: {s: {sc-status: 404}, condition: s}\n"
        let rules = try folder.write(
            [base, correlation("good", "src_ip"), correlation("bad", "session")].joined(separator: "---\n"), "r.yml")
        let ruleSet = RuleBook(paths: [rules]).ruleSet
        let access = try folder.write("", "access.log")
        let source = HostSources.file(access, now: Self.now)
        #expect(source.note == "empty so far; by its name")
        let coverage = RuleCoverage(ruleSet, sources: [source])
        #expect(Self.say(coverage, ruleSet) == ["base": "yes", "good": "yes", "bad": "fields: session"])
        // Without such a log, it is the log that is lacking.
        let none = RuleCoverage(ruleSet, sources: [])
        #expect(Set(Self.say(none, ruleSet).values) == ["log: web access or web error"])
    }

    @Test func whatIsNotKnownIsSaid() throws {
        let folder = try Folder()
        let empty = HostSources.file(try folder.write("", "something.log"), now: Self.now)
        #expect(empty.isOpen && empty.classes.isEmpty && empty.note.hasPrefix("empty"))
        let missing = HostSources.file(folder.path + "/none", now: Self.now)
        #expect(missing.isOpen && missing.note.contains("cannot be read"))
        let directory = HostSources.file(folder.path, now: Self.now)
        #expect(directory.isOpen && directory.classes.isEmpty)
        // A few lines of something else make no log of it.
        let lines = (0..<50).map { "Nov 23 01:22:\(10 + $0) h kernel: message \($0)" } + ["{\"a\":1}", "    at x.y(z)"]
        let syslog = HostSources.file(try folder.write(lines.joined(separator: "\n"), "syslog"), now: Self.now)
        #expect(Set(syslog.classes.keys) == Set(EventClasses.ofSyslog.map { Int($0.index) }))
        // Of a long file the end, from a whole line on.
        let old = String(repeating: "{\"old\":1}\n", count: 40_000)
        let new = String(repeating: "{\"new\":1}\n", count: 40_000)
        let long = HostSources.file(try folder.write(old + new, "long"), now: Self.now)
        #expect(long.classes == [Int(EventClasses.json.index): .named(["new"])])
    }

    @Test func sourcesOfTheConfiguration() throws {
        let folder = try Folder()
        let log = try folder.write("<13>1 2026-11-26T07:00:00Z h app 1 - - hello\n", "app.log")
        var configuration = Configuration()
        configuration.logPipeline.sources = [.file, .journald, .syslog]
        configuration.logPipeline.file.include = [folder.path + "/*.log", folder.path + "/none-*.txt"]
        configuration.logPipeline.journald.directory = folder.path
        configuration.ebpf.enabled = .off
        let sources = HostSources.find(configuration, now: Self.now)
        #expect(
            sources.map(\.name) == [
                log, folder.path + "/none-*.txt", "journald", "syslog udp 127.0.0.1:5514", "syslog tcp 127.0.0.1:5514",
                "packets",
            ])
        #expect(sources.map { !$0.classes.isEmpty } == [true, false, false, true, true, false])
        #expect(sources[2].note == "\(folder.path) has no journal" && sources[5].note == "ebpf.enabled is off")
        try FileManager.default.createDirectory(atPath: folder.path + "/id", withIntermediateDirectories: true)
        _ = try folder.write("", "id/system.journal")
        configuration.ebpf.enabled = .on
        configuration.ebpf.mode = .monitor
        configuration.logPipeline.file.exclude = [folder.path + "/app*"]
        let more = HostSources.find(configuration, now: Self.now)
        #expect(more.first { $0.name == "journald" }?.classes.count == EventClasses.ofSyslog.count)
        #expect(more.first { $0.name == "packets" }?.classes.count == 2)
        #expect(!more.contains { $0.name == log })
        // auditd's log has its place, which this host may have or not.
        configuration.logPipeline.sources = [.audit]
        #expect(HostSources.find(configuration, now: Self.now).map(\.name) == ["/var/log/audit/audit.log", "packets"])
        configuration.logPipeline.isEnabled = false
        #expect(HostSources.find(configuration, now: Self.now).map(\.name) == ["packets"])
    }

    /// Every field that a parser makes of the shipped rules' test lines is among those of its class.
    @Test func parsersMakeNoOtherFields() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path
        let tests = RuleTests.load(paths: [root + "/rules"])
        let names = FieldNames(wellKnown: Fields.names)
        var parser = LogParser(fieldNames: names, zone: .offset(seconds: 0))
        var table = EventTable()
        var seen: [Int: Set<String>] = [:]
        for test in tests.cases {
            let format = try #require(LineFormat(rawValue: test.format))
            for line in test.matches + test.misses + test.sequences.flatMap(\.lines) {
                let slice = table.append(bytes: Array(line.text.utf8).span)
                table.beginEvent(line: slice, time: 0, origin: 0, position: 0)
                parser.parse(line: slice, format: format, receivedAt: 0, into: &table)
                for event in 0..<table.count {
                    let number = Int(table.events[event].eventClass.index)
                    for field in table.fields(of: event) where field.id != .unnamed {
                        seen[number, default: []].insert(names.name(of: field.id))
                    }
                }
                table.removeAll()
            }
        }
        for (number, fields) in seen {
            guard let known = EventClasses.fields(of: EventClassID(UInt16(number))) else { continue }
            #expect(fields.subtracting(known) == [], "\(EventClasses.names[number])")
        }
        #expect(seen[Int(EventClasses.sshd.index)]?.isSuperset(of: ["event", "src_ip", "user"]) == true)
        #expect(EventClasses.names.count == EventClasses.all.count)
    }

    /// On a host with the usual logs, every rule that comes with Ironpost can fire: none asks for what nobody brings.
    @Test func shippedRules() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path
        let folder = try Folder()
        let sources = try ["auth.log", "access.log", "error.log", "audit.log"].map {
            HostSources.file(try folder.write("", $0), now: Self.now)
        }
        var configuration = Configuration()
        configuration.logPipeline.isEnabled = false
        configuration.ebpf.mode = .monitor
        let ruleSet = RuleBook(paths: [root + "/rules"]).ruleSet
        let coverage = RuleCoverage(ruleSet, sources: sources + HostSources.find(configuration, now: Self.now))
        let cannot = Self.say(coverage, ruleSet).filter { $0.value != "yes" }
        #expect(cannot == [:])
        #expect(coverage.entries.count > 40)
    }
}
