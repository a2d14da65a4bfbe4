extension PackageURL {
    /// Types whose names have no namespace.
    private static let withoutNamespace: Set<String> = ["otp", "vcpkg"]
    private static let withNamespace: Set<String> = ["swift", "vscode-extension"]

    /// What the types of the specification ask of their parts.
    mutating func normalize() throws(Fault) {
        normalizeCase()
        if Self.withoutNamespace.contains(type), !namespace.isEmpty { throw Fault("\(type) has no namespaces") }
        if Self.withNamespace.contains(type), namespace.isEmpty { throw Fault("\(type) needs a namespace") }
        switch type {
        case "chrome-extension":
            guard name.utf8.count == 32, name.utf8.allSatisfy({ $0 >= 0x61 && $0 <= 0x70 }) else {
                throw Fault("an extension's id is 32 letters from a to p")
            }
            let parts = version?.split(separator: ".", omittingEmptySubsequences: false) ?? []
            guard parts.count <= 4, parts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(\.isDigit) }) else {
                throw Fault("an extension's version is up to four numbers")
            }
        case "cpan":
            guard !name.contains("::") else { throw Fault("a distribution is needed, not a module") }
        case "julia":
            guard qualifiers.contains(where: { $0.key == "uuid" }) else {
                throw Fault("julia needs the qualifier uuid")
            }
        case "git": hostOnly()
        default: break
        }
    }
}
