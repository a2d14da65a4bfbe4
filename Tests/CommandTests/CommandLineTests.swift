import ArgumentParser
import Foundation
import IronpostCore
import Testing

@testable import ironpost

struct CommandLineTests {
    @Test(arguments: [
        (["-o", "json", "status"], ["status", "-o", "json"]),
        (
            ["--socket", "/x", "--color=never", "alerts", "show", "1"],
            ["alerts", "show", "1", "--socket", "/x", "--color=never"]
        ),
        (["alerts", "-o", "json", "list"], ["alerts", "list", "-o", "json"]),
        (["x", "--", "-o", "json"], ["x", "--", "-o", "json"]),
        (["-c", "f", "x", "--", "-y"], ["x", "-c", "f", "--", "-y"]),
        (["status", "-o", "json"], ["status", "-o", "json"]), (["--help"], ["--help"]), (["-o"], ["-o"]), ([], []),
    ])
    func globalOptionsMoveBehindTheCommand(arguments: [String], moved: [String]) {
        #expect(GlobalOptions.hoist(arguments) == moved)
    }

    @Test(arguments: [
        ["-o", "json", "--socket", "/s", "alerts"], ["alerts", "-o", "json", "--socket", "/s"],
        ["alerts", "list", "-o", "json", "--socket", "/s"], ["--socket=/s", "alerts", "list", "--output", "json"],
        ["alerts", "-o", "json", "list", "--socket", "/s"],
    ])
    func globalOptionsWorkBeforeAndAfter(arguments: [String]) throws {
        let command = try Ironpost.parseAsRoot(GlobalOptions.hoist(arguments))
        let list = try #require(command as? AlertsList)
        #expect(list.output.format == .json)
        #expect(list.global.socket == "/s")
    }

    @Test(arguments: [
        ["nosuch"], ["alerts", "--nosuch"], ["-o", "xml", "status"], ["alerts", "show"], ["completions", "tcsh"],
        ["alerts", "--since", "yesterday", "--socket", "/nonexistent"],
        ["alerts", "--limit", "0", "--socket", "/nonexistent"], ["top", "-n", "0"],
        ["top", "--interval", "1ms"], ["top", "--interval", "soon"], ["top", "--window", "0"],
        ["alerts", "--severity", "worst"], ["events", "tail", "--where", "novalue"], ["alerts", "show", "xyz"],
    ])
    func badUsageIsTwo(arguments: [String]) async {
        #expect(await Ironpost.run(arguments) == .usage)
    }

    @Test(arguments: [
        ["status"], ["stop"], ["alerts"], ["demo"], ["rules", "list"], ["events", "tail"], ["alerts", "tail"], ["top"],
        ["top", "-n", "1", "-o", "json"],
    ])
    func noDaemonIsThree(arguments: [String]) async {
        #expect(await Ironpost.run(["--socket", "/nonexistent/control.sock"] + arguments) == .daemonNotReachable)
    }

    @Test(arguments: [
        ["--version"], ["--help"], ["alerts", "--help"], ["completions", "bash"],
        ["--color", "never", "completions", "bash"],
    ])
    func helpIsZero(arguments: [String]) async {
        #expect(await Ironpost.run(arguments) == .success)
    }

    @Test("a command that is not understood says how it is written, with the program's name in front")
    func usage() {
        for (word, _) in Ironpost.commands {
            do {
                _ = try Ironpost.parsed([word, "--no-such-option"])
                Issue.record("\(word) took an option that is not there")
            } catch {
                #expect(Ironpost.fullMessage(for: error).contains("Usage: ironpost \(word)"), "\(word)")
            }
            do {
                var help = try Ironpost.parsed([word, "--help"])
                try help.run()
                Issue.record("\(word) gave no help")
            } catch {
                let text = Ironpost.fullMessage(for: error)
                #expect(text.contains("USAGE: ironpost \(word)") && text.contains("--version"), "\(word): \(text)")
            }
        }
    }

    @Test("the words by which commands are chosen are those that the parser knows them by")
    func words() throws {
        let help = Ironpost.helpMessage(columns: 200)
        for (word, type) in Ironpost.commands {
            #expect(Ironpost.helpMessage(for: type).contains("USAGE: ironpost \(word)"), "\(word)")
            #expect(help.contains("\n  \(word) "), "\(word)")
        }
    }

