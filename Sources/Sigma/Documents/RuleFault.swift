/// What is wrong with a rule, where, and whether the rule still runs.
///
/// A fault that is not a warning means that the document was left out; no other document is affected by it.
public struct RuleFault: Error, Hashable, Sendable, CustomStringConvertible {
    public var file: String
    /// Counted from 1; 0 when the fault is about the file as a whole.
    public var line: Int
    /// The rule's title, else its id, else empty.
    public var rule: String
    public var message: String
    /// The rule was loaded all the same.
    public var isWarning: Bool

    public init(file: String, line: Int, rule: String = "", message: String, isWarning: Bool = false) {
        self.file = file
        self.line = line
        self.rule = rule
        self.message = message
        self.isWarning = isWarning
    }

    /// `file:line: error: message (rule)`, as compilers write it.
    public var description: String {
        let place = line > 0 ? "\(file):\(line)" : file
        let about = rule.isEmpty ? "" : " (\(rule))"
        return "\(place): \(isWarning ? "warning" : "error"): \(message)\(about)"
    }
}

/// A fault inside one document, before it is known which file and rule it belongs to.
struct DocumentFault: Error {
    var line: Int
    var message: String

    init(_ line: Int, _ message: String) {
        self.line = line
        self.message = message
    }
}
