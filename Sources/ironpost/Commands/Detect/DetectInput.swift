import ArgumentParser
import LogPipeline

/// How offline commands read files.
struct DetectInput: ParsableArguments {
    @Option(help: "auto, json, syslog, logfmt, clf, web-error or plain.")
    var format: String = LineFormat.auto.rawValue

    @Argument(help: ArgumentHelp("Files, also compressed with gzip; - is standard input.", valueName: "file"))
    var files: [String]

    func lineFormat() throws(CommandFailure) -> LineFormat {
        guard let format = LineFormat(rawValue: format), format != .journal else {
            let known = LineFormat.allCases.filter { $0 != .journal }.map(\.rawValue).joined(separator: ", ")
            throw CommandFailure(.usage, "unknown format \"\(format)\"; there are: \(known)")
        }
        return format
    }
}
