import Glibc

/// An open file descriptor that is closed when nobody holds it any more.
package final class OwnedDescriptor: Sendable {
    package let number: Int32

    /// Takes over `number`.
    package init(_ number: Int32) {
        self.number = number
    }

    deinit {
        close(number)
    }

    /// A second descriptor of the same open file, for the caller to close; nil when the process has none left.
    /// - Parameter from: the lowest number that it may get.
    package func duplicate(from: Int32 = 3) -> Int32? {
        let copy = fcntl(number, F_DUPFD_CLOEXEC, from)
        return copy >= 0 ? copy : nil
    }
}
