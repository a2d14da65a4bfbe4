import Foundation
import IronpostCore
import SBOMScanner
import Testing

/// The index against a slow evaluation of the same records, written from the schema and sharing nothing with it.
@Suite(.enabled(if: Corpus.isPresent, Corpus.absence))
struct AdvisoryTests {
    /// A record as Foundation reads it, and the schema's evaluation in a few lines.
    struct Reference {
        struct Number: Comparable {
            var release: [Int]
            var pre: [String]?

            /// Semantic versions only, which is all that Go and crates.io use.
            init?(_ text: String) {
                var text = text.hasPrefix("v") ? String(text.dropFirst()) : text
                if text == "0" { text = "0.0.0-0" }
                text = text.components(separatedBy: "+")[0]
                let halves = text.split(separator: "-", maxSplits: 1).map(String.init)
                release = (halves.first ?? "").split(separator: ".").compactMap { Int($0) }
                while release.count < 3 { release.append(0) }
                pre = halves.count > 1 ? halves[1].components(separatedBy: ".") : nil
                guard !text.isEmpty else { return nil }
            }

            static func < (left: Number, right: Number) -> Bool {
                if left.release != right.release { return left.release.lexicographicallyPrecedes(right.release) }
                switch (left.pre, right.pre) {
                case (nil, nil), (nil, _): return false
                case (_, nil): return true
                case (let left?, let right?):
                    for (a, b) in zip(left, right) where a != b {
                        switch (Int(a), Int(b)) {
                        case (let x?, let y?): return x < y
                        case (_?, nil): return true
                        case (nil, _?): return false
                        default: return a < b
                        }
                    }
                    return left.count < right.count
                }
            }
        }

        struct Event {
            var kind: String
            var number: Number
        }

        /// Of one `affected`, its numbers read once.
        private let versions: Set<String>
        private let ranges: [[Event]]

        init(_ affected: [String: Any]) {
            versions = Set(affected["versions"] as? [String] ?? [])
            let found = (affected["ranges"] as? [[String: Any]] ?? []).filter { $0["type"] as? String != "GIT" }
            ranges = found.map { range in
                (range["events"] as? [[String: String]] ?? []).compactMap { event in
                    guard let (kind, version) = event.first, let number = Number(version) else { return nil }
                    return Event(kind: kind, number: number)
                }.sorted { $0.number < $1.number }
            }
        }

        func isAffected(_ version: String, _ number: Number?) -> Bool {
            if versions.contains(version) { return true }
            guard let number else { return false }
            for events in ranges {
                var isVulnerable = false
                for event in events {
                    // "0" is before everything there is.
                    if event.kind == "introduced", number >= event.number { isVulnerable = true }
                    if event.kind == "fixed", number >= event.number { isVulnerable = false }
                    if event.kind == "last_affected", number > event.number { isVulnerable = false }
                }
                if isVulnerable { return true }
            }
            return false
        }
    }

    private func records(_ directory: String) throws -> [[String: Any]] {
        let files = try #require(FileManager.default.enumerator(atPath: directory))
        var records: [[String: Any]] = []
        for case let file as String in files where file.hasSuffix(".json") {
            let data = try Data(contentsOf: URL(fileURLWithPath: directory + "/" + file))
            if let record = try JSONSerialization.jsonObject(with: data) as? [String: Any], record["id"] != nil {
                records.append(record)
            }
        }
        return records
    }

    private func database(_ folder: Folder, _ sources: [String]) throws -> VulnerabilityIndex {
        _ = try VulnerabilityDatabase(folder.path + "/db").add(sources, now: 1_700_000_000)
        return try VulnerabilityIndex(folder.path + "/db")
    }

