import Foundation
import Sigma
import Testing

@Suite struct Loading {
    /// A directory that is gone when the test ends.
    final class Scratch {
        let path: String

        init() throws {
            path = FileManager.default.temporaryDirectory.appending(path: "sigma-\(UUID())").path
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        func write(_ name: String, _ text: String) throws {
            let file = URL(filePath: path).appending(path: name)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true
            )
            try Data(text.utf8).write(to: file)
        }
    }

    @Test func directoriesAreReadInOrderOfPath() throws {
        let scratch = try Scratch()
        let text = rule("s:\n  f: a\ncondition: s")
        for name in ["b/two.yaml", "a/one.yml", "b/skipped.test.yml", "c.txt", ".hidden.yml"] {
            try scratch.write(name, text)
        }
        try FileManager.default.createSymbolicLink(
            atPath: scratch.path + "/a/link.yml", withDestinationPath: scratch.path + "/b/two.yaml"
        )
        let load = RuleLoader.load(paths: [scratch.path])
        #expect(load.files.map { $0.dropFirst(scratch.path.count) } == ["/a/one.yml", "/b/two.yaml"])
        #expect(load.documents.count == 2)
        #expect(load.faults.map(\.isWarning) == [true])
    }

    @Test func whatCannotBeReadIsNamed() throws {
        let scratch = try Scratch()
        try scratch.write("large.yml", String(repeating: "#", count: RuleLoader.fileBytesMax + 1))
        try Data([0xFF, 0xFE]).write(to: URL(filePath: scratch.path + "/binary.yml"))
        let load = RuleLoader.load(paths: [scratch.path, scratch.path + "/none.yml"])
        #expect(load.documents.isEmpty)
        #expect(load.faults.count == 3)
        #expect(load.faults.contains { $0.file.hasSuffix("none.yml") && $0.message.contains("no such file") })
        #expect(load.faults.contains { $0.file.hasSuffix("large.yml") && $0.message.contains("larger") })
        #expect(load.faults.contains { $0.file.hasSuffix("binary.yml") && $0.message.contains("UTF-8") })
    }

    @Test func metadataIsKept() {
        let text = """
            title: A title
            id: 1
            name: base
            status: test
            author: Someone
            license: MIT
            level: High
            tags: [attack.t1110]
            references: https://example.org
            falsepositives:
                - None
            unknown: {section: 1}
            logsource: {product: Linux, service: SSHD, definition: 'read this'}
            detection:
                s: {f: a}
                condition: s
            """
        let document = RuleLoader.load(text: text, file: "x.yml").documents.first
        #expect(document?.author == "Someone")
        #expect(document?.level == .high)
        #expect(document?.tags == ["attack.t1110"])
        #expect(document?.references == ["https://example.org"])
        #expect(document?.logSource == LogSource(product: "linux", category: nil, service: "sshd"))
        #expect(document?.license == "MIT")
        #expect(document?.id == "1")
    }
}
