import Glibc

/// The secret that opens the TCP side: 256 random bits in a file that only its owner may read.
package struct AccessToken: Sendable {
    private let secret: [UInt8]

    private static let bytesMin = 32
    private static let fileBytesMax = 4096

    /// Reads the token, or makes one when there is no file.
    package init(file: String) throws(AccessTokenError) {
        let descriptor = unsafe open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        if descriptor >= 0 {
            defer { close(descriptor) }
            secret = try Self.read(descriptor, file: file)
        } else if errno == ENOENT {
            secret = try Self.make(file: file)
        } else {
            throw AccessTokenError(file: file, reason: "cannot be opened: \(systemError(errno))")
        }
    }

    /// Takes the same time whatever is presented, except for its length.
    package func matches(_ presented: some StringProtocol) -> Bool {
        let bytes = Array(presented.utf8.prefix(Self.fileBytesMax))
        var difference = UInt8(bytes.count == secret.count ? 0 : 1)
        for index in secret.indices {
            difference |= secret[index] ^ (index < bytes.count ? bytes[index] : 0)
        }
        return difference == 0
    }

    private static func read(_ descriptor: Int32, file: String) throws(AccessTokenError) -> [UInt8] {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            throw AccessTokenError(file: file, reason: "cannot be examined: \(systemError(errno))")
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw AccessTokenError(file: file, reason: "is not a regular file")
        }
        guard status.st_uid == 0 || status.st_uid == geteuid() else {
            throw AccessTokenError(file: file, reason: "belongs to user \(status.st_uid), not to the daemon or root")
        }
        guard status.st_mode & 0o077 == 0 else {
            let mode = String(status.st_mode & 0o777, radix: 8)
            throw AccessTokenError(file: file, reason: "is open to others (mode 0\(mode)); run: chmod 600 \(file)")
        }
        var bytes = [UInt8](repeating: 0, count: fileBytesMax)
        let count = unsafe Glibc.read(descriptor, &bytes, bytes.count)
        guard count >= 0 else {
            throw AccessTokenError(file: file, reason: "cannot be read: \(systemError(errno))")
        }
        let isSpace: (UInt8) -> Bool = { $0 == 0x0A || $0 == 0x0D || $0 == 0x20 || $0 == 0x09 }
        let token = Array(bytes.prefix(count).drop(while: isSpace).reversed().drop(while: isSpace).reversed())
        guard token.count >= bytesMin, token.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw AccessTokenError(
                file: file, reason: "holds no token of at least \(bytesMin) visible characters; remove it for a new one"
            )
        }
        return token
    }

    private static func make(file: String) throws(AccessTokenError) -> [UInt8] {
        do {
            try makeDirectory(parent(of: file), mode: 0o700)
        } catch {
            throw AccessTokenError(file: file, reason: "has no directory: \(error)")
        }
        let token = Array((0..<32).map { _ in hexByte(UInt8.random(in: .min ... .max)) }.joined().utf8)
        let descriptor = unsafe open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw AccessTokenError(file: file, reason: "cannot be made: \(systemError(errno))")
        }
        defer { close(descriptor) }
        let line = token + [0x0A]
        guard fchmod(descriptor, 0o600) == 0, unsafe write(descriptor, line, line.count) == line.count,
            fsync(descriptor) == 0
        else {
            let reason = systemError(errno)
            unsafe unlink(file)
            throw AccessTokenError(file: file, reason: "cannot be written: \(reason)")
        }
        return token
    }

    private static func hexByte(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 16)
        return digits.utf8.count == 1 ? "0" + digits : digits
    }
}

/// The token file cannot be used, so the TCP side serves nothing that needs it.
package struct AccessTokenError: Error, CustomStringConvertible, Equatable {
    package let file: String
    package let reason: String

    package var description: String { "token file \(file) \(reason)" }
}
