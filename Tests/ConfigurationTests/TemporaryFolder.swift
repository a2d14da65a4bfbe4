import FoundationEssentials

@testable import IronpostCore

/// A private folder for one test; `remove` it at the end.
struct TemporaryFolder {
    let path: String

    init() throws {
        path = "/tmp/ironpost-configuration-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700]
        )
    }

    func remove() {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            print("left behind: \(path): \(error)")
        }
    }

    /// Writes a file that only its owner may write, and gives its path.
    func write(_ text: String, to name: String = "ironpost.toml") throws -> String {
        try write(Array(text.utf8), to: name)
    }

    func write(_ bytes: [UInt8], to name: String = "ironpost.toml") throws -> String {
        let file = "\(path)/\(name)"
        try Data(bytes).write(to: URL(filePath: file))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
        return file
    }
}

typealias Setting = ConfigurationSources.Setting

/// Loads from a file with this text, the environment and options.
func load(
    _ text: String?, environment: [String: String] = [:], settings: [Setting] = []
) throws -> Result<LoadedConfiguration, ConfigurationFaults> {
    guard let text else {
        return Configuration.load(
            ConfigurationSources(file: nil, fileIsExplicit: false, environment: environment, settings: settings)
        )
    }
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let file = try folder.write(text)
    return Configuration.load(
        ConfigurationSources(file: file, fileIsExplicit: true, environment: environment, settings: settings)
    )
}

/// The faults' lines, with the folder left out of the file's name.
func faults(
    _ text: String?, environment: [String: String] = [:], settings: [Setting] = []
) throws -> [String] {
    switch try load(text, environment: environment, settings: settings) {
    case .success: return []
    case .failure(let faults):
        return faults.faults.map { fault in
            var fault = fault
            if case .file(let path, let position) = fault.origin {
                fault.origin = .file(path: String(path.split(separator: "/").last ?? ""), position: position)
            }
            return fault.description
        }
    }
}
