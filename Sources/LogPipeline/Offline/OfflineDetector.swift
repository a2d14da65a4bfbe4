import Glibc
package import IronpostCore
package import Sigma

/// Tries rules on files, without a daemon: the same parsers and the same engine as live.
package struct OfflineDetector: ~Copyable {
    /// One match, with what a person or a script wants to know of it.
    package struct Finding: Sendable {
        package var rule: RuleReference
        package var file: String
        /// Of the event's first line, from 1.
        package var line: Int
        /// The event's number over all inputs, from 0.
        package var event: Int
        package var fields: [Field]
        package var group: [Field]
        package var count: Int

        package init(
            rule: RuleReference, file: String, line: Int, event: Int, fields: [Field], group: [Field], count: Int
        ) {
            self.rule = rule
            self.file = file
            self.line = line
            self.event = event
            self.fields = fields
            self.group = group
            self.count = count
        }
    }

    package struct Statistics: Sendable {
        package var events = 0
        package var bytes = 0
        package var parseErrors = 0
        package var matches = 0
        package var rulesLoaded = 0
        package var rulesRejected = 0
        package var seconds = 0.0
        package var candidatesMean = 0.0
        package var candidatesP95 = 0
        package var peakRSSBytes = 0
    }

    /// Events evaluated together.
    static let batchEvents = 4096
    static let batchBytes = 8 << 20

    package let book: RuleBook
    private let format: LineFormat
    private let shaper: AlertShaper
    private var parser: LogParser
    private var join = AuditJoin()
    private var engine: RuleEngine
    private var table = EventTable()
    private var lines: [Int] = []
    private var matches: [Match] = []
    private var bytes = 0
    private var matchCount = 0
    private let override: EventClassID?

    /// - Parameters:
    ///   - logsource: what all events are, for rules' logsources; `nil` leaves it to the parsers.
    ///   - zone: of times that name none.
    package init(
        rules: [String], format: LineFormat, logsource: LogSource? = nil, zone: LocalZone = .host,
        adaptation: RuleAdaptation = RuleAdaptation()
    ) {
        var classes = EventClasses.all
        if let logsource {
            classes.append(
                EventClass(
                    product: logsource.product, category: logsource.category,
                    services: logsource.service.map { [$0] } ?? []
                )
            )
        }
        book = RuleBook(paths: rules, classes: classes, adaptation: adaptation)
        override = logsource == nil ? nil : EventClassID(UInt16(classes.count - 1))
        self.format = format
        shaper = AlertShaper(book: book, origins: OriginTable(), node: "", generation: 0, run: 0)
        parser = LogParser(fieldNames: book.ruleSet.fieldNames, zone: zone)
        engine = RuleEngine(book.ruleSet)
    }

    /// Reads one file to its end; each match goes to `report` as it is found. When the file cannot be read to its end,
    /// what could be read of it is evaluated before that is thrown.
    package mutating func read(
        _ path: String, now: Timestamp, report: (Finding) throws -> Void
    ) throws {
        let file = try InputFile(path)
        var cutter = EventCutter(format == .json ? .json : .lines)
        var buffer = [UInt8](repeating: 0, count: Int(InputFile.bufferBytes))
        var fault: InputFile.Fault?
        while true {
            var count = 0
            do throws(InputFile.Fault) { count = try file.read(into: &buffer) } catch { fault = error }
            guard count > 0 else { break }
            bytes += count
            cutter.push(buffer.span.extracting(0..<count)) { add($0, line: $1, now: now) }
            if table.count >= Self.batchEvents || table.bytes.count >= Self.batchBytes {
                try evaluate(file: path, report: report)
            }
        }
        cutter.finish { add($0, line: $1, now: now) }
        finishJoin()
        try evaluate(file: path, report: report)
        if let fault { throw fault }
    }

    /// Hands every event over as people see it, without trying rules.
    package mutating func parse(
        _ path: String, now: Timestamp, report: (EventRecord) throws -> Void
    ) throws {
        let file = try InputFile(path)
        var cutter = EventCutter(format == .json ? .json : .lines)
        var buffer = [UInt8](repeating: 0, count: Int(InputFile.bufferBytes))
        var isAtEnd = false
        var fault: InputFile.Fault?
        while !isAtEnd {
            var count = 0
            do throws(InputFile.Fault) { count = try file.read(into: &buffer) } catch { fault = error }
            if count > 0 {
                cutter.push(buffer.span.extracting(0..<count)) { add($0, line: $1, now: now) }
            } else {
                cutter.finish { add($0, line: $1, now: now) }
                finishJoin()
                isAtEnd = true
            }
            for index in 0..<table.count { try report(shaper.record(of: index, in: table)) }
            forget()
        }
        if let fault { throw fault }
    }

    /// Says of one rule what it looks for, and which of that the first event of a file has.
    ///
    /// - Returns: `event` is `nil` when there is none in the file; `hasMore` says whether others follow; they are not read.
    package mutating func explain(
        rule: Int, path: String, now: Timestamp
    ) throws -> (explanation: RuleExplanation, event: EventRecord?, eventClass: String, hasMore: Bool) {
        let file = try InputFile(path)
        var buffer = [UInt8](repeating: 0, count: Int(InputFile.bufferBytes))
        var count = try file.read(into: &buffer)
        let start = buffer[..<count].first { $0 > 0x20 && $0 < 0x7F }
        // A document that somebody pasted runs over several lines.
        let isJSON =
            format == .json || format == .auto && (start == UInt8(ascii: "{") || start == UInt8(ascii: "["))
        var cutter = EventCutter(isJSON ? .json : .lines)
        var hasMore = false
        func take(_ piece: Span<UInt8>, _ line: Int) {
            if table.count == 0 { add(piece, line: line, now: now) } else { hasMore = true }
        }
        // An input that goes on for ever has a first event, too.
        while count > 0, !hasMore {
            cutter.push(buffer.span.extracting(0..<count)) { take($0, $1) }
            if !hasMore { count = try file.read(into: &buffer) }
        }
        if !hasMore { cutter.finish { take($0, $1) } }
        defer { forget() }
        guard table.count > 0 else { return (RuleExplanation(rule, of: book.ruleSet), nil, "", false) }
        let number = Int(table.events[0].eventClass.index)
        let name = number < EventClasses.names.count ? EventClasses.names[number] : "as said by --logsource"
        return (
            RuleExplanation(rule, of: book.ruleSet, table, event: 0), shaper.record(of: 0, in: table), name, hasMore
        )
    }

    private var eventsBefore = 0

    /// Events that were not, or not wholly, of the format that they were said to be; each was searched all the same.
    package var parseErrors: Int { Int(parser.parseErrors) }
    /// Fields left out of events that had too many.
    package var fieldsDropped: Int { Int(parser.fieldsDropped) }

    /// Starts of programs that were given out before all of their audit records came, or not whole.
    package var joinsCut: Int { join.eventsCut }

    /// Events taken so far, over all inputs.
    package var eventCount: Int { eventsBefore + table.count }

    /// Adds one packet's event (`LineFormat.packet`), of packet `number` of the capture `file`; matches may be reported
    /// later, at the latest by `finishPackets`.
    package mutating func add(
        packet text: String, number: Int, time: Timestamp, file: String, report: (Finding) throws -> Void
    ) throws {
        add(Array(text.utf8).span, line: number, now: time)
        if table.count >= Self.batchEvents || table.bytes.count >= Self.batchBytes {
            try evaluate(file: file, report: report)
        }
    }

    package mutating func finishPackets(file: String, bytes count: Int, report: (Finding) throws -> Void) throws {
        bytes += count
        try evaluate(file: file, report: report)
    }

    /// As people see it, without trying rules.
    package mutating func parse(
        packet text: String, number: Int, time: Timestamp, report: (EventRecord) throws -> Void
    ) throws {
        add(Array(text.utf8).span, line: number, now: time)
        for index in 0..<table.count { try report(shaper.record(of: index, in: table)) }
        forget()
    }

    private mutating func add(_ piece: Span<UInt8>, line: Int, now: Timestamp) {
        let slice = table.append(bytes: piece)
        guard !slice.isEmpty else { return }
        table.beginEvent(line: slice, time: now.nanoseconds, origin: 0, position: UInt64(line))
        parser.parse(line: slice, format: format, receivedAt: now.nanoseconds, into: &table)
        let isAudit = table.events[table.count - 1].eventClass == EventClasses.auditd
        if let override { table.reclassify(as: override) }
        lines.append(line)
        guard isAudit else { return }
        join.add(piece, number: line, into: &table)
        noteJoined()
    }

    private mutating func finishJoin() {
        join.finish(into: &table)
        noteJoined()
    }

    /// Events that were put together stand behind the last of their lines, under the number of the first.
    private mutating func noteJoined() {
        for index in lines.count..<table.count {
            if let override { table.reclassify(index, as: override) }
            lines.append(Int(table.events[index].position))
        }
    }

    private mutating func evaluate(file: String, report: (Finding) throws -> Void) throws {
        matches.removeAll(keepingCapacity: true)
        engine.evaluate(table, into: &matches)
        matchCount += matches.count
        for match in matches {
            try report(
                Finding(
                    rule: book.references[match.rule], file: file, line: lines[match.event],
                    event: eventsBefore + match.event, fields: shaper.record(of: match.event, in: table).fields,
                    group: (match.correlation?.group ?? []).map { Field($0.field, $0.value) },
                    count: match.correlation?.count ?? 1
                )
            )
        }
        eventsBefore += table.count
        forget()
    }

    private mutating func forget() {
        table.removeAll()
        lines.removeAll(keepingCapacity: true)
    }

    /// - Parameter seconds: how long it took, as the caller measured it.
    package func statistics(seconds: Double) -> Statistics {
        var statistics = Statistics()
        statistics.events = eventsBefore
        statistics.bytes = bytes
        statistics.parseErrors = Int(parser.parseErrors)
        statistics.matches = matchCount
        statistics.rulesLoaded = book.ruleSet.rules.count
        statistics.rulesRejected = book.faults.count { !$0.isWarning }
        statistics.seconds = seconds
        let histogram = engine.candidateHistogram
        let total = histogram.reduce(0, +)
        if total > 0 {
            statistics.candidatesMean =
                Double(histogram.enumerated().reduce(0) { $0 + $1.offset * $1.element }) / Double(total)
            var seen = 0
            for (candidates, events) in histogram.enumerated() {
                seen += events
                if seen * 100 >= total * 95 {
                    statistics.candidatesP95 = candidates
                    break
                }
            }
        }
        var usage = rusage()
        unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        statistics.peakRSSBytes = usage.ru_maxrss * 1024
        return statistics
    }
}
