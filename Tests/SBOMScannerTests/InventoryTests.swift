import SBOMScanner
import Testing

/// What several files say, as one list.
struct InventoryTests {
    private func scan(_ files: [(path: String, text: String)]) throws -> Inventory {
        let folder = try Folder()
        for file in files { try folder.write(file.path, file.text) }
        return Inventory([try DirectoryScan(folder.path).run()])
    }

    private func cargo(_ packages: [(name: String, needs: [String])]) -> String {
        packages.map { name, needs in
            let list = needs.map { "\"\($0)\"" }.joined(separator: ", ")
            return "[[package]]\nname = \"\(name)\"\nversion = \"1\"\nsource = \"s\"\ndependencies = [\(list)]\n"
        }.joined()
    }

    @Test("in the order of package URLs, whatever the order of the files; what needs what is kept")
    func order() throws {
        // Alike in their first letters, of other lengths, before and after those of other ecosystems.
        let names = ["z", "a-name-that-is-long-b", "a-name-that-is-long-a", "a", "a-name-that-is-long", "ab", "é"]
        let text = cargo(names.enumerated().map { place, name in (name, place > 0 ? [names[place - 1]] : []) })
        let inventory = try scan([
            ("b/Cargo.lock", text), ("a/Cargo.lock", cargo([("b", [])])),
            ("c/package-lock.json", #"{"lockfileVersion": 3, "packages": {"node_modules/a": {"version": "1"}}}"#),
        ])
        let purls = inventory.components.map(\.package.purl)
        #expect(purls == purls.sorted())
        #expect(purls.count == names.count + 2)
        for (place, name) in names.enumerated() {
            let component = try #require(
                inventory.components.first { $0.package.name == name && $0.package.ecosystem == .cargo })
            let needs = component.needs.map { inventory.components[$0].package.name }
            #expect(needs == (place > 0 ? [names[place - 1]] : []))
        }
    }

    @Test("a package that two files name is one, and everything that either says is known of it")
    func together() throws {
        let hash = String(repeating: "ab", count: 32)
        let inventory = try scan([
            (
                "a/package-lock.json",
                #"{"lockfileVersion": 3, "packages": {"": {}, "node_modules/x": {"version": "1.0.0", "dev": true, "license": "MIT"}}}"#
            ),
            (
                "b/package-lock.json",
                #"{"lockfileVersion": 3, "packages": {"": {"dependencies": {"x": "1"}}, "node_modules/x": {"version": "1.0.0"}}}"#
            ),
            ("c/Cargo.lock", "[[package]]\nname = \"x\"\nversion = \"1\"\nsource = \"s\"\n"),
            ("d/Cargo.lock", "[[package]]\nname = \"x\"\nversion = \"1\"\nsource = \"s\"\nchecksum = \"\(hash)\"\n"),
        ])
        #expect(inventory.components.map(\.package.purl) == ["pkg:cargo/x@1", "pkg:npm/x@1.0.0"])
        let (cargo, npm) = (inventory.components[0], inventory.components[1])
        #expect(cargo.package.hashes.map(\.value) == [hash])
        #expect(npm.package.scope == .required && npm.package.license == "MIT" && npm.isDirect)
        #expect(npm.files.count == 2 && npm.files == npm.files.sorted())
    }
}
