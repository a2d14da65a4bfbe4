internal import IronpostCore

/// SARIF 2.1.0: findings as results of static analysis, for whoever shows those.
package enum SARIF {
    package static func document(_ findings: [Finding], context: DocumentContext) -> [UInt8] {
        var rules: [String: Int] = [:]
        var advisories: [Advisory] = []
        for finding in findings where rules[finding.advisory.id] == nil {
            rules[finding.advisory.id] = advisories.count
            advisories.append(finding.advisory)
        }
        var writer = JSONWriter()
        writer.object { document in
            document.field("$schema", "https://json.schemastore.org/sarif-2.1.0.json")
            document.field("version", "2.1.0")
            document.array("runs") { runs in
                runs.object { run in
                    run.object("tool") { tool in
                        tool.object("driver") { driver in
                            driver.field("name", DocumentContext.toolName)
                            driver.field("version", context.toolVersion)
                            driver.array("rules") { list in
                                for advisory in advisories { list.object { write(advisory, &$0) } }
                            }
                        }
                    }
                    run.array("results") { results in
                        for finding in findings {
                            results.object { write(finding, rules[finding.advisory.id] ?? 0, &$0) }
                        }
                    }
                }
            }
        }
        return writer.finish()
    }

    private static func write(_ advisory: Advisory, _ writer: inout JSONWriter) {
        writer.field("id", advisory.id)
        writer.object("shortDescription") {
            $0.field("text", advisory.summary.isEmpty ? advisory.id : advisory.summary)
        }
        writer.field("helpUri", advisory.url)
        writer.object("properties") { properties in
            properties.array("tags", of: ["security", "vulnerability"] + advisory.aliases)
            if let score = advisory.score { properties.field("security-severity", "\(score)") }
        }
    }

    private static func write(_ finding: Finding, _ rule: Int, _ writer: inout JSONWriter) {
        let package = finding.package
        writer.field("ruleId", finding.advisory.id)
        writer.field("ruleIndex", rule)
        writer.field("level", level(finding))
        writer.object("message") { message in
            let fixed = finding.fixedVersion.map { " Fixed in \($0)." } ?? ""
            let summary = finding.advisory.summary.isEmpty ? "" : ": \(finding.advisory.summary)"
            message.field("text", "\(package.name) \(package.version) has \(finding.advisory.id)\(summary).\(fixed)")
        }
        writer.array("locations") { list in
            for file in finding.files.prefix(1) {
                list.object { location in
                    location.object("physicalLocation") { physical in
                        physical.object("artifactLocation") { $0.field("uri", uri(file)) }
                        physical.object("region") { $0.field("startLine", 1) }
                    }
                }
            }
        }
        writer.object("partialFingerprints") { prints in
            prints.field("advisoryAndPackage/v1", DocumentContext.digest("\(finding.advisory.id) \(package.purl)"))
        }
        if let suppression = finding.suppression {
            writer.array("suppressions") { list in
                list.object { entry in
                    entry.field("kind", "external")
                    entry.field("justification", suppression.reason)
                }
            }
        }
    }

    private static func level(_ finding: Finding) -> String {
        switch finding.advisory.severity {
        case .critical, .high: "error"
        case .medium, nil: "warning"
        case .low, .info: "note"
        }
    }

    /// A path as a URI: relative ones stay so.
    private static func uri(_ path: String) -> String {
        let allowed = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/!$&'()*+,;=:@".utf8)
        var text = path.hasPrefix("/") ? Array("file://".utf8) : []
        for byte in path.utf8 {
            if allowed.contains(byte), byte != 0x3A || path.hasPrefix("/") {
                text.append(byte)
            } else {
                text.append(contentsOf: "%".utf8)
                text.append(contentsOf: Hexadecimal.encode([byte]).uppercased().utf8)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
