import ArgumentParser
import IronpostCore
import LogPipeline

struct Parse: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "parse", _superCommandName: "ironpost",
        abstract: "Show each event of files as detection sees it: one JSON object a line, or a line for people.",
        discussion: "Example: ironpost parse -o table /var/log/auth.log"
    )

    @OptionGroup var input: DetectInput
    @Option(name: [.customShort("o"), .customLong("output")], help: "json: one object a line; table: for people.")
    var output: OutputFormat = .json
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        var detector = OfflineDetector(rules: [], format: try input.lineFormat())
        let terminal = Terminal(global.color)
        var unreadable = false
        for file in input.files {
            do {
                func show(_ record: EventRecord) throws {
                    if output == .table {
                        let line = EventRendering.line(
                            time: record.time.rfc3339, fields: record.fields, terminal: terminal)
                        return Output.write(line)
                    }
                    try Output.jsonLine(AlertDocument.Event(time: record.time.rfc3339, fields: record.fields))
                }
                if input.isCapture {
                    var capture = CaptureRun()
                    _ = try capture.read(file) { number, time, line in
                        try detector.parse(packet: line, number: number, time: time, report: show)
                    } detection: { _ in
                    }
                } else {
                    try detector.parse(file, now: SystemTime().now(), report: show)
                }
            } catch let fault as InputFile.Fault {
                unreadable = true
                Output.complain(Escaping.line(fault.description))
            }
        }
        input.warn(of: detector)
        if unreadable { throw CommandFailure(.inputOutput) }
    }
}
