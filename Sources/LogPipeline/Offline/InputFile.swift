import CZlib
import Glibc

/// A file that is read from its start to its end: plain or compressed with gzip, or standard input (`-`).
package struct InputFile: ~Copyable {
    static let bufferBytes: UInt32 = 1 << 20

    package struct Fault: Error, CustomStringConvertible {
        package let path: String
        package let reason: String

        package var description: String { "cannot read \(path): \(reason)" }
    }

    private let path: String
    @safe private struct Handle: @unchecked Sendable {
        let stream: gzFile
    }
    private let handle: Handle

    package init(_ path: String) throws(Fault) {
        self.path = path == "-" ? "standard input" : path
        var status = stat()
        if path != "-" {
            guard unsafe stat(path, &status) == 0 else {
                throw Fault(path: path, reason: unsafe String(cString: strerror(errno)))
            }
            guard status.st_mode & S_IFMT != S_IFDIR else { throw Fault(path: path, reason: "it is a directory") }
        }
        let opened = path == "-" ? unsafe gzdopen(dup(STDIN_FILENO), "rb") : unsafe gzopen(path, "rb")
        guard let opened = unsafe opened else {
            throw Fault(path: self.path, reason: unsafe String(cString: strerror(errno)))
        }
        unsafe gzbuffer(opened, Self.bufferBytes)
        handle = unsafe Handle(stream: opened)
    }

    deinit {
        unsafe gzclose(handle.stream)
    }

    /// Reads up to the buffer's size; 0 at the end. A compressed file that ends in the middle is a fault, after what
    /// could be read of it.
    package func read(into buffer: inout [UInt8]) throws(Fault) -> Int {
        let count = unsafe buffer.withUnsafeMutableBytes {
            unsafe gzread(handle.stream, $0.baseAddress, UInt32($0.count))
        }
        if count > 0 { return Int(count) }
        var code: Int32 = 0
        let text = unsafe gzerror(handle.stream, &code)
        guard code < 0 else { return 0 }
        if code == Z_BUF_ERROR { throw Fault(path: path, reason: "the compressed data ends too early") }
        let said = unsafe text.map { unsafe String(cString: $0) } ?? ""
        throw Fault(path: path, reason: said.isEmpty ? "error \(code)" : said)
    }
}
