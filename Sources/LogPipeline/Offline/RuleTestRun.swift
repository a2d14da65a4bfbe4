package import IronpostCore
import Sigma

/// Runs the tests that lie beside rules (`<rule>.test.yml`) through the real parsers and the real engine.
package enum RuleTestRun {
    package struct Failure: Sendable, CustomStringConvertible {
        package var file: String
        package var line: Int
        package var message: String

        package var description: String { "\(file):\(line): \(message)" }
    }

    package struct Result: Sendable {
        package var files = 0
        package var lines = 0
        package var failures: [Failure] = []
        /// Rule files that have no test beside them.
        package var untested: [String] = []
    }

    /// - Parameters:
    ///   - paths: rule files and directories, with the tests beside the rules.
    ///   - now: stands in for the time at which the lines were read; decides the year of syslog times.
    ///   - adaptation: how rules are changed before they are tried.
    package static func run(
        paths: [String], now: Timestamp, adaptation: RuleAdaptation = RuleAdaptation()
    ) -> Result {
        let tests = RuleTests.load(paths: paths)
        var result = Result()
        result.failures = tests.faults.map { Failure(file: $0.file, line: $0.line, message: $0.message) }
        for test in tests.cases {
            result.files += 1
            run(test, now: now, adaptation: adaptation, into: &result)
        }
        let tested = Set(tests.cases.map(\.ruleFile))
        result.untested = RuleLoader.load(paths: paths).files.filter { !tested.contains($0) }
        return result
    }

    private static func run(
        _ test: RuleTestCase, now: Timestamp, adaptation: RuleAdaptation, into result: inout Result
    ) {
        let book = RuleBook(paths: [test.ruleFile], adaptation: adaptation)
        for fault in book.faults where !fault.isWarning {
            result.failures.append(Failure(file: fault.file, line: fault.line, message: fault.message))
        }
        guard let format = LineFormat(rawValue: test.format) else {
            result.failures.append(Failure(file: test.file, line: 1, message: "unknown format \"\(test.format)\""))
            return
        }
        let correlations = book.ruleSet.rules.compactMap(\.document.correlation)
        let isCorrelation = !correlations.isEmpty
        // One line alone never completes a correlation: it must not do so however often it comes.
        let times = correlations.flatMap(\.comparisons).compactMap { Int($0.value) }.max() ?? 1
        for line in test.matches {
            result.lines += 1
            if count([line.text], format: format, book: book, now: now) == 0 {
                result.failures.append(Failure(file: test.file, line: line.line, message: "should match: \(line.text)"))
            }
        }
        for line in test.misses {
            result.lines += 1
            let lines = Array(repeating: line.text, count: min(max(1, times), 1_000))
            if count(lines, format: format, book: book, now: now) > 0 {
                result.failures.append(
                    Failure(file: test.file, line: line.line, message: "should not match: \(line.text)"))
            }
        }
        for sequence in test.sequences {
            result.lines += sequence.lines.count
            let found = count(sequence.lines.map(\.text), format: format, book: book, now: now)
            if found != sequence.count {
                result.failures.append(
                    Failure(
                        file: test.file, line: sequence.line,
                        message: "should match \(sequence.count) times, matched \(found)")
                )
            }
        }
        if test.matches.isEmpty, !isCorrelation {
            result.failures.append(Failure(file: test.file, line: 1, message: "no line that should match"))
        }
    }

    private static func count(_ lines: [String], format: LineFormat, book: RuleBook, now: Timestamp) -> Int {
        var parser = LogParser(fieldNames: book.ruleSet.fieldNames, zone: .offset(seconds: 0))
        var engine = RuleEngine(book.ruleSet)
        var table = EventTable()
        for line in lines {
            let slice = table.append(bytes: Array(line.utf8).span)
            table.beginEvent(line: slice, time: now.nanoseconds, origin: 0, position: 0)
            parser.parse(line: slice, format: format, receivedAt: now.nanoseconds, into: &table)
        }
        var matches: [Match] = []
        engine.evaluate(table, into: &matches)
        return matches.count
    }
}
