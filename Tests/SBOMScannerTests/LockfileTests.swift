import Foundation
import IronpostCore
import SBOMScanner
import Testing

/// Real lockfiles, counted by other means.
@Suite(.enabled(if: Corpus.isPresent, Corpus.absence))
struct LockfileTests {
    private func scan(_ file: String) throws -> Inventory {
        Inventory([try Scanner.scan(Corpus.lockfiles + "/" + file)])
    }

    private func text(_ file: String) throws -> String {
        try String(contentsOfFile: Corpus.lockfiles + "/" + file, encoding: .utf8)
    }

    @Test func cargo() throws {
        let entries = try text("nushell/Cargo.lock").components(separatedBy: "[[package]]").count - 1
        #expect(try scan("nushell/Cargo.lock").components.count == entries)
    }

    @Test func uv() throws {
        let entries = try text("saleor/uv.lock").components(separatedBy: "[[package]]").count - 1
        #expect(try scan("saleor/uv.lock").components.count == entries)
    }

    @Test func npm() throws {
        let document =
            try JSONSerialization.jsonObject(with: Data(text("saleor/package-lock.json").utf8)) as? [String: Any]
        let packages = try #require(document?["packages"] as? [String: [String: Any]])
        var names: Set<String> = []
        for (path, entry) in packages where !path.isEmpty {
            let name = entry["name"] as? String ?? path.components(separatedBy: "node_modules/").last ?? ""
            if let version = entry["version"] as? String { names.insert("\(name)@\(version)") }
        }
        let found = try scan("saleor/package-lock.json").components.map { "\($0.package.name)@\($0.package.version)" }
        #expect(Set(found) == names)
        #expect(found.count == names.count)
    }

    @Test func pnpm() throws {
        var isInside = false
        var entries = 0
        for line in try text("prometheus/ui/pnpm-lock.yaml").components(separatedBy: "\n") {
            if !line.hasPrefix(" "), !line.isEmpty { isInside = line == "packages:" }
            if isInside, line.hasPrefix("  "), !line.hasPrefix("   ") { entries += 1 }
        }
        #expect(entries > 700)
        #expect(try scan("prometheus/ui/pnpm-lock.yaml").components.count == entries)
    }

    @Test func goModule() throws {
        var isInside = false
        var required: Set<Substring> = []
        for line in try text("prometheus/go.mod").split(separator: "\n") {
            if !line.hasPrefix("\t") { isInside = line == "require (" }
            if isInside, line.hasPrefix("\t") { required.insert(line) }
        }
        #expect(try scan("prometheus/go.mod").components.count == required.count)
    }

    @Test func gemfile() throws {
        let lines = try text("rubygems.org/Gemfile.lock").components(separatedBy: "\n")
        let entries = lines.filter { $0.hasPrefix("    ") && !$0.hasPrefix("     ") && $0.hasSuffix(")") }
        #expect(try scan("rubygems.org/Gemfile.lock").components.count == Set(entries).count)
    }

    @Test("a whole tree is the sum of its files, twice the same")
    func tree() throws {
        let first = Inventory([try Scanner.scan(Corpus.lockfiles)])
        let second = Inventory([try Scanner.scan(Corpus.lockfiles)])
        #expect(first.faults.isEmpty)
        #expect(first.filesRead == 6)
        let context = DocumentContext(toolVersion: "1")
        #expect(CycloneDX.document(first, context: context) == CycloneDX.document(second, context: context))
        #expect(SPDX.document(first, context: context) == SPDX.document(second, context: context))
    }
}
