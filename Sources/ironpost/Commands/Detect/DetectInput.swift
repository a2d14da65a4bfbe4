import ArgumentParser
import LogPipeline

/// How offline commands read files.
struct DetectInput: ParsableArguments {
    @Option(help: "auto, json, syslog, auditd, logfmt, clf, web-error, plain or pcap.")
    var format: String = LineFormat.auto.rawValue

    @Argument(help: ArgumentHelp("Files, also compressed with gzip; - is standard input.", valueName: "file"))
    var files: [String]

    /// Captures are read packet by packet, not line by line.
    var isCapture: Bool { format == "pcap" }

    /// What was not read as it should have been.
    func warn(of detector: borrowing OfflineDetector) {
        let (parseErrors, fieldsDropped, joinsCut) =
            (detector.parseErrors, detector.fieldsDropped, detector.joinsCut)
        if parseErrors > 0 {
            let what = parseErrors == 1 ? "1 event was" : "\(parseErrors) events were"
            Output.complain("warning: \(what) not, or not wholly, readable as \(format)")
        }
        if fieldsDropped > 0 {
            Output.complain("warning: \(fieldsDropped) fields of events with too many fields were left out")
        }
        if joinsCut > 0 {
            let what = joinsCut == 1 ? "1 start of a program was" : "\(joinsCut) starts of programs were"
            Output.complain("warning: \(what) put together without all of the audit records, or cut")
        }
    }

    func lineFormat() throws(CommandFailure) -> LineFormat {
        if isCapture { return .packet }
        let hidden: [LineFormat] = [.journal, .packet]
        guard let format = LineFormat(rawValue: format), !hidden.contains(format) else {
            let known = (LineFormat.allCases.filter { !hidden.contains($0) }.map(\.rawValue) + ["pcap"])
                .joined(separator: ", ")
            throw CommandFailure(.usage, "unknown format \"\(format)\"; there are: \(known)")
        }
        return format
    }
}
