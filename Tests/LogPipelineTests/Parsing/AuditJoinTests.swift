import Foundation
import IronpostCore
import Sigma
import Testing

@testable import LogPipeline

/// Audit records of one started program become one event.
struct AuditJoinTests {
    static func head(_ serial: Int, _ type: String, node: String? = nil, time: String = "1700000000.123") -> String {
        (node.map { "node=\($0) " } ?? "") + "type=\(type) msg=audit(\(time):\(serial)): "
    }

    /// The records of one start, the last one with the end.
    static func start(
        _ serial: Int, exe: String, arguments: [String], node: String? = nil, time: String = "1700000000.123",
        success: String = "yes", last: Bool = true
    ) -> [String] {
        func head(_ type: String) -> String { Self.head(serial, type, node: node, time: time) }
        func text(_ value: String) -> String {
            value.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x22 } ? "\"\(value)\"" : AuditTests.hex(value)
        }
        let list = arguments.enumerated().map { "a\($0.offset)=\(text($0.element))" }.joined(separator: " ")
        return [
            head("SYSCALL") + "arch=c000003e syscall=59 success=\(success) exit=0 a0=1 a1=2 ppid=\(serial + 1) "
                + "pid=\(serial + 2) auid=1000 uid=1000 euid=0 comm=\"x\" exe=\(text(exe)) key=(null)",
            head("EXECVE") + "argc=\(arguments.count) \(list)", head("CWD") + "cwd=\"/w/\(serial)\"",
            head("PATH") + "item=0 name=\(text(exe)) nametype=NORMAL",
        ] + (last ? [head("PROCTITLE") + "proctitle=\(AuditTests.hex(arguments.joined(separator: "\0")))"] : [])
    }

    static let started = start(7, exe: "/usr/bin/chattr", arguments: ["chattr", "-i", "/tmp/a b"], node: "web1")

    /// What joins to which line, as text.
    static func join(_ lines: [String], cut: inout Int) -> [String] {
        var join = AuditJoin()
        var table = EventTable()
        let names = FieldNames(wellKnown: Fields.names)
        for (index, line) in lines.enumerated() { join.add(Array(line.utf8).span, number: index + 1, into: &table) }
        join.finish(into: &table)
        cut = join.eventsCut
        return (0..<table.count).map { event in
            let fields = table.fields(of: event).map { "\(names.name(of: $0.id))=\(table.text($0.value))" }
            return (["\(table.events[event].position)"] + fields).joined(separator: "|")
        }
    }

    static func join(_ lines: [String]) -> [String] {
        var cut = 0
        defer { #expect(cut == 0) }
        return join(lines, cut: &cut)
    }

    static func expected(
        line: Int, _ serial: Int, exe: String, arguments: [String], node: String? = nil
    ) -> String {
        "\(line)|Image=\(exe)|CommandLine=\(arguments.joined(separator: " "))|CurrentDirectory=/w/\(serial)|User=1000|"
            + "ProcessId=\(serial + 2)|ParentProcessId=\(serial + 1)|serial=\(serial)"
            + (node.map { "|host=\($0)" } ?? "")
    }

    @Test func `the records of one start`() {
        let arguments = ["chattr", "-i", "/tmp/a b"]
        #expect(
            Self.join(Self.started)
                == [Self.expected(line: 1, 7, exe: "/usr/bin/chattr", arguments: arguments, node: "web1")])
        // Given out with the last record, not at the end of the file.
        var join = AuditJoin()
        var table = EventTable()
        for line in Self.started.dropLast() { join.add(Array(line.utf8).span, number: 1, into: &table) }
        #expect(table.count == 0)
        join.add(Array((Self.head(7, "EOE", node: "web1")).utf8).span, number: 9, into: &table)
        #expect(table.count == 1)
        #expect(table.events[0].time == AuditTests.moment)
        #expect(table.events[0].eventClass == EventClasses.processCreation)
    }

    @Test func `who it is`() {
        func user(_ fields: String) -> String? {
            let lines = [
                Self.head(1, "SYSCALL") + "arch=c000003e syscall=59 success=yes \(fields)", Self.head(1, "EOE"),
            ]
            return Self.join(lines).first?.split(separator: "|").last { $0.hasPrefix("User=") }.map(String.init)
        }
        #expect(user("uid=0 euid=5") == "User=root")
        #expect(user("uid=33 euid=0") == "User=33")
        #expect(user("uid=33 euid=0\u{1D}UID=\"www-data\" EUID=\"root\"") == "User=www-data")
    }

    @Test func `only a program that was started makes an event`() {
        #expect(Self.join(Self.start(1, exe: "/bin/a", arguments: ["a"], success: "no")) == [])
        let opened = [
            Self.head(2, "SYSCALL") + "arch=c000003e syscall=257 success=yes exe=\"/bin/cat\"",
            Self.head(2, "CWD") + "cwd=\"/\"", Self.head(2, "PROCTITLE") + "proctitle=\"cat\"",
        ]
        #expect(Self.join(opened) == [])
        // Of these nobody knows the call.
        #expect(Self.join(Array(opened.dropFirst())) == [])
        let named =
            Self.head(3, "SYSCALL") + "arch=unknown syscall=1 success=yes pid=4 exe=\"/bin/a\"\u{1D}SYSCALL=execveat"
        #expect(Self.join([named]) == ["1|Image=/bin/a|ProcessId=4|serial=3"])
    }

    @Test func `the records may come the other way round, and others do not get in the way`() {
        let arguments = ["chattr", "-i", "/tmp/a b"]
        #expect(
            Self.join(Self.started.reversed())
                == [Self.expected(line: 1, 7, exe: "/usr/bin/chattr", arguments: arguments, node: "web1")])
        func opened(_ serial: Int) -> [String] {
            [
                Self.head(serial, "SYSCALL") + "arch=c000003e syscall=257 success=yes exe=\"/bin/cat\"",
                Self.head(serial, "CWD") + "cwd=\"/\"", Self.head(serial, "PROCTITLE") + "proctitle=\"cat\"",
            ]
        }
        // More than are kept open, between the records of one that starts a program.
        let others = (100..<100 + 2 * AuditJoin.openMax).map(opened)
        let begun = Self.start(1, exe: "/bin/a", arguments: ["a"])
        let expected = Self.expected(line: 1, 1, exe: "/bin/a", arguments: ["a"])
        #expect(Self.join(begun.prefix(2) + others.flatMap { $0 } + begun.suffix(3)) == [expected])
        #expect(Self.join(begun.prefix(2) + others.flatMap { $0.reversed() } + begun.suffix(3)) == [expected])
    }

    @Test func `without a last record an event is whole once the records are two seconds later`() {
        let begun = Self.start(1, exe: "/bin/a", arguments: ["a"], last: false)
        func later(_ seconds: Int) -> [String] {
            (0..<AuditJoin.openMax).map { Self.head($0, "LOGIN", time: "\(1_700_000_000 + seconds).123") + "pid=1" }
        }
        for (seconds, count) in [(1, 0), (2, 1)] {
            var join = AuditJoin()
            var table = EventTable()
            for line in begun + later(seconds) { join.add(Array(line.utf8).span, number: 1, into: &table) }
            #expect(table.count == count)
            #expect(join.eventsCut == 0)
        }
        // And it makes room without being cut.
        let many = (0..<AuditJoin.openMax + 5).flatMap { number in
            Self.start(number, exe: "/bin/a", arguments: ["a"], time: "\(1_700_000_000 + 3 * number).000", last: false)
        }
        #expect(Self.join(many).count == AuditJoin.openMax + 5)
    }

    @Test func `without its arguments it has its title, and a long argument's parts have no space between them`() {
        let lines = Self.start(1, exe: "/bin/a", arguments: ["a", "b c"])
        let titled = lines.filter { !$0.contains("type=EXECVE") }
        #expect(Self.join(titled) == [Self.expected(line: 1, 1, exe: "/bin/a", arguments: ["a", "b c"])])
        let parts = [
            lines[0], Self.head(1, "EXECVE") + "argc=3 a0=\"sh\" a1_len=6 a1[0]=\"ab\"",
            Self.head(1, "EXECVE") + "a1[1]=\(AuditTests.hex("c d")) a2=\"z\"", lines[2], lines[4],
        ]
        #expect(Self.join(parts) == [Self.expected(line: 1, 1, exe: "/bin/a", arguments: ["sh", "abc d", "z"])])
    }

    /// Records of several events stand between each other, and events of two nodes have the same number.
    @Test func `four hundred starts between each other, against a reference`() {
        var random = SplitMix(state: 0x70AD)
        var queues: [[String]] = []
        var fields: [String: (exe: String, arguments: [String], node: String?, serial: Int)] = [:]
        for number in 0..<400 {
            // Two with the same number and time, on two nodes or on one that is not named.
            let node = number.isMultiple(of: 2) ? "n\(number % 3)" : nil
            let serial = number / 2
            let exe = "/bin/p\(number)"
            let arguments = (0...random.next(below: 4)).map { "\(number) \($0)" }
            queues.append(
                Self.start(
                    serial, exe: exe, arguments: arguments, node: node, time: "17000000\(10 + serial % 2).500",
                    last: random.next(below: 3) > 0))
            fields[queues[number][0]] = (exe, arguments, node, serial)
        }
        var lines: [String] = []
        var expected: [String] = []
        // At most twenty at once.
        while !queues.isEmpty {
            let index = random.next(below: min(20, queues.count))
            let line = queues[index].removeFirst()
            lines.append(line)
            if let start = fields[line] {
                expected.append(
                    Self.expected(
                        line: lines.count, start.serial, exe: start.exe, arguments: start.arguments, node: start.node))
            }
            if queues[index].isEmpty { queues.remove(at: index) }
        }
        var cut = 0
        #expect(Self.join(lines, cut: &cut).sorted() == expected.sorted())
    }

    @Test func `an event that never ends is given out after so many others, and counted`() {
        var cut = 0
        let begun = Self.start(1, exe: "/bin/a", arguments: ["a"], last: false)
        let others = (0..<AuditJoin.recordsWaitedMax + AuditJoin.openMax).map { Self.head(2 + $0, "LOGIN") + "pid=1" }
        var join = AuditJoin()
        var table = EventTable()
        for line in begun + others { join.add(Array(line.utf8).span, number: 1, into: &table) }
        #expect(table.count == 1)
        #expect(join.eventsCut == 1)
        // What is still open at the end of the input is cut by nothing.
        #expect(Self.join(begun, cut: &cut).count == 1)
        #expect(cut == 0)
    }

    @Test func `more events than are kept open push the oldest out`() {
        var cut = 0
        let count = AuditJoin.openMax + 10
        let lines = (0..<count).flatMap { Self.start($0 * 3, exe: "/bin/a", arguments: ["a"], last: false) }
        #expect(Self.join(lines, cut: &cut).count == count)
        #expect(cut == 10)
    }

    @Test func `a command line without end is cut, and counted`() {
        var cut = 0
        let parts = (0..<20_000).map { Self.head(1, "EXECVE") + "a1[\($0)]=\"\(String(repeating: "x", count: 40))\"" }
        let joined = Self.join(parts + [Self.head(1, "EOE")], cut: &cut)
        #expect(joined.count == 1)
        #expect((joined.first?.utf8.count ?? 0) < AuditJoin.textBytesMax + 100)
        #expect(cut == 1)
    }

    // MARK: - With rules

    @Test func `rules for audit records and for started programs both match, each under its line`() throws {
        let folder = NSTemporaryDirectory() + "audit-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let rules = """
            title: record
            id: record
            logsource: {product: linux, service: auditd}
            detection: {s: {type: execve, a1: '-i'}, condition: s}
            ---
            title: start
            id: start
            logsource: {product: linux, category: process_creation}
            detection: {s: {Image|endswith: /chattr, CommandLine|contains: [' -i ', ' -x']}, condition: s}
            ---
            title: web
            id: web
            logsource: {product: linux, service: sshd}
            detection: {s: {a1: '-i'}, condition: s}
            ---
            title: other
            id: other
            logsource: {product: windows, category: process_creation}
            detection: {s: {CommandLine|contains: ' -i '}, condition: s}
            """
        try rules.write(toFile: folder + "/r.yml", atomically: true, encoding: .utf8)
        // The last one has no end, and is given out at the end of the file.
        let lines = Self.started + Self.start(9, exe: "/bin/chattr", arguments: ["chattr", "-x"], last: false)
        let text = "type=LOGIN msg=audit(1700000000.1:1): x\n" + lines.joined(separator: "\n") + "\n"
        try text.write(toFile: folder + "/audit.log", atomically: true, encoding: .utf8)
        for format in [LineFormat.auditd, .auto] {
            var detector = OfflineDetector(rules: [folder + "/r.yml"], format: format)
            #expect(detector.book.faults.map(\.description) == [])
            var found: [String] = []
            try detector.read(folder + "/audit.log", now: Timestamp(seconds: 1)) {
                found.append("\($0.rule.id) \($0.line) \($0.event)")
            }
            #expect(found == ["record 3 2", "start 2 6", "start 7 11"])
            #expect(detector.eventCount == 12)
        }
    }
}
