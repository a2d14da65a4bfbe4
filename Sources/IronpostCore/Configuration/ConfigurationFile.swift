#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Reads a file that decides what the daemon does: bounded, and only if nobody else could have written it.
package enum ConfigurationFile {
    /// A configuration file that is larger is refused.
    package static let bytesMax = 1_048_576
    private static let chunkBytes = 65536

    package enum ReadError: Error, Equatable {
        case missing
        case refused(String)
    }

    /// The file's bytes. What is checked is what is read: ownership and mode come from the open file.
    /// - Throws: `missing`, or `refused` with a message that says why and what to do.
    package static func read(_ path: String) throws(ReadError) -> [UInt8] {
        guard !path.utf8.contains(0) else { throw .refused("a path cannot contain a NUL byte") }
        // Non-blocking, so that a FIFO without a writer cannot stop the start.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            let code = errno
            if code == ENOENT || code == ENOTDIR { throw .missing }
            throw .refused("cannot be opened: \(FileTrust.message(code))")
        }
        defer { close(descriptor) }
        if path == "/dev/null" { return [] }
        if let fault = FileTrust.fault(ofFile: path, descriptor: descriptor) { throw .refused(fault.description) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: chunkBytes)
        while true {
            let count = unsafe chunk.withUnsafeMutableBytes { buffer in
                unsafe Self.read(descriptor, buffer)
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw .refused("cannot be read: \(FileTrust.message(errno))")
            }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
            guard bytes.count <= bytesMax else {
                throw .refused("is larger than \(bytesMax) bytes; a configuration is a few thousand")
            }
        }
    }

    private static func read(_ descriptor: CInt, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
        #if canImport(Glibc)
            unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count)
        #elseif canImport(Musl)
            unsafe Musl.read(descriptor, buffer.baseAddress, buffer.count)
        #else
            unsafe Darwin.read(descriptor, buffer.baseAddress, buffer.count)
        #endif
    }
}
