import FoundationEssentials
import Glibc

/// The only way to stdout and stderr: data here, everything else there.
enum Output {
    static func write(_ text: String) {
        emit(text + "\n", to: STDOUT_FILENO)
    }

    static func complain(_ text: String) {
        emit(text + "\n", to: STDERR_FILENO)
    }

    /// JSON over several lines, keys sorted.
    static func json(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
        write(String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    /// JSON on one line.
    static func jsonLine(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        write(String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    static func write(bytes: [UInt8]) {
        emit(bytes, to: STDOUT_FILENO)
    }

    /// One line on a terminal's stderr that the next one replaces.
    static func progress(_ text: String) {
        emit(Array("\r\u{1B}[K\(text)".utf8), to: STDERR_FILENO)
    }

    private static func emit(_ text: String, to descriptor: Int32) {
        emit(Array(text.utf8), to: descriptor)
    }

    private static func emit(_ bytes: [UInt8], to descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                // Nobody reads any more, as behind `head`; or there is nowhere to say it.
                if descriptor == STDOUT_FILENO { exit(ExitStatus.inputOutput.rawValue) }
                return
            }
            rest = rest.dropFirst(count)
        }
    }
}
