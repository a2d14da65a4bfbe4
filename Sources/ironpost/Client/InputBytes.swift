import Glibc

/// A whole file, or standard input, up to a bound.
enum InputBytes {
    struct Fault: Error, CustomStringConvertible {
        let description: String
    }

    static func read(_ path: String, max: Int) throws(Fault) -> [UInt8] {
        let descriptor = path == "-" ? dup(STDIN_FILENO) : unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Fault(description: unsafe String(cString: strerror(errno))) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Fault(description: unsafe String(cString: strerror(errno))) }
            if count == 0 { return bytes }
            guard bytes.count + count <= max else { throw Fault(description: "larger than \(max) bytes") }
            bytes.append(contentsOf: buffer[..<count])
        }
    }
}
