internal import Glibc
internal import IronpostCore

/// The OpenVEX documents of the configuration, read again when one of them changed or a statement is over.
struct ExceptionFiles {
    private let paths: [String]
    private var stamps: [FileStamp?]?
    private(set) var exceptions = Exceptions()
    /// Documents that count for nothing, and why.
    private(set) var problems: [String] = []

    private static let bytesMax = 64 << 20

    init(_ paths: [String]) { self.paths = paths }

    /// - Returns: whether other findings may be ruled out than before.
    mutating func refresh(now: Timestamp) -> Bool {
        guard !paths.isEmpty else { return false }
        let clock = FileStamp.now
        let current: [FileStamp?] = paths.map { path in
            var status = stat()
            guard unsafe stat(path, &status) == 0 else { return nil }
            return FileStamp(status)
        }
        guard current != stamps || secondsLeft(now) == 0 else { return false }
        exceptions = Exceptions()
        problems = []
        for path in paths {
            do throws(ReadFault) { try read(path, now) } catch { problems.append("\(path): \(error)") }
        }
        // What changed just now may change again under the same times; and what mends a refused one, as another mode of its
        // directory, changes none of them.
        stamps = problems.isEmpty && current.allSatisfy { $0?.isSettled(at: clock) ?? true } ? current : nil
        return true
    }

    /// Until the next statement is over; `nil` when none ends.
    func secondsLeft(_ now: Timestamp) -> Int64? {
        exceptions.nextExpiry.map { max(0, ($0.nanoseconds - now.nanoseconds + 999_999_999) / 1_000_000_000) }
    }

    /// Whoever can write it can hide findings: it has to be as safe as a rule.
    private mutating func read(_ path: String, _ now: Timestamp) throws(ReadFault) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw ReadFault(SystemError.text) }
        let file = OpenFile(descriptor: descriptor)
        if let fault = FileTrust.fault(ofFile: path, descriptor: descriptor) { throw ReadFault("\(fault)") }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw ReadFault(SystemError.text) }
        guard Int(status.st_size) <= Self.bytesMax else { throw ReadFault("larger than \(Self.bytesMax >> 20) MiB") }
        var more = exceptions
        try more.add(file.read(at: 0, count: Int(status.st_size)), now: now)
        exceptions = more
    }
}
