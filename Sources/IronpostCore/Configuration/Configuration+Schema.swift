extension Configuration {
    /// The JSON schema (draft 2020-12) of the configuration file, for editors and for `ironpost config schema`.
    package static func schemaJSON() -> String {
        schema(ConfigurationKey.all).text() + "\n"
    }

    private static func schema(_ keys: [ConfigurationKey]) -> OrderedJSON {
        let leaves = keys.map { key in (path: key.path, value: schema(key)) }
        guard case .object(let members) = object(leaves, path: "") else { return .object([:]) }
        return .object(
            [
                OrderedJSON.Member(
                    name: "$schema", value: .string("https://json-schema.org/draft/2020-12/schema")),
                OrderedJSON.Member(name: "title", value: .string("Ironpost configuration")),
            ] + members
        )
    }

    /// A section: its keys, then the sections below it.
    private static func object(_ leaves: [(path: String, value: OrderedJSON)], path: String) -> OrderedJSON {
        var properties: [OrderedJSON.Member] = []
        var below: [(name: String, leaves: [(path: String, value: OrderedJSON)])] = []
        for leaf in leaves {
            let parts = leaf.path.split(separator: ".", maxSplits: 1).map(String.init)
            guard parts.count == 2 else {
                properties.append(OrderedJSON.Member(name: leaf.path, value: leaf.value))
                continue
            }
            if let index = below.firstIndex(where: { $0.name == parts[0] }) {
                below[index].leaves.append((parts[1], leaf.value))
            } else {
                below.append((parts[0], [(parts[1], leaf.value)]))
            }
        }
        for child in below {
            let childPath = path.isEmpty ? child.name : "\(path).\(child.name)"
            properties.append(
                OrderedJSON.Member(name: child.name, value: object(child.leaves, path: childPath))
            )
        }
        var members = [OrderedJSON.Member(name: "type", value: .string("object"))]
        if let summary = ConfigurationSection.all.first(where: { $0.path == path })?.summary {
            members.append(OrderedJSON.Member(name: "description", value: .string(summary)))
        }
        members.append(OrderedJSON.Member(name: "additionalProperties", value: .boolean(false)))
        members.append(OrderedJSON.Member(name: "properties", value: .object(properties)))
        return .object(members)
    }

    private static func schema(_ key: ConfigurationKey) -> OrderedJSON {
        guard case .object(let accepted) = key.schema else { return key.schema }
        var members = [
            OrderedJSON.Member(name: "description", value: .string("\(key.summary) Allowed: \(key.allowed)."))
        ]
        members += accepted
        members.append(OrderedJSON.Member(name: "default", value: key.defaultValue.json))
        members.append(OrderedJSON.Member(name: "x-environment", value: .string(key.environmentName)))
        if key.isRestartOnly { members.append(OrderedJSON.Member(name: "x-restart-only", value: .boolean(true))) }
        if key.isSecret { members.append(OrderedJSON.Member(name: "writeOnly", value: .boolean(true))) }
        return .object(members)
    }
}
