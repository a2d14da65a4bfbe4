import Foundation
import IronpostCore
import SBOMScanner
import Testing

/// The field's own validators, from PyPI, in `.build/venv` (`make test-deps`).
enum Validators {
    static let python = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent(".build/venv/bin/python3").path

    static let arePresent: Bool =
        Tool.isInstalled(python) && (try? Tool.run(python, ["-c", "import cyclonedx, jsonschema, spdx_tools"])) != nil

    /// Validates files by kind; prints what is wrong.
    private static let program = """
        import json, sys
        from cyclonedx.schema import SchemaVersion
        from cyclonedx.validation.json import JsonStrictValidator
        import jsonschema
        schemas, kind, path = sys.argv[1:]
        text = open(path).read()
        def schema(name): return json.load(open(schemas + "/" + name))
        if kind.startswith("cyclonedx"):
            version = SchemaVersion.V1_6 if kind.endswith("6") else SchemaVersion.V1_7
            error = JsonStrictValidator(version).validate_str(text)
            if error: print(str(error)[:2000])
        elif kind == "spdx":
            jsonschema.validate(json.loads(text), schema("spdx-2.3.schema.json"))
            from spdx_tools.spdx.parser.parse_anything import parse_file
            from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
            for message in validate_full_spdx_document(parse_file(path))[:5]: print(message.validation_message, message.context)
        elif kind == "sarif": jsonschema.validate(json.loads(text), schema("sarif-2.1.0.schema.json"))
        elif kind == "openvex": jsonschema.validate(json.loads(text), schema("openvex-0.2.0.schema.json"))
        """

    static func complaints(_ kind: String, _ document: [UInt8]) throws -> String {
        let folder = try Folder()
        let file = try folder.write("document.\(kind == "spdx" ? "spdx." : "")json", document)
        return try Tool.run(python, ["-c", program, Corpus.root.appendingPathComponent("schemas").path, kind, file])
    }
}

@Suite(.enabled(if: Corpus.isPresent, Corpus.absence))
struct DocumentTests {
    private static let context = DocumentContext(toolVersion: "1.2.3", sourceDate: Timestamp(seconds: 1_700_000_000))

