/// Which distribution a root is, from its `os-release`.
struct OperatingSystem: Sendable, Hashable {
    /// `debian`, `alpine`; `nil` where nothing says.
    var id: String?
    var version: String?
    var isLongTerm = false

    private static let bytesMax = 64 << 10

    init(id: String?, version: String?, isLongTerm: Bool = false) {
        self.id = id
        self.version = version
        self.isLongTerm = isLongTerm
    }

    /// - Parameter root: what stands in front of the system's own paths.
    init(_ file: SourceFile, root: String) {
        let bytes =
            file.rooted(root + "etc/os-release", bytesMax: Self.bytesMax)
            ?? file.rooted(root + "usr/lib/os-release", bytesMax: Self.bytesMax)
        self.init(release: bytes ?? [])
    }

    init(release bytes: [UInt8]) {
        for line in Lines(bytes) {
            if let value = line.after("ID=") { id = Self.plain(value).lowercased() }
            if let value = line.after("VERSION_ID=") { version = Self.plain(value) }
            if let value = line.after("VERSION=") { isLongTerm = Self.plain(value).contains("LTS") }
        }
        if id?.isEmpty == true { id = nil }
    }

    private static func plain(_ value: ArraySlice<UInt8>) -> String {
        value.trimmed.text.filter { $0 != "\"" && $0 != "'" }
    }

    /// `debian-12`
    var distro: String {
        guard let id else { return "" }
        return version.map { "\(id)-\($0)" } ?? id
    }

    /// The name under which OSV keeps its advisories.
    var osvName: String? {
        guard let id else { return nil }
        let major = version.map { String($0.prefix { $0 != "." }) }
        switch id {
        case "debian": return major.map { "Debian:\($0)" } ?? "Debian"
        case "ubuntu": return version.map { "Ubuntu:\($0)\(isLongTerm ? ":LTS" : "")" } ?? "Ubuntu"
        case "alpine":
            guard let version else { return "Alpine" }
            return "Alpine:v" + version.split(separator: ".").prefix(2).joined(separator: ".")
        case "wolfi": return "Wolfi"
        case "chainguard": return "Chainguard"
        case "rocky": return major.map { "Rocky Linux:\($0)" } ?? "Rocky Linux"
        case "almalinux": return major.map { "AlmaLinux:\($0)" } ?? "AlmaLinux"
        case "opensuse-leap": return version.map { "openSUSE:Leap \($0)" }
        case "opensuse-tumbleweed": return "openSUSE:Tumbleweed"
        case "openeuler": return version.map { "openEuler:\($0)" }
        case "mageia": return version.map { "Mageia:\($0)" }
        case "photon": return version.map { "Photon OS:\($0)" }
        case "azurelinux": return version.map { "Azure Linux:\($0)" }
        default: return nil
        }
    }
}
