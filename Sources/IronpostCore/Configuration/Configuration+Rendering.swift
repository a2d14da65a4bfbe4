extension Configuration {
    package enum RenderingFormat: Sendable {
        case toml, json
    }

    /// The configuration in force, for `config show`: secrets are `***`, URLs lose their user information, and empty
    /// values are shown as what stands for them.
    /// - Parameters:
    ///   - section: only this one and those below it; nil for all.
    ///   - origins: adds to each key of the TOML form where its value comes from.
    /// - Returns: nil when there is no such section.
    package func rendered(
        section: String? = nil, as format: RenderingFormat = .toml, origins: [String: ConfigurationOrigin] = [:]
    ) -> String? {
        rendered(section: section, as: format, origins: origins, keys: ConfigurationKey.all)
    }

    func rendered(
        section: String?, as format: RenderingFormat, origins: [String: ConfigurationOrigin], keys: [ConfigurationKey]
    ) -> String? {
        let sections = ConfigurationSection.all.map(\.path).filter { path in
            section.map { path == $0 || path.hasPrefix($0 + ".") } ?? true
        }
        guard !sections.isEmpty else { return nil }
        switch format {
        case .json:
            return OrderedJSON.tree(
                keys.filter { sections.contains($0.section) }.map { ($0.path, $0.shown(in: self).json) }
            ).text() + "\n"
        case .toml:
            return sections.map { path in
                let lines = keys.filter { $0.section == path }.map { key in
                    let origin = origins[key.path].map { "  # \(ConfigurationText.singleLine($0.description))" } ?? ""
                    return "\(key.name) = \(key.shown(in: self).toml)\(origin)\n"
                }
                return "[\(path)]\n" + lines.joined()
            }.joined(separator: "\n")
        }
    }
}

extension OrderedJSON {
    /// Nested objects from dotted paths; objects stand where their first member stood.
    static func tree(_ leaves: [(path: String, value: OrderedJSON)]) -> OrderedJSON {
        var members: [Member] = []
        var below: [String: [(path: String, value: OrderedJSON)]] = [:]
        for (path, value) in leaves {
            guard let dot = path.firstIndex(of: ".") else {
                members.append(Member(name: path, value: value))
                continue
            }
            let name = String(path[..<dot])
            if below[name] == nil { members.append(Member(name: name, value: .object([:]))) }
            below[name, default: []].append((String(path[path.index(after: dot)...]), value))
        }
        return .object(
            members.map { member in
                below[member.name].map { Member(name: member.name, value: tree($0)) } ?? member
            }
        )
    }
}