    /// Everything that is hard to write: scopes, groups, hashes, licences, a distribution, hostile names.
    private func inventory() throws -> Inventory {
        let folder = try Folder()
        try folder.write(
            "hostile/package-lock.json",
            #"""
            {"lockfileVersion": 3, "packages": {"": {}, "node_modules/a_b": {"version": "1.0.0", "license": "MIT"},
            "node_modules/a-b": {"version": "1.0.0", "license": "SEE LICENSE IN x"}, "node_modules/@a/b": {"version": "1.0.0", "optional": true},
            "node_modules/\u0001\u202e\"é": {"version": "1.0 \\\"<>"}, "node_modules/日本": {"version": "1.0.0+b"}}}
            """#
        )
        try folder.write(
            "var/lib/dpkg/status",
            "Package: libc6\nStatus: install ok installed\nVersion: 1:2.0+b1\nArchitecture: amd64\n\n")
        try folder.write("etc/os-release", "ID=debian\nVERSION_ID=12\n")
        return Inventory([try Scanner.scan(Corpus.lockfiles), try Scanner.scan(folder.path)])
    }

    @Test(
        "documents satisfy the official schemas and validators",
        .enabled(if: Validators.arePresent, "needs .build/venv (make test-deps)"))
    func valid() throws {
        let inventory = try inventory()
        let empty = Inventory([])
        let findings = try findings(inventory)
        #expect(findings.count > 5)
        for inventory in [inventory, empty] {
            for (version, kind) in [(CycloneDX.Version.release6, "cyclonedx6"), (.release7, "cyclonedx7")] {
                let document = CycloneDX.document(
                    inventory, version: version, findings: inventory.components.isEmpty ? [] : findings,
                    context: Self.context)
                #expect(try Validators.complaints(kind, document) == "", "\(kind)")
                let undated = CycloneDX.document(
                    inventory, version: version, context: DocumentContext(toolVersion: "1"))
                #expect(try Validators.complaints(kind, undated) == "", "\(kind)")
            }
            #expect(try Validators.complaints("spdx", SPDX.document(inventory, context: Self.context)) == "")
        }
        #expect(try Validators.complaints("sarif", SARIF.document(findings, context: Self.context)) == "")
        #expect(
            try Validators.complaints("openvex", OpenVEX.document(findings, inventory, context: Self.context)) == "")
    }

    private func findings(_ inventory: Inventory) throws -> [Finding] {
        let folder = try Folder()
        let sources = [Corpus.unpacked("osv/go-vulndb.tar.xz"), Corpus.unpacked("osv/rustsec-osv.tar.xz")]
        _ = try VulnerabilityDatabase(folder.path).add(sources, now: 1)
        var findings = Matcher.findings(inventory, try VulnerabilityIndex(folder.path))
        if !findings.isEmpty {
            findings[0].suppression = Finding.Suppression(status: "not_affected", reason: "component_not_present")
        }
        if findings.count > 1 { findings[1].suppression = Finding.Suppression(status: "fixed", reason: "") }
        return findings
    }

    @Test("two runs, the same bytes; components are the inventory's; references lead somewhere")
    func reproducible() throws {
        let inventory = try inventory()
        for version in CycloneDX.Version.allCases {
            let document = CycloneDX.document(inventory, version: version, context: Self.context)
            #expect(document == CycloneDX.document(inventory, version: version, context: Self.context))
            let root = try #require(try JSONSerialization.jsonObject(with: Data(document)) as? [String: Any])
            let components = try #require(root["components"] as? [[String: Any]])
            #expect(components.count == inventory.components.count)
            let references = Set(components.compactMap { $0["bom-ref"] as? String })
            #expect(references.count == components.count)
            // Each in a line of its own, which a search or a comparison of two documents shows whole.
            let lines = try #require(String(bytes: document, encoding: .utf8)).split(separator: "\n")
            #expect(lines.count { $0.hasPrefix("    {\"type\": \"library\", ") } == components.count)
            for dependency in root["dependencies"] as? [[String: Any]] ?? [] {
                for target in dependency["dependsOn"] as? [String] ?? [] { #expect(references.contains(target)) }
            }
            #expect((root["serialNumber"] as? String)?.dropFirst(9).dropFirst(14).first == "5")
        }
        let spdx = SPDX.document(inventory, context: Self.context)
        #expect(spdx == SPDX.document(inventory, context: Self.context))
        let root = try #require(try JSONSerialization.jsonObject(with: Data(spdx)) as? [String: Any])
        let packages = try #require(root["packages"] as? [[String: Any]])
        #expect(Set(packages.compactMap { $0["SPDXID"] as? String }).count == inventory.components.count + 1)
    }
}

/// The specification's own cases.
@Suite(.enabled(if: Corpus.isPresent, Corpus.absence))
struct PackageURLTests {
    struct Case {
        var file: String
        var type: String
        var description: String
        var input: Any?
        var output: Any?
        var fails: Bool
    }

    private func cases() throws -> [Case] {
        let directory = Corpus.root.appendingPathComponent("purl/tests")
        var cases: [Case] = []
        let files = try #require(FileManager.default.enumerator(atPath: directory.path))
        for case let file as String in files where file.hasSuffix(".json") {
            let root =
                try JSONSerialization.jsonObject(with: Data(contentsOf: directory.appendingPathComponent(file)))
                as? [String: Any]
            for test in root?["tests"] as? [[String: Any]] ?? [] where test["test_group"] as? String == "required" {
                cases.append(
                    Case(
                        file: file, type: test["test_type"] as? String ?? "",
                        description: test["description"] as? String ?? "",
                        input: test["input"], output: test["expected_output"],
                        fails: test["expected_failure"] as? Bool ?? false
                    )
                )
            }
        }
        return cases
    }

    private func parts(_ url: PackageURL) -> [String: AnyHashable] {
        var parts: [String: AnyHashable] = ["type": url.type, "name": url.name]
        if !url.namespace.isEmpty { parts["namespace"] = url.namespace.joined(separator: "/") }
        parts["version"] = url.version
        if !url.qualifiers.isEmpty {
            parts["qualifiers"] = Dictionary(uniqueKeysWithValues: url.qualifiers.map { ($0.key, $0.value) })
        }
        if !url.subpath.isEmpty { parts["subpath"] = url.subpath.joined(separator: "/") }
        return parts
    }

    private func parts(_ any: Any?) -> [String: AnyHashable] {
        var parts: [String: AnyHashable] = [:]
        for (key, value) in any as? [String: Any] ?? [:] {
            if let text = value as? String, !text.isEmpty { parts[key] = text }
            if let map = value as? [String: String], !map.isEmpty { parts[key] = map }
        }
        return parts
    }

    private func run(_ test: Case) throws(PackageURL.Fault) -> (AnyHashable, AnyHashable) {
        switch test.type {
        case "parse":
            return (AnyHashable(parts(try PackageURL(test.input as? String ?? ""))), AnyHashable(parts(test.output)))
        case "build":
            let input = parts(test.input)
            let url = try PackageURL(
                type: input["type"] as? String ?? "",
                namespace: (input["namespace"] as? String ?? "").components(separatedBy: "/"),
                name: input["name"] as? String ?? "", version: input["version"] as? String,
                qualifiers: (input["qualifiers"] as? [String: String] ?? [:]).map {
                    PackageURL.Qualifier($0.key, $0.value)
                },
                subpath: (input["subpath"] as? String ?? "").components(separatedBy: "/")
            )
            return (url.description, test.output as? String ?? "")
        default: return (try PackageURL(test.input as? String ?? "").description, test.output as? String ?? "")
        }
    }

    @Test("all required cases of purl-spec")
    func required() throws {
        var passed = 0
        var wrong: [String] = []
        for test in try cases() {
            let name = "\(test.file) \(test.type): \(test.description) \(test.input ?? "")"
            do {
                let (own, expected) = try run(test)
                if test.fails {
                    wrong.append("\(name): should fail, gave \(own)")
                } else if own != expected {
                    wrong.append("\(name): \(own), not \(expected)")
                } else {
                    passed += 1
                }
            } catch {
                if test.fails { passed += 1 } else { wrong.append("\(name): \(error)") }
            }
        }
        #expect(wrong.isEmpty, "\(wrong.count) wrong, \(passed) right:\n\(wrong.prefix(80).joined(separator: "\n"))")
        #expect(passed > 500)
    }
}
