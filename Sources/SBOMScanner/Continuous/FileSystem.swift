internal import Glibc

/// Directories that are ours to make.
enum FileSystem {
    static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// The directory itself, or the nearest one above it that there is.
    static func nearestDirectory(_ path: String) -> String {
        var path = path[...]
        while !path.isEmpty, !isDirectory(String(path)) {
            path = path.lastIndex(of: "/").map { path[..<$0] } ?? ""
        }
        return path.isEmpty ? "/" : String(path)
    }

    /// With those above it.
    static func makeDirectory(_ path: String, mode: UInt32) throws(ReadFault) {
        var made = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            made += part + "/"
            guard unsafe mkdir(made, mode_t(mode)) == 0 || errno == EEXIST || isDirectory(made) else {
                throw ReadFault("\(made): \(SystemError.text)")
            }
        }
    }
}
