internal import Glibc

/// Writes files that are there whole or not at all.
package enum WholeFile {
    /// Beside the target first, then in its place. Throws the system's words.
    /// - Parameter isDurable: whether it has to outlive a loss of power from now on; what can be made again need not.
    package static func write(
        _ bytes: [UInt8], to path: String, mode: UInt32 = 0o644, isDurable: Bool = true
    ) throws(ReadFault) {
        try write([bytes], to: path, mode: mode, isDurable: isDurable)
    }

    /// What is there piece after piece.
    package static func write(
        _ pieces: [[UInt8]], to path: String, mode: UInt32 = 0o644, isDurable: Bool = true
    ) throws(ReadFault) {
        let temporary = "\(path).\(getpid()).tmp"
        let descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode_t(mode))
        guard descriptor >= 0 else { throw ReadFault(SystemError.text) }
        let file = OpenFile(descriptor: descriptor)
        for bytes in pieces {
            var written = 0
            while written < bytes.count {
                let count = unsafe bytes.withUnsafeBytes { buffer in
                    unsafe Glibc.write(descriptor, buffer.baseAddress?.advanced(by: written), buffer.count - written)
                }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw failed(temporary) }
                written += count
            }
        }
        guard !isDurable || fsync(file.descriptor) == 0 else { throw failed(temporary) }
        guard unsafe rename(temporary, path) == 0 else { throw failed(temporary) }
    }

    private static func failed(_ temporary: String) -> ReadFault {
        let fault = ReadFault(SystemError.text)
        unsafe unlink(temporary)
        return fault
    }
}
