internal import Glibc

/// The entries of a directory, without `.` and `..`.
enum DirectoryListing {
    struct Entry {
        var name: String
        var isFolder: Bool
        var isFile: Bool
    }

    /// Empty when it cannot be read.
    static func entries(_ handle: OpenFile) -> [Entry] {
        let copy = unsafe openat(handle.descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0 else { return [] }
        guard let stream = unsafe fdopendir(copy) else {
            close(copy)
            return []
        }
        defer { unsafe closedir(stream) }
        var entries: [Entry] = []
        while let entry = unsafe readdir(stream) {
            let type = unsafe entry.pointee.d_type
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            guard name != ".", name != ".." else { continue }
            var isFolder = type == UInt8(DT_DIR)
            var isFile = type == UInt8(DT_REG)
            if type == UInt8(DT_UNKNOWN), let stamp = stamp(handle, name) {
                (isFolder, isFile) = (stamp.isDirectory, stamp.isRegular)
            }
            entries.append(Entry(name: name, isFolder: isFolder, isFile: isFile))
        }
        return entries
    }

    /// Of the entry itself, not of what a link leads to.
    static func stamp(_ handle: OpenFile, _ name: String) -> FileStamp? {
        var status = stat()
        guard unsafe fstatat(handle.descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return nil }
        return FileStamp(status)
    }
}
