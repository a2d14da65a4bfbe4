internal import IronpostCore

#if canImport(Glibc)
    import Glibc
#endif

/// Reads a directory of policies, all of it or nothing.
package enum PolicyFolder {
    package static let filesMax = 1000

    /// Every fault of every file; never empty.
    package struct Faults: Error, CustomStringConvertible {
        package var faults: [PolicyFault]

        package var description: String { faults.map(\.description).joined(separator: "\n") }
    }

    /// - Returns: the built-in policy while the default directory is not there or holds none.
    /// - Throws: `Faults`.
    package static func load(_ path: String) throws(Faults) -> PolicySet {
        let names: [String]
        do throws(PolicyFault) {
            names = try files(in: path)
        } catch {
            throw Faults(faults: [error])
        }
        guard !names.isEmpty else { return PolicySet([.builtIn]) }
        if let fault = FileTrust.fault(ofDirectory: path) {
            throw Faults(faults: [PolicyFault(file: path, line: nil, message: fault.description)])
        }
        var faults: [PolicyFault] = []
        var policies: [Policy] = []
        for name in names {
            let file = "\(path)/\(name)"
            var document = PolicyDocument(file: file)
            do throws(ConfigurationFile.ReadError) {
                let bytes = try ConfigurationFile.read(file)
                if let policy = document.read(bytes) {
                    if let first = policies.first(where: { $0.id == policy.id }) {
                        faults.append(
                            PolicyFault(
                                file: file, line: nil, message: "the id \"\(policy.id)\" is that of \(first.file)")
                        )
                    }
                    policies.append(policy)
                }
                faults += document.faults
            } catch {
                switch error {
                case .missing: faults.append(PolicyFault(file: file, line: nil, message: "went away while it was read"))
                case .refused(let why): faults.append(PolicyFault(file: file, line: nil, message: why))
                }
            }
        }
        guard faults.isEmpty else { throw Faults(faults: faults) }
        return PolicySet(policies)
    }

    /// The names of the policies' files, in order. Only the default directory may be absent.
    private static func files(in path: String) throws(PolicyFault) -> [String] {
        guard let handle = unsafe opendir(path) else {
            let code = errno
            if code == ENOENT, path == Configuration.defaultPolicyPath { return [] }
            throw PolicyFault(
                file: path, line: nil,
                message: "response.policy_path cannot be opened: \(unsafe String(cString: strerror(code)))"
            )
        }
        defer { unsafe closedir(handle) }
        var names: [String] = []
        while let entry = unsafe readdir(handle) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name.hasSuffix(".toml"), !name.hasPrefix(".") else { continue }
            guard names.count < filesMax else {
                throw PolicyFault(file: path, line: nil, message: "holds more than \(filesMax) policies")
            }
            names.append(name)
        }
        return names.sorted()
    }
}
