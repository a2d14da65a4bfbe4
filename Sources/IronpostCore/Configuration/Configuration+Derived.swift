#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension Configuration.LogPipeline {
    /// Where auditd writes on every distribution.
    package static let auditLog = "/var/log/audit/audit.log"

    /// Patterns of the files to follow.
    package var followed: [String] {
        (sources.contains(.file) ? file.include : [])
            + (sources.contains(.audit) && !(sources.contains(.file) && file.include.contains(Self.auditLog))
                ? [Self.auditLog] : [])
    }
}

/// What is in force where the configuration leaves a value empty.
extension Configuration {
    package static let defaultDataDirectory = "/var/lib/ironpost"
    package static let defaultPolicyPath = "/etc/ironpost/policies"
    /// Where an installed daemon keeps what does not outlive a boot.
    package static let runtimeDirectory = "/run/ironpost"
    /// The longest host name the kernel gives, with its NUL.
    private static let hostNameBytesMax = 256

    package var pidFile: String {
        general.pidFile.isEmpty ? besideData("ironpost.pid", installed: true) : general.pidFile
    }

    package var controlSocket: String {
        general.controlSocket.isEmpty ? besideData("control.sock", installed: true) : general.controlSocket
    }

    package var tokenFile: String {
        http.tokenFile.isEmpty ? besideData("token") : http.tokenFile
    }

    /// What is kept about containers that were acted on.
    package var evidenceDirectory: String { besideData("evidence") }

    package var storageURL: String {
        storage.url.isEmpty ? "sqlite:" + besideData("ironpost.db") : storage.url
    }

    /// Where the documents of inventories are written.
    package var sbomDirectory: String {
        sbom.outputDirectory.isEmpty ? besideData("sbom") : sbom.outputDirectory
    }

    /// The directory (or file) of known vulnerabilities.
    package var vulnerabilityDatabase: String {
        sbom.vulnDBPath.isEmpty ? besideData("vulndb") : sbom.vulnDBPath
    }

    /// The database file of `storageURL`.
    package var databasePath: String {
        Storage.path(ofURL: storageURL) ?? besideData("ironpost.db")
    }

    /// Directories outside the data directory below which the daemon itself writes: what the sandbox leaves open.
    package var writableDirectories: [String] {
        [databasePath, tokenFile].map { path in
            guard let slash = path.lastIndex(of: "/") else { return "." }
            return slash == path.startIndex ? "/" : String(path[..<slash])
        }
    }

    /// TCP ports to which the daemon itself connects: what the sandbox leaves open. None: it connects to nobody.
    package var outgoingPorts: [UInt16] { [] }

    /// The name under which this host's alerts are kept.
    package var nodeName: String {
        general.nodeName.isEmpty ? Self.hostName() : general.nodeName
    }

    /// A file in the data directory, or in /run when the daemon is installed in its usual place.
    private func besideData(_ name: String, installed: Bool = false) -> String {
        var directory = general.dataDirectory[...]
        while directory.count > 1, directory.last == "/" { directory.removeLast() }
        if installed, directory == Self.defaultDataDirectory { return "\(Self.runtimeDirectory)/\(name)" }
        return directory == "/" ? "/\(name)" : "\(directory)/\(name)"
    }

    private static func hostName() -> String {
        var buffer = [CChar](repeating: 0, count: hostNameBytesMax)
        let result = unsafe gethostname(&buffer, buffer.count - 1)
        let bytes = buffer.lazy.map { UInt8(bitPattern: $0) }.prefix { $0 != 0 }
        let name = String(decoding: Array(bytes), as: UTF8.self)
        return result == 0 && !name.isEmpty ? name : "localhost"
    }
}

extension Configuration.Storage {
    /// The file behind `sqlite:/path`, `sqlite:///path` or `sqlite:path`; nil for anything else.
    package static func path(ofURL url: String) -> String? {
        let scheme = "sqlite:"
        guard url.hasPrefix(scheme) else { return nil }
        var path = url.dropFirst(scheme.count)
        if path.hasPrefix("//") {
            path = path.dropFirst(2)
            // What stands between "//" and "/" would be a host, and a file has none.
            guard path.hasPrefix("/") else { return nil }
        }
        return path.isEmpty || path.hasSuffix("/") ? nil : String(path)
    }
}

extension Configuration.Container {
    /// Where engines listen, unless told otherwise.
    package static let usualSockets = ["/var/run/docker.sock", "/run/podman/podman.sock"]

    package var isEnabled: Bool { enabled != .off }

    /// The socket that is used: the first of the usual ones that is there, or the first of all.
    package var socketInForce: String {
        guard socket.isEmpty else { return socket }
        return Self.usualSockets.first { unsafe access($0, F_OK) == 0 } ?? Self.usualSockets[0]
    }
}
