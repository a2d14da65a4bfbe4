package import IronpostCore

/// What containers say, as their engine keeps it, opened by the responder.
package struct EngineLogs: ContainerLogs {
    private let directory: LiveDirectory
    private let link: any ResponderLink

    package init(directory: LiveDirectory, link: any ResponderLink) {
        self.directory = directory
        self.link = link
    }

    package func readable() -> [ContainerLog]? {
        guard directory.isComplete else { return nil }
        return directory.containers().containers.map {
            ContainerLog(
                id: $0.id, name: $0.shownName, path: $0.logPath, started: $0.started ?? $0.created,
                isAlive: $0.state.isAlive)
        }
    }

    package func open(_ id: ContainerID) throws -> OwnedDescriptor { try link.openContainerLog(id) }
}
