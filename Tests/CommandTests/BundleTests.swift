import Foundation
import IronpostCore
import Testing

@testable import ironpost

/// What goes into a bundle for maintainers, and what does not.
struct BundleTests {
    static func redacted(_ text: String, keepsNames: Bool = false, keepsHosts: Bool = false) -> String {
        var redaction = Redaction(
            secrets: ["s3cr\"et", "pass", "password"], keepsNames: keepsNames, users: ["bob", "é1"])
        return redaction.text(text, keepsHosts: keepsHosts)
    }

    @Test(arguments: [
        ("user bob, not bobby", "user user-1, not bobby"), ("bob: \"bob\" bob.", "user-1: \"user-1\" user-1."),
        ("/home/alice/x and /home/bob", "/home/user-1/x and /home/user-2"), ("\\nbob\\tbob", "\\nuser-1\\tuser-1"),
        ("é1 é2", "user-1 é2"),
        ("203.0.113.7 203.0.113.8 203.0.113.7:22", "address-1 address-2 address-1:22"),
        ("2001:db8::7, [2001:db8::7]:443, 2001:db8::/32", "address-1, [address-1]:443, address-2/32"),
        ("fe80::1.", "address-1."), ("10.0.0.0/8", "address-1/8"),
        ("127.0.0.1:9477 ::1 0.0.0.0 [::]:80", "127.0.0.1:9477 ::1 0.0.0.0 [::]:80"),
        (
            "https://a.example:8443/x http://a.example http://localhost:1/",
            "https://host-1:8443/x http://host-1 http://localhost:1/"
        ),
        ("2026-11-26T07:44:09.346Z 1.2.3 libsqlite3.so.0 ::", "2026-11-26T07:44:09.346Z 1.2.3 libsqlite3.so.0 ::"),
        ("", ""), ("...", "..."), (":", ":"),
    ])
    func names(text: String, expected: String) {
        #expect(Self.redacted(text) == expected)
        #expect(Self.redacted(text, keepsNames: true) == text)
    }

    @Test func `a word without end is read all the same`() {
        for unit in [":", ".", "a:", "1.", "::1"] {
            let text = String(repeating: unit, count: 100_000)
            #expect(Self.redacted(text).utf8.count == text.utf8.count)
        }
    }

    @Test func `secrets go whatever is kept, the longest first, also as JSON writes them`() {
        let text = #"a password, s3cr"et, "s3cr\"et", pass"#
        for (keepsNames, keepsHosts) in [(true, false), (false, true), (false, false)] {
            #expect(
                Self.redacted(text, keepsNames: keepsNames, keepsHosts: keepsHosts) == #"a ***, ***, "***", ***"#)
        }
        #expect(Self.redacted("bob at 203.0.113.7", keepsHosts: true) == "user-1 at 203.0.113.7")
    }

    @Test(arguments: [
        (
            #"{"time":"2026-11-26T07:44:08.156Z","level":"info","module":"daemon","message":"m","metadata":{"a":"x y","n":"7","d":"10s","module":"sigma"}}"#,
            #"{"level":"info","message":"m","metadata":{"a":"***","d":"10s","module":"sigma","n":"7"},"module":"daemon","time":"2026-11-26T07:44:08.156Z"}"#
        ),
        (
            "2026-11-26T07:44:08.156Z info      daemon  starting pid=7 data_dir=/x line=\"Failed \\\" password\" n=1",
            "2026-11-26T07:44:08.156Z info      daemon  starting pid=7 data_dir=*** line=*** n=1"
        ),
        ("Nov 23 01:22:37 web1 sshd[42]: Failed password for root", nil), (#"{"a":1}"#, nil), ("", nil),
    ])
    func logLines(line: String, expected: String?) {
        #expect(DaemonLog.redacted(line) == expected)
    }

    @Test func `the archive is whole, its owner's alone, and takes no other file's place`() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("bundle-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let path = folder.appendingPathComponent("b.tar.gz").path
        let long = [UInt8](repeating: 65, count: 70_000)
        let entries = [
            BundleFile.Entry(name: "x/a.txt", bytes: Array("abc".utf8)), BundleFile.Entry(name: "x/b", bytes: []),
            BundleFile.Entry(name: "x/c", bytes: long),
        ]
        try BundleFile.write(entries, to: path, time: 1_700_000_000)
        #expect(throws: CommandFailure.self) { try BundleFile.write(entries, to: path, time: 0) }
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["b.tar.gz"])
        let tar = try ChildProgram.run(["tar", "-C", folder.path, "-xvzf", path])
        #expect(tar.exit == 0)
        #expect(tar.text.split(separator: "\n").map(String.init) == ["x/a.txt", "x/b", "x/c"])
        #expect(try String(contentsOfFile: folder.path + "/x/a.txt", encoding: .utf8) == "abc")
        #expect([UInt8](try Data(contentsOf: folder.appendingPathComponent("x/c"))) == long)
        #expect(throws: CommandFailure(.inputOutput, "cannot write /nonexistent/b: No such file or directory")) {
            try BundleFile.write(entries, to: "/nonexistent/b", time: 0)
        }
    }

    @Test func `a program's output is kept up to a bound, and its end is told`() throws {
        let cut = try ChildProgram.run(["sh", "-c", "printf 12345; exit 7"], outputBytesMax: 3)
        #expect(cut.text == "123")
        #expect(cut.isCut)
        #expect(cut.exit == 7)
        #expect(throws: CommandFailure.self) { try ChildProgram.run(["no-such-program-\(UUID().uuidString)"]) }
    }
}
