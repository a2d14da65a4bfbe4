import Foundation
import SBOMScanner
import Testing

/// A tree that is looked at again: nothing is read that did not change, and nothing that changed is missed.
struct RescanTests {
    private static func lock(_ version: String) -> String {
        #"{"lockfileVersion": 3, "packages": {"node_modules/a": {"version": "\#(version)"}}}"#
    }

    private func versions(_ scan: RootScan) -> [String] {
        scan.files.flatMap { $0.catalog.packages.map(\.version) }.sorted()
    }

    /// Looks until everything is old enough to be known by its times.
    private func settle(_ scan: DirectoryScan) throws -> RootScan {
        let end = ContinuousClock.now + .seconds(10)
        var result = try scan.run()
        while !result.isUnchanged, ContinuousClock.now < end { result = try scan.run() }
        #expect(result.isUnchanged)
        return result
    }

    @Test("what did not change is not read again; each way to change is seen")
    func changes() throws {
        let folder = try Folder()
        let first = try folder.write("a/deep/package-lock.json", Self.lock("1.0.0"))
        try folder.write("b/package-lock.json", Self.lock("2.0.0"))
        try folder.write("b/readme.txt", "nothing")
        let scan = DirectoryScan(folder.path)
        #expect(versions(try settle(scan)) == ["1.0.0", "2.0.0"])
        #expect(scan.filesRead == 0)

        func expect(_ what: String, _ expected: [String]) throws {
            let result = try scan.run()
            #expect(!result.isUnchanged, "\(what)")
            #expect(versions(result) == expected, "\(what)")
            #expect(versions(try settle(scan)) == expected, "\(what)")
        }
        // In place, as long as before, and with its time set back.
        let times = [
            FileAttributeKey.modificationDate: try FileManager.default.attributesOfItem(atPath: first)[
                .modificationDate] as Any
        ]
        let handle = try #require(FileHandle(forUpdatingAtPath: first))
        try handle.write(contentsOf: Data(Self.lock("1.0.1").utf8))
        try handle.close()
        try FileManager.default.setAttributes(times, ofItemAtPath: first)
        try expect("written in place", ["1.0.1", "2.0.0"])
        try folder.write("a/deep/deeper/package-lock.json", Self.lock("3.0.0"))
        try expect("a new folder", ["1.0.1", "2.0.0", "3.0.0"])
        try folder.write("b/new", Self.lock("2.0.1"))
        _ = try Tool.run("mv", [folder.path + "/b/new", folder.path + "/b/package-lock.json"])
        try expect("another file in its place", ["1.0.1", "2.0.1", "3.0.0"])
        _ = try Tool.run("cp", ["-a", folder.path + "/b", folder.path + "/c"])
        _ = try Tool.run("rm", ["-r", folder.path + "/b"])
        _ = try Tool.run("mv", [folder.path + "/c", folder.path + "/b"])
        try expect("another folder of the same name and times", ["1.0.1", "2.0.1", "3.0.0"])
        _ = try Tool.run("rm", [first])
        _ = try Tool.run("ln", ["-s", "deeper/package-lock.json", first])
        try expect("a link in its place", ["2.0.1", "3.0.0"])
        _ = try Tool.run("rm", ["-r", folder.path + "/a/deep"])
        try expect("a folder is gone", ["2.0.1"])
    }

