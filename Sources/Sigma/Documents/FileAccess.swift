#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// The three calls to the system that loading needs.
enum FileAccess {
    enum Kind { case file, directory, other }

    enum Content {
        case bytes([UInt8])
        case tooLarge
        case unreadable
    }

    /// - Returns: `nil` when there is nothing, or nothing that may be seen.
    static func kind(of path: String, followingLink: Bool) -> Kind? {
        var status = stat()
        let result = unsafe followingLink ? stat(path, &status) : lstat(path, &status)
        guard result == 0 else { return nil }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return .file
        case S_IFDIR: return .directory
        default: return .other
        }
    }

    static func names(in directory: String) -> [String]? {
        guard let stream = unsafe opendir(directory) else { return nil }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Reads a regular file; a pipe or a device is unreadable and never waited for.
    static func read(_ path: String, bytesMax: Int) -> Content {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return .unreadable }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return .unreadable }
        guard status.st_size <= bytesMax else { return .tooLarge }
        // One byte more than allowed, so that a file which grows meanwhile is seen to be too large.
        var bytes = [UInt8](repeating: 0, count: bytesMax + 1)
        var count = 0
        while count < bytes.count {
            let limit = bytes.count
            let result = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe readAgain(descriptor, UnsafeMutableRawBufferPointer(rebasing: buffer[count..<limit]))
            }
            guard result >= 0 else { return .unreadable }
            guard result > 0 else { break }
            count += result
        }
        guard count <= bytesMax else { return .tooLarge }
        return .bytes(Array(bytes[..<count]))
    }

    private static func readAgain(_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
        while true {
            #if canImport(Glibc)
                let result = unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            #elseif canImport(Musl)
                let result = unsafe Musl.read(descriptor, buffer.baseAddress, buffer.count)
            #else
                let result = unsafe Darwin.read(descriptor, buffer.baseAddress, buffer.count)
            #endif
            // EINTR: a signal came before any byte did.
            if result >= 0 || errno != EINTR { return result }
        }
    }
}
