import CLinux
import Glibc
import IronpostCore

/// Opens the file in which the engine keeps what a container says. Only where the engine itself says that it is, and only
/// a regular file that bears the container's id and is reached without a symbolic link: a container's owner may choose
/// its name and labels, but not this.
enum ContainerLogFile {
    static func open(_ record: ContainerRecord) throws -> OwnedDescriptor {
        let path = record.logPath
        guard path.hasPrefix("/"), !path.split(separator: "/").contains("..") else {
            throw Refusal("container \(record.id.short) keeps no log file (log driver \(record.logDriver))")
        }
        guard path.contains(record.id.text) else { throw Refusal("\(path) does not bear the container's id") }
        let number = unsafe ip_open_without_links(path)
        guard number >= 0 else { throw LogFileArea.OpenFault(path: path, code: -number) }
        let descriptor = OwnedDescriptor(number)
        var status = stat()
        guard unsafe fstat(number, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw Refusal("\(path) is not a regular file")
        }
        return descriptor
    }
}
