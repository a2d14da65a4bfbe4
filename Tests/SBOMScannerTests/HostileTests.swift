import Foundation
import IronpostCore
import SBOMScanner
import Testing

/// Files and trees that somebody made to do harm: named, bounded, and the others are read all the same.
struct HostileTests {
    private static let good = #"{"lockfileVersion": 3, "packages": {"": {}, "node_modules/a": {"version": "1.0.0"}}}"#

    /// Whatever stands beside it, the good file is read.
    private func scan(_ folder: Folder) throws -> Inventory {
        try folder.write("good/package-lock.json", Self.good)
        let inventory = Inventory([try Scanner.scan(folder.path)])
        #expect(inventory.components.contains { $0.package.purl == "pkg:npm/a@1.0.0" })
        return inventory
    }

    @Test(
        "files that break off, are nested too deeply, or are no such thing",
        arguments: [
            ("package-lock.json", #"{"lockfileVersion": 3, "packages": {"node_modules/b": {"version": "1"#),
            ("package-lock.json", String(repeating: "[", count: 100_000)),
            ("package-lock.json", String(repeating: #"{"a":"#, count: 100_000)),
            ("pnpm-lock.yaml", "lockfileVersion: '9.0'\npackages: &x\n  a: *x\n"),
            ("pnpm-lock.yaml", "lockfileVersion: '9.0'\na: " + String(repeating: "[", count: 100_000)),
            ("pnpm-lock.yaml", (0..<3000).map { String(repeating: " ", count: $0) + "a:\n" }.joined()),
            ("Cargo.lock", "[[package]]\nname = \"a\"\nversion = \"1"),
            ("Cargo.lock", "a = " + String(repeating: "[", count: 100_000)),
            ("Cargo.lock", String(repeating: "a.", count: 100_000) + "a = 1"),
            ("pom.xml", #"<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;">]><project>&lol2;</project>"#),
            ("pom.xml", #"<!DOCTYPE p SYSTEM "file:///etc/passwd"><project/>"#),
            ("pom.xml", "<project><a>&xxe;</a></project>"),
            ("pom.xml", String(repeating: "<a>", count: 100_000)),
            ("var/lib/rpm/rpmdb.sqlite", "SQLite format 3\u{0}" + String(repeating: "\u{1}", count: 4096)),
            ("app.jar", "PK\u{3}\u{4} and nothing else"),
            ("Gemfile.lock", "GEM\n  specs:\n    broken\n"),
            ("go.mod", "require (\n\tonlyone\n)\n"),
            ("poetry.lock", "[[package]]\nversion = \"1\"\n"),
        ])
    func files(_ name: String, _ text: String) throws {
        let folder = try Folder()
        try folder.write("bad/" + name, text)
        let inventory = try scan(folder)
        #expect(inventory.faults.count == 1)
        #expect(inventory.faults.first?.contains("bad/" + name) == true)
        #expect(inventory.components.count == 1)
    }

    @Test("a file of one gigabyte is named and left out")
    func huge() throws {
        let folder = try Folder()
        let path = try folder.write("bad/package-lock.json", "")
        let handle = try #require(FileHandle(forWritingAtPath: path))
        try handle.truncate(atOffset: 1 << 30)
        try handle.close()
        let inventory = try scan(folder)
        #expect(inventory.faults.first?.contains("larger than") == true)
    }

    @Test("links lead nowhere: loops, out of the tree, to devices; pipes are not waited for")
    func links() throws {
        let folder = try Folder()
        let manager = FileManager.default
        let outside = try Folder()
        try outside.write("package-lock.json", Self.good.replacing("node_modules/a", with: "node_modules/outside"))
        try manager.createDirectory(atPath: folder.path + "/loop", withIntermediateDirectories: true)
        try manager.createSymbolicLink(atPath: folder.path + "/loop/self", withDestinationPath: "..")
        try manager.createSymbolicLink(atPath: folder.path + "/out", withDestinationPath: outside.path)
        try manager.createSymbolicLink(
            atPath: folder.path + "/loop/package-lock.json", withDestinationPath: outside.path + "/package-lock.json")
        try manager.createSymbolicLink(atPath: folder.path + "/Cargo.lock", withDestinationPath: "/dev/zero")
        _ = try Tool.run("mkfifo", [folder.path + "/yarn.lock"])
        let inventory = try scan(folder)
        #expect(inventory.components.count == 1)
    }

    @Test("names that a terminal or a document could choke on")
    func names() throws {
        let folder = try Folder()
        try folder.write(
            "a\u{1B}[2J\n\"\\/package-lock.json", Self.good.replacing("node_modules/a", with: "node_modules/b"))
        let inventory = try scan(folder)
        #expect(inventory.components.count == 2)
        let document = CycloneDX.document(inventory, context: DocumentContext(toolVersion: "1"))
        #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(document)) }
        #expect(!document.contains(0x1B))
    }

    @Test("deep folders are bounded")
    func deep() throws {
        let folder = try Folder()
        var path = folder.path
        for _ in 0..<300 { path += "/d" }
        _ = try Tool.run("mkdir", ["-p", path])
        let inventory = try scan(folder)
        #expect(inventory.faults.contains { $0.contains("deeper than") })
    }

    private func python(_ program: String, _ arguments: [String]) throws {
        _ = try Tool.run("/usr/bin/python3", ["-c", program] + arguments)
    }

    @Test("jars: nested, coordinates, a bomb, and more levels than are read")
    func jars() throws {
        let folder = try Folder()
        try FileManager.default.createDirectory(atPath: folder.path + "/j", withIntermediateDirectories: true)
        try python(
            """
            import io, sys, zipfile
            def jar(files):
                out = io.BytesIO()
                with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
                    for name, data in files.items(): z.writestr(name, data)
                return out.getvalue()
            def coordinates(a): return {"META-INF/maven/g/%s/pom.properties" % a: "groupId=g\\nartifactId=%s\\nversion=1.0\\n" % a}
            inner = jar(coordinates("inner"))
            outer = dict(coordinates("outer")); outer["BOOT-INF/lib/inner.jar"] = inner; outer["BOOT-INF/lib/bad.jar"] = b"PK no"
            open(sys.argv[1] + "/outer.jar", "wb").write(jar(outer))
            level = jar(coordinates("deepest"))
            for i in range(8): level = jar({"lib/l%d.jar" % i: level})
            open(sys.argv[1] + "/deep.jar", "wb").write(level)
            open(sys.argv[1] + "/bomb.jar", "wb").write(jar({"lib/%d.jar" % i: b"\\0" * (200 << 20) for i in range(2)}))
            open(sys.argv[1] + "/bare.jar", "wb").write(jar({"A.class": b"x"}))
            """, [folder.path + "/j"]
        )
        let inventory = try scan(folder)
        let purls = inventory.components.map(\.package.purl)
        #expect(purls.contains("pkg:maven/g/outer@1.0") && purls.contains("pkg:maven/g/inner@1.0"))
        #expect(!purls.contains("pkg:maven/g/deepest@1.0"))
        #expect(inventory.notes.contains { $0.contains("nested deeper than") })
        #expect(inventory.notes.contains { $0.contains("bad.jar") })
        #expect(inventory.notes.contains { $0.contains("bare.jar has no Maven coordinates") })
    }

    @Test("images: layers with deletions, OCI and docker; slips, bombs and cut archives")
    func images() throws {
        let folder = try Folder()
        try python(
            """
            import gzip, hashlib, io, json, sys, tarfile
            def tar(files, size=None):
                out = io.BytesIO()
                with tarfile.open(fileobj=out, mode="w") as t:
                    for name, data in files.items():
                        info = tarfile.TarInfo(name); info.size = len(data); t.addfile(info, io.BytesIO(data))
                return out.getvalue()
            def lock(n): return ('{"lockfileVersion": 3, "packages": {"node_modules/%s": {"version": "1.0.0"}}}' % n).encode()
            dpkg = b"Package: libc6\\nStatus: install ok installed\\nVersion: 2.36\\nArchitecture: amd64\\n\\n"
            first = tar({"app/package-lock.json": lock("a"), "gone/package-lock.json": lock("gone"), "opaque/x/yarn.lock": b"z@1:\\n  version \\"1\\"\\n",
                         "var/lib/dpkg/status": dpkg, "etc/os-release": b"ID=debian\\nVERSION_ID=12\\n", "../../slip/package-lock.json": lock("slip")})
            second = tar({"gone/.wh.package-lock.json": b"", "opaque/.wh..wh..opq": b"", "opaque/package-lock.json": lock("kept"), "app/package-lock.json": lock("b")})
            base = sys.argv[1]
            open(base + "/docker.tar", "wb").write(tar({"l1/layer.tar": first, "l2/layer.tar": gzip.compress(second), "manifest.json": json.dumps([{"Layers": ["l1/layer.tar", "l2/layer.tar"]}]).encode()}))
            def blob(data): return "sha256:" + hashlib.sha256(data).hexdigest()
            def path(digest): return "blobs/" + digest.replace(":", "/")
            layers = [gzip.compress(first), second]
            manifest = json.dumps({"layers": [{"digest": blob(l)} for l in layers]}).encode()
            files = {"oci-layout": b"{}", "index.json": json.dumps({"manifests": [{"digest": blob(manifest)}]}).encode(), path(blob(manifest)): manifest}
            for l in layers: files[path(blob(l))] = l
            open(base + "/oci.tar", "wb").write(tar(files))
            open(base + "/root.tar.gz", "wb").write(gzip.compress(first))
            open(base + "/cut.tar", "wb").write(first[:3000])
            class Zeros(io.RawIOBase):
                pass
            info = tarfile.TarInfo("package-lock.json"); info.size = 1 << 40
            open(base + "/lie.tar", "wb").write(info.tobuf() + b"{}")
            """, [folder.path]
        )
        let expected = [
            "pkg:deb/debian/libc6@2.36?arch=amd64&distro=debian-12", "pkg:npm/b@1.0.0", "pkg:npm/kept@1.0.0",
        ]
        for name in ["docker.tar", "oci.tar"] {
            let inventory = Inventory([try Scanner.scan(folder.path + "/" + name)])
            #expect(inventory.components.map(\.package.purl) == expected, "\(name)")
            #expect(inventory.faults.contains { $0.contains("leads out of the archive") })
        }
        let root = Inventory([try Scanner.scan(folder.path + "/root.tar.gz")])
        #expect(root.components.count == 4)
        let cut = Inventory([try Scanner.scan(folder.path + "/cut.tar")])
        #expect(cut.faults.contains { $0.contains("cut off") })
        // It claims a terabyte: nothing is believed before it is there.
        let lie = Inventory([try Scanner.scan(folder.path + "/lie.tar")])
        #expect(lie.components.isEmpty)
        #expect(lie.faults.contains { $0.contains("cut off") })
    }

    /// Small files of each kind, to be broken in every way.
    static let seeds: [(String, String)] = [
        ("package-lock.json", good),
        ("yarn.lock", "\"a@^1\", b@2:\n  version \"1.0\"\n  dependencies:\n    c \"^1\"\n"),
        (
            "yarn.lock",
            "__metadata:\n  version: 6\n\"a@npm:1\":\n  version: 1\n  resolution: \"a@npm:1\"\n  dependencies:\n    b: ^1\n"
        ),
        (
            "pnpm-lock.yaml",
            "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      a: {specifier: ^1, version: 1.0.0}\npackages:\n  a@1.0.0:\n    resolution: {integrity: sha512-aa==}\n    deprecated: >-\n      x\n      'y'\nsnapshots:\n  a@1.0.0: {}\n"
        ),
        (
            "Cargo.lock",
            "version = 3\n[[package]]\nname = \"a\"\nversion = \"1.0\"\ndependencies = [\"b\", 'c']\n[package.x]\ny = { z = 1, w = \"\"\"q\"\"\" }\n"
        ),
        ("go.mod", "module a\ngo 1.16\nrequire (\n\tb v1.0.0 // indirect\n)\nreplace b => c v1.0.1\n"),
        ("requirements.txt", "a==1.0 --hash=sha256:00\nb[c]==2 ; x\n-r y\n"),
        ("Pipfile.lock", #"{"_meta": {}, "default": {"a": {"version": "==1"}}}"#),
        ("poetry.lock", "[[package]]\nname = \"a\"\nversion = \"1\"\n[package.dependencies]\nb = \">=1\"\n"),
        (
            "uv.lock",
            "[[package]]\nname = \"a\"\nversion = \"1\"\nsource = { virtual = \".\" }\ndependencies = [{ name = \"b\" }]\n"
        ),
        ("pylock.toml", "lock-version = \"1.0\"\n[[packages]]\nname = \"a\"\nversion = \"1\"\n"),
        ("a.dist-info/METADATA", "Name: a\nVersion: 1\n\nx"),
        ("Gemfile.lock", "GEM\n  specs:\n    a (1.0-x)\n      b (~> 1)\nDEPENDENCIES\n  a!\n"),
        ("composer.lock", #"{"packages": [{"name": "a/b", "version": "1", "require": {"c": "*"}}]}"#),
        (
            "packages.lock.json",
            #"{"dependencies": {"n": {"A": {"type": "Direct", "resolved": "1", "contentHash": "aa=="}}}}"#
        ),
        (
            "x.deps.json",
            #"{"libraries": {"A/1": {"type": "package"}}, "targets": {"t": {"A/1": {"dependencies": {"B": "1"}}}}}"#
        ),
        (
            "pom.xml",
            "<project><properties><v>1</v></properties><dependencies><dependency><groupId>a</groupId><artifactId>b&amp;</artifactId><version>${v}</version></dependency></dependencies></project>"
        ),
        ("gradle.lockfile", "a:b:1=c\nempty=\n"),
        ("Package.resolved", #"{"pins": [{"location": "https://x/y.git", "state": {"version": "1"}}]}"#),
        (
            "var/lib/dpkg/status",
            "Package: a\nStatus: install ok installed\nVersion: 1:2-3\nSource: b (1)\nDepends: c | d\n\n"
        ),
        ("lib/apk/db/installed", "P:a\nV:1-r0\no:b\nD:so:x\np:so:x=1\n\n"),
    ]

    @Test("every parser on broken input: an answer or a fault, never a trap", arguments: seeds.indices)
    func fuzz(_ index: Int) throws {
        let (path, text) = Self.seeds[index]
        let cataloger = try #require(Catalogers.all.first { $0.reads(path) })
        let isDeep = ProcessInfo.processInfo.environment["IRONPOST_DEEP"] != nil
        var state = UInt64(index + 1)
        func next(_ count: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(max(count, 1)))
        }
        let seed = Array(text.utf8)
        let pieces = [
            "{", "[", "\"", "'", "\\", "\n", "  ", ":", "- ", "&", "|", ">", "#", "\u{0}", "\u{FFFD}", "<", "]]>", "==",
            "@", "/", "9999999999999999999", "${v}", "\\u",
        ].map { Array($0.utf8) }
        for _ in 0..<(isDeep ? 200_000 : 1_500) {
            var bytes = seed
            for _ in 0...next(4) {
                let place = next(bytes.count + 1)
                switch next(5) {
                case 0: bytes.insert(contentsOf: pieces[next(pieces.count)], at: place)
                case 1: if place < bytes.count { bytes[place] = UInt8(next(256)) }
                case 2: if place < bytes.count { bytes.removeSubrange(place..<min(place + 1 + next(8), bytes.count)) }
                case 3: bytes.removeLast(next(bytes.count + 1))
                default: bytes.insert(contentsOf: bytes[place..<min(place + 1 + next(32), bytes.count)], at: place)
                }
            }
            var catalog = Catalog()
            do { try cataloger.catalog(SourceFile(path: path, bytes: bytes), into: &catalog) } catch {
                #expect(!"\(error)".isEmpty)
            }
            for edge in catalog.edges {
                #expect(edge.from < catalog.packages.count && edge.to < catalog.packages.count)
            }
        }
    }
}
