import Foundation
import IronpostCore
import Sigma
import Testing

@testable import LogPipeline

/// What offline detection makes of files that are not as they should be.
struct OfflineTests {
    static let rule = """
        title: two
        id: two
        logsource: {product: test}
        detection: {s: {EventID: 2}, condition: s}
        """

    struct Read {
        var lines: [Int] = []
        var events = 0
        var parseErrors = 0
        var fieldsDropped = 0
        var fault: String?
    }

    static func read(_ bytes: [UInt8], format: LineFormat = .json, name: String = "in.json") throws -> Read {
        let folder = NSTemporaryDirectory() + "offline-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try rule.write(toFile: folder + "/r.yml", atomically: true, encoding: .utf8)
        try Data(bytes).write(to: URL(fileURLWithPath: folder + "/" + name))
        var detector = OfflineDetector(rules: [folder + "/r.yml"], format: format)
        #expect(detector.book.faults.map(\.description) == [])
        var read = Read()
        do {
            try detector.read(folder + "/" + name, now: Timestamp(seconds: 1_000)) { read.lines.append($0.line) }
        } catch let fault as InputFile.Fault {
            read.fault = fault.reason
        }
        read.events = detector.eventCount
        read.parseErrors = detector.parseErrors
        read.fieldsDropped = detector.fieldsDropped
        return read
    }

    static func read(_ text: String, format: LineFormat = .json) throws -> Read {
        try read(Array(text.utf8), format: format)
    }

    struct Broken: Sendable, CustomTestStringConvertible {
        let name: String
        let text: String
        /// Lines of the events that match, and how many events there are, the unreadable ones among them.
        let lines: [Int]
        let events: Int
        let errors: Int
        var testDescription: String { name }
    }

    static let broken = [
        Broken(
            name: "inside a string",
            text: "{\"EventID\":2}\n{\"EventID\":2,\"x\":\"trunc\n{\"EventID\":2}\n{\"EventID\":2}\n{\"EventID\":2}\n",
            lines: [1, 3, 4, 5], events: 5, errors: 1),
        Broken(
            name: "after a comma", text: "{\"EventID\":2,\n{\"EventID\":2}\n{\"EventID\":2}\n", lines: [2, 3],
            events: 3,
            errors: 1),
        Broken(name: "after a colon", text: "{\"EventID\":\n{\"EventID\":2}\n", lines: [2], events: 2, errors: 1),
        Broken(
            name: "inside an array", text: "{\"a\":[1,\n{\"EventID\":2}\n{\"EventID\":2}\n", lines: [2, 3], events: 3,
            errors: 1),
        Broken(name: "after an escape", text: "{\"a\":\"x\\\n{\"EventID\":2}\n", lines: [2], events: 2, errors: 1),
        Broken(
            name: "at the end", text: "{\"EventID\":2}\n{\"EventID\":2,\"x\":\"tr", lines: [1], events: 2, errors: 1),
        Broken(
            name: "in an array around everything",
            text: "[\n{\"EventID\":2},\n{\"EventID\":2,\"x\":\"tr\n{\"EventID\":2},\n{\"EventID\":2}\n]\n",
            lines: [2, 4, 5], events: 4, errors: 1),
        Broken(
            name: "over several lines", text: "{\n  \"a\": {\n    \"b\": \"x\n{\n  \"EventID\": 2\n}\n", lines: [4],
            events: 2, errors: 1),
        Broken(
            name: "nothing: without indentation",
            text: "{\n\"a\": [\n{\n\"b\": 1\n},\n{\n\"b\": \"{\"\n}\n],\n\"EventID\": 2\n}\n{\"EventID\":2}\n",
            lines: [1, 12], events: 2, errors: 0),
        Broken(
            name: "nothing: a string over two lines", text: "{\"a\":\"x\ny\",\"EventID\":2}\n", lines: [1], events: 1,
            errors: 0),
    ]

    @Test("a JSON document that breaks off costs itself and no other", arguments: broken)
    func brokenJSON(_ example: Broken) throws {
        let read = try Self.read(example.text)
        #expect(read.lines == example.lines)
        #expect(read.events == example.events)
        #expect(read.parseErrors == example.errors)
    }

    @Test(
        "a byte order mark hides nothing",
        arguments: ["[{\"EventID\":2},{\"EventID\":2}]", "{\"EventID\":2}\n{\"EventID\":2}\n"])
    func byteOrderMark(_ text: String) throws {
        for format in [LineFormat.json, .auto] where format == .json || !text.hasPrefix("[") {
            let read = try Self.read([0xEF, 0xBB, 0xBF] + Array(text.utf8), format: format)
            #expect(read.lines.count == 2)
            #expect(read.parseErrors == 0)
        }
    }

    @Test("a compressed file that ends too early is evaluated as far as it goes, and said to be cut")
    func truncatedGzip() throws {
        let text = (0..<20_000).map { "{\"EventID\":2,\"n\":\($0 &* 2_654_435_761)}\n" }.joined()
        let gzip = Process()
        gzip.executableURL = URL(fileURLWithPath: "/usr/bin/gzip")
        let (input, output) = (Pipe(), Pipe())
        (gzip.standardInput, gzip.standardOutput) = (input, output)
        try gzip.run()
        DispatchQueue.global().async {
            input.fileHandleForWriting.write(Data(text.utf8))
            try? input.fileHandleForWriting.close()
        }
        let whole = Array(output.fileHandleForReading.readDataToEndOfFile())
        gzip.waitUntilExit()
        let good = try Self.read(whole, name: "in.gz")
        #expect(good.events == 20_000)
        #expect(good.fault == nil)
        let cut = try Self.read(Array(whole[..<(whole.count / 2)]), name: "in.gz")
        #expect(cut.fault == "the compressed data ends too early")
        #expect((1_000..<20_000).contains(cut.lines.count))
        var damaged = whole
        damaged[whole.count / 2] ^= 0xFF
        #expect(try Self.read(damaged, name: "in.gz").fault != nil)
    }
}
