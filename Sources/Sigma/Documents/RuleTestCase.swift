/// What a rule file is expected to do, as written in the `.test.yml` file beside it.
///
///     format: syslog          # or clf, json, auditd, plain; syslog when left out
///     matches:                # each line alone makes the rule match
///         - Nov 23 01:22:37 web1 sshd[4321]: …
///     misses:                 # no line alone does; for correlations: not even as often as their condition asks for
///         - …
///     sequence:               # for correlations: these lines, in order, make it match this often
///         - count: 1          #   once when left out; 0 for never
///           lines: […]
public struct RuleTestCase: Sendable {
    /// The test file, and the rule file that it is about.
    public var file: String
    public var ruleFile: String
    public var format: String
    public var matches: [Line]
    public var misses: [Line]
    public var sequences: [Sequence]

    public struct Line: Sendable {
        public var text: String
        /// Where in the test file it is written.
        public var line: Int
    }

    public struct Sequence: Sendable {
        /// How many matches the lines give together.
        public var count: Int
        public var lines: [Line]
        public var line: Int
    }
}

/// What loading test files gave.
public struct RuleTests: Sendable {
    public var cases: [RuleTestCase] = []
    public var faults: [RuleFault] = []

    public init() {}

    /// Loads the `.test.yml` files below the same paths that rules are loaded from.
    public static func load(paths: [String]) -> RuleTests {
        var tests = RuleTests()
        let files = RuleLoader.findFiles(paths, faults: &tests.faults, where: RuleLoader.isTestFile)
        for file in files where RuleLoader.isTestFile(file) {
            guard let text = RuleLoader.read(file, faults: &tests.faults) else { continue }
            do throws(DocumentFault) {
                guard let yaml = try YAMLNode.parse(text, firstLine: 1) else { continue }
                tests.cases.append(try RuleTestCase(file: file, yaml: yaml))
            } catch {
                tests.faults.append(RuleFault(file: file, line: error.line, message: error.message))
            }
        }
        return tests
    }
}

extension RuleTestCase {
    init(file: String, yaml: YAMLNode) throws(DocumentFault) {
        guard let pairs = yaml.mapping else { throw DocumentFault(yaml.line, "rule tests must be a mapping") }
        self.file = file
        let suffix = file.hasSuffix(".yaml") ? ".test.yaml" : ".test.yml"
        ruleFile = String(file.dropLast(suffix.count) + suffix.dropFirst(5))
        (format, matches, misses, sequences) = ("syslog", [], [], [])
        for pair in pairs {
            switch pair.key {
            case "format": format = pair.value.scalar ?? format
            case "matches": matches = try Self.lines(pair.value)
            case "misses": misses = try Self.lines(pair.value)
            case "sequence":
                for node in pair.value.sequence ?? [pair.value] {
                    guard let lines = node["lines"] else { throw DocumentFault(node.line, "'lines' is missing") }
                    let count = node["count"]?.scalar.flatMap { Int($0) }
                    sequences.append(Sequence(count: count ?? 1, lines: try Self.lines(lines), line: node.line))
                }
            default: throw DocumentFault(pair.line, "'\(pair.key)' means nothing in rule tests")
            }
        }
        guard ["syslog", "clf", "json", "auditd", "plain"].contains(format) else {
            throw DocumentFault(yaml.line, "unknown format '\(format)'")
        }
    }

    private static func lines(_ node: YAMLNode) throws(DocumentFault) -> [Line] {
        guard let nodes = node.sequence else { throw DocumentFault(node.line, "a list of lines was expected") }
        var lines: [Line] = []
        for node in nodes {
            guard let text = node.scalar else { throw DocumentFault(node.line, "a line must be text") }
            lines.append(Line(text: text, line: node.line))
        }
        return lines
    }
}
