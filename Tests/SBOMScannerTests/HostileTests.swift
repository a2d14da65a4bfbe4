import Foundation
import IronpostCore
import ParserFuzzBodies
import SBOMScanner
import Synchronization
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
            ("Gemfile.lock", "GEM\n  specs:\n    a (-)\n"),
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

    @Test("more packages or dependencies than a file or a tree may name: said, and nothing of half of them is shown")
    func many() throws {
        var catalog = Catalog(packagesMax: 3, edgesMax: 2)
        let places = (0..<3).map { catalog.add(Package(.npm, name: "p\($0)", version: "1")) }
        catalog.connect(places[0], to: places[1])
        catalog.connect(places[0], to: places[1])
        catalog.connect(places[0], to: places[2])
        #expect(catalog.edges.count == 2 && !catalog.isOverfull)
        catalog.add(Package(.npm, name: "p1", version: "1"))
        #expect(!catalog.isOverfull)
        catalog.connect(places[1], to: places[2])
        #expect(catalog.edges.count == 2 && catalog.isOverfull)
        var small = Catalog(packagesMax: 1)
        small.add(Package(.npm, name: "a", version: "1"))
        small.add(Package(.npm, name: "b", version: "1"))
        #expect(small.packages.map(\.name) == ["a"] && small.isOverfull)

        // Of a tree the first ones in its order, however many threads there are.
        let folder = try Folder()
        for file in 10..<30 {
            let packages = (0..<file).map { #""node_modules/p\#(file)-\#($0)": {"version": "1"}"# }
            try folder.write(
                "d\(file)/package-lock.json",
                #"{"lockfileVersion": 3, "packages": {\#(packages.joined(separator: ", "))}}"#)
        }
        for threads in [1, 5] {
            let scan = DirectoryScan(folder.path, limits: ScanLimits(packagesMax: 100), threads: threads)
            for _ in 0..<2 {
                let result = try scan.run()
                #expect(result.files.map(\.path) == (10..<17).map { "d\($0)/package-lock.json" })
                #expect(result.leftOut == ["files behind those that name 100 packages": 13])
            }
        }
    }

    @Test("tables beside each other that make every search long")
    func tables() throws {
        let folder = try Folder()
        try folder.write("bad/Cargo.lock", (0..<20_000).map { "[t\($0)]\n" }.joined())
        let inventory = try scan(folder)
        #expect(inventory.faults.contains { $0.contains("too many tables") })
    }

    @Test("one name with very many versions, each needed: every one is found without looking at the others")
    func versions() throws {
        let count = 100_000
        let packages = (0..<count).map { "[[package]]\nname = \"a\"\nversion = \"\($0)\"\n" }
        let needs = (0..<count).map { "\"a \($0)\"" }.joined(separator: ",")
        let catalog = try Catalog(
            "Cargo.lock",
            packages.joined() + "[[package]]\nname = \"app\"\nversion = \"1\"\ndependencies = [\(needs)]\n")
        #expect(catalog.edges.map(\.to) == Array(0..<count))
        #expect(catalog.direct == Array(0..<count))
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
        // Each kind alone: what is written as it is must not hide behind what is escaped.
        for (number, name) in ["\u{1B}[2J", "\n", "\"", "\\", "\u{7F}", "é"].enumerated() {
            try folder.write(
                "x\(name)/package-lock.json", Self.good.replacing("node_modules/a", with: "node_modules/n\(number)"))
        }
        let inventory = try scan(folder)
        #expect(inventory.components.count == 8)
        let document = CycloneDX.document(inventory, context: DocumentContext(toolVersion: "1"))
        #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(document)) }
        #expect(!document.contains(0x1B) && !document.contains(0x7F))
        let root = try JSONSerialization.jsonObject(with: Data(document)) as? [String: Any]
        let files = (root?["components"] as? [[String: Any]] ?? []).compactMap { component in
            let evidence = component["evidence"] as? [String: [[String: String]]]
            return evidence?["occurrences"]?.first?["location"]
        }
        #expect(Set(files) == Set(inventory.components.flatMap(\.files)))
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
            open(sys.argv[1] + "/many.jar", "wb").write(jar({"lib/%d.jar" % i: inner for i in range(20_001)}))
            open(sys.argv[1] + "/bare.jar", "wb").write(jar({"A.class": b"x"}))
            """, [folder.path + "/j"]
        )
        let inventory = try scan(folder)
        let purls = inventory.components.map(\.package.purl)
        #expect(purls.contains("pkg:maven/g/outer@1.0") && purls.contains("pkg:maven/g/inner@1.0"))
        #expect(!purls.contains("pkg:maven/g/deepest@1.0"))
        #expect(inventory.notes.contains { $0.contains("nested deeper than") })
        #expect(inventory.notes.contains { $0.contains("bad.jar") })
        #expect(inventory.faults.contains { $0.contains("many.jar!/lib/20000.jar: more inside than is read") })
        #expect(inventory.notes.contains { $0.contains("bare.jar has no Maven coordinates") })
    }

    /// Waits a moment for a second one while it reads a file.
    private final class Crowd: Cataloger {
        let name = "crowd"
        let selectors: [FileSelector] = [.affixes("", ".large")]
        private let counts = Mutex<(now: Int, most: Int)>((0, 0))
        private let patience: Int

        init(milliseconds: Int) { patience = milliseconds }

        var most: Int { counts.withLock { $0.most } }

        func catalog(_ file: SourceFile, into catalog: inout Catalog) throws(ReadFault) {
            counts.withLock {
                $0.now += 1; $0.most = max($0.most, $0.now)
            }
            for _ in 0..<patience where most < 2 { usleep(1_000) }
            counts.withLock { $0.now -= 1 }
        }
    }

    @Test("however many threads there are, one large file is in memory")
    func largeFiles() throws {
        for (bytes, most, patience) in [(1 << 10, 2, 20_000), (17 << 20, 1, 100)] {
            let folder = try Folder()
            for name in ["a", "b", "c"] {
                let path = try folder.write("\(name).large", "")
                try #require(FileHandle(forWritingAtPath: path)).truncate(atOffset: UInt64(bytes))
            }
            let crowd = Crowd(milliseconds: patience)
            let result = try DirectoryScan(folder.path, catalogers: [crowd], threads: 3).run()
            #expect(result.files.count == 3)
            #expect(min(crowd.most, 2) == most)
        }
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

    @Test(
        "zstd: a layer of an image, a root file system, one that is cut off, one that is damaged, a bomb",
        .enabled(if: Tool.isInstalled("zstd"), "needs zstd"))
    func zstd() throws {
        let folder = try Folder()
        try python(
            """
            import hashlib, io, json, subprocess, sys, tarfile
            def tar(files):
                out = io.BytesIO()
                with tarfile.open(fileobj=out, mode="w") as t:
                    for name, data in files.items():
                        info = tarfile.TarInfo(name); info.size = len(data); t.addfile(info, io.BytesIO(data))
                return out.getvalue()
            def packed(data): return subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout
            lock = b'{"lockfileVersion": 3, "packages": {"node_modules/a": {"version": "1.0.0"}}}'
            # Noise, so that frames have several blocks and pieces.
            noise = b"".join(hashlib.sha256(str(i).encode()).digest() for i in range(40000))
            layer = packed(tar({"noise": noise, "zeros": b"\\0" * (3 << 20), "app/package-lock.json": lock}))
            def blob(data): return "sha256:" + hashlib.sha256(data).hexdigest()
            def path(digest): return "blobs/" + digest.replace(":", "/")
            manifest = json.dumps({"layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+zstd", "digest": blob(layer)}]}).encode()
            base = sys.argv[1]
            open(base + "/oci.tar", "wb").write(tar({"oci-layout": b"{}", "index.json": json.dumps({"manifests": [{"digest": blob(manifest)}]}).encode(), path(blob(manifest)): manifest, path(blob(layer)): layer}))
            open(base + "/root.tar.zst", "wb").write(layer)
            open(base + "/cut.tar.zst", "wb").write(layer[:len(layer) // 2])
            open(base + "/bad.tar.zst", "wb").write(layer[:4] + b"\\xff" * 4096)
            open(base + "/bomb.tar.zst", "wb").write(packed(tar({"package-lock.json": b" " * (64 << 20)})))
            """, [folder.path]
        )
        for name in ["oci.tar", "root.tar.zst"] {
            let inventory = Inventory([try Scanner.scan(folder.path + "/" + name)])
            #expect(inventory.components.map(\.package.purl) == ["pkg:npm/a@1.0.0"], "\(name)")
            #expect(inventory.faults.isEmpty)
        }
        let cut = Inventory([try Scanner.scan(folder.path + "/cut.tar.zst")])
        #expect(cut.faults.contains { $0.contains("cut off") })
        #expect(throws: ReadFault.self) { try Scanner.scan(folder.path + "/bad.tar.zst") }
        #expect(throws: ReadFault.self) {
            try Scanner.scan(folder.path + "/bomb.tar.zst", limits: ScanLimits(unpackedBytesMax: 32 << 20))
        }
    }

    @Test("the seeds that are no text are read before they are broken")
    func seeds() throws {
        func purls(_ path: String) throws -> [String] {
            let seed = try #require(CatalogerBody.seeds.first { $0.0 == path })
            var catalog = Catalog()
            let cataloger = try #require(
                Catalogers.all.first { path == "program" ? $0.name == "go-program" : $0.reads(path) })
            try cataloger.catalog(SourceFile(path: path, bytes: seed.1), into: &catalog)
            return catalog.packages.map(\.purl)
        }
        #expect(try purls("app.jar") == ["pkg:maven/g/a@1", "pkg:maven/g/b@2"])
        #expect(
            try purls("var/lib/rpm/rpmdb.sqlite") == [
                "pkg:rpm/bash@5.1-2.el9?arch=x86_64&epoch=1&upstream=bash-5.1-2.el9.src.rpm"
            ])
        #expect(
            try purls("program") == [
                "pkg:golang/stdlib@1.22.1", "pkg:golang/example.org/m@v1.0.0", "pkg:golang/example.org/e@v1.2.4",
            ])
        let image = try #require(CatalogerBody.seeds.first { $0.0 == "image.tar" })
        #expect(CatalogerBody.run(image.0, image.1) == nil)
        let folder = try Folder()
        let file = try folder.write(image.0, image.1)
        #expect(
            try Scanner.scan(file).files.map(\.path) == [
                "b/package-lock.json", String(repeating: "d/", count: 60) + "package-lock.json", "package-lock.json",
            ])
    }

    @Test("every parser on broken input: an answer or a fault, never a trap", arguments: CatalogerBody.seeds.indices)
    func fuzz(_ index: Int) throws {
        let (path, seed) = CatalogerBody.seeds[index]
        let isDeep = ProcessInfo.processInfo.environment["IRONPOST_DEEP"] != nil
        var state = UInt64(index + 1)
        func next(_ count: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(max(count, 1)))
        }
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
            #expect(CatalogerBody.run(path, bytes) == nil)
        }
    }
}
