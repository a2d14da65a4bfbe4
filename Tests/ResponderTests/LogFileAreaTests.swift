import Foundation
import IronpostCore
import Testing

@testable import Responder

/// The responder opens what the configuration names, and nothing else, whatever the core asks for.
struct LogFileAreaTests {
    let directory = FileManager.default.temporaryDirectory.path + "/ironpost-files-\(getpid())-\(UUID().uuidString)"

    init() throws {
        for folder in ["logs", "other", "journal/machine"] {
            try FileManager.default.createDirectory(atPath: "\(directory)/\(folder)", withIntermediateDirectories: true)
        }
        for file in [
            "logs/auth.log", "logs/auth.log.1", "logs/auth.log-20261123", "logs/auth.log.key", "logs/secret",
            "other/auth.log", "journal/machine/system.journal", "journal/machine/notes",
        ] {
            try file.write(toFile: "\(directory)/\(file)", atomically: false, encoding: .utf8)
        }
    }

    func area(_ change: (inout Configuration) -> Void = { _ in }) -> LogFileArea {
        var configuration = Configuration()
        configuration.logPipeline.file.include = ["\(directory)/logs/*.log"]
        configuration.logPipeline.file.exclude = []
        configuration.logPipeline.journald.directory = directory + "/journal"
        change(&configuration)
        return LogFileArea(configuration)
    }

    func open(_ path: String, _ area: LogFileArea? = nil) throws -> String {
        var writer = MessageWriter()
        writer.write(path)
        var reader = MessageReader(writer.bytes)
        let reply = try (area ?? self.area()).answer(.openLogFile, &reader, descriptors: [])
        var buffer = [UInt8](repeating: 0, count: 100)
        let count = unsafe read(reply.descriptors[0].number, &buffer, buffer.count)
        return String(decoding: buffer[..<max(0, count)], as: UTF8.self)
    }

    @Test(arguments: ["logs/auth.log", "logs/auth.log.1", "logs/auth.log-20261123"])
    func namedFiles(_ file: String) throws {
        #expect(try open("\(directory)/\(file)") == file)
    }

    @Test(
        "what no pattern names is refused",
        arguments: [
            "logs/secret", "logs/auth.log.key", "other/auth.log", "logs/../other/auth.log", "logs/./auth.log", "",
        ])
    func others(_ file: String) {
        #expect(throws: Refusal.self) { try open("\(directory)/\(file)") }
    }

    @Test func relativePathsAndShadow() {
        #expect(throws: Refusal.self) { try open("/etc/shadow") }
        #expect(throws: Refusal.self) { try open("auth.log", area { $0.logPipeline.file.include = ["*.log"] }) }
    }

    @Test("links that lead elsewhere are refused, in the last part and in any other")
    func links() throws {
        try FileManager.default.createSymbolicLink(
            atPath: "\(directory)/logs/evil.log", withDestinationPath: "/etc/passwd")
        #expect(throws: LogFileArea.OpenFault.self) { try open("\(directory)/logs/evil.log") }
        try FileManager.default.createSymbolicLink(
            atPath: "\(directory)/linked", withDestinationPath: "\(directory)/logs")
        let through = area { $0.logPipeline.file.include = ["\(directory)/linked/*.log"] }
        #expect(throws: LogFileArea.OpenFault.self) { try open("\(directory)/linked/auth.log", through) }
        try FileManager.default.linkItem(
            atPath: "\(directory)/logs/secret", toPath: "\(directory)/logs/hard.log")
        #expect(throws: Refusal.self) { try open("\(directory)/logs/hard.log") }
    }

    @Test("a FIFO, a directory and a socket are no log files, and nothing waits for a writer")
    func kinds() throws {
        #expect(unsafe mkfifo("\(directory)/logs/fifo.log", 0o600) == 0)
        #expect(throws: Refusal.self) { try open("\(directory)/logs/fifo.log") }
        try FileManager.default.createDirectory(
            atPath: "\(directory)/logs/folder.log", withIntermediateDirectories: true)
        #expect(throws: Refusal.self) { try open("\(directory)/logs/folder.log") }
    }

    @Test("excluded files are not opened, and a reload decides anew")
    func reload() throws {
        let area = area()
        var configuration = Configuration()
        configuration.logPipeline.file.include = ["\(directory)/logs/*.log", "\(directory)/other/*"]
        configuration.logPipeline.file.exclude = ["*/logs/auth.log", "\(directory)/logs/auth.log"]
        #expect(try open("\(directory)/logs/auth.log", area) == "logs/auth.log")
        area.take(configuration)
        #expect(throws: Refusal.self) { try open("\(directory)/logs/auth.log", area) }
        #expect(try open("\(directory)/other/auth.log", area) == "other/auth.log")
        configuration.logPipeline.sources = [.journald]
        area.take(configuration)
        #expect(throws: Refusal.self) { try open("\(directory)/other/auth.log", area) }
    }

    @Test func listing() throws {
        var reader = MessageReader([])
        let reply = try area().answer(.listLogFiles, &reader, descriptors: [])
        let files = try reply.read { (reader) throws(MessageFault) in
            try reader.list { (reader) throws(MessageFault) in
                NamedLogFile(
                    path: try reader.text(), device: try reader.integer(UInt64.self),
                    inode: try reader.integer(UInt64.self))
            }
        }
        #expect(
            files.map(\.path)
                == ["auth.log", "auth.log-20261123", "auth.log.1"].map { "\(directory)/logs/\($0)" })
        var status = stat()
        #expect(unsafe stat("\(directory)/logs/auth.log", &status) == 0)
        #expect(files.first?.inode == UInt64(status.st_ino))
    }

    @Test func journals() throws {
        let pair = Pair()
        pair.work([area()])
        let files = try pair.client.openJournal(timeout: .seconds(20))
        #expect(files.count == 1)
        for number in 0..<40 {
            try "x".write(
                toFile: "\(directory)/journal/machine/system@\(number).journal", atomically: false, encoding: .utf8)
        }
        #expect(try pair.client.openJournal(timeout: .seconds(20)).count == 41)
        let none = Pair()
        none.work([area { $0.logPipeline.sources = [.file] }])
        #expect(try none.client.openJournal(timeout: .seconds(20)).isEmpty)
    }
}
