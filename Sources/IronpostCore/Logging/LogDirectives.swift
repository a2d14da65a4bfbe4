package import Logging

/// Which levels are logged: one for everything, and exceptions by module, as `info,log-pipeline=debug`.
package struct LogDirectives: Hashable, Sendable, CustomStringConvertible {
    /// Exceptions in one set of directives.
    static let modulesMax = 64
    static let form =
        "\(levelNames.joined(separator: ", ")); exceptions by module may follow, as in \"info,log-pipeline=debug\""

    private static let levelNames = Logger.Level.allCases.map(\.rawValue)

    package struct ParseError: Error, Equatable {
        package var message: String
    }

    /// For modules without an exception.
    package var level: Logger.Level
    /// By the beginning of a logger's label.
    package private(set) var modules: [String: Logger.Level]

    package init(level: Logger.Level, modules: [String: Logger.Level] = [:]) {
        self.level = level
        self.modules = modules
    }

    /// Items are separated by commas; at most one is a bare level (without one it is `info`), each module stands once.
    package init(parsing text: String) throws(ParseError) {
        var level: Logger.Level?
        var modules: [String: Logger.Level] = [:]
        for item in text.split(separator: ",", omittingEmptySubsequences: false) {
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map {
                $0.filter { $0 != " " }
            }
            guard let word = parts.last, let parsed = Self.level(word) else {
                throw ParseError(message: "\"\(item)\" has no level; use \(Self.form)")
            }
            if parts.count == 1 {
                guard level == nil else { throw ParseError(message: "two levels for everything; use one") }
                level = parsed
            } else {
                guard Self.isModule(parts[0]) else { throw ParseError(message: "\"\(parts[0])\" is no module") }
                guard modules.updateValue(parsed, forKey: parts[0]) == nil else {
                    throw ParseError(message: "\"\(parts[0])\" stands twice; use it once")
                }
            }
        }
        guard modules.count <= Self.modulesMax else {
            throw ParseError(message: "more than \(Self.modulesMax) modules")
        }
        self.init(level: level ?? .info, modules: modules)
    }

    /// The form that `parse` reads back, modules in order of their names.
    package var description: String {
        ([level.rawValue] + modules.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.rawValue)" })
            .joined(separator: ",")
    }

    /// The level for a logger: the exception for its label, or for the longest part of it that ends before a dot
    /// (`log-pipeline` holds for `log-pipeline.file`).
    package func level(for label: String) -> Logger.Level {
        var prefix = label[...]
        while true {
            if let level = modules[String(prefix)] { return level }
            guard let dot = prefix.lastIndex(of: ".") else { return level }
            prefix = prefix[..<dot]
        }
    }

    private static func level(_ word: String) -> Logger.Level? {
        word == "warn" ? .warning : Logger.Level(rawValue: word)
    }

    private static func isModule(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }
}
