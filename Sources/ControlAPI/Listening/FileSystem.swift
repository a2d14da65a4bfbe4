import Glibc

/// What the system says about an error number.
func systemError(_ number: Int32) -> String {
    guard let text = unsafe strerror(number) else { return "error \(number)" }
    return unsafe String(cString: text)
}

func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
}

struct DirectoryError: Error, CustomStringConvertible {
    let path: String
    let number: Int32

    var description: String { "\(path): \(systemError(number))" }
}

/// Makes a directory and the ones above it that are missing; one that exists keeps its mode.
func makeDirectory(_ path: String, mode: mode_t) throws(DirectoryError) {
    var status = stat()
    if unsafe stat(path, &status) == 0 {
        guard status.st_mode & S_IFMT == S_IFDIR else { throw DirectoryError(path: path, number: ENOTDIR) }
        return
    }
    let above = parent(of: path)
    if above != path { try makeDirectory(above, mode: mode) }
    guard unsafe mkdir(path, mode) == 0 || errno == EEXIST else { throw DirectoryError(path: path, number: errno) }
}
