/// `requirements*.txt`: exact pins only. A range says what would do, not what is used.
struct PythonRequirements: Cataloger {
    let name = "python-requirements"
    let selectors: [FileSelector] = [.affixes("requirements", ".txt"), .affixes("", "requirements.txt")]

    func catalog(_ file: SourceFile, into catalog: inout Catalog) throws(ReadFault) {
        let isDevelopment = ["dev", "test", "lint", "docs"].contains { file.name.contains($0) }
        var lines = Lines(try file.bytes())
        while let line = lines.next() {
            var text = line.text
            while text.hasSuffix("\\"), let next = lines.next() { text = text.dropLast() + " " + next.text }
            let number = lines.number
            guard let requirement = Self.requirement(text) else { continue }
            guard let pin = PythonPin(requirement) else {
                catalog.note("line \(number): \"\(requirement.prefix(80))\" is no exact version")
                continue
            }
            let place = catalog.add(
                Package(
                    .pypi, name: pin.name, version: pin.version, scope: isDevelopment ? .development : .required,
                    hashes: Self.hashes(text)
                )
            )
            catalog.markDirect(place)
        }
    }

    /// Without comment, options and hashes; `nil` for a line that asks for nothing.
    private static func requirement(_ line: String) -> String? {
        var text = line[...]
        if text.drop(while: { $0 == " " || $0 == "\t" }).first == "#" { return nil }
        if let comment = text.indices.first(where: {
            text[$0] == "#" && $0 > text.startIndex && text[text.index(before: $0)] == " "
        }) {
            text = text[..<comment]
        }
        let words = text.split { $0 == " " || $0 == "\t" }.prefix { !$0.hasPrefix("--hash") }
        guard let first = words.first, !first.hasPrefix("-") else { return nil }
        return words.joined(separator: " ")
    }

    /// One hash names one file; several stand for as many files of the same version, and name none.
    private static func hashes(_ line: String) -> [Package.Hash] {
        let found = line.split(separator: " ").filter { $0.hasPrefix("--hash=") }
        guard found.count == 1 else { return [] }
        return Package.Hash(prefixed: Array(found[0].utf8.dropFirst(7))[...]).map { [$0] } ?? []
    }
}

/// `name[extra] == 1.2.3 ; marker`
struct PythonPin {
    let name: String
    let version: String

    init?(_ requirement: String) {
        let text = requirement.prefix { $0 != ";" }
        let name = text.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" || $0 == ".") }
        var rest = text[name.endIndex...].drop { $0 == " " }
        if rest.first == "[" {
            guard let end = rest.firstIndex(of: "]") else { return nil }
            rest = rest[rest.index(after: end)...].drop { $0 == " " }
        }
        if rest.first == "(", rest.last == ")" { rest = rest.dropFirst().dropLast() }
        guard rest.hasPrefix("==") else { return nil }
        rest = rest.drop { $0 == "=" || $0 == " " }
        while rest.last == " " { rest.removeLast() }
        guard !name.isEmpty, !rest.isEmpty, !rest.contains("*"), !rest.contains(","), !rest.contains(" ") else {
            return nil
        }
        self.name = String(name)
        version = String(rest)
    }
}