    @Test("what is read beside a file counts as the file: changed, gone, back again")
    func neighbours() throws {
        let folder = try Folder()
        try folder.write("m/go.mod", "module a\ngo 1.16\nrequire b v1.0.0\n")
        let sums = try folder.write("m/go.sum", "c v1.0.0 h1:x=\n")
        let release = try folder.write("etc/os-release", "ID=debian\nVERSION_ID=12\n")
        try folder.write(
            "var/lib/dpkg/status", "Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n")
        let scan = DirectoryScan(folder.path)
        _ = try settle(scan)
        try folder.write("m/go.sum", "c v1.1.0 h1:x=\n")
        let changed = try scan.run()
        #expect(scan.filesRead == 1)
        #expect(versions(changed) == ["1", "v1.0.0", "v1.1.0"])
        #expect(versions(try settle(scan)) == ["1", "v1.0.0", "v1.1.0"])
        _ = try Tool.run("rm", [sums])
        #expect(versions(try scan.run()) == ["1", "v1.0.0"])
        #expect(versions(try settle(scan)) == ["1", "v1.0.0"])
        try folder.write("m/go.sum", "c v1.2.0 h1:x=\n")
        #expect(versions(try scan.run()) == ["1", "v1.0.0", "v1.2.0"])
        _ = try settle(scan)
        // The distribution is part of what a package is called.
        try "ID=debian\nVERSION_ID=13\n".write(toFile: release, atomically: false, encoding: .utf8)
        let upgraded = try scan.run()
        #expect(scan.filesRead == 1)
        #expect(
            upgraded.files.flatMap { $0.catalog.packages.map(\.purl) }.contains(
                "pkg:deb/debian/a@1?arch=all&distro=debian-13"))
    }

    @Test("several threads read and write the same as one")
    func threads() throws {
        let folder = try Folder()
        for file in 0..<40 {
            let packages = (0..<150).map { number in
                #""node_modules/p\#(file)-\#(number)": {"version": "1.0.\#(number)"}"#
            }
            try folder.write(
                "d\(file)/package-lock.json",
                #"{"lockfileVersion": 3, "packages": {\#(packages.joined(separator: ", "))}}"#)
        }
        let one = Inventory([try DirectoryScan(folder.path).run()])
        let several = Inventory([try DirectoryScan(folder.path, threads: 5).run()])
        #expect(one.components.count == 6000)
        let alone = DocumentContext(toolVersion: "1")
        let together = DocumentContext(toolVersion: "1", threads: 7)
        #expect(CycloneDX.document(one, context: alone) == CycloneDX.document(several, context: together))
        #expect(SPDX.document(one, context: alone) == SPDX.document(several, context: together))
        // Each piece of a document counts for what it is called.
        var names: Set<String> = []
        for file in ["d0", "d20", "d39"] {
            try folder.write("\(file)/package-lock.json", Self.lock("1.0.0"))
            let inventory = Inventory([try DirectoryScan(folder.path).run()])
            for document in [CycloneDX.document(inventory, context: alone), SPDX.document(inventory, context: alone)] {
                let root = try #require(try JSONSerialization.jsonObject(with: Data(document)) as? [String: Any])
                if let components = root["components"] as? [[String: Any]] {
                    #expect(components.compactMap { $0["purl"] as? String } == inventory.components.map(\.package.purl))
                }
                names.insert(try #require((root["serialNumber"] ?? root["documentNamespace"]) as? String))
            }
        }
        #expect(names.count == 6)
    }

    /// Kernels from 6.13 on tell times apart that were asked for in between; older ones do not.
    @Test("what changed within a tick before it was read is read again")
    func withinTick() throws {
        let folder = try Folder()
        try folder.write("package-lock.json", Self.lock("1.0.0"))
        let scan = DirectoryScan(folder.path, tick: 3600 * 1_000_000_000)
        for _ in 0..<3 {
            let result = try scan.run()
            #expect(!result.isUnchanged)
            #expect(scan.filesRead == 1)
            #expect(versions(result) == ["1.0.0"])
        }
    }

    /// The kernel's clock has ticks of some milliseconds: two changes within one have the same time.
    @Test("a file that changes again right after it was read is read again")
    func sameTick() throws {
        let folder = try Folder()
        let path = try folder.write("package-lock.json", Self.lock("1.0.0"))
        let scan = DirectoryScan(folder.path)
        let handle = try #require(FileHandle(forUpdatingAtPath: path))
        for number in 100..<400 {
            try handle.seek(toOffset: 0)
            try handle.write(contentsOf: Data(Self.lock("\(number).0").utf8))
            try #require(versions(try scan.run()) == ["\(number).0"])
            try #require(
                FileManager.default.createFile(
                    atPath: folder.path + "/yarn.lock", contents: Data("a@1:\n  version \"\(number).9\"\n".utf8)))
            try #require(versions(try scan.run()).contains("\(number).9"))
            try FileManager.default.removeItem(atPath: folder.path + "/yarn.lock")
        }
        try handle.close()
    }
}
