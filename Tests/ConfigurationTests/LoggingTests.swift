import FoundationEssentials
import Logging
import Testing

@testable import IronpostCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

@Suite("Log lines")
struct LoggingTests {
    /// 2026-11-23T01:38:00.123Z
    static let moment = LogTime(milliseconds: 1_795_397_880_123)

    struct Written: Decodable, Equatable {
        var time: String
        var level: String
        var module: String
        var message: String
        var metadata: [String: String]?
    }

    /// What an output wrote while `body` ran.
    private func written(
        _ directives: String = "trace", format: LogFormat = .json, journal: Bool = false,
        _ body: (LogOutput) -> Void
    ) throws -> [String] {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let file = try folder.write("")
        let descriptor = unsafe open(file, O_WRONLY | O_APPEND | O_CLOEXEC)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        var environment: [String: String] = [:]
        if journal {
            var status = stat()
            try #require(unsafe fstat(descriptor, &status) == 0)
            environment["JOURNAL_STREAM"] = "\(status.st_dev):\(status.st_ino)"
        }
        let output = try LogOutput(
            directives: LogDirectives(parsing: directives), format: format, descriptor: descriptor,
            environment: environment, clock: { Self.moment }
        )
        body(output)
        #expect(output.linesLost == 0)
        let text = try String(decoding: Data(contentsOf: URL(filePath: file)), as: UTF8.self)
        #expect(text.isEmpty || text.hasSuffix("\n"))
        return text.split(separator: "\n").map(String.init)
    }

