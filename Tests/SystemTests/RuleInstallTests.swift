import Foundation
import Testing

/// `rules install` with the built program: what is taken, what is refused, and that it happens in one step.
@Suite(.serialized)
struct RuleInstallTests {
    static func rule(_ name: String, _ detection: String = "{s: {program: x}, condition: s}") -> String {
        "title: \(name)\nid: \(name)\nlevel: low\nlogsource: {product: linux}\ndetection: \(detection)\n"
    }

    /// A host's configuration, and a package of rules with a bad one.
    final class Host {
        let folder: TemporaryDirectory
        let file: String
        var rules: String { folder.path + "/rules" }

        init() throws {
            folder = try TemporaryDirectory()
            _ = try folder.write(RuleInstallTests.rule("own"), to: "rules/own.yml")
            _ = try folder.write(RuleInstallTests.rule("one"), to: "pack/linux/one.yml")
            _ = try folder.write("format: json\nmatches: ['{}']\n", to: "pack/linux/one.test.yml")
            _ = try folder.write(RuleInstallTests.rule("two"), to: "pack/two.yml")
            _ = try folder.write(RuleInstallTests.rule("bad", "{s: {a|sounds: x}, condition: s}"), to: "pack/bad.yml")
            _ = try folder.write("format: json\nmatches: ['{}']\n", to: "pack/bad.test.yml")
            file = try folder.write("[detection]\nrules = [\"\(folder.path)/rules\"]\n", to: "ironpost.toml")
        }

        func install(_ source: String, _ options: String...) throws -> Programs.Output {
            try Programs.run(
                Programs.ironpost, ["rules", "install", folder.path + "/" + source, "-c", file] + options)
        }

        /// What is installed, but for the rule that was there.
        func installed() throws -> [String] {
            let all = try FileManager.default.subpathsOfDirectory(atPath: rules)
            return all.filter { $0.hasSuffix("ml") && $0 != "own.yml" }.sorted()
        }

        func shell(_ command: String) throws {
            let result = try Programs.run("/bin/sh", ["-c", command], directory: folder.path)
            #expect(result.status == 0, "\(command): \(result.err)")
        }
    }

    @Test("good rules of a directory are installed with their tests, bad ones named, and the next time replaces all")
    func directory() throws {
        let host = try Host()
        let result = try host.install("pack")
        #expect(result.status == 0, "\(result.err)")
        #expect(result.out.contains("2 rules in 3 files are in \(host.rules)/pack"), "\(result.out)")
        #expect(result.out.contains("ironpost reload"))
        #expect(result.err.contains("pack/bad.yml:5: error: unknown modifier 'sounds'"), "\(result.err)")
        #expect(try host.installed() == ["pack/linux/one.test.yml", "pack/linux/one.yml", "pack/two.yml"])
        let valid = try Programs.run(Programs.ironpost, ["rules", "validate", host.rules, "-c", host.file])
        #expect(valid.out.contains("3 rules valid, 0 refused"), "\(valid.out)")
        let mode = try FileManager.default.attributesOfItem(atPath: host.rules + "/pack/two.yml")[.posixPermissions]
        #expect(mode as? Int == 0o644)
        // As a whole: what is no longer in the package is gone.
        try host.shell("rm pack/linux/one.yml pack/bad.yml")
        #expect(try host.install("pack").status == 0)
        #expect(try host.installed() == ["pack/two.yml"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: host.rules).sorted() == ["own.yml", "pack"])
    }

    @Test("--strict installs nothing when a rule is bad; neither is anything when all are")
    func strict() throws {
        let host = try Host()
        let strict = try host.install("pack", "--strict")
        #expect(strict.status == 1 && strict.err.contains("bad.yml:5"))
        #expect(try host.installed() == [])
        let bad = try host.install("pack/bad.yml")
        #expect(bad.status == 1 && bad.err.contains("no usable rule"), "\(bad.err)")
        // What is there already has its id; installed again by the same name it is the same rule.
        _ = try host.folder.write(Self.rule("own"), to: "copy/own.yml")
        let twice = try host.install("copy")
        #expect(twice.status == 1 && twice.err.contains("already that of a rule"), "\(twice.err)")
        #expect(try host.install("pack/two.yml").status == 0)
        #expect(try host.install("pack/two.yml").status == 0)
        #expect(try host.installed() == ["two/two.yml"])
        let json = try host.install("pack", "--name", "other", "-o", "json")
        let object = try JSONSerialization.jsonObject(with: Data(json.out.utf8)) as? [String: Any]
        #expect(object?["installed"] as? Bool == true && object?["rules"] as? Int == 1, "\(json.out)")
        let left = object?["left_out"] as? [[String: Any]] ?? []
        #expect(left.compactMap { $0["line"] as? Int }.sorted() == [1, 5])
    }

