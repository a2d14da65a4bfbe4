/// SPDX 2.3 in JSON.
package enum SPDX {
    package static func document(_ inventory: Inventory, context: DocumentContext) -> [UInt8] {
        joined(pieces(inventory, context: context))
    }

    /// The document, piece after piece: a large one is not copied once more.
    package static func pieces(_ inventory: Inventory, context: DocumentContext) -> [[UInt8]] {
        let subject = DocumentContext.subject(inventory)
        let references = inventory.components.map { reference($0.package) }
        var writer = JSONWriter(expecting: inventory.components.count, of: 3000)
        var identityPlace = 0
        writer.object { document in
            document.field("spdxVersion", "SPDX-2.3")
            document.field("dataLicense", "CC0-1.0")
            document.field("SPDXID", documentID)
            document.field("name", subject)
            document.field(
                "documentNamespace", "https://spdx.org/spdxdocs/\(plain(subject))-\(DocumentContext.noIdentity)")
            identityPlace = document.bytes.count - 1 - DocumentContext.noIdentity.utf8.count
            document.object("creationInfo") { info in
                info.field("created", context.created(inventory))
                info.array("creators", of: ["Tool: \(DocumentContext.toolName)-\(context.toolVersion)"])
            }
            document.array("packages") { list in
                list.object { entry in
                    entry.field("SPDXID", root)
                    entry.field("name", subject)
                    common(&entry, declared: nil)
                    entry.field("primaryPackagePurpose", "APPLICATION")
                }
                list.elements(inventory.components, threads: context.threads) { place, component, list in
                    list.object { write(component, references[place], &$0) }
                }
            }
            document.array("relationships") { list in
                relationship(documentID, "DESCRIBES", root, &list)
                for (place, component) in inventory.components.enumerated() {
                    relationship(root, component.isDirect ? "DEPENDS_ON" : "CONTAINS", references[place], &list)
                }
                for (place, component) in inventory.components.enumerated() {
                    for need in component.needs {
                        relationship(references[place], "DEPENDS_ON", references[need], &list)
                    }
                }
            }
        }
        var pieces = writer.finishPieces()
        DocumentContext.identify(&pieces, at: identityPlace, threads: context.threads)
        return pieces
    }

    private static let root = "SPDXRef-Root"
    private static let documentID = "SPDXRef-DOCUMENT"

    private static func write(_ component: Inventory.Component, _ reference: String, _ writer: inout JSONWriter) {
        let package = component.package
        writer.field("SPDXID", reference)
        writer.field("name", package.name)
        writer.field("versionInfo", package.version)
        common(&writer, declared: package.license)
        if !package.hashes.isEmpty {
            writer.array("checksums") { list in
                for hash in package.hashes {
                    list.object { entry in
                        entry.field("algorithm", hash.algorithm.filter { $0 != "-" })
                        entry.field("checksumValue", hash.value)
                    }
                }
            }
        }
        writer.field("sourceInfo", "found in: " + component.files.joined(separator: ", "))
        writer.array("externalRefs") { list in
            list.object { entry in
                entry.field("referenceCategory", "PACKAGE-MANAGER")
                entry.field("referenceType", "purl")
                entry.field("referenceLocator", package.purl)
            }
        }
    }

    private static func common(_ writer: inout JSONWriter, declared: String?) {
        writer.field("downloadLocation", "NOASSERTION")
        writer.field("filesAnalyzed", false)
        writer.field("licenseConcluded", "NOASSERTION")
        let isKnown = declared.map(LicenseIdentifier.isKnown) ?? false
        writer.field("licenseDeclared", isKnown ? declared ?? "NOASSERTION" : "NOASSERTION")
        if let declared, !isKnown { writer.field("licenseComments", declared) }
        writer.field("copyrightText", "NOASSERTION")
    }

    private static func relationship(_ from: String, _ type: String, _ to: String, _ list: inout JSONWriter) {
        list.object { entry in
            entry.field("spdxElementId", from)
            entry.field("relationshipType", type)
            entry.field("relatedSpdxElement", to)
        }
    }

    /// Letters, digits, dots and hyphens only; what that loses, the digest keeps apart.
    private static func reference(_ package: Package) -> String {
        "SPDXRef-Package-\(package.ecosystem.rawValue)-\(plain(String(package.name.prefix(80))))-"
            + DocumentContext.digest(package.purl)
    }

    private static func plain(_ text: String) -> String {
        String(decoding: text.utf8.map { $0.isDigit || $0.isLetter || $0 == 0x2E ? $0 : 0x2D }, as: UTF8.self)
    }
}