    @Test func json() throws {
        let lines = try written { output in
            var logger = output.logger(label: "log-pipeline")
            logger[metadataKey: "source"] = "file"
            logger.warning(
                "slow \"reader\"", metadata: ["lag": ["seconds": "3", "lines": ["1", "2"]], "source": "x"])
        }
        #expect(
            lines == [
                #"{"time":"2026-11-23T01:38:00.123Z","level":"warning","module":"log-pipeline","#
                    + #""message":"slow \"reader\"","#
                    + #""metadata":{"lag.lines":"[\"1\", \"2\"]","lag.seconds":"3","source":"x"}}"#
            ]
        )
    }

    @Test func pretty() throws {
        let lines = try written(format: .pretty) { output in
            output.logger(label: "control").info(
                "listening", metadata: ["on": "127.0.0.1:1", "why": "it = so", "no": ""])
            output.logger(label: "control").critical("gone")
        }
        #expect(
            lines == [
                #"2026-11-23T01:38:00.123Z info     control  listening no="" on=127.0.0.1:1 why="it = so""#,
                "2026-11-23T01:38:00.123Z critical control  gone",
            ]
        )
    }

    @Test("Colour is for the level only, and never in JSON")
    func colour() {
        let record = LogRecord(time: Self.moment, level: .error, label: "a", message: "m", metadata: [:])
        let pretty = String(decoding: record.line(.pretty, isColoured: true, isJournal: false), as: UTF8.self)
        #expect(pretty == "2026-11-23T01:38:00.123Z \u{1B}[31merror\u{1B}[0m    a  m\n")
        let json = record.line(.json, isColoured: true, isJournal: false)
        #expect(json == record.line(.json, isColoured: false, isJournal: false))
    }

    @Test("Nothing that others wrote can forge a line or drive a terminal", arguments: [LogFormat.json, .pretty])
    func injection(format: LogFormat) throws {
        let hostile = "a\nb\r\u{1B}[2J\u{0}\u{85}\u{2028}\u{202E}\u{7F}\\\"é"
        let lines = try written(format: format) { output in
            output.logger(label: hostile).error("\(hostile)", metadata: [hostile: .string(hostile)])
        }
        #expect(lines.count == 1)
        let line = try #require(lines.first)
        #expect(!line.unicodeScalars.contains(where: ConfigurationText.isUnprintable))
        if format == .json {
            let read = try JSONDecoder().decode(Written.self, from: Data(line.utf8))
            #expect(read.message == hostile && read.module == hostile && read.metadata == [hostile: hostile])
        }
    }

    @Test("Long texts are cut, and the line stays JSON")
    func longTexts() throws {
        let long = String(repeating: "é\n", count: 100_000)
        let lines = try written { output in
            var many: Logger.Metadata = [:]
            for index in 0..<1000 { many["k\(index)"] = "v" }
            output.logger(label: "a").info("\(long)", metadata: many)
        }
        let line = try #require(lines.first)
        let read = try JSONDecoder().decode(Written.self, from: Data(line.utf8))
        #expect(read.message.hasSuffix("…") && read.message.utf8.count < LogRecord.textBytesMax + 8)
        #expect(read.metadata?.count == LogRecord.entriesMax)
    }

    @Test("An error is shown beside the message")
    func error() throws {
        let lines = try written {
            $0.logger(label: "a").error("failed", error: TOMLSyntaxError(message: "m", position: nil))
        }
        #expect(lines.first?.contains("\"metadata\":{\"error\":\"TOMLSyntaxError(message: \\\"m\\\"") == true)
    }

    @Test("The journal gets priorities, whatever the format", arguments: [LogFormat.json, .pretty])
    func journal(format: LogFormat) throws {
        let lines = try written(format: format, journal: true) { output in
            for level in Logger.Level.allCases { output.logger(label: "a").log(level: level, "x") }
        }
        #expect(lines.map { $0.prefix(3) } == ["<7>", "<7>", "<6>", "<5>", "<4>", "<3>", "<2>"])
    }

    @Test(arguments: ["", "1", "1:", ":1", "a:b", "1:2:3", "0:0"])
    func noJournal(stream: String) {
        #expect(!LogOutput.isJournal(STDERR_FILENO, stream: stream))
    }

    @Test("Levels by module, changed while loggers exist")
    func levels() throws {
        let lines = try written("warning,log-pipeline=debug") { output in
            let (pipeline, file, control) = (
                output.logger(label: "log-pipeline"), output.logger(label: "log-pipeline.file"),
                output.logger(label: "control")
            )
            pipeline.debug("1")
            pipeline.trace("no")
            file.debug("2")
            control.info("no")
            output.apply(directives: LogDirectives(level: .error, modules: ["control": .trace]), format: .json)
            pipeline.warning("no")
            file.error("3")
            control.trace("4")
            var own = control
            own.logLevel = .error
            own.warning("no")
            control.trace("5")
        }
        let messages = try lines.map { try JSONDecoder().decode(Written.self, from: Data($0.utf8)).message }
        #expect(messages == ["1", "2", "3", "4", "5"])
    }

    @Test("Lines of many threads never mix")
    func interleaving() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let file = try folder.write("")
        let descriptor = unsafe open(file, O_WRONLY | O_APPEND | O_CLOEXEC)
        defer { close(descriptor) }
        let output = LogOutput(directives: LogDirectives(level: .info), format: .json, descriptor: descriptor)
        let long = String(repeating: "x", count: 5000)
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    let logger = output.logger(label: "task-\(task)")
                    for _ in 0..<100 { logger.info("\(long)") }
                }
            }
        }
        let text = try String(decoding: Data(contentsOf: URL(filePath: file)), as: UTF8.self)
        let lines = text.split(separator: "\n")
        #expect(lines.count == 800)
        for line in lines {
            #expect(try JSONDecoder().decode(Written.self, from: Data(line.utf8)).message == long)
        }
    }

    @Test("A line that nobody takes is counted")
    func lost() {
        let output = LogOutput(directives: LogDirectives(level: .info), format: .json, descriptor: -1)
        output.logger(label: "a").info("x")
        #expect(output.linesLost == 1)
    }

    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (1_709_251_199_999, "2024-02-29T23:59:59.999Z"), (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        (1_735_689_599_000, "2024-12-31T23:59:59.000Z"), (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ])
    func time(milliseconds: Int64, text: String) {
        #expect(LogTime(milliseconds: milliseconds).description == text)
    }

    @Test(arguments: [
        ("info", "info"), ("warn", "warning"), ("debug,a=warn", "debug,a=warning"), ("a=trace", "info,a=trace"),
        (" error , b = info,a=debug", "error,a=debug,b=info"),
    ])
    func directives(text: String, form: String) throws {
        let parsed = try LogDirectives(parsing: text)
        #expect(parsed.description == form)
        #expect(try LogDirectives(parsing: form) == parsed)
    }

    @Test(arguments: [
        "", ",", "info,", "loud", "INFO", "info,debug", "a=", "=info", "a=b=c", "a=info,a=debug", "a b=loud", "ü=info",
        (0...64).map { "m\($0)=info" }.joined(separator: ","),
    ])
    func noDirectives(text: String) {
        #expect(throws: LogDirectives.ParseError.self) { try LogDirectives(parsing: text) }
    }
}
