internal import IronpostCore

/// CycloneDX 1.6 and 1.7 in JSON.
package enum CycloneDX {
    package enum Version: String, Sendable, CaseIterable {
        case release6 = "1.6"
        case release7 = "1.7"
    }

    /// Vulnerabilities come along when `findings` are given.
    package static func document(
        _ inventory: Inventory, version: Version = .release6, findings: [Finding] = [], context: DocumentContext
    ) -> [UInt8] {
        joined(pieces(inventory, version: version, findings: findings, context: context))
    }

    /// The document, piece after piece: a large one is not copied once more.
    package static func pieces(
        _ inventory: Inventory, version: Version = .release6, findings: [Finding] = [], context: DocumentContext
    ) -> [[UInt8]] {
        var writer = JSONWriter(expecting: inventory.components.count, of: 2000)
        let components = inventory.components
        var serialPlace = 0
        writer.object { document in
            document.field("$schema", "http://cyclonedx.org/schema/bom-\(version.rawValue).schema.json")
            document.field("bomFormat", "CycloneDX")
            document.field("specVersion", version.rawValue)
            document.field("serialNumber", "urn:uuid:" + DocumentContext.noIdentity)
            serialPlace = document.bytes.count - 1 - DocumentContext.noIdentity.utf8.count
            document.field("version", 1)
            document.object("metadata") { metadata in
                if let date = context.sourceDate { metadata.field("timestamp", String(date.rfc3339.prefix(19)) + "Z") }
                metadata.object("tools") { tools in
                    tools.array("components") { list in
                        list.object { tool in
                            tool.field("type", "application")
                            tool.field("name", DocumentContext.toolName)
                            tool.field("version", context.toolVersion)
                        }
                    }
                }
                metadata.object("component") { component in
                    component.field("type", "application")
                    component.field("bom-ref", rootReference)
                    component.field("name", DocumentContext.subject(inventory))
                }
            }
            document.array("components") { list in
                list.elements(components, threads: context.threads) { _, component, list in
                    list.object { write(component, &$0) }
                }
            }
            document.array("dependencies") { list in
                list.object { root in
                    root.field("ref", rootReference)
                    root.array("dependsOn") { list in
                        for place in components.indices where components[place].isDirect {
                            list.element(components[place].package.purl)
                        }
                    }
                }
                list.elements(components, threads: context.threads) { _, component, list in
                    list.object { dependencies(component, of: components, &$0) }
                }
            }
            if !findings.isEmpty {
                document.array("vulnerabilities") { list in
                    for finding in findings { list.object { write(finding, &$0) } }
                }
            }
        }
        var pieces = writer.finishPieces()
        DocumentContext.identify(&pieces, at: serialPlace, threads: context.threads)
        return pieces
    }

    private static let rootReference = "ironpost:root"

    private static func dependencies(
        _ component: Inventory.Component, of components: [Inventory.Component], _ entry: inout JSONWriter
    ) {
        entry.field("ref", component.package.purl)
        guard !component.needs.isEmpty else { return }
        entry.array("dependsOn") { list in
            for need in component.needs { list.element(components[need].package.purl) }
        }
    }

    private static func write(_ component: Inventory.Component, _ writer: inout JSONWriter) {
        write(component.package, &writer)
        writer.object("evidence") { evidence in
            evidence.array("occurrences") { list in
                for file in component.files { list.object { $0.field("location", file) } }
            }
        }
    }

    private static func write(_ package: Package, _ writer: inout JSONWriter) {
        let (group, name) = split(package)
        writer.field("type", "library")
        writer.field("bom-ref", package.purl)
        if let group { writer.field("group", group) }
        writer.field("name", name)
        writer.field("version", package.version)
        switch package.scope {
        case .required: writer.field("scope", "required")
        case .optional: writer.field("scope", "optional")
        // Only needed to build and test.
        case .development: writer.field("scope", "excluded")
        }
        if !package.hashes.isEmpty {
            writer.array("hashes") { list in
                for hash in package.hashes {
                    list.object { entry in
                        entry.field("alg", hash.algorithm)
                        entry.field("content", hash.value)
                    }
                }
            }
        }
        if let license = package.license {
            writer.array("licenses") { list in
                list.object { entry in
                    entry.object("license") { $0.field(LicenseIdentifier.isKnown(license) ? "id" : "name", license) }
                }
            }
        }
        writer.field("purl", package.purl)
        writer.array("properties") { list in
            func property(_ name: String, _ value: String) {
                list.object { entry in
                    entry.field("name", name)
                    entry.field("value", value)
                }
            }
            property("ironpost:state", package.state.rawValue)
            if package.isLocal { property("ironpost:local", "true") }
            if let alias = package.alias { property("ironpost:alias", alias) }
            if let source = package.source, source.name != package.name { property("ironpost:source", source.name) }
        }
    }

    /// npm scopes, Maven groups and vendors stand apart.
    private static func split(_ package: Package) -> (group: String?, name: String) {
        let separator: UInt8
        switch package.ecosystem {
        case .npm, .composer: separator = 0x2F
        case .maven: separator = 0x3A
        default: return (nil, package.name)
        }
        guard let place = package.name.utf8.firstIndex(of: separator) else { return (nil, package.name) }
        return (String(package.name[..<place]), String(package.name[package.name.index(after: place)...]))
    }

    private static func write(_ finding: Finding, _ writer: inout JSONWriter) {
        let advisory = finding.advisory
        writer.field("bom-ref", "\(advisory.id)/\(finding.package.purl)")
        writer.field("id", advisory.id)
        writer.object("source") { source in
            source.field("name", "OSV")
            source.field("url", advisory.url)
        }
        if !advisory.aliases.isEmpty {
            writer.array("references") { list in
                for alias in advisory.aliases {
                    list.object { reference in
                        reference.field("id", alias)
                        reference.object("source") { $0.field("name", "OSV") }
                    }
                }
            }
        }
        writer.array("ratings") { list in
            list.object { rating in
                if let score = advisory.score { rating.field("score", score) }
                rating.field("severity", finding.severityWord)
                if let vector = advisory.vector {
                    rating.field("method", method(vector))
                    rating.field("vector", vector)
                }
            }
        }
        if !advisory.summary.isEmpty { writer.field("description", advisory.summary) }
        if let fixed = finding.fixedVersion { writer.field("recommendation", "Upgrade to \(fixed) or later.") }
        writer.array("affects") { list in list.object { $0.field("ref", finding.package.purl) } }
        if let suppression = finding.suppression {
            writer.object("analysis") { analysis in
                analysis.field("state", suppression.status == "fixed" ? "resolved" : "not_affected")
                analysis.field("detail", suppression.reason)
            }
        }
    }

    private static func method(_ vector: String) -> String {
        if vector.hasPrefix("CVSS:4") { return "CVSSv4" }
        if vector.hasPrefix("CVSS:3.1") { return "CVSSv31" }
        return vector.hasPrefix("CVSS:3") ? "CVSSv3" : "CVSSv2"
    }
}
