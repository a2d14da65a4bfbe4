import Foundation
import Testing

/// `ironpost doctor --bundle` on the built programs.
@Suite(.serialized)
struct BundleCommandTests {
    /// A bundle, unpacked.
    struct Bundle {
        var files: [String: String] = [:]
        /// Everything in it, unpacked, in one.
        var bytes = ""

        init(_ path: String) throws {
            let folder = try TemporaryDirectory()
            let tar = try Programs.run("/usr/bin/env", ["tar", "-C", folder.path, "-xzf", path])
            #expect(tar.status == 0, "\(tar.err)")
            let names = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
            for name in names.sorted() where name.contains("/") {
                let text = try String(contentsOfFile: folder.path + "/" + name, encoding: .utf8)
                files[String(name.split(separator: "/").last ?? "")] = text
                bytes += name + text
            }
        }

        func json(_ name: String) throws -> [String: Any] {
            let text = try #require(files[name])
            return try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        }
    }

    static let secret = "s3cr3tOfTheMirror"

    static func configuration(_ folder: TemporaryDirectory, port: Int) throws -> String {
        try folder.write(
            """
            [general]
            data_dir = "\(folder.path)/data"
            [http]
            listen = "127.0.0.1:\(port)"
            [log_pipeline]
            sources = ["file"]
            [log_pipeline.file]
            include = ["\(folder.path)/auth.log", "/home/alice/app.log"]
            [sbom]
            enabled = false
            vuln_db_url = "https://bob:\(secret)@mirror.example.org/db"

            """, to: "ironpost.toml")
    }

    @Test("it has what helps, and no secret, token, watched line, user or address")
    func running() throws {
        let folder = try TemporaryDirectory()
        let log = try LogFile(folder.path + "/auth.log")
        let daemon = DaemonProcess(data: folder.path + "/data", configuration: folder.path + "/ironpost.toml")
        let file = try Self.configuration(folder, port: daemon.port)
        try daemon.start()
        for number in 1...6 { log.append(DetectionTests.sshFailure(number)) }
        try eventually("an alert is stored") { try daemon.count("select count(*) from alerts") >= 1 }
        let token = try String(contentsOfFile: folder.path + "/data/token", encoding: .utf8)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(token.count > 20)

        let path = folder.path + "/b.tar.gz"
        let made = try Programs.run(Programs.ironpost, ["-c", file, "doctor", "--bundle", path, "-o", "json"])
        #expect(made.status == 0, "\(made.err)")
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        let bundle = try Bundle(path)
        #expect(
            bundle.files.keys.sorted() == [
                "configuration.toml", "doctor.json", "log.txt", "manifest.json", "rules.json", "status.json",
                "store.json", "versions.json",
            ])
        for hidden in [token, Self.secret, "Failed password", "203.0.113.7", "alice"] {
            #expect(!bundle.bytes.contains(hidden), "\(hidden)")
            #expect(!made.out.contains(hidden), "\(hidden)")
        }
        // What it says is what is in it.
        let printed = try #require(try JSONSerialization.jsonObject(with: Data(made.out.utf8)) as? [String: Any])
        let manifest = try bundle.json("manifest.json")
        #expect(printed["bundle"] as? String == path)
        #expect(printed["manifest"] as? NSDictionary == manifest as NSDictionary)
        for entry in try #require(manifest["files"] as? [[String: Any]]) {
            let name = try #require(entry["name"] as? String)
            #expect(bundle.files[name]?.utf8.count == entry["bytes"] as? Int, "\(name)")
        }
        let status = try bundle.json("status.json")
        #expect(status["pid"] as? Int == Int(daemon.pid))
        #expect((status["ledger"] as? [String: [String: Any]])?["source:file"]?["accepted"] as? Int == 6)
        #expect((try bundle.json("store.json")["check"] as? [String: Any])?["sound"] as? Bool == true)
        #expect((try bundle.json("store.json")["schema_version"] as? Int ?? 0) > 0)
        #expect((try bundle.json("rules.json")["rules"] as? [String])?.isEmpty == false)
        #expect((try bundle.json("versions.json")["kernel"] as? String)?.isEmpty == false)
        #expect((try bundle.json("doctor.json")["checks"] as? [Any])?.isEmpty == false)
        let lines = try #require(bundle.files["log.txt"])
        #expect(lines.contains("starting"))
        #expect(daemon.log.contains("\"data_dir\":\"\(folder.path)"))
        #expect(lines.contains("\"data_dir\":\"***\""))
        let shown = try Programs.run(Programs.ironpost, ["-c", file, "config", "show"])
        #expect(bundle.files["configuration.toml"] == shown.out.replacingOccurrences(of: "alice", with: "user-1"))
        #expect(shown.out.contains("https://***@mirror.example.org/db"))

        // It takes no other file's place, and keeps names only when they are asked for.
        let again = try Programs.run(Programs.ironpost, ["-c", file, "doctor", "--bundle", path])
        #expect(again.status == 10)
        let named = try Programs.run(
            Programs.ironpost, ["-c", file, "doctor", "--bundle", path + "2", "--with-names"])
        #expect(named.status == 0)
        let whole = try Bundle(path + "2")
        #expect(whole.bytes.contains("/home/alice/app.log"))
        #expect(!whole.bytes.contains(token))
        #expect(!whole.bytes.contains(Self.secret))
        #expect(daemon.end() == 0)
    }

    @Test("without a daemon, a database or a sound configuration it says what is missing")
    func absent() throws {
        let folder = try TemporaryDirectory()
        let file = try Self.configuration(folder, port: 9477)
        let made = try Programs.run(Programs.ironpost, ["-c", file, "doctor", "--bundle", folder.path + "/a.tar.gz"])
        #expect(made.status == 0, "\(made.err)")
        for name in ["status.json", "rules.json", "log.txt", "store.json"] {
            #expect(made.out.contains("missing: \(name): "), "\(name)")
        }
        let bundle = try Bundle(folder.path + "/a.tar.gz")
        #expect((try bundle.json("manifest.json")["missing"] as? [Any])?.count == 4)
        #expect(!bundle.bytes.contains(Self.secret))

        let faulty = try folder.write(
            "[general]\ndata_dir = \"\(folder.path)/data\"\nnosuch = 1\nlog_level = \"\(Self.secret)\"\n[detection.placeholders]\n\"http://q:\(Self.secret)@z\" = 1.5\n[sbom]\nvuln_db_url = \"x://b:\(Self.secret)@h/\"\n",
            to: "faulty.toml")
        let other = try Programs.run(
            Programs.ironpost, ["-c", faulty, "doctor", "--bundle", folder.path + "/f.tar.gz"])
        #expect(other.status == 0, "\(other.err)")
        #expect(other.out.contains("missing: configuration.toml: it is faulty at "))
        #expect(other.out.contains("nosuch"))
        let packed = try Bundle(folder.path + "/f.tar.gz")
        #expect(!packed.bytes.contains(Self.secret))
        #expect(try Programs.run(Programs.ironpost, ["doctor", "--with-names"]).status == 2)
    }
}
