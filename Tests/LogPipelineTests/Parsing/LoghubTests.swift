import Foundation
import LogPipeline
import Sigma
import Testing

/// Real logs: the 2,000-line samples of loghub, which live beside the repository and not in it.
@Suite struct LoghubTests {
    /// The archive, if this machine has it.
    static let archive: URL? = {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let shared =
            ProcessInfo.processInfo.environment["IRONPOST_SHARED"].map { URL(filePath: $0) }
            ?? root.appending(path: "../shared")
        let file = shared.appending(path: "corpus/logs/loghub-2k.tar.xz")
        return FileManager.default.isReadableFile(atPath: file.path) ? file : nil
    }()

    static let missing: Comment = "no corpus/logs/loghub-2k.tar.xz under $IRONPOST_SHARED or ../shared"

    static func lines(_ name: String) throws -> [[UInt8]] {
        guard let archive else { return [] }
        let tar = Process()
        tar.executableURL = URL(filePath: "/usr/bin/env")
        tar.arguments = ["tar", "-xJOf", archive.path, "--wildcards", "*\(name)/\(name)_2k.log"]
        let output = Pipe()
        tar.standardOutput = output
        try tar.run()
        let bytes = [UInt8](output.fileHandleForReading.readDataToEndOfFile())
        tar.waitUntilExit()
        return bytes.split(separator: 10).map { $0.last == 13 ? Array($0.dropLast()) : Array($0) }
    }

    /// All lines through one parser in one batch.
    static func parse(_ lines: [[UInt8]]) -> (table: EventTableBox, parseErrors: UInt64) {
        var parser = LogParser(fieldNames: FieldNames(wellKnown: Fields.names), zone: .offset(seconds: 0))
        let box = EventTableBox()
        for line in lines {
            let slice = box.table.append(bytes: line.span)
            box.table.beginEvent(line: slice, time: 0, origin: 0, position: 0)
            parser.parse(line: slice, format: .auto, receivedAt: ParsedLine.receivedAt, into: &box.table)
        }
        return (box, parser.parseErrors)
    }

    final class EventTableBox {
        var table = EventTable()

        func values(_ id: FieldID) -> [String?] {
            (0..<table.count).map { event in table.first(id, of: event).map { table.text($0.value) } }
        }
    }

    @Test(.enabled(if: archive != nil, missing), arguments: ["OpenSSH", "Linux"])
    func `every line is one event, nearly every one with a program`(name: String) throws {
        let lines = try Self.lines(name)
        let (box, errors) = Self.parse(lines)
        #expect(lines.count >= 1999)
        #expect(box.table.count == lines.count)
        #expect(errors == 0)
        #expect(box.values(Fields.program).count { $0 != nil } * 100 >= lines.count * 95)
        #expect(box.values(Fields.host).allSatisfy { $0 == (name == "OpenSSH" ? "LabSZ" : "combo") })
        #expect(box.table.events.allSatisfy { $0.time > 0 && $0.eventClass != EventClasses.plain })
    }

    @Test(.enabled(if: archive != nil, missing))
    func `every line of Apache's error log is one`() throws {
        let lines = try Self.lines("Apache")
        let (box, errors) = Self.parse(lines)
        #expect(box.table.count == lines.count)
        #expect(errors == 0)
        #expect(box.table.events.allSatisfy { $0.eventClass == EventClasses.webError && $0.time > 0 })
        let wanted = lines.compactMap { line in
            String(decoding: line, as: UTF8.self).firstMatch(of: /\[client ([0-9.]+)\]/).map { String($0.1) }
        }
        #expect(box.values(Fields.srcIP).compactMap(\.self) == wanted)
    }

    @Test(.enabled(if: archive != nil, missing))
    func `failed logins have the addresses that a regular expression finds`() throws {
        let lines = try Self.lines("OpenSSH")
        let (box, _) = Self.parse(lines)
        var wanted: [String: Int] = [:]
        for line in lines {
            let text = String(decoding: line, as: UTF8.self)
            guard
                let match = text.firstMatch(
                    of: /Failed (?:password|none) for .* from (\d+\.\d+\.\d+\.\d+) port \d+ ssh2\]?$/)
            else { continue }
            wanted[String(match.1), default: 0] += 1
        }
        var found: [String: Int] = [:]
        let (events, methods, addresses) = (
            box.values(Fields.event), box.values(Fields.method), box.values(Fields.srcIP)
        )
        for index in events.indices where events[index] == "auth_failed" && methods[index] != "pam" {
            found[addresses[index] ?? "none", default: 0] += 1
        }
        #expect(wanted.values.reduce(0, +) > 400)
        #expect(found == wanted)
    }

    @Test(.enabled(if: archive != nil, missing))
    func `PAM's failures have the addresses that a regular expression finds`() throws {
        for name in ["OpenSSH", "Linux"] {
            let lines = try Self.lines(name)
            let (box, _) = Self.parse(lines)
            let wanted = lines.map { line -> String? in
                let text = String(decoding: line, as: UTF8.self)
                guard text.contains(": authentication failure; ") || text.contains(" more authentication failure")
                else {
                    return nil
                }
                return text.firstMatch(of: /\ rhost=(\d+\.\d+\.\d+\.\d+)( |$)/).map { String($0.1) }
            }
            let (methods, addresses) = (box.values(Fields.method), box.values(Fields.srcIP))
            for index in lines.indices where wanted[index] != nil || methods[index] == "pam" {
                #expect(addresses[index] == wanted[index], "\(String(decoding: lines[index], as: UTF8.self))")
            }
        }
    }
}
