/// A package URL (ECMA-427): `pkg:type/namespace/name@version?qualifiers#subpath`.
package struct PackageURL: Hashable, Sendable, CustomStringConvertible {
    package struct Qualifier: Hashable, Sendable {
        package var key: String
        package var value: String

        package init(_ key: String, _ value: String) {
            self.key = key
            self.value = value
        }
    }

    package private(set) var type: String
    /// Parts between type and name.
    package private(set) var namespace: [String]
    package private(set) var name: String
    package private(set) var version: String?
    /// Sorted by key, none empty.
    package private(set) var qualifiers: [Qualifier]
    package private(set) var subpath: [String]

    package struct Fault: Error, Hashable, CustomStringConvertible {
        package var description: String

        init(_ description: String) { self.description = description }
    }

    /// Normalised as its type wants it. Throws what the type or the syntax does not allow.
    package init(
        type: String, namespace: [String] = [], name: String, version: String? = nil, qualifiers: [Qualifier] = [],
        subpath: [String] = []
    ) throws(Fault) {
        let type = type.lowercased()
        guard let first = type.utf8.first, first.isLower,
            type.utf8.allSatisfy({ $0.isLower || $0.isDigit || $0 == 0x2E || $0 == 0x2D || $0 == 0x2B })
        else { throw Fault("a type is letters, digits, \".\" and \"-\", and begins with a letter") }
        self.type = type
        self.namespace = namespace.filter { !$0.isEmpty }
        self.name = name
        self.version = version.flatMap { $0.isEmpty ? nil : $0 }
        self.subpath = subpath.filter { !$0.isEmpty && $0 != "." && $0 != ".." }
        var kept: [String: String] = [:]
        for qualifier in qualifiers where !qualifier.value.isEmpty {
            let key = qualifier.key.lowercased()
            guard let first = key.utf8.first, !first.isDigit,
                key.utf8.allSatisfy({ $0.isLower || $0.isDigit || $0 == 0x2E || $0 == 0x2D || $0 == 0x5F })
            else { throw Fault("\"\(qualifier.key)\" is no key of a qualifier") }
            kept[key] = qualifier.value
        }
        self.qualifiers = kept.sorted { $0.key < $1.key }.map { Qualifier($0.key, $0.value) }
        guard !name.isEmpty else { throw Fault("a name is needed") }
        try normalize()
    }

    /// A package of an ecosystem, by the name that its registry uses.
    package init(
        _ ecosystem: Ecosystem, name: String, version: String?, namespace: [String] = [], qualifiers: [Qualifier] = []
    ) {
        var parts = namespace
        var last = name
        switch ecosystem {
        case .npm, .golang, .composer, .swift:
            let pieces = name.split(byte: 0x2F)
            if pieces.count > 1 || pieces.first?.utf8.count != name.utf8.count {
                parts = pieces.dropLast().map(String.init)
                last = pieces.last.map(String.init) ?? name
            }
        case .maven:
            let pieces = name.split(byte: 0x3A, maxSplits: 1).map(String.init)
            if pieces.count == 2 { (parts, last) = ([pieces[0]], pieces[1]) }
        default: break
        }
        type = ecosystem.rawValue
        self.namespace = parts
        self.name = last
        self.version = version.flatMap { $0.isEmpty ? nil : $0 }
        self.qualifiers =
            qualifiers.isEmpty ? [] : qualifiers.filter { !$0.value.isEmpty }.sorted { $0.key < $1.key }
        subpath = []
        normalizeCase()
    }

    /// The host is the namespace; everything below is the name.
    mutating func hostOnly() {
        guard namespace.count > 1 else { return }
        name = (namespace.dropFirst() + [name]).joined(separator: "/")
        namespace = Array(namespace.prefix(1))
    }

    mutating func normalizeCase() {
        switch type {
        case "pypi": name = PythonName.normalized(name)
        case "bitbucket", "github", "composer", "apk", "deb", "alpm", "hex", "otp", "brew":
            name = name.lowercased()
            namespace = namespace.map { $0.lowercased() }
        case "rpm", "qpkg": namespace = namespace.map { $0.lowercased() }
        case "huggingface": version = version?.lowercased()
        // Azure's registry does not tell upper from lower case.
        case "mlflow" where qualifiers.contains { $0.value.contains("azuredatabricks.net") }: name = name.lowercased()
        default: break
        }
    }

    package var description: String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(128)
        bytes.append(contentsOf: "pkg:".utf8)
        bytes.append(contentsOf: type.utf8)
        for part in namespace {
            bytes.append(0x2F)
            Self.encode(part, to: &bytes)
        }
        bytes.append(0x2F)
        if type == "git" {
            for (index, part) in name.split(separator: "/").enumerated() {
                if index > 0 { bytes.append(0x2F) }
                Self.encode(String(part), to: &bytes)
            }
        } else {
            Self.encode(name, to: &bytes)
        }
        if let version {
            bytes.append(0x40)
            Self.encode(version, to: &bytes)
        }
        for (index, qualifier) in qualifiers.enumerated() {
            bytes.append(index == 0 ? 0x3F : 0x26)
            bytes.append(contentsOf: qualifier.key.utf8)
            bytes.append(0x3D)
            Self.encode(qualifier.value, to: &bytes)
        }
        for (index, part) in subpath.enumerated() {
            bytes.append(index == 0 ? 0x23 : 0x2F)
            Self.encode(part, to: &bytes)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static let hexadecimal = Array("0123456789ABCDEF".utf8)

    @inline(__always) private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E, 0x3A: true
        default: false
        }
    }

    private static func encode(_ text: String, to bytes: inout [UInt8]) {
        // Nearly all texts have nothing that must be encoded.
        let isPlain = unsafe text.utf8.span.withUnsafeBufferPointer { text in
            let isPlain = unsafe text.allSatisfy { Self.isPlain($0) }
            if isPlain { unsafe bytes.append(contentsOf: text) }
            return isPlain
        }
        guard !isPlain else { return }
        for byte in text.utf8 {
            if Self.isPlain(byte) {
                bytes.append(byte)
            } else {
                bytes.append(0x25)
                bytes.append(hexadecimal[Int(byte >> 4)])
                bytes.append(hexadecimal[Int(byte & 15)])
            }
        }
    }

    // MARK: - Parsing

    /// Reads a package URL in any spelling that the specification accepts.
    package init(_ text: String) throws(Fault) {
        var rest = text[...]
        func cut(at character: Character, fromEnd: Bool) -> String? {
            guard let place = fromEnd ? rest.lastIndex(of: character) : rest.firstIndex(of: character) else {
                return nil
            }
            let tail = String(rest[rest.index(after: place)...])
            rest = rest[..<place]
            return tail
        }
        let subpath = try Self.parts(cut(at: "#", fromEnd: true) ?? "")
        var qualifiers: [Qualifier] = []
        for pair in (cut(at: "?", fromEnd: true) ?? "").split(separator: "&") {
            let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard halves.count == 2 else { continue }
            guard halves[0].first?.isUppercase != true else { throw Fault("keys of qualifiers begin in lower case") }
            qualifiers.append(Qualifier(String(halves[0]), try Self.decode(halves[1])))
        }
        guard let colon = rest.firstIndex(of: ":"), rest[..<colon].lowercased() == "pkg" else {
            throw Fault("a package URL begins with pkg:")
        }
        rest = rest[rest.index(after: colon)...].drop { $0 == "/" }
        guard let slash = rest.firstIndex(of: "/") else { throw Fault("a type and a name are needed") }
        let type = String(rest[..<slash])
        rest = rest[rest.index(after: slash)...]
        var version: String?
        if let at = rest.lastIndex(of: "@") {
            let isBehindSlash = at > rest.startIndex && rest[rest.index(before: at)] == "/"
            let isScope = isBehindSlash && rest[at...].contains("/")
            guard isScope || !isBehindSlash, at > rest.startIndex else { throw Fault("a name is needed") }
            if !isScope {
                version = try Self.decode(rest[rest.index(after: at)...])
                rest = rest[..<at]
            }
        }
        var parts = try Self.parts(String(rest))
        guard let name = parts.popLast() else { throw Fault("a name is needed") }
        try self.init(
            type: type, namespace: parts, name: name, version: version, qualifiers: qualifiers, subpath: subpath
        )
    }

    private static func parts(_ text: String) throws(Fault) -> [String] {
        var parts: [String] = []
        for part in text.split(separator: "/") { parts.append(try decode(part)) }
        return parts
    }

    private static func decode(_ text: some StringProtocol) throws(Fault) -> String {
        guard text.utf8.contains(0x25) else { return String(text) }
        let bytes = Array(text.utf8)
        var decoded: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == 0x25 {
                guard index + 2 < bytes.count,
                    let value = UInt8(String(decoding: bytes[(index + 1)...(index + 2)], as: UTF8.self), radix: 16)
                else { throw Fault("% needs two hexadecimal digits") }
                decoded.append(value)
                index += 3
            } else {
                decoded.append(bytes[index])
                index += 1
            }
        }
        guard let result = String(validating: decoded, as: UTF8.self) else { throw Fault("not UTF-8") }
        return result
    }
}
