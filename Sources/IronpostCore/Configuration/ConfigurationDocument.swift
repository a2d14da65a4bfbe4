/// The configuration as written: for each known key the strongest source's value, still unread, and what was written
/// that is no key at all.
struct ConfigurationDocument {
    struct Entry {
        var value: WrittenValue
        var origin: ConfigurationOrigin
    }

    private(set) var values: [String: Entry] = [:]
    private(set) var faults: [ConfigurationFault] = []
    private(set) var warnings: [ConfigurationWarning] = []

    private let keys: [String: ConfigurationKey]
    /// Every section and every part of its path.
    private let sections: Set<String>
    /// In the table's order, for suggestions.
    private let keyPaths: [String]

    init(keys: [ConfigurationKey]) {
        self.keys = Dictionary(keys.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
        keyPaths = keys.map(\.path)
        var sections: Set<String> = []
        for key in keys {
            var parts = key.section.split(separator: ".")
            while !parts.isEmpty {
                sections.insert(parts.joined(separator: "."))
                parts.removeLast()
            }
        }
        self.sections = sections
    }

    /// - Returns: the file's path when it was there.
    mutating func readFile(of sources: ConfigurationSources) -> String? {
        guard let path = sources.file else { return nil }
        let bytes: [UInt8]
        do throws(ConfigurationFile.ReadError) {
            bytes = try ConfigurationFile.read(path)
        } catch {
            switch error {
            case .missing:
                guard sources.fileIsExplicit else { return nil }
                refuse(path, "there is no such file")
            case .refused(let message):
                refuse(path, message)
            }
            return path
        }
        read(bytes, path: path)
        return path
    }

    /// Reads the text of a file; `path` is only for messages.
    mutating func read(_ bytes: [UInt8], path: String) {
        do throws(TOMLSyntaxError) {
            read(try TOMLDocument.parse(bytes), section: "", path: path)
        } catch {
            faults.append(
                ConfigurationFault(
                    origin: .file(path: path, position: error.position), key: nil,
                    message: ConfigurationText.singleLine(error.message)
                )
            )
        }
    }

    private mutating func refuse(_ path: String, _ message: String) {
        faults.append(ConfigurationFault(origin: .file(path: path, position: nil), key: nil, message: message))
    }

    private mutating func read(_ members: [TOMLNode.Member], section: String, path: String) {
        for member in members {
            let full = section.isEmpty ? member.name : "\(section).\(member.name)"
            let origin = ConfigurationOrigin.file(path: path, position: member.node.position)
            // A quoted name with a dot in it is no path of ours, whatever it looks like.
            let isPath = !member.name.contains(".")
            if isPath, keys[full] != nil {
                values[full] = Entry(value: .node(member.node), origin: origin)
            } else if isPath, sections.contains(full) {
                if case .table(let children) = member.node.value {
                    read(children, section: full, path: path)
                } else {
                    let given = WrittenValue.node(member.node).given
                    faults.append(
                        ConfigurationFault(
                            origin: origin, key: full,
                            message: "\(given) is not allowed; this is a section: write [\(full)] and its keys below it"
                        )
                    )
                }
            } else {
                faults.append(
                    ConfigurationFault(
                        origin: origin, key: ConfigurationText.singleLine(full),
                        message: unknown(member, in: section)
                    )
                )
            }
        }
    }

    /// `unknown key "log_levl" in [general]; did you mean "log_level"?`
    private func unknown(_ member: TOMLNode.Member, in section: String) -> String {
        let name = ConfigurationText.quoted(member.name)
        let place = section.isEmpty ? "" : " in [\(section)]"
        let prefix = section.isEmpty ? "" : section + "."
        let siblingSections = sections.sorted().filter { isChild($0, of: prefix) }
        var isTable = false
        switch member.node.value {
        case .table: isTable = true
        case .array(let items): isTable = items.contains { if case .table = $0.value { true } else { false } }
        default: break
        }
        if isTable {
            let nearest = NearestName.find(
                member.name, among: siblingSections.map { String($0.dropFirst(prefix.count)) })
            let all = ConfigurationSection.all.map(\.path).filter { sections.contains($0) }
            let help = nearest.map { "did you mean [\(prefix)\($0)]?" } ?? "sections are \(all.joined(separator: ", "))"
            return "unknown section \(name)\(place); \(help)"
        }
        let siblings = keyPaths.filter { isChild($0, of: prefix) }.map { String($0.dropFirst(prefix.count)) }
        if let nearest = NearestName.find(member.name, among: siblings) {
            return "unknown key \(name)\(place); did you mean \"\(nearest)\"?"
        }
        // Right key, wrong section: the closest name anywhere.
        let names = keyPaths.map { (path: $0, name: String($0.split(separator: ".").last ?? "")) }
        if let nearest = NearestName.find(member.name, among: names.map(\.name)),
            let path = names.first(where: { $0.name == nearest })?.path
        {
            return "unknown key \(name)\(place); did you mean \"\(path)\"?"
        }
        let known =
            siblings.isEmpty
            ? "keys stand in sections, such as [general]" : "keys are \(siblings.joined(separator: ", "))"
        return "unknown key \(name)\(place); \(known)"
    }

    private func isChild(_ path: String, of prefix: String) -> Bool {
        path.hasPrefix(prefix) && !path.dropFirst(prefix.count).contains(".")
    }

    /// Takes `IRONPOST_<SECTION>_<KEY>`; an unknown one is only a warning, because the environment belongs to others
    /// as well.
    mutating func readEnvironment(_ environment: [String: String]) {
        let names = Dictionary(
            keys.values.map { ($0.environmentName, $0.path) }, uniquingKeysWith: { first, _ in first })
        for (name, text) in environment.sorted(by: { $0.key < $1.key })
        where name.hasPrefix(ConfigurationSources.environmentPrefix) && name != ConfigurationSources.fileVariable {
            if let path = names[name] {
                values[path] = Entry(value: .text(text), origin: .environment(name))
            } else {
                let nearest = NearestName.find(name, among: names.keys.sorted() + [ConfigurationSources.fileVariable])
                warnings.append(
                    ConfigurationWarning(
                        origin: .environment(ConfigurationText.singleLine(name)),
                        message: "unknown variable; \(nearest.map { "did you mean \($0)?" } ?? "it has no effect")"
                    )
                )
            }
        }
    }

    mutating func readSettings(_ settings: [ConfigurationSources.Setting]) {
        for setting in settings {
            let origin = ConfigurationOrigin.option(setting.option)
            guard keys[setting.key] != nil else {
                let nearest = NearestName.find(setting.key, among: keyPaths)
                let help = nearest.map { "did you mean \"\($0)\"?" } ?? "`ironpost config schema` lists all keys"
                let name = ConfigurationText.quoted(setting.key)
                faults.append(
                    ConfigurationFault(
                        origin: origin, key: ConfigurationText.singleLine(setting.key),
                        message: "unknown key \(name); \(help)"
                    )
                )
                continue
            }
            guard let text = setting.value else {
                faults.append(
                    ConfigurationFault(
                        origin: origin, key: setting.key, message: "has no value; write \(setting.key)=VALUE"
                    )
                )
                continue
            }
            values[setting.key] = Entry(value: .text(text), origin: origin)
        }
    }
}