    @Test(
        "every package at every boundary: exactly the advisories of the reference",
        arguments: ["osv/go-vulndb.tar.xz", "osv/rustsec-osv.tar.xz"])
    func boundaries(_ archive: String) throws {
        let folder = try Folder()
        let directory = Corpus.unpacked(archive)
        let index = try database(folder, [directory])
        let records = try records(directory)
        #expect(index.advisoryCount == records.count)
        var byPackage: [String: [(id: String, affected: [String: Any], reference: Reference)]] = [:]
        for record in records where record["withdrawn"] == nil {
            for affected in record["affected"] as? [[String: Any]] ?? [] {
                guard let package = affected["package"] as? [String: String] else { continue }
                let key = (package["ecosystem"] ?? "") + "\u{0}" + (package["name"] ?? "")
                byPackage[key, default: []].append((record["id"] as? String ?? "", affected, Reference(affected)))
            }
        }
        var pairs = 0
        var affectedPairs = 0
        var wrong: [String] = []
        for (key, entries) in byPackage {
            let parts = key.components(separatedBy: "\u{0}")
            var versions: Set<String> = ["0.0.1", "999.0.0"]
            for (_, affected, _) in entries {
                for range in affected["ranges"] as? [[String: Any]] ?? [] {
                    for event in range["events"] as? [[String: String]] ?? [] {
                        for version in event.values where version != "0" {
                            // The boundary itself and both sides of it.
                            versions.formUnion([
                                version, version + "-0", version.components(separatedBy: "-")[0] + ".1",
                            ])
                            if let number = Reference.Number(version), number.pre == nil {
                                var below = number.release
                                if let place = below.lastIndex(where: { $0 > 0 }) {
                                    below[place] -= 1
                                    versions.insert(below.map(String.init).joined(separator: "."))
                                }
                                var above = number.release
                                above[above.count - 1] += 1
                                versions.insert(above.map(String.init).joined(separator: "."))
                            }
                        }
                    }
                }
            }
            for version in versions where version.components(separatedBy: ".").count <= 3 || version.contains("-") {
                let number = Reference.Number(version)
                let expected = Set(entries.filter { $0.reference.isAffected(version, number) }.map(\.id)).sorted()
                let found = index.matches(ecosystem: parts[0], name: parts[1], version: version).map {
                    index.advisory($0.advisory).id
                }.sorted()
                // None is found twice, either.
                if found != expected { wrong.append("\(parts[1]) \(version): \(found), not \(expected)") }
                pairs += 1
                if !expected.isEmpty { affectedPairs += 1 }
            }
        }
        #expect(wrong.isEmpty, "\(wrong.count) of \(pairs): \(wrong.prefix(10).joined(separator: "; "))")
        #expect(pairs > 2000)
        #expect(affectedPairs > 500)
    }

    @Test("importing twice changes nothing; what is exploited is flagged; withdrawn records are out")
    func imports() throws {
        let folder = try Folder()
        let rust = Corpus.unpacked("osv/rustsec-osv.tar.xz")
        let go = Corpus.unpacked("osv/go-vulndb.tar.xz")
        let database = VulnerabilityDatabase(folder.path + "/db")
        let first = try database.add([rust], now: 1)
        #expect(first.records > 1000)
        let before = try Data(contentsOf: URL(fileURLWithPath: folder.path + "/db/osv.index"))
        let again = try database.add([rust], now: 1)
        #expect(again.records == 0)
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder.path + "/db/osv.index")) == before)
        let kev = try folder.write(
            "kev.json", Tool.run("xz", ["-dc", Corpus.root.appendingPathComponent("osv/kev.json.xz").path]))
        _ = try database.add([go, kev], now: 2)
        let index = try VulnerabilityIndex(folder.path + "/db")
        try index.verify()
        #expect(index.exploitedCount == 1404)
        let document =
            try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: kev))) as? [String: Any]
        let exploited = Set(
            (document?["vulnerabilities"] as? [[String: Any]] ?? []).compactMap { $0["cveID"] as? String })
        var flagged = 0
        for place in 0..<index.advisoryCount {
            let advisory = index.advisory(place)
            #expect((advisory.exploitedSince != nil) == !exploited.isDisjoint(with: [advisory.id] + advisory.aliases))
            if advisory.exploitedSince != nil { flagged += 1 }
        }
        #expect(flagged > 2)
    }
}

/// Ranges, lists and words of records, on small ones.
struct AdvisoryRecordTests {
    private func record(
        _ id: String, ecosystem: String = "npm", name: String = "a", _ affected: String, extra: String = ""
    ) -> String {
        #"{"id": "\#(id)", "modified": "2024-01-01T00:00:00Z", \#(extra) "affected": [{"package": {"ecosystem": "\#(ecosystem)", "name": "\#(name)"}, \#(affected)}]}"#
    }

