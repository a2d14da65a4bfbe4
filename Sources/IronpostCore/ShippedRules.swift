import Glibc

/// Where the rules are that come with Ironpost.
package enum ShippedRules {
    static let installed = "/usr/share/ironpost/rules"
    /// Directories above the program that are looked at, enough for a build folder inside the source tree.
    static let levelsMax = 5

    /// The installed pack, or the one beside the sources that this program was built from; `nil` when there is neither.
    package static func directory() -> String? {
        var directory = programDirectory()
        for _ in 0..<levelsMax {
            guard let current = directory else { break }
            for candidate in [current + "/share/ironpost/rules", current + "/rules"] where isRulePack(candidate) {
                return candidate
            }
            directory = current.lastIndex(of: "/").flatMap { $0 == current.startIndex ? nil : String(current[..<$0]) }
        }
        return isRulePack(installed) ? installed : nil
    }

    static func programDirectory() -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = max(0, unsafe readlink("/proc/self/exe", &buffer, buffer.count))
        let path = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return path.lastIndex(of: "/").map { String(path[..<$0]) }
    }

    private static func isRulePack(_ path: String) -> Bool {
        unsafe access(path + "/linux", R_OK | X_OK) == 0
    }
}
