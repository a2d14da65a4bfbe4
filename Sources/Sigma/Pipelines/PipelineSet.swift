/// The pipelines that rules go through before they are compiled: by priority, then in the order given.
public struct PipelineSet {
    private let pipelines: [Pipeline]
    /// Files that are no pipelines, and warnings of others. A faulty one is left out as a whole.
    public let faults: [RuleFault]

    public var isEmpty: Bool { pipelines.isEmpty }

    /// - Parameter refusal: asked of every file before it is read; what it says is the fault with which it is left out.
    public static func load(
        paths: [String], refusal: (_ path: String) -> String? = { _ in nil }
    ) -> PipelineSet {
        var pipelines: [Pipeline] = []
        var faults: [RuleFault] = []
        for path in paths {
            if let reason = refusal(path) {
                faults.append(RuleFault(file: path, line: 0, message: reason))
                continue
            }
            guard let text = RuleLoader.read(path, faults: &faults) else { continue }
            do throws(DocumentFault) {
                let parts = RuleLoader.split(text)
                guard parts.count < 2 else {
                    throw DocumentFault(parts[1].line, "a pipeline is one document; this is a second one")
                }
                guard let part = parts.first, let yaml = try YAMLNode.parse(part.text, firstLine: part.line) else {
                    throw DocumentFault(0, "there is nothing in it")
                }
                pipelines.append(
                    try Pipeline(file: path, yaml: yaml) { line, message in
                        faults.append(RuleFault(file: path, line: line, message: message, isWarning: true))
                    }
                )
            } catch {
                faults.append(RuleFault(file: path, line: error.line, message: error.message))
            }
        }
        return PipelineSet(pipelines: inOrder(pipelines), faults: faults)
    }

    private static func inOrder(_ pipelines: [Pipeline]) -> [Pipeline] {
        pipelines.enumerated().sorted { left, right in
            (left.element.priority, left.offset) < (right.element.priority, right.offset)
        }.map(\.element)
    }

    /// Takes every rule through the pipelines. A rule that a pipeline refuses, or cannot change as it should, is left
    /// out with a fault.
    ///
    /// - Parameter placeholders: values for placeholders that no pipeline has values of its own for.
    public func apply(to load: RuleLoad, placeholders: [String: [String]] = [:]) -> RuleLoad {
        var result = load
        result.faults += faults
        guard !pipelines.isEmpty else { return result }
        var variables = placeholders
        for pipeline in pipelines { variables.merge(pipeline.variables) { $1 } }
        var sources: [String: [LogSource]] = [:]
        var changed: [RuleDocument?] = Array(repeating: nil, count: load.documents.count)
        // Rules before the correlations that are about them: those are asked for the log sources of these.
        let isRule = load.documents.map { $0.correlation == nil }
        for number in load.documents.indices.filter({ isRule[$0] }) + load.documents.indices.filter({ !isRule[$0] }) {
            let document = load.documents[number]
            var run = PipelineRun(
                document, variables: variables,
                sources: document.correlation?.rules.flatMap { sources[$0.text] ?? [] } ?? []
            )
            do throws(DocumentFault) {
                for pipeline in pipelines { try run.apply(pipeline) }
                changed[number] = run.document
                for name in [document.id, document.name].compactMap({ $0 }) {
                    sources[name, default: []].append(run.document.logSource)
                }
            } catch {
                result.faults.append(
                    RuleFault(
                        file: document.file, line: error.line > 0 ? error.line : document.line, rule: document.label,
                        message: error.message
                    )
                )
            }
        }
        result.documents = changed.compactMap { $0 }
        return result
    }
}