    @Test("archives are read, and refused when they lead out, are links, bombs or broken")
    func archives() throws {
        let host = try Host()
        try host.shell("tar czf release-1.0.tar.gz pack && tar cf plain.tar pack/two.yml")
        #expect(try host.install("release-1.0.tar.gz").status == 0)
        let all = ["pack/linux/one.test.yml", "pack/linux/one.yml", "pack/two.yml"].map { "release-1.0/" + $0 }
        #expect(try host.installed() == all)
        try host.shell("rm -r rules/release-1.0")
        #expect(try host.install("plain.tar").status == 0)
        try host.shell("rm -r rules/plain")
        let zip = Self.zip([("a/one.yml", Self.rule("one")), ("a/.hidden.yml", Self.rule("hidden")), ("a/", "")])
        try zip.write(to: URL(fileURLWithPath: host.folder.path + "/core.zip"))
        #expect(try host.install("core.zip").status == 0)
        #expect(try host.installed() == ["core/a/one.yml"])
        let before = try host.installed()
        try host.shell(
            "mkdir sub && cd sub && tar cPf ../slip.tar ../pack/two.yml && ln -s /etc/passwd l.yml && tar cf ../link.tar l.yml"
        )
        try Self.zip([("../../evil.yml", Self.rule("evil"))]).write(
            to: URL(fileURLWithPath: host.folder.path + "/slip.zip"))
        try Self.zip([("/evil.yml", Self.rule("evil"))]).write(to: URL(fileURLWithPath: host.folder.path + "/root.zip"))
        // The header of a file of 1.1 GB, and as many zeros behind it: packed once, and added again and again.
        try host.shell(
            """
            truncate -s 1100M sub/big.bin; tar c -C sub big.bin 2>&- | head -c 512 | gzip > bomb.tar.gz
            head -c 11000000 /dev/zero | gzip > zeros.gz
            for i in $(seq 110); do cat zeros.gz; done >> bomb.tar.gz; cp pack/two.yml sub
            """)
        try host.shell(
            "head -c 200 release-1.0.tar.gz > cut.tar.gz; echo hello > text.zip; tar cf large.tar -C sub two.yml")
        try host.shell("truncate -s 2M sub/huge.yml && tar cf huge.tar -C sub huge.yml")
        for (source, says) in [
            ("slip.tar", "leads out of it"), ("slip.zip", "leads out of it"), ("root.zip", "leads out of it"),
            ("link.tar", "a link, which is not followed"), ("bomb.tar.gz", "unpacks to more than"),
            ("cut.tar.gz", "end is missing"), ("text.zip", "neither a zip nor a tar"), ("huge.tar", "larger than"),
        ] {
            let result = try host.install(source)
            #expect(result.status == 1 && result.err.contains(says), "\(source): \(result.status) \(result.err)")
        }
        #expect(try host.installed() == before)
        #expect(!FileManager.default.fileExists(atPath: host.folder.path + "/evil.yml"))
    }

    @Test("a directory that somebody made by hand, bad names, and a host without a place for rules are left alone")
    func places() throws {
        let host = try Host()
        _ = try host.folder.write(Self.rule("mine"), to: "rules/pack/mine.yml")
        let mine = try host.install("pack")
        #expect(mine.status == 1 && mine.err.contains("was not made by 'rules install'"), "\(mine.err)")
        #expect(try host.installed() == ["pack/mine.yml"])
        for name in ["../up", ".hidden", "a/b", "", "sp ace"] {
            #expect(try host.install("pack", "--name", name).status == 2, "\(name)")
        }
        try host.shell("ln -s /tmp rules/linked")
        #expect(try host.install("pack", "--name", "linked").status == 1)
        #expect(try host.install("nothing").status == 2)
        let empty = try host.folder.write("", to: "empty.toml")
        let nowhere = try Programs.run(
            Programs.ironpost, ["rules", "install", host.folder.path + "/pack", "-c", empty])
        #expect(nowhere.status == 2 && nowhere.err.contains("detection.rules names no directory"), "\(nowhere.err)")
        let elsewhere = try host.install("pack", "--to", host.folder.path + "/else")
        #expect(elsewhere.status == 0 && elsewhere.err.contains("is not among detection.rules"), "\(elsewhere.err)")
        try host.shell("chmod 777 rules")
        let open = try host.install("pack", "--name", "new")
        #expect(open.status == 1 && open.err.contains("writable for everybody"), "\(open.err)")
    }

    @Test("--reload puts them in force")
    func reload() throws {
        let folder = try TemporaryDirectory()
        _ = try folder.write(Self.rule("own"), to: "rules/own.yml")
        let file = folder.path + "/ironpost.toml"
        let daemon = DaemonProcess(data: folder.path + "/data", configuration: file)
        _ = try folder.write(ReloadTests.configuration(folder, port: daemon.port), to: "ironpost.toml")
        try daemon.start()
        _ = try folder.write(Self.rule("fresh"), to: "pack/fresh.yml")
        let result = try daemon.ironpost("rules", "install", folder.path + "/pack", "-c", file, "--reload")
        #expect(result.status == 0, "\(result.err)")
        #expect(result.out.contains("configuration 2 is in force"), "\(result.out)")
        #expect(try daemon.ironpost("rules", "list").out.contains("fresh"))
        #expect(daemon.end() == 0)
    }

    /// A zip whose entries are stored as they are.
    static func zip(_ entries: [(name: String, text: String)]) -> Data {
        var data = Data()
        var directory = Data()
        func number(_ value: Int, _ count: Int) -> Data { Data((0..<count).map { UInt8(value >> (8 * $0) & 0xFF) }) }
        for (name, text) in entries {
            let (name, text) = (Data(name.utf8), Data(text.utf8))
            // Version, flags, method, time and date, checksum: all zero but the first.
            let common =
                number(20, 2) + number(0, 12) + number(text.count, 4) + number(text.count, 4)
                + number(name.count, 2) + number(0, 2)
            directory +=
                Data([0x50, 0x4B, 1, 2]) + number(20, 2) + common + number(0, 10) + number(data.count, 4) + name
            data += Data([0x50, 0x4B, 3, 4]) + common + name + text
        }
        let end =
            Data([0x50, 0x4B, 5, 6]) + number(0, 4) + number(entries.count, 2) + number(entries.count, 2)
            + number(directory.count, 4) + number(data.count, 4) + number(0, 2)
        return data + directory + end
    }
}
