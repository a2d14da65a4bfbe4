import Hummingbird
import IronpostCore

/// Known vulnerabilities of packages.
extension Routes {
    static let findingsLimitDefault = 100

    func findings(_ call: Call) async throws -> Response {
        let query = FindingQuery(
            state: try call.query.one(
                "state", allowed: "one of " + FindingRecord.State.allCases.map(\.rawValue).joined(separator: ", ")
            ) { FindingRecord.State(rawValue: $0) },
            minimumSeverity: try call.query.one(
                "severity", allowed: "one of " + Severity.allCases.map(\.rawValue).joined(separator: ", ")
            ) { Severity(loose: $0) },
            limit: try limit(call, default: Self.findingsLimitDefault)
        )
        let page = try await blocking { [ports] in
            try ports.findings?.findings(query) ?? FindingPage(findings: [], total: 0)
        }
        return JSONBody.response(FindingListDocument(page))
    }
}
