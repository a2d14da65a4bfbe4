import CLinux
import Glibc
import IronpostCore

/// Work inside a container's network namespace.
enum NetworkNamespace {
    struct Fault: Error, CustomStringConvertible {
        var description: String
    }

    /// Ends every connection of the container's, if its namespace is its own.
    /// - Returns: how many were closed.
    static func closeConnections(of record: ContainerRecord, _ table: ProcessTable) -> Result<Int, Fault> {
        let inside = unsafe open("\(table.proc)/\(record.pid)/ns/net", O_RDONLY | O_CLOEXEC)
        guard inside >= 0 else {
            return .failure(
                Fault(description: "cannot open the container's network: \(unsafe String(cString: strerror(errno)))"))
        }
        defer { close(inside) }
        var status = stat()
        guard unsafe fstat(inside, &status) == 0, UInt64(status.st_ino) == record.networkNamespace,
            !record.sharesNetwork
        else { return .failure(Fault(description: "the container's network is not its own")) }
        let count = ip_close_connections(inside)
        guard count >= 0 else {
            return .failure(Fault(description: "cannot close connections: \(unsafe String(cString: strerror(-count)))"))
        }
        return .success(Int(count))
    }
}
