/// Where what containers say can be read: the files that the engine writes.
package protocol ContainerLogs: Sendable {
    /// All containers that there are; `nil` while that is not known.
    func readable() -> [ContainerLog]?
    /// Opens a container's log for reading. Waits for whoever may open it; for a plain thread.
    /// - Throws: why it cannot be had, for people.
    func open(_ id: ContainerID) throws -> OwnedDescriptor
}

package struct ContainerLog: Sendable, Hashable {
    package var id: ContainerID
    package var name: String
    /// As the engine names it, for the evidence; what is read is what `open` gave.
    package var path: String
    package var started: Timestamp?
    package var isAlive: Bool

    package init(id: ContainerID, name: String, path: String, started: Timestamp?, isAlive: Bool) {
        self.id = id
        self.name = name
        self.path = path
        self.started = started
        self.isAlive = isAlive
    }
}