    /// One file that cannot be read once kept what was found in the others from being told, and rules that are not
    /// there once found nothing, successfully.
    @Test func detectSaysWhatItCouldNotDo() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("detect-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        func write(_ text: String, _ name: String) throws -> String {
            let url = folder.appendingPathComponent(name)
            try text.write(to: url, atomically: true, encoding: .utf8)
            return url.path
        }
        let rules = try write(
            "title: t\nid: t\nlogsource: {product: x}\nlevel: high\ndetection: {s: {a: b}, condition: s}\n", "r.yml")
        let good = try write("{\"a\":\"b\"}\n", "good.json")
        let missing = folder.path + "/missing"
        func detect(_ files: [String], rules: String) async -> ironpost.ExitStatus {
            await Ironpost.run(["detect", "--rules", rules, "--output", "count", "--fail-on", "high"] + files)
        }
        #expect(await detect([good], rules: rules) == .threshold)
        #expect(await detect([good, missing], rules: rules) == .inputOutput)
        #expect(await detect([missing, good], rules: rules) == .inputOutput)
        try FileManager.default.createDirectory(atPath: folder.path + "/empty", withIntermediateDirectories: true)
        #expect(await detect([good], rules: folder.path + "/empty") == .usage)
    }

    @Test func everyHelpHasAnExample() {
        func check(_ command: any ParsableCommand.Type) {
            #expect(command.configuration.discussion.contains("Example: "), "\(command)")
            for child in command.configuration.subcommands { check(child) }
        }
        check(Ironpost.self)
    }

    @Test func sinceIsSentAsATime() throws {
        let command = try #require(
            try Ironpost.parseAsRoot(["alerts", "--since", "1h", "--severity", "crit"]) as? AlertsList)
        let query = try command.query(now: Timestamp(seconds: 1_700_003_600))
        #expect(
            query == [Field("since", "2023-11-14T22:13:20.000Z"), Field("severity", "critical"), Field("limit", "50")])
    }

    @Test func aBeginningOfAnIdTellsItsTime() throws {
        // Ids never go back in time within a process: this one's time may be later than asked for.
        let made = UUIDv7.make(at: SystemTime().now())
        let time = Timestamp(nanoseconds: Int64(made.high >> 16) * 1_000_000)
        let id = made.description
        for length in [8, 13, 18, 30] {
            let earliest = try #require(AlertLookup.earliest(String(id.prefix(length))))
            #expect(earliest <= time && time.since(earliest) < .seconds(180))
        }
        #expect(AlertLookup.earliest("0123456") == nil)
    }

    @Test func streamsAreCutIntoMessages() throws {
        var parser = StreamParser()
        let text =
            ": hello\n\nevent: alert\nid: 1\ndata: {\"a\":1}\n\n: still here\n\nevent: lost\ndata: {\"count\":2}\n\nevent: al"
        var messages: [StreamMessage] = []
        for byte in text.utf8 { messages += try parser.feed([byte]) }
        #expect(messages.map(\.event) == ["alert", "lost"])
        #expect(messages.first.map { String(decoding: $0.data, as: UTF8.self) } == "{\"a\":1}")
    }

    @Test func theDoctorNeedsNoDaemon() {
        let checks = HostChecks(
            dataDir: "/nonexistent/deep/dir", logFiles: ["/nonexistent/deep/log"], user: "", isSandboxed: true
        ).all()
        #expect(checks.count == 11)
        func sandbox(_ user: String, _ isSandboxed: Bool = true) -> HostCheck? {
            HostChecks(dataDir: "/", logFiles: [], user: user, isSandboxed: isSandboxed).all()
                .first { $0.name == "sandbox" }
        }
        #expect(sandbox("nosuchuser")?.state == .missing && sandbox("root")?.finding.contains("user root") == true)
        #expect(sandbox("")?.finding.contains("user ironpost") == true)
        #expect(sandbox("", false)?.state == .limited)
        #expect(checks.allSatisfy { $0.state == .ok || $0.cost != nil })
        #expect(checks.first { $0.name == "kernel" }?.finding.contains("Linux") == true)
        #expect(checks.first { $0.name == "disk" }?.finding.contains("MiB free") == true)
    }
}