    private func ids(_ folder: Folder, _ ecosystem: String, _ name: String, _ version: String) throws -> [String] {
        let index = try VulnerabilityIndex(folder.path + "/db")
        return index.matches(ecosystem: ecosystem, name: name, version: version).map { index.advisory($0.advisory).id }
            .sorted()
    }

    @Test(
        "each kind of event",
        arguments: [
            (#"[{"introduced": "0"}, {"fixed": "1.2.0"}]"#, ["0.0.1", "1.1.9", "1.2.0-rc1"], ["1.2.0", "2.0.0"]),
            (#"[{"introduced": "1.0.0"}, {"last_affected": "1.2.0"}]"#, ["1.0.0", "1.2.0"], ["0.9.0", "1.2.1"]),
            (
                #"[{"introduced": "2.0.0"}, {"fixed": "2.1.0"}, {"introduced": "1.0.0"}, {"fixed": "1.1.0"}]"#,
                ["1.0.5", "2.0.5"], ["1.1.0", "1.5.0", "2.1.0"]
            ),
            (#"[{"introduced": "1.0.0"}, {"limit": "1.5.0"}]"#, ["1.0.0", "1.4.9"], ["0.9.0", "1.5.0", "2.0.0"]),
            (#"[{"introduced": "1.0.0"}, {"limit": "*"}]"#, ["1.0.0", "9.0.0"], ["0.9.0"]),
            (#"[{"introduced": "0"}]"#, ["0.0.0", "99.0.0"], []),
        ])
    func events(_ events: String, _ inside: [String], _ outside: [String]) throws {
        let folder = try Folder()
        let file = try folder.write("r.json", record("X-1", #""ranges": [{"type": "SEMVER", "events": \#(events)}]"#))
        _ = try VulnerabilityDatabase(folder.path + "/db").add([file], now: 1)
        for version in inside { #expect(try ids(folder, "npm", "a", version) == ["X-1"], "\(version)") }
        for version in outside { #expect(try ids(folder, "npm", "a", version) == [], "\(version)") }
    }

    @Test("listed versions count, in Python whatever their spelling; names are compared as the ecosystem does")
    func lists() throws {
        let folder = try Folder()
        try folder.write("src/1.json", record("X-1", #""versions": ["1.0", "2.0"]"#))
        try folder.write(
            "src/2.json", record("X-2", ecosystem: "PyPI", name: "Zope.Event", #""versions": ["1.0", "weird!"]"#))
        try folder.write(
            "src/3.json",
            record(
                "X-3", ecosystem: "Debian:12", name: "openssl",
                #""ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.0.11-1~deb12u2"}]}]"#))
        try folder.write("src/bad.json", "{ not json")
        try folder.write("src/other.json", #"{"name": "no record"}"#)
        try folder.write(
            "src/4.yaml",
            "id: X-4\nmodified: 2024-01-01T00:00:00Z\ndetails: |\n  Long\n  text\naffected:\n- package:\n    ecosystem: PyPI\n    name: b\n  ranges:\n  - type: ECOSYSTEM\n    events:\n    - introduced: \"0\"\n    - fixed: 1.0.post1\n"
        )
        try folder.write(
            "src/5.json",
            record(
                "X-5", #""ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}]"#,
                extra: #""withdrawn": "2024-01-01T00:00:00Z", "#))
        try folder.write("src/6.json", record("X-6", ecosystem: "Nowhere", #""versions": ["1.0"]"#))
        let report = try VulnerabilityDatabase(folder.path + "/db").add([folder.path + "/src"], now: 1)
        #expect(report.faultCount == 1)
        #expect(report.withdrawn == 1)
        #expect(report.unknownEcosystems == ["Nowhere": 1])
        #expect(try ids(folder, "npm", "a", "1.0") == ["X-1"])
        #expect(try ids(folder, "npm", "a", "1.0.0") == [])
        #expect(try ids(folder, "PyPI", "zope-event", "1.0.0") == ["X-2"])
        #expect(try ids(folder, "PyPI", "zope_event", "weird!") == ["X-2"])
        #expect(try ids(folder, "Debian:12", "openssl", "3.0.11-1~deb12u1") == ["X-3"])
        #expect(try ids(folder, "Debian:12", "openssl", "3.0.11-1~deb12u2") == [])
        #expect(try ids(folder, "PyPI", "B", "1.0") == ["X-4"])
        #expect(try ids(folder, "PyPI", "B", "1.0.post1") == [])
        // Taken apart and put together again, it is the same.
        let more = try folder.write("more.json", record("X-7", #""versions": ["3.0"]"#))
        _ = try VulnerabilityDatabase(folder.path + "/db").add([more], now: 1)
        #expect(try ids(folder, "PyPI", "zope-event", "1.0.0") == ["X-2"])
        #expect(try ids(folder, "npm", "a", "3.0") == ["X-7"])
    }

    @Test("no database, an empty or a damaged one is an error, whichever byte is wrong")
    func damaged() throws {
        let folder = try Folder()
        #expect(throws: VulnerabilityIndex.Fault.missing(folder.path + "/none")) {
            try VulnerabilityIndex(folder.path + "/none")
        }
        let empty = try folder.write("empty", "")
        #expect(throws: VulnerabilityIndex.Fault.empty(empty)) { try VulnerabilityIndex(empty) }
        let text = try folder.write("text", "this is no index, although it is a file of some length that could be one")
        #expect(throws: VulnerabilityIndex.Fault.self) { try VulnerabilityIndex(text) }
        let file = try folder.write(
            "r.json",
            record(
                "X-1",
                #""ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "2.0.0"}]}], "versions": ["5.0.0"]"#
            ))
        _ = try VulnerabilityDatabase(folder.path + "/db").add([file], now: 1)
        let whole = Array(try Data(contentsOf: URL(fileURLWithPath: folder.path + "/db/osv.index")))
        for place in whole.indices {
            var broken = whole
            broken[place] ^= 0xFF
            let path = try folder.write("broken", broken)
            // Never a trap; and what is checked against its checksum is never believed.
            do {
                let index = try VulnerabilityIndex(path)
                _ = index.verdicts(ecosystem: "npm", name: "a", version: "1.0.0")
                if place >= 136 { #expect(throws: VulnerabilityIndex.Fault.self) { try index.verify() } }
            } catch { #expect(!error.description.isEmpty) }
            let cut = try folder.write("broken", Array(whole[..<place]))
            do {
                _ = try VulnerabilityIndex(cut).verdicts(ecosystem: "npm", name: "a", version: "1.0.0")
            } catch { #expect(!error.description.isEmpty) }
        }
    }

    @Test(
        "scores of vectors",
        arguments: [
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8),
            ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", 9.9),
            ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
            ("CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:N", 0.0),
            ("AV:N/AC:L/Au:N/C:C/I:C/A:C", 10.0), ("AV:N/AC:L/Au:N/C:P/I:P/A:P", 7.5),
            ("AV:L/AC:M/Au:N/C:N/I:N/A:P", 1.9),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", 10.0),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 9.3),
            ("CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 7.3),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N", 0.0),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:P/VC:L/VI:L/VA:N/SC:N/SI:N/SA:N/E:U", 1.3),
        ])
    func scores(_ vector: String, _ score: Double) {
        #expect(CVSS.score(vector) == score)
    }

    @Test(arguments: [
        "", "CVSS:3.1/AV:N", "CVSS:5.0/AV:N", "AV:N/AV:N",
        "CVSS:4.0/AV:Q/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H",
    ])
    func noScore(_ vector: String) {
        #expect(CVSS.score(vector) == nil)
    }

    @Test(
        "severities are CVSS's bands of the score; the database's word where there is none, and nothing where nobody said",
        arguments: [
            (0.0, Severity.info), (0.1, .low), (3.9, .low), (4.0, .medium), (6.9, .medium), (7.0, .high), (8.9, .high),
            (9.0, .critical), (10.0, .critical),
        ])
    func severities(_ score: Double, _ severity: Severity) {
        #expect(Advisory(id: "X", score: score, word: .medium).severity == severity)
        #expect(Advisory(id: "X", word: severity).severity == severity)
        #expect(Advisory(id: "X").severity == nil)
    }

    @Test("what was withdrawn applies to nothing, and says so when it is asked about")
    func withdrawn() throws {
        let folder = try Folder()
        let range = #""ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}]"#
        for (id, extra) in [("GONE", #""withdrawn": "2024-02-01T00:00:00Z","#), ("STANDS", "")] {
            let file = try folder.write(id + ".json", record(id, range, extra: extra))
            _ = try VulnerabilityDatabase(folder.path + "/db").add([file], now: 1)
        }
        #expect(try ids(folder, "npm", "a", "1.0.0") == ["STANDS"])
        let index = try VulnerabilityIndex(folder.path + "/db")
        let verdicts = index.verdicts(ecosystem: "npm", name: "a", version: "1.0.0").map {
            "\(index.advisory($0.advisory).id) \($0.isAffected) \($0.reason)"
        }
        #expect(verdicts.sorted() == ["GONE false withdrawn", "STANDS true from 0"])
    }

    @Test("EPSS and zips; a bomb is refused")
    func sources() throws {
        let folder = try Folder()
        try folder.write("src/CVE-2024-1.json", record("CVE-2024-1", #""versions": ["1.0"]"#))
        _ = try Tool.run(
            "python3",
            [
                "-c",
                "import sys,zipfile; z=zipfile.ZipFile(sys.argv[2],'w',zipfile.ZIP_DEFLATED); z.write(sys.argv[1],'a/CVE-2024-1.json')",
                folder.path + "/src/CVE-2024-1.json", folder.path + "/all.zip",
            ])
        let epss = try folder.write(
            "epss_scores.csv",
            "#model_version:v1,score_date:2024-01-01\ncve,epss,percentile\nCVE-2024-1,0.5,0.99\nCVE-x,1,1\n")
        _ = try VulnerabilityDatabase(folder.path + "/db").add([folder.path + "/all.zip", epss], now: 1)
        let index = try VulnerabilityIndex(folder.path + "/db")
        #expect(index.advisory(0).epss == 0.5)
        #expect(index.advisory(0).epssPercentile == 0.99)
        _ = try Tool.run(
            "python3",
            [
                "-c",
                "import sys,zipfile; z=zipfile.ZipFile(sys.argv[2],'w',zipfile.ZIP_DEFLATED,compresslevel=1); z.write(sys.argv[1],'a.json'); [z.writestr(f'{i}.json', b'x'*(15<<20)) for i in range(40)]",
                folder.path + "/src/CVE-2024-1.json", folder.path + "/bomb.zip",
            ])
        // The record that it begins with does not save it.
        let fault = #expect(throws: ReadFault.self) {
            try VulnerabilityDatabase(folder.path + "/other").add([folder.path + "/bomb.zip"], now: 1)
        }
        #expect(fault?.description.contains("unpacks to more than its size lets one believe") == true)
        #expect(throws: ReadFault.self) {
            try VulnerabilityDatabase(folder.path + "/other").add([folder.path + "/nothing"], now: 1)
        }
        #expect(throws: VulnerabilityIndex.Fault.self) { try VulnerabilityIndex(folder.path + "/other") }
    }

    @Test("OpenVEX rules out what it names, until it expires")
    func exceptions() throws {
        let vex = """
            {"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://x/1", "author": "a", "timestamp": "2024-01-01T00:00:00Z", "version": 1, "statements": [
            {"vulnerability": {"name": "CVE-1"}, "products": [{"@id": "pkg:npm/a"}], "status": "not_affected", "justification": "component_not_present"},
            {"vulnerability": {"name": "CVE-2"}, "status": "not_affected", "status_notes": "expires=2025-01-01T00:00:00Z; until then", "impact_statement": "no"}]}
            """
        var advisory = Advisory(id: "GHSA-1", aliases: ["CVE-1"])
        let package = Package(.npm, name: "a", version: "1.0.0")
        let other = Package(.npm, name: "ab", version: "1.0.0")
        let (before, after) = (Timestamp(seconds: 1_704_100_000), Timestamp(seconds: 1_800_000_000))
        for now in [before, after] {
            var exceptions = Exceptions()
            try exceptions.add(Array(vex.utf8), now: now)
            advisory.aliases = ["CVE-1"]
            #expect(exceptions.suppression(of: advisory, in: package)?.reason == "component_not_present")
            #expect(exceptions.suppression(of: advisory, in: other) == nil)
            advisory.aliases = ["CVE-2"]
            #expect((exceptions.suppression(of: advisory, in: other) == nil) == (now == after))
            #expect(exceptions.expired == (now == after ? 1 : 0))
        }
    }
}
