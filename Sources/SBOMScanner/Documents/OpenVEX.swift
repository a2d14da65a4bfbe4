/// OpenVEX 0.2.0: a statement for each advisory that applies, or that somebody ruled out.
package enum OpenVEX {
    package static func document(_ findings: [Finding], _ inventory: Inventory, context: DocumentContext) -> [UInt8] {
        let body = write(findings, inventory, context, identity: "")
        return write(findings, inventory, context, identity: DocumentContext.identity(of: [body], threads: 1))
    }

    private static func write(
        _ findings: [Finding], _ inventory: Inventory, _ context: DocumentContext, identity: String
    ) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { document in
            document.field("@context", "https://openvex.dev/ns/v0.2.0")
            document.field("@id", "https://openvex.dev/docs/public/vex-\(identity)")
            document.field("author", "\(DocumentContext.toolName) \(context.toolVersion)")
            document.field("timestamp", context.created(inventory))
            document.field("version", 1)
            document.field("tooling", "\(DocumentContext.toolName) \(context.toolVersion)")
            document.array("statements") { list in
                for finding in findings { list.object { write(finding, &$0) } }
            }
        }
        return writer.finish()
    }

    private static let justifications: Set<String> = [
        "component_not_present", "vulnerable_code_not_present", "vulnerable_code_not_in_execute_path",
        "vulnerable_code_cannot_be_controlled_by_adversary", "inline_mitigations_already_exist",
    ]

    private static func write(_ finding: Finding, _ writer: inout JSONWriter) {
        writer.object("vulnerability") { vulnerability in
            vulnerability.field("@id", finding.advisory.url)
            vulnerability.field("name", finding.advisory.id)
            if !finding.advisory.aliases.isEmpty { vulnerability.array("aliases", of: finding.advisory.aliases) }
        }
        writer.array("products") { list in list.object { $0.field("@id", finding.package.purl) } }
        guard let suppression = finding.suppression else {
            writer.field("status", "affected")
            writer.field(
                "action_statement",
                finding.fixedVersion.map { "Upgrade \(finding.package.name) to \($0) or later." }
                    ?? "No fixed version is known; watch the advisory, or replace \(finding.package.name)."
            )
            return
        }
        writer.field("status", suppression.status)
        guard suppression.status == "not_affected" else { return }
        if justifications.contains(suppression.reason) {
            writer.field("justification", suppression.reason)
        } else {
            writer.field(
                "impact_statement", suppression.reason.isEmpty ? "ruled out without a reason" : suppression.reason)
        }
    }
}
