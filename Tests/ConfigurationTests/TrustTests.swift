import FoundationEssentials
import Testing

@testable import IronpostCore

@Suite("Files that others could have written are refused")
struct TrustTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var user: UInt32 = 1000
        var group: UInt32 = 1000
        var mode: UInt32
        var isDirectory = false
        var fault: String?
        var testDescription: String {
            "\(isDirectory ? "directory" : "file") \(user):\(group) \(String(mode, radix: 8))"
        }
    }

    @Test(
        "The decision, for user 1000 whose private group is 1000",
        arguments: [
            Case(mode: 0o600), Case(mode: 0o644), Case(user: 0, group: 0, mode: 0o644), Case(mode: 0o664),
            Case(group: 50, mode: 0o664, fault: "the file is writable for group 50; run: chmod g-w /c/f"),
            Case(user: 0, group: 1000, mode: 0o664, fault: "the file is writable for group 1000; run: chmod g-w /c/f"),
            Case(mode: 0o646, fault: "the file is writable for everybody; run: chmod go-w /c/f"),
            Case(mode: 0o602, fault: "the file is writable for everybody; run: chmod go-w /c/f"),
            Case(
                user: 1001, mode: 0o600,
                fault: "the file is owned by user 1001, neither root nor us; run: chown 1000 /c/f"),
            Case(
                mode: 0o777, isDirectory: true,
                fault: "its directory /c/f is writable for everybody; run: chmod go-w /c/f"),
            Case(user: 0, mode: 0o1777, isDirectory: true), Case(mode: 0o755, isDirectory: true),
            Case(mode: 0o1646, fault: "the file is writable for everybody; run: chmod go-w /c/f"),
            Case(
                user: 7, mode: 0o1777, isDirectory: true,
                fault: "its directory /c/f is owned by user 7, neither root nor us; run: chown 1000 /c/f"
            ),
        ])
    func decision(_ example: Case) {
        let status = FileTrust.Ownership(
            user: example.user, group: example.group, mode: example.mode, isDirectory: example.isDirectory
        )
        let fault = FileTrust.fault(status, path: "/c/f", ourUser: 1000) { $0 == 1000 && $1 == 1000 }
        #expect(fault?.description == example.fault)
    }

    @Test func shellQuoting() {
        let status = FileTrust.Ownership(user: 0, group: 0, mode: 0o666, isDirectory: false)
        #expect(FileTrust.fault(status, path: "/it's me", ourUser: 0)?.remedy == #"chmod go-w '/it'\''s me'"#)
    }

    @Test("A real file, and the real directory behind a link")
    func realFile() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let file = try folder.write("")
        func mode(_ mode: Int, _ path: String) throws {
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        }
        func loaded(_ path: String) -> String? {
            switch Configuration.load(ConfigurationSources(file: path, fileIsExplicit: false)) {
            case .success: nil
            case .failure(let faults): faults.description
            }
        }
        #expect(loaded(file) == nil)
        try mode(0o606, file)
        #expect(loaded(file) == "\(file): the file is writable for everybody; run: chmod go-w \(file)")
        try mode(0o600, file)
        try mode(0o707, folder.path)
        #expect(
            loaded(file)
                == "\(file): its directory \(folder.path) is writable for everybody; run: chmod go-w \(folder.path)"
        )
        let other = try TemporaryFolder()
        defer { other.remove() }
        let link = "\(other.path)/link.toml"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: file)
        #expect(loaded(link)?.contains("its directory \(folder.path) is writable") == true)
        try mode(0o700, folder.path)
        #expect(loaded(link) == nil)
        #expect(loaded(folder.path) == "\(folder.path): is not a regular file")
        #expect(loaded("/dev/null") == nil)
    }

    @Test("Root's group is root's own; a group with another name is nobody's")
    func privateGroup() {
        #expect(FileTrust.isPrivateGroup(0, 0))
        #expect(!FileTrust.isPrivateGroup(1, 0))
        #expect(!FileTrust.isPrivateGroup(4_000_000, 4_000_000))
    }
}
